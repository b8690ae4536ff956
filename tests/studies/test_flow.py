"""Gradient flow: the gradients of the states are true, theory's laws hold, and the copy-memory task is right."""

from dataclasses import replace

import numpy as np
import pytest
import strict_cupy
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
from matplotlib.backends.backend_agg import FigureCanvasAgg

import numseq
from numseq import params as trees
from numseq import plots
from numseq.gradcheck.watch import Watch
from numseq.layers import GRU, LSTM, RNN, PeepholeLSTM, bidirectional, init_bidirectional, sequence, stack
from numseq.layers.init import orthogonal
from numseq.studies.copy_memory import CopyMemory, CopyRun, chrono_biases, copy_memory, init_copy, train_copy
from numseq.studies.flow import Saturation, _sequences, gate_saturation, kept_share, norms, saturation, state_gradients
from numseq.training.optimizers import SGD

T, B, D, H = 6, 4, 3, 5
MASK = lengths_to_mask([6, 4, 2, 5])


def run(cell, mask=None, reverse=False, dtype=np.float64):
    """A cell over a sequence, and upstream gradients of all its outputs."""
    params = at_scale_one(cell.init(np.random.default_rng(0), D, H, np.float64))
    state = cell.State(*(normal(B, H, seed=2 + k) for k in range(len(cell.State._fields))))
    x, state, params = trees.cast([normal(T, B, D, seed=1), state, params], dtype)
    trace = sequence(x, state, params, cell=cell, mask=mask, reverse=reverse)
    return trace, output_gradients(trace)


def loss(trace, upstream):
    """L whose gradients by the outputs are `upstream`."""
    outputs = trees.leaves([getattr(trace, name[1:]) for name in upstream])
    return sum((output * d).sum() for output, d in zip(outputs, trees.leaves(list(upstream.values())), strict=True))


# Gradients of the states


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "ragged"])
@pytest.mark.parametrize("name", CELLS)
def test_the_gradients_are_the_slopes_of_the_loss_by_the_states(name, mask, reverse):
    """By the complex step: a probe is added to what a step writes, and the loss says by how much it changes."""
    cell, real = CELLS[name], np.ones((T, B), bool) if mask is None else mask
    trace, upstream = run(cell, mask, reverse)
    found = state_gradients(trace, **upstream)
    with Watch() as seen:
        seen.locate(run(cell, mask, reverse)[0])
    places = [p for p in seen.values if p.name in cell.State._fields and p.t is not None]
    assert len(places) == T * len(cell.State._fields)
    for k, place in enumerate(places):
        probe = normal(B, H, seed=10 + k)
        with seen.probe(place, 1e-30j * probe):
            slope = loss(run(cell, mask, reverse, np.complex128)[0], upstream).imag / 1e-30
        gradient = getattr(found, f"d{place.name}")[place.t]
        assert slope == pytest.approx((gradient * probe)[real[place.t]].sum(), rel=1e-9, abs=1e-12), place


def test_where_a_row_is_padded_the_gradient_is_that_of_the_state_it_carries():
    trace, upstream = run(LSTM(), MASK)
    found = state_gradients(trace, **upstream)
    row, last = 2, 1  # the last real step of that row
    carried = np.cumsum(upstream["dh"][::-1, row], axis=0)[::-1] + upstream["dfinal"].h[row]
    assert_close(found.dh[last:, row], carried[last:])
    assert_close(found.dc[last + 1 :, row], np.broadcast_to(upstream["dfinal"].c[row], (T - last - 1, H)))


def test_nothing_is_changed_and_a_cell_without_c_has_no_dc():
    trace, upstream = run(RNN(), MASK)
    before = trace.backward(**upstream)
    assert state_gradients(trace, **upstream).dc is None
    assert_same(trace.backward(**upstream), before)


def test_what_reaches_the_first_states_continues_to_the_one_before():
    """It is dh_0 * (1 - h_0^2) W_h^T."""
    trace, upstream = run(RNN())
    first = state_gradients(trace, **upstream).dh[0]
    assert_close(trace.backward(**upstream).dstate.h, (first * (1 - trace.h[0] ** 2)) @ trace.params.W_h.T)


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "ragged"])
@pytest.mark.parametrize("name", CELLS)
def test_both_directions_are_each_alone(name, mask):
    cell = CELLS[name]
    params = at_scale_one(init_bidirectional(np.random.default_rng(0), D, H, float, cell))
    trace = bidirectional(normal(T, B, D), None, params, cell=cell, mask=mask)
    upstream = output_gradients(trace)
    found = state_gradients(trace, **upstream)
    assert list(found) == ["ahead", "back"]
    for k, side in enumerate(found):
        one = sequence(normal(T, B, D), None, getattr(params, side), cell=cell, mask=mask, reverse=bool(k))
        dfinal = [part[k] for part in upstream["dfinal"]]
        assert_close(found[side], state_gradients(one, upstream["dh"][..., k * H : (k + 1) * H], dfinal))


def test_a_stack_has_those_of_each_layer():
    params = [at_scale_one(GRU().init(np.random.default_rng(0), size, H, float)) for size in (D, H)]
    trace = stack(normal(T, B, D), None, params, cell=GRU(), mask=MASK)
    upstream = output_gradients(trace)
    found = state_gradients(trace, **upstream)
    assert list(found) == ["layers.0", "layers.1"]
    top = state_gradients(trace.layers[1], upstream["dh"], upstream["dfinal"][1])
    assert_close(found["layers.1"], top)
    dx = trace.layers[1].backward(upstream["dh"], upstream["dfinal"][1]).dx
    assert_close(found["layers.0"], state_gradients(trace.layers[0], dx, upstream["dfinal"][0]))


DECODERS = {
    "plain": ["decoder.rnn.layers.0", "decoder.rnn.layers.1"],
    "attention": ["decoder.lowest", "decoder.upper.layers.0"],
    "luong": ["decoder.rnn.layers.0", "decoder.rnn.layers.1"],
    "feeding": ["decoder.layers.0", "decoder.layers.1"],
}


@pytest.mark.parametrize("kind", DECODERS)
def test_a_models_are_found_in_its_trace_and_are_slopes_of_its_loss(kind):
    model, given, t = create(kind, 2), batch(), 2
    with Watch() as seen:
        trace = model.forward(given)
    seen.locate(trace)
    found, bent = state_gradients(trace), replace(model, params=trees.cast(model.params, np.complex128))
    ways = [""] if kind == "plain" else [".ahead", ".back"]
    assert list(found) == [f"encoder.rnn.layers.{k}{way}" for k in (0, 1) for way in ways] + DECODERS[kind]
    for path, steps, mask in _sequences(trace):
        for name in "hc":
            place = next(p for p in seen.values if seen.owner(p) is steps.records[t] and p.name == name)
            gradient = getattr(found[path], f"d{name}")[t]
            probe, real = np.zeros_like(seen.values[place]), slice(None) if mask is None else mask[t]
            along = probe if steps.part is None else probe[steps.part]
            along[real] = normal(*gradient.shape)[real]
            with seen.probe(place, 1e-30j * probe):
                slope = bent.forward(given).loss.imag / 1e-30
            assert slope == pytest.approx((gradient * along).sum(), rel=1e-8), (path, name)


def test_norms_are_over_units_and_their_mean_over_rows():
    gradient = np.zeros((3, 2, 4), np.float32)
    gradient[1, 0, :2], gradient[1, 1, 3], gradient[2, 0, 0] = (3, 4), -1, 1e-30
    assert norms(gradient).tolist() == [0, 3, pytest.approx(0.5e-30)]
    assert norms(gradient, per_row=True)[1].tolist() == [5, 1]


# The laws


@pytest.mark.parametrize("radius", [0.9, 1.0, 1.1])
def test_a_linear_network_multiplies_the_norm_by_its_radius_at_every_step(radius):
    """Near 0 tanh is the identity, and the matrix is orthogonal but for its radius."""
    params = RNN().init(np.random.default_rng(0), D, H, np.float64)
    params = replace(params, W_h=radius * orthogonal(np.random.default_rng(1), H))
    trace = sequence(np.zeros((100, B, D)), normal(B, H) * 1e-9, params, cell=RNN())
    found = norms(state_gradients(trace, dfinal=normal(B, H, seed=1)).dh, per_row=True)
    np.testing.assert_allclose(found / found[-1], np.outer(radius ** np.arange(99.0, -1, -1), np.ones(B)), rtol=1e-8)


def test_tanh_can_only_take_from_what_the_matrix_lets_through():
    params = RNN().init(np.random.default_rng(0), D, H, np.float64)
    params.W_h *= 1.2
    trace = sequence(normal(50, B, D), normal(B, H, seed=1), params, cell=RNN())
    found = norms(state_gradients(trace, dfinal=normal(B, H, seed=2)).dh, per_row=True)
    assert (found[:-1] < 1.2 * found[1:]).all()


@pytest.mark.parametrize(("cell", "state", "gate"), [(LSTM(), "c", "f"), (PeepholeLSTM(), "c", "f"), (GRU(), "h", "z")])
def test_along_the_state_alone_the_gradient_is_the_product_of_the_gates(cell, state, gate):
    """W_h = 0 cuts every other way; a peephole is one as well."""
    params = at_scale_one(cell.init(np.random.default_rng(0), D, H, np.float64))
    params.W_h[:] = 0
    for name in ("p_i", "p_f", "p_o"):
        if hasattr(params, name):
            getattr(params, name)[:] = 0
    dh, start = np.zeros((T, B, H)), T - 2
    dh[start] = normal(B, H)
    trace = sequence(normal(T, B, D, seed=1), None, params, cell=cell)
    found = getattr(state_gradients(trace, dh=dh), f"d{state}")
    gates = getattr(trace, gate)
    assert_same(found[:start], gates[1 : start + 1] * found[1 : start + 1])  # exactly
    assert_close(found[: start + 1], found[start] * kept_share(gates, start))


def test_the_share_that_is_kept():
    gate = np.array([0.3, 0.5, 0.1, 0.7]).reshape(4, 1, 1)
    np.testing.assert_allclose(kept_share(gate, 2).ravel(), [0.05, 0.1, 1])
    assert kept_share(gate, 0).ravel().tolist() == [1]


# Saturation


def test_saturation_counts_units_of_real_positions():
    gate = np.full((3, 2, 4), 0.5)
    gate[0, 0, :3], gate[0, 1, 0], gate[1, 0, 0], gate[2] = 0.05, 0.95, 0.9, 0.99
    found = saturation(gate, 0.1, 0.9)
    assert found.below.tolist() == [3 / 8, 0, 0] and found.above.tolist() == [1 / 8, 0, 1]
    found = saturation(gate, 0.1, 0.9, np.array([[True, False], [True, True], [False, False]]))
    assert found.below[:2].tolist() == [3 / 4, 0] and found.above[:2].tolist() == [0, 0]
    assert np.isnan([found.below[2], found.above[2]]).all()


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("rnn", "h"),
        ("relu_rnn", ""),
        ("gru", "r z n"),
        ("gru_before", "r z n"),
        ("lstm", "i f g o tanh_c"),
        ("peephole", "i f g o tanh_c"),
        ("layernorm_lstm", "i f g o tanh_n"),
    ],
)
def test_every_cell_names_its_gates(name, gates):
    trace, _ = run(CELLS[name], MASK)
    found = gate_saturation(trace)
    assert list(found) == gates.split()
    for gate, shares in found.items():
        values = getattr(trace, gate)
        low = -0.9 if values.min() < 0 else 0.1  # at scale 1 every tanh has values below 0
        for t in range(T):
            real = values[t][MASK[t]]
            assert shares.below[t] == pytest.approx((real < low).mean())
            assert shares.above[t] == pytest.approx((real > 0.9).mean())


# The copy-memory task


def test_the_layout_of_the_copy_task():
    task = CopyMemory(blanks=4, length=3, symbols=5)
    batch = task.batch(np.random.default_rng(0), 7)
    assert (task.steps, task.recall, task.vocabulary) == (10, 7, 7)
    drawn, blank, ask = batch.source[:3], 5, 6
    assert batch.source.shape == (10, 7) and drawn.min() >= 0 and drawn.max() < 5 and np.unique(drawn, axis=1).size > 9
    assert (batch.source[3:6] == blank).all() and (batch.source[6] == ask).all() and (batch.source[7:] == blank).all()
    assert (batch.target[:7] == blank).all() and (batch.target[7:] == drawn).all()
    assert not batch.mask[:7].any() and batch.mask[7:].all()
    assert_same(batch, task.batch(np.random.default_rng(0), 7))
    assert not np.array_equal(drawn, task.batch(np.random.default_rng(1), 7).source[:3])


def test_chance_is_the_loss_of_who_knows_only_when_to_speak():
    task = CopyMemory(100)
    assert (task.length, task.symbols, task.steps) == (10, 8, 120)
    assert task.chance_of_all == pytest.approx(10 * np.log(8) / 120)  # Arjovsky et al. 2016, section 4.1
    params = init_copy(np.random.default_rng(0), task, RNN(), 4, np.float64)
    params.readout.W[:] = 0
    params.readout.b[task.symbols :] = -100  # never the blank, never the question
    found = copy_memory(task.batch(np.random.default_rng(0), 3), params, RNN()).loss
    assert found == pytest.approx(task.chance) == pytest.approx(np.log(8))


@pytest.mark.parametrize("size", ["blanks", "length", "symbols"])
def test_a_task_of_nothing_is_refused(size):
    with pytest.raises(ValueError, match=f"{size} is 0"):
        CopyMemory(**{size: 0})


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_the_gradient_of_the_whole_is_right(name):
    task, cell = CopyMemory(3, 2, 4), CELLS[name]
    params = at_scale_one(init_copy(np.random.default_rng(0), task, cell, H, np.float64))
    batch, way = task.batch(np.random.default_rng(1), B), at_scale_one(params, seed=1)

    def along(step):
        return copy_memory(batch, trees.map(lambda p, w: p + step * w, params, way), cell).loss

    grads = copy_memory(batch, params, cell).backward()
    slope = sum((g * w).sum() for g, w in zip(trees.leaves(grads), trees.leaves(way), strict=True))
    assert slope == pytest.approx(along(1e-30j).imag / 1e-30, rel=1e-10)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_a_short_task_is_learned(name):
    task, cell = CopyMemory(blanks=5, length=1, symbols=4), CELLS[name]
    params = init_copy(np.random.default_rng(0), task, cell, 16)
    before = trees.map(np.copy, params)
    run = train_copy(task, cell, params, 200, lr=1e-2, clip=1.0)
    assert run.loss[0] > task.chance and run.loss[-20:].mean() < 0.5 * task.chance
    assert run.loss.shape == run.norm.shape == (200,) and (run.norm > 0).all()
    assert_same(params, before)
    again = train_copy(task, cell, params, 3, lr=1e-2, clip=1.0)
    assert again.loss.tolist() == run.loss[:3].tolist()


def test_clipping_bounds_the_step_and_leaves_its_direction():
    task, cell = CopyMemory(20, 2), RNN()
    params = init_copy(np.random.default_rng(0), task, cell, 16, np.float64)
    params.rnn.W_h *= 2
    ends = [train_copy(task, cell, params, 1, lr=0.1, clip=clip, optimizer=SGD) for clip in (None, 0.5, 1e9)]
    free, clipped, loose = [trees.map(np.subtract, end.params, params) for end in ends]
    assert ends[0].norm == ends[1].norm and ends[0].norm[0] > 0.5  # as it was before clipping
    assert trees.global_norm(free) == pytest.approx(0.1 * ends[0].norm[0])
    assert trees.global_norm(clipped) == pytest.approx(0.1 * 0.5)
    assert_close(clipped, trees.map(lambda d: d * 0.5 / ends[0].norm[0], free), 1e-9)
    assert_same(loose, free)


def test_a_run_ends_where_its_gradient_is_not_finite():
    task, cell = CopyMemory(2, 1, 3), RNN()
    params = init_copy(np.random.default_rng(0), task, cell, 4)
    with np.errstate(all="ignore"):
        run = train_copy(task, cell, params, 5, lr=np.inf, optimizer=SGD)
    assert np.isfinite(run.loss).tolist() == np.isfinite(run.norm).tolist() == [True] + 4 * [False]


@pytest.mark.parametrize("name", ["lstm", "peephole", "layernorm_lstm", "gru", "gru_before"])
def test_with_chrono_biases_a_unit_forgets_over_a_time_drawn_uniformly(name):
    """Without what the products give, f (or z) is u / (1 + u) and i is 1 / (1 + u), whatever the biases were."""
    cell, longest = CELLS[name], 40
    params = at_scale_one(cell.init(np.random.default_rng(0), D, H, np.float64))
    params.W_x[:], params.W_h[:] = 0, 0
    if name == "lstm":
        params.b_h = normal(4 * H)
    before = trees.map(np.copy, params)
    found = chrono_biases(params, longest, np.random.default_rng(1))
    assert_same(params, before)
    u = np.random.default_rng(1).uniform(1, longest - 1, size=H)
    trace = sequence(np.zeros((1, 1, D)), None, found, cell=cell)
    gru, changed = name.startswith("gru"), np.zeros((4, H), bool)
    np.testing.assert_allclose((trace.z if gru else trace.f)[0, 0], u / (1 + u))
    if not gru:
        np.testing.assert_allclose(trace.i[0, 0], 1 / (1 + u))
    changed[1 if gru else slice(2)] = True
    others = ~changed.ravel()[: len(params.b)]
    for b in ("b", "b_h"):
        if getattr(params, b, None) is not None:
            assert_same(getattr(found, b)[others], getattr(params, b)[others])


def test_chrono_biases_that_cannot_be_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="RNNParams"):
        chrono_biases(RNN().init(rng, D, H, np.float64), 40, rng)
    params = LSTM().init(rng, D, H, np.float64)
    with pytest.raises(ValueError, match="longest is 1"):
        chrono_biases(params, 1, rng)
    with pytest.raises(ValueError, match="b is None"):
        chrono_biases(replace(params, b=None), 40, rng)


def test_the_views_run_on_the_other_backend():
    task, cell = CopyMemory(4, 2, 3), LSTM()
    params = init_copy(np.random.default_rng(0), task, cell, H)
    trace = copy_memory(task.batch(np.random.default_rng(1), B), params, cell)
    expected = norms(trace.state_gradients().dc)
    with strict_cupy.installed(), numseq.use("cupy"):
        trace = copy_memory(task.batch(np.random.default_rng(1), B), trees.to_backend(params), cell)
        found = norms(trace.state_gradients().dc)
        shares, kept = gate_saturation(trace.rnn), kept_share(trace.rnn.f, 3)
        found, kept, below = (numseq.backend.to_numpy(a) for a in (found, kept, shares["f"].below))
        started = trees.to_backend(params)
        started.rnn = chrono_biases(started.rnn, task.steps, np.random.default_rng(0))
        train_copy(task, cell, started, 2, clip=1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert kept.shape == (4, B, H) and below.shape == (task.steps,)


# Pictures


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts() if text.get_text().strip()]


def test_gradient_flow_is_drawn_in_panels_with_one_legend():
    law = 0.5 ** np.arange(40.0)
    panels = {"RNN": {"my $x_1$": (law, law**2), "other": (0 * law, None)}, "LSTM": {"bias 1": (law,)}}
    figure = plots.gradient_flow({"first": panels, "then": panels}, theories=("λ",), title="flow")
    FigureCanvasAgg(figure).draw()
    assert [axes.get_title() for axes in figure.axes] == ["RNN", "LSTM", "", ""]
    assert all(axes.get_yscale() == "log" for axes in figure.axes)
    assert legend(figure) == ["my $x_1$", "other", "bias 1", "measured", "λ"]
    measured, theory, nothing, _ = figure.axes[0].lines
    np.testing.assert_array_equal(measured.get_ydata(), law)
    assert measured.get_color() == theory.get_color() and theory.get_linestyle() == "--"
    assert np.isnan(nothing.get_ydata()).all()
    assert figure.axes[0].get_ylim() == pytest.approx((law[-1] / 10, 100))
    assert figure.axes[0].get_ylabel().startswith("first") and figure.axes[2].get_ylabel().startswith("then")


def test_saturation_is_drawn_upwards_and_downwards():
    gates = {"f": Saturation(np.array([0.1, 0.2]), np.array([0.5, 0.6])), "o": Saturation(np.zeros(2), np.ones(2))}
    figure = plots.saturation({"first": {"LSTM": gates}})
    FigureCanvasAgg(figure).draw()
    above, below = figure.axes[0].lines[:2]
    assert above.get_ydata().tolist() == [0.5, 0.6] and below.get_ydata().tolist() == [-0.1, -0.2]
    assert legend(figure) == ["f", "o"]


def test_updates_draw_norm_and_loss_and_a_cross_where_a_run_ended():
    whole = CopyRun(None, np.array([3.0, 2, 1]), np.array([1.0, 10, 100]))
    ended = CopyRun(None, np.array([3.0, 5, np.nan]), np.array([1.0, 1e5, np.nan]))
    figure = plots.updates({"SGD": {"free": [whole, ended], "clipped": [whole]}}, chance=2.08)
    FigureCanvasAgg(figure).draw()
    norm, loss = figure.axes
    assert norm.get_yscale() == "log" and norm.get_ylabel().startswith("norm") and loss.get_ylabel().startswith("loss")
    crosses = [line for line in norm.lines if line.get_marker() == "x"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(1, 1e5)]
    assert legend(figure) == ["free", "clipped", "chance"]


@pytest.mark.parametrize("draw", [plots.gradient_flow, plots.saturation, plots.updates])
def test_a_picture_of_nothing_is_refused(draw):
    with pytest.raises(ValueError, match="no panel"):
        draw({})
