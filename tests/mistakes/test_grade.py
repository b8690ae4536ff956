"""Grading: how much a report tells, what a script collects of it, and in which forms gradients may come."""

import json

import numpy as np
import pytest

from numseq.errors import ConfigError
from numseq.gradcheck import grade


def step(s, dh, dc, forget=True, order="ifgo", slope=True):
    """An LSTM step's backward, with what it names; or with a mistake."""
    do = dh * s.tanh_c
    dc = dc + dh * s.o * (1 - s.tanh_c**2 if slope else 1)
    di, df, dg = dc * s.g, dc * s.c_prev, dc * s.i
    dc_prev = dc * s.f if forget else dc
    da = {"i": di * s.i * (1 - s.i), "f": df * s.f * (1 - s.f), "g": dg * (1 - s.g**2), "o": do * s.o * (1 - s.o)}
    da = np.concatenate([da[gate] for gate in order], axis=-1)
    return {"do": do, "dc": dc, "di": di, "df": df, "dg": dg, "dc_prev": dc_prev, "da": da}


def no_slope(s, dh, dc):
    return step(s, dh, dc, slope=False)


def no_forget(s, dh, dc):
    made = step(s, dh, dc, forget=False)
    return made["da"], made["dc_prev"]


def told(name, backward, hints):
    """The lines below the verdict."""
    return [line.strip() for line in str(grade(name, backward, hints=hints)).splitlines()[1:]]


PLACE = "first wrong on the way back from the loss: dc"
EQUATION = "it should be dc as it comes back from the next step, plus dh * o * (1 - tanh(c)^2), since h = o * tanh(c)"
SHOWS = "its largest error is in row 3"
NAME = "this looks like: tanh' of the cell is missing"
LESSON = "h = o * tanh(c): the way from h to c has tanh'(c)"
MORE = "hints=1 says where it begins", "hints=2 says what it should be"
MORE += ("hints=3 says which mistake it is, if it is a known one",)
TOLD = [
    ["wrong: da", "wrong: dc_prev", MORE[0]],
    [PLACE, "every result is wrong", MORE[1]],
    [PLACE, EQUATION, SHOWS, "every result is wrong", MORE[2]],
    [PLACE, EQUATION, SHOWS, NAME, LESSON, "every result is wrong"],
]


@pytest.mark.parametrize("hints", range(4))
def test_each_hint_tells_a_little_more(hints):
    assert told("lstm_step", no_slope, hints) == TOLD[hints]


def test_all_is_told_where_nobody_asks_for_less():
    assert str(grade("lstm_step", no_slope)) == str(grade("lstm_step", no_slope, hints=3))


ALONE = [  # of a result that nothing inside is known of
    ["wrong: dc_prev", "right: da", MORE[1]],  # where it begins is not known, so that is passed over
    ["wrong: dc_prev", "right: da", MORE[1]],
    ["wrong: dc_prev", "dc_prev should be dc * f, since c = f * c_prev + i * g", "right: da", MORE[2]],
]


@pytest.mark.parametrize("hints", range(3))
def test_of_a_result_alone_too(hints):
    assert told("lstm_step", no_forget, hints) == ALONE[hints]


def test_a_notebook_tells_no_more():
    shown = [grade("lstm_step", no_slope, hints=hints)._repr_html_() for hints in range(4)]
    for words, least in (("first wrong", 1), ("number by number", 1), ("<math>", 2), ("this looks like", 3)):
        assert [words in page for page in shown] == [hints >= least for hints in range(4)], words
    summaries = [grade("lstm_step", no_slope, hints=hints).summary() for hints in range(2)]
    assert summaries == ["no_slope: WRONG: da, dc_prev", "no_slope: WRONG: da, dc_prev, first dc"]


@pytest.mark.parametrize("hints", range(4))
def test_what_is_right_and_what_cannot_be_read_is_told_alike(hints):
    assert told("lstm_step", step, hints) == []
    assert told("lstm_step", lambda s, dh, dc: {"da": dh}, hints) == [
        "da has shape (7, 2), but what it is the gradient of has (7, 8) "
        "(is it 1 of 4 blocks, which np.concatenate puts side by side?)",
        "backward gives no dc_prev: the gradient by the input c_prev is missing",
    ]


BLANKS = {
    "None": None,
    "dots": ...,
    "a dict of dots": {"da": ..., "dc_prev": ...},
    "a tuple": (None, None),
    "nested": {"da": {"i": ...}, "dc_prev": None},
}


@pytest.mark.parametrize("what", BLANKS)
@pytest.mark.parametrize("hints", [0, 3])
def test_a_blank_is_not_called_wrong(what, hints):
    def my_step(s, dh, dc):
        return BLANKS[what]

    result = grade("lstm_step", my_step, hints=hints)
    assert str(result).splitlines() == [
        "my_step: not written yet",
        "    it returns nothing yet (if its lines are written, is a `return` missing?)",
    ]
    assert not result.ok and result.points == 0 and result.summary() == "my_step: not written yet"


def test_what_is_left_of_a_blank_is_said():
    def half(s, dh, dc):
        return {"da": step(s, dh, dc)["da"], "dc_prev": ...}

    assert told("lstm_step", half, 0) == ["dc_prev is still ...: its line is not written yet", "right: da"]


@pytest.mark.parametrize("hints", [-1, 4, None])
def test_other_hints_are_refused(hints):
    with pytest.raises(ConfigError, match=f"hints is {hints}: choose one of 0, 1, 2, 3"):
        grade("lstm_step", step, hints=hints)


# what a script collects


@pytest.mark.parametrize("hints", range(4))
def test_a_script_collects_the_same_whatever_is_told(hints):
    found = json.loads(json.dumps(grade("lstm_step", no_slope, hints=hints).to_dict()))
    expected = {"name": "no_slope", "ok": False, "wrong": ["da", "dc_prev"], "first_wrong": ["dc", None]}
    assert expected.items() <= found.items()
    assert [mistake["name"] for mistake in found["diagnosis"]] == ["tanh' of the cell is missing"]


POINTS = {  # two results, and with names five quantities
    "right": (step, 1.0),
    "one of two results": (no_forget, 1 / 2),
    "do alone, of all": (no_slope, 1 / 7),
    "all but one": (lambda s, dh, dc: step(s, dh, dc, order="figo"), 6 / 7),
    "a result is missing": (lambda s, dh, dc: {"da": step(s, dh, dc)["da"]}, 1 / 2),
    "nothing": (lambda s, dh, dc: None, 0.0),
    "wrong inside, where nobody reads it": (lambda s, dh, dc: step(s, dh, dc) | {"di": dh}, 1.0),
}


@pytest.mark.parametrize("what", POINTS)
def test_points_are_the_share_that_is_right(what):
    backward, points = POINTS[what]
    result = grade("lstm_step", backward)
    assert result.points == result.to_dict()["points"] == pytest.approx(points), str(result)


# forms


def forms(made):
    da, dc_prev = made["da"], made["dc_prev"]
    return {
        "a tuple": (da, dc_prev),
        "a list": [da, dc_prev],
        "plain names": {"a": da, "c_prev": dc_prev},
        "names with grad_": {"grad_a": da, "grad_c_prev": dc_prev},
    }


@pytest.mark.parametrize("form", forms({"da": 0, "dc_prev": 0}))
def test_gradients_are_taken_in_any_form(form):
    assert grade("lstm_step", lambda s, dh, dc: forms(step(s, dh, dc))[form]).ok
    assert grade("lstm_step", lambda s, dh, dc: forms(step(s, dh, dc, forget=False))[form]).wrong == ["dc_prev"]


def test_a_mistake_is_named_whether_results_have_names_or_not():
    for made in (no_forget, lambda s, dh, dc: list(no_forget(s, dh, dc)), lambda s, dh, dc: step(s, dh, dc, False)):
        [found] = grade("lstm_step", made).diagnosis
        assert found.name == "the forget gate is missing on the way to the previous cell"
    assert [found.name for found in grade("tanh", lambda s, dy: dy * (1 - s.y)).diagnosis] == [
        "the square is missing from tanh'"
    ]


def test_parameters_may_stand_beside_the_other_results():
    def flat(s, dy):
        grad = s.backward(dy)
        return {"dx": grad.dx, "dW": grad.params.W, "db": grad.params.b}

    assert grade("linear", flat).ok


SAID = {
    "a misspelt result": (
        lambda made: {"da": made["da"], "dcprev": made["dc_prev"]},
        "backward gives no dc_prev, but dcprev: did you mean dc_prev?",
    ),
    "too few": (lambda made: (made["da"],), "backward gives one result where 2 are wanted: da, dc_prev"),
    "too many": (lambda made: (1, 2, 3), "backward gives 3 results where 2 are wanted: da, dc_prev"),
}


@pytest.mark.parametrize("what", SAID)
def test_what_is_not_right_beside_the_numbers_is_said(what):
    made, said = SAID[what]
    assert said in grade("lstm_step", lambda s, dh, dc: made(step(s, dh, dc))).problems
