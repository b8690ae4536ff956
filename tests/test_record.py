"""Records: what they show of themselves, what Tab finds, fields over time, and gradients kept inside steps."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers import (
    CELLS,
    assert_close,
    assert_same,
    at_scale_one,
    batch,
    create,
    lengths_to_mask,
    normal,
    output_gradients,
)

from numseq import layers
from numseq import params as trees
from numseq.record import StepRecord, Steps, Trace, keep_gradients

T, B, D, H = 5, 3, 3, 4
MASK = lengths_to_mask([5, 1, 3])
each_cell = pytest.mark.parametrize("name", CELLS)
both_ways = pytest.mark.parametrize("both", [False, True])


def run(name="lstm", both=False, **options):
    cell, rng = CELLS[name], np.random.default_rng(0)
    params = layers.init_bidirectional(rng, D, H, float, cell) if both else cell.init(rng, D, H, float)
    function = layers.bidirectional if both else layers.sequence
    return function(normal(T, B, D), None, at_scale_one(params), cell=cell, **options)


# what they show


def test_a_trace_shows_its_equations_and_its_shapes():
    shown = repr(run())
    assert shown.splitlines() == [
        "RecurrentTrace",
        "    a_t = x_t W_x + h_{t-1} W_h + b            pre-activations, four blocks of H columns: i, f, g, o",
        "    i_t = sigma(a_i)                           input gate: how much of the candidate is written",
        "    f_t = sigma(a_f)                           forget gate: how much of the old cell is kept",
        "    g_t = tanh(a_g)                            candidate",
        "    o_t = sigma(a_o)                           output gate: how much of the cell is shown",
        "    c_t = f_t * c_{t-1} + i_t * g_t            cell",
        "    h_t = o_t * tanh(c_t)                      hidden state",
        "    x       (5, 3, 3) float64",
        "    params  LSTMParams: W_x (3, 16), W_h (4, 16), b (16,)",
        "    run     5 steps, LSTMStep: c_prev (3, 4), a (3, 16), gates (3, 16), i (3, 4), f (3, 4), g (3, 4), "
        "o (3, 4), c (3,...",
        "    h       (5, 3, 4) float64",
        "    final   CellState: h (3, 4), c (3, 4)",
    ]


def test_gradients_inside_a_step_show_their_equations_in_words():
    trace = run("rnn")
    assert repr(trace.steps[0].backward(trace.h[0])).splitlines() == [
        "RNNStepGrad",
        "    dh  (3, 4) float64                    dh as an output, plus what comes back from the next step: "
        "da_{t+1} W_h^T",
        "    da  (3, 4) float64                    dh * (1 - h^2), since h = tanh(a)",
    ]


def test_parameters_states_and_gradients_show_shapes():
    trace = run("gru")
    assert repr(trace.params).splitlines()[:2] == ["GRUParams", "    W_x  (3, 12) float64"]
    assert repr(trace.final) == "HiddenState\n    h  (3, 4) float64"
    assert "    dstate  HiddenState: h (3, 4)" in repr(trace.backward(trace.h)).splitlines()
    assert "b" not in repr(replace(trace.params, b=None, b_h=None)).split()  # what is None is left out


def test_a_loss_shows_its_number():
    trace = layers.cross_entropy(np.zeros((2, 3)), np.zeros(2, int))
    assert repr(trace).splitlines()[-1] == f"    loss     {np.log(3)} float64"


@both_ways
@each_cell
def test_what_is_shown_is_short(name, both):
    trace = run(name, both, mask=MASK)
    grad = trace.backward(trace.h)
    steps = [trace.ahead, trace.back, trace.back[1]] if both else [trace.steps, trace.steps[1]]
    for record in (trace, grad, grad.params, trace.final, *steps):
        assert len(repr(record).splitlines()) <= 30 and max(map(len, repr(record).splitlines()[1:]), default=0) <= 120
        assert "array(" not in repr(record) and "object at" not in repr(record)


@pytest.mark.parametrize("kind", ["plain", "attention", "luong", "feeding"])
def test_a_models_trace_is_a_page(kind):
    trace = create(kind, 2).forward(batch())
    for record in everything_in(trace):
        lines = repr(record).splitlines()
        assert len(lines) <= 40 and "array(" not in repr(record) and "object at" not in repr(record)


@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_what_goes_into_a_model_and_comes_out_is_shown_without_numbers(kind):
    model, data = create(kind, 2, dropout=0.5, zoneout=0.5), batch()
    noise = model.draw_noise(data, 0)
    trace = model.forward(data, noise)
    grad = trace.backward()
    dmemory = trace.decoder.backward(trace.decoder.r).dmemory
    for record in (data, noise, noise.decoder, trace.params.decoder, trace.encoder.memory, grad, grad.params, dmemory):
        lines = repr(record).splitlines()
        assert lines[0] == type(record).__name__ and 1 < len(lines) <= 40
        assert "array(" not in repr(record) and "object at" not in repr(record)
    assert f"    source       {data.source.shape} int64" in repr(data).splitlines()


def everything_in(trace):
    """All traces within a trace."""
    yield trace
    for name in getattr(trace, "__dataclass_fields__", ()):
        part = getattr(trace, name)
        for inner in part if isinstance(part, list) else [part]:
            if isinstance(inner, Trace):
                yield from everything_in(inner)


def test_a_reader_s_own_class_may_show_itself_otherwise():
    @dataclass(slots=True)
    class Mine(StepRecord):
        h: object = None

        def __repr__(self):
            return "mine"

    @dataclass(slots=True)
    class Other(Mine):
        pass

    assert repr(Mine()) == "mine" and repr(Other(h=np.ones(2))) == "Other\n    h  (2,) float64"


# what Tab finds, and fields over time


@each_cell
def test_tab_shows_the_gates_and_each_can_be_read(name):
    trace = run(name)
    fields = list(type(trace.steps[0]).__dataclass_fields__)
    assert {*fields, "h", "final", "backward", "steps"} <= set(dir(trace)) and set(fields) <= set(dir(trace.steps))
    for field in fields:
        expected = [getattr(trace.steps[t], field) for t in range(T)]
        assert_same(getattr(trace, field), np.stack(expected))
        assert getattr(trace.steps, field) is getattr(trace.steps, field)  # put together once
    with pytest.raises(AttributeError, match=rf"^{type(trace.steps[0]).__name__} has no 'x_y'; it has .*, h$"):
        _ = trace.x_y
    assert not hasattr(trace, "_x") and not hasattr(trace.steps, "_x")


@each_cell
def test_directions_are_read_by_position(name):
    trace = run(name, both=True)
    assert_same(np.concatenate([trace.ahead.h, trace.back.h], axis=-1), trace.h)
    assert set(type(trace.steps[0]).__dataclass_fields__) <= set(dir(trace.back))
    assert_same(trace.back[1].h, trace.back.h[1])
    assert_same(trace.back[1:3].h, trace.back.h[1:3])
    assert len(trace.back) == T


def test_steps_can_be_sliced():
    trace = run()
    assert_same(trace.steps[1:3].f, trace.f[1:3])
    assert trace.steps[-1] is trace.steps[T - 1] and isinstance(trace.steps[:2], Steps)


def test_a_part_of_a_record_leaves_the_record_alone():
    s = run(both=True).steps[0]
    first, whole = s[0], s.f.copy()
    assert first.f.shape == (B, H) and type(first) is type(s)
    first.f = None
    assert_same(s.f, whole)


# gradients inside steps


@both_ways
@each_cell
def test_gradients_inside_steps_are_those_that_went_through(name, both):
    trace = run(name, both, mask=MASK)
    upstream = output_gradients(trace)
    expected = trace.backward(**upstream)
    with keep_gradients() as inside:
        assert_same(trace.backward(**upstream), expected)
    grads = inside[trace]
    assert len(grads) == T and grads[2] is inside[trace.steps[2]] and "dh" in dir(grads)
    for t in range(T):
        s, grad = trace.steps[t], grads[t]
        again = s.backward(*(getattr(grad, f"d{part}") if part == "h" else inside.states(trace)[t].c * real(t, both)
                             for part in CELLS[name].State._fields))  # fmt: skip
        assert_close(again.da, grad.da)


def real(t, both):
    mask = np.stack([MASK[t], MASK[T - 1 - t]]) if both else MASK[t]
    return mask[..., None]


def test_each_direction_is_a_key_of_its_own():
    trace = run(both=True, mask=MASK)
    with keep_gradients() as inside:
        grad = trace.backward(trace.h)
    for side in ("ahead", "back"):
        steps = getattr(trace, side)
        da = inside[steps].da
        assert da.shape == (T, B, 4 * H)
        assert_close(da.sum(axis=(0, 1)), getattr(grad.params, side).b)
        assert (da[~MASK] == 0).all()
        assert_same(inside[steps[1:3]].da, da[1:3])


def test_attentions_keep_theirs():
    query, keys = normal(T, B, D), normal(6, B, D, seed=1)
    for kind in (layers.AdditiveAttention, layers.CoverageAttention, layers.DotAttention):
        trace = layers.attend(kind(keys, keys, kind.init(np.random.default_rng(0), D, D, 4, float)), query)
        with keep_gradients() as inside:
            grad = trace.backward(trace.context)
        assert_same(inside[trace].dquery, grad.dquery)
        assert inside[trace].de.shape == (T, B, 6)


@pytest.mark.parametrize("kind", ["attention", "luong", "feeding"])
def test_a_models_parts_keep_theirs(kind):
    trace = create(kind, 2).forward(batch())
    with keep_gradients() as inside:
        grad = trace.backward().params
    lowest = trace.encoder.rnn.layers[0]
    assert_close(inside[lowest.back].da.sum(axis=(0, 1)), grad.encoder[0].back.b)


def test_nothing_is_kept_unasked_and_what_was_not_undone_is_said():
    trace, other = run(), run()
    trace.backward(trace.h)
    with keep_gradients() as inside:
        other.backward(other.h)
    trace.backward(trace.h)
    with pytest.raises(KeyError, match="of this LSTMStep no gradients were kept"):
        _ = inside[trace]
    assert inside[other].da.shape == (T, B, 4 * H)


def test_the_trace_of_a_model_has_no_steps_of_its_own():
    trace = create("attention").forward(batch())
    with keep_gradients() as inside:
        trace.backward()
    with pytest.raises(KeyError, match="a Seq2SeqTrace has no steps of its own"):
        _ = inside[trace]
    assert inside[trace.decoder.looks].dalpha.shape == trace.alpha.shape


def test_of_two_backwards_the_last_is_kept():
    trace = run()
    with keep_gradients() as inside:
        trace.backward(trace.h)
        trace.backward(2 * trace.h)
    with keep_gradients() as again:
        trace.backward(2 * trace.h)
    assert_same(inside[trace].df, again[trace].df)
    assert trees.leaves([inside[trace][0]])
