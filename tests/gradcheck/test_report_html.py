"""A report in a notebook: markup that is well-formed, equations that are set, a picture of what is wrong."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import normal
from hypothesis import given
from hypothesis import strategies as st

from numseq import layers
from numseq.gradcheck import Check, check
from numseq.gradcheck import picture as pictures
from numseq.gradcheck.formulas import mathml
from numseq.gradcheck.report import Wrong
from numseq.gradcheck.watch import kinds_of
from numseq.record import StepGrad

MASK = np.arange(4)[:, None] < np.array([4, 2, 3])  # (T, B)


class NoForget(layers.LSTMStep):
    def backward(self, dh, dc):
        grad = super().backward(dh, dc)
        grad.dc_prev = grad.dc * self.i
        return grad


def of_lstm(record):
    def function(x, params):
        step = lambda a, c_prev: layers.lstm_step(a, c_prev, record=record)  # noqa: E731
        return layers.lstm(x, None, params, mask=MASK, cell=layers.LSTM(step=step))

    params = layers.LSTMParams(normal(3, 8, seed=1), normal(2, 8, seed=2), normal(8, seed=3))
    return check(function, {"x": normal(4, 3, 3), "params": params})


def squares(x, factor=2.0):
    return x * x, lambda dy: factor * x * dy


def with_numbers(found, right, **more):
    first = Wrong("dx", None, None, [], found=found, right=right, **more)
    return Check("f", "complex-step", 1e-10, errors={"dx": 1.0}, first=first)


def parsed(result):
    return ElementTree.fromstring(result._repr_html_())


def text_of(element):
    return "".join(element.itertext()).replace("\u00a0", " ")


def paths(shown):
    """{colour: how many squares} of the picture, without the legend's."""
    found = {}
    for path in shown.iter("{http://www.w3.org/2000/svg}path"):
        found.setdefault(path.get("fill"), []).append(path.get("d").count("z"))
    return {colour: sum(counts) - 1 for colour, counts in found.items()}  # one is of the legend


def test_what_is_right_is_shown_in_a_line_without_a_picture():
    shown = parsed(check(squares, normal(3, 4)))
    assert "squares: right" in text_of(shown) and not list(shown.iter("{http://www.w3.org/2000/svg}svg"))


def test_a_session_shows_the_report_as_print_does():
    result = of_lstm(NoForget)
    assert repr(result) == str(result) and "first wrong" in repr(result)


def test_problems_are_shown():
    assert "backward gives 2 results" in text_of(parsed(check(lambda x: (x, lambda dy: (dy, dy)), normal(3, 4))))


def test_what_is_wrong_is_shown_with_its_equation_and_a_picture():
    result = of_lstm(NoForget)
    shown = parsed(result)
    assert result.first_wrong == ("dc_prev", 3)
    for line in str(result).splitlines():
        if "it should be" not in line:
            assert line.strip() in text_of(shown)
    [formula] = shown.iter("math")
    assert text_of(formula) == "dc⊙f, since c=f⊙cprev+i⊙g"
    assert [symbol.text for symbol in formula.iter("mi")][:3] == ["dc", "f", "c"]
    assert "dc_prev at t = 3, number by number" in text_of(shown)


def test_padding_is_shown_as_such():
    counts = paths(parsed(of_lstm(NoForget)))
    assert counts[pictures.NOTHING] == 4  # at t = 3 one of three rows is real, with two units
    assert sum(counts[colour] for _, colour in pictures.SHADES.values()) == 2 and counts[pictures.RIGHT] == 0


def test_a_square_is_as_red_as_its_error_is_large():
    right = np.ones((2, 3))
    found = right + np.array([[0, 1e-12, 1e-8], [1e-4, 1e-2, 1.0]])
    counts = paths(parsed(with_numbers(found, right)))
    assert counts == {pictures.RIGHT: 2, pictures.NOTHING: 0} | {colour: 1 for _, colour in pictures.SHADES.values()}


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (0, 3)])
def test_arrays_of_any_shape_have_a_picture(shape):
    found = np.ones(shape)
    counts = paths(parsed(with_numbers(found, 2 * found)))
    wrong = {pictures.SHADES["above 0.1"][1]: found.size} if found.size else {}
    assert counts == dict.fromkeys(counts, 0) | wrong


PLACES = {
    (): "dx, number by number its largest error: 1 where 0 is right",
    (3,): "dx, number by number its largest error at 2: 1 where 0 is right",
    (2, 3): "dx, number by number: rows down, columns across its largest error at (1, 2): 1 where 0 is right",
}


@pytest.mark.parametrize("shape", PLACES)
def test_the_largest_error_has_its_place(shape):
    found = np.zeros(shape)
    found[(-1,) * len(shape)] = 1.0
    shown = parsed(with_numbers(found, np.zeros(shape)))
    [drawn] = shown.findall("div/{http://www.w3.org/2000/svg}svg/..")
    assert " ".join(text_of(line) for line in drawn.findall("div")) == PLACES[shape]


def test_numbers_that_are_not_finite_are_wrong():
    counts = paths(parsed(with_numbers(np.array([1.0, np.nan, np.inf]), np.ones(3))))
    assert counts[pictures.SHADES["above 0.1"][1]] == 2


def test_the_worst_of_a_large_array_is_seen_and_its_picture_is_small():
    found, right = np.ones((50, 64, 512)), np.ones((50, 64, 512))
    found[33, 17, 501] = 2.0
    result = with_numbers(found, right)
    shown, counts = result._repr_html_(), paths(parsed(result))
    assert "its largest error at (33, 17, 501): 2 where 1 is right" in shown
    assert counts[pictures.SHADES["above 0.1"][1]] == 1
    assert sum(counts.values()) == np.prod(pictures.MOST) and len(shown) < 60_000


def test_steps_have_their_numbers():
    assert re.findall(r">(t=\d)<", pictures.svg(np.ones((3, 2, 2)), np.zeros((3, 2, 2)), 0.1, timed=True)) == [
        "t=0", "t=1", "t=2",
    ]  # fmt: skip


def test_markup_in_names_is_no_markup():
    result = with_numbers(np.ones(3), np.zeros(3), equation="<b> & </math>")
    result.name, result.first.name, result.warnings = "<lambda>", "d<i>", ["a < b && c"]
    shown = parsed(result)
    assert {element.tag for element in shown.iter()} & {"lambda", "i"} == set()
    assert "<lambda>: WRONG" in text_of(shown) and "note: a < b && c" in text_of(shown)


# equations

EQUATIONS = {equation for kind in kinds_of(StepGrad) for equation in kind.equations.values()}


@pytest.mark.parametrize("words", sorted(EQUATIONS))
def test_every_equation_of_the_library_is_set_without_loss(words):
    shown = text_of(ElementTree.fromstring(mathml(words)))
    for symbol, word in (("∑", "sum"), ("α", "alpha"), ("σ", "sigma"), ("⊙", "*"), ("·", "."), ("−", "-")):
        shown = shown.replace(symbol, word)
    assert re.sub(r"[\s,]", "", shown) == re.sub(r"[\s,_{}^]", "", words)


SET = {
    "dc * f": "<mi>dc</mi><mo>⊙</mo><mi>f</mi>",
    "g^2": "<msup><mi>g</mi><mrow><mn>2</mn></mrow></msup>",
    "W_h^T": "<msup><msub><mi>W</mi><mrow><mi>h</mi></mrow></msub><mrow><mi>T</mi></mrow></msup>",
    "c_prev": "<msub><mi>c</mi><mrow><mi>prev</mi></mrow></msub>",
    "k_{j + 1}": "<msub><mi>k</mi><mrow><mi>j</mi><mo>+</mo><mn>1</mn></mrow></msub>",
    "dalpha": "<mi>dα</mi>",
}


@pytest.mark.parametrize("words", SET)
def test_names_powers_and_indices_are_set(words):
    assert mathml(words) == f"<math>{SET[words]}</math>"


@given(st.text(st.characters(exclude_categories=["C"])))
def test_any_words_are_well_formed(words):
    ElementTree.fromstring(mathml(words))
