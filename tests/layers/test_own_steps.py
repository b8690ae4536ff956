"""Steps and attentions of a reader's own run wherever the library's do, and what is missing is said in a line."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import assert_close, assert_same, at_scale_one, lengths_to_mask, normal, output_gradients

from numseq import layers
from numseq import params as trees
from numseq.backend import Array
from numseq.gradcheck import check
from numseq.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from numseq.layers.attention.base import AttentionGrad
from numseq.layers.attention.dot import DotStepGrad
from numseq.layers.attention.products import dots, over_queries, weighted_mean
from numseq.record import StepGrad, StepRecord, keep_gradients

T, B, D, H = 5, 3, 3, 4
MASK = lengths_to_mask([5, 1, 3])
EXACT = 1e-12


# an LSTM with coupled gates, f = 1 - i, written in four ways


@dataclass(slots=True)
class CoupledStep(layers.LSTMStep):
    """The library's record, with what the changed equation changes."""

    def backward(self, dh, dc):
        grad = layers.LSTMStep.backward(self, dh, dc)
        grad.di = grad.di - grad.df
        grad.da[..., :H] = sigmoid_backward(grad.di, self.i)
        grad.da[..., H : 2 * H] = 0
        return grad


def changed(a, c_prev):
    """The library's step, and then what is different."""
    s = layers.lstm_step(a, c_prev, CoupledStep)
    s.f = 1 - s.i
    s.c = s.f * s.c_prev + s.i * s.g
    s.tanh_c = tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


@dataclass(slots=True)
class TextbookStep(StepRecord):
    """A record of one's own, with names of one's own."""

    keep: Array = None
    new: Array = None
    show: Array = None
    c_prev: Array = None
    c: Array = None
    h: Array = None

    def backward(self, dh, dc):
        """With arrays of its own too."""
        grad = TextbookStepGrad()
        grad.dc = dc + dh * self.show * (1 - np.tanh(self.c) ** 2)
        dwrite = grad.dc * (self.new - self.c_prev)
        da_i = dwrite * self.keep * (1 - self.keep)
        da_g = grad.dc * (1 - self.keep) * (1 - self.new**2)
        da_o = dh * np.tanh(self.c) * self.show * (1 - self.show)
        grad.da = np.concatenate([da_i, np.zeros_like(da_i), da_g, da_o], axis=-1)
        grad.dc_prev = grad.dc * self.keep
        return grad


@dataclass(slots=True)
class TextbookStepGrad(StepGrad):
    dc: Array = None
    dc_prev: Array = None
    da: Array = None


def textbook(a, c_prev):
    i, _, g, o = np.split(a, 4, axis=-1)
    write = 1 / (1 + np.exp(-i))
    s = TextbookStep(keep=1 - write, new=np.tanh(g), show=1 / (1 + np.exp(-o)), c_prev=c_prev)
    s.c = s.keep * c_prev + write * s.new
    s.h = s.show * np.tanh(s.c)
    return s


class Bare:
    """No record of the library's at all."""

    def backward(self, dh, dc):
        dc += dh * self.o * (1 - self.tanh_c**2)  # into what it was given
        da = np.zeros((*dh.shape[:-1], 4 * H), dtype=dh.dtype)
        da[..., :H] = dc * (self.g - self.c_prev) * self.i * (1 - self.i)
        da[..., 2 * H : 3 * H] = dc * self.i * (1 - self.g**2)
        da[..., 3 * H :] = dh * self.tanh_c * self.o * (1 - self.o)
        return SimpleNamespace(da=da, dc_prev=dc * (1 - self.i))


def bare(a, c_prev):
    s = Bare()
    a *= 1  # what it was given for its own
    s.c_prev = c_prev
    s.i, s.g, s.o = sigmoid(a[..., :H]), tanh(a[..., 2 * H : 3 * H]), sigmoid(a[..., 3 * H :])
    s.c = c_prev.copy()
    s.c *= 1 - s.i
    s.c += s.i * s.g
    s.tanh_c = tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


STEPS = {"changed": changed, "textbook": textbook, "bare": bare}
each_step = pytest.mark.parametrize("step", STEPS)


def plain(x, state, params, mask=None, reverse=False, zoneout=None, weight_mask=None):
    """(h, final h and c) of coupled gates, by a loop over steps that knows nothing of the library."""
    (h, c), W_h = state, params.W_h if weight_mask is None else params.W_h * weight_mask
    out = np.empty((len(x), *h.shape), x.dtype)
    for t in range(len(x))[::-1] if reverse else range(len(x)):
        a = x[t] @ params.W_x + h @ W_h + params.b
        i, g, o = 1 / (1 + np.exp(-a[:, :H])), np.tanh(a[:, 2 * H : 3 * H]), 1 / (1 + np.exp(-a[:, 3 * H :]))
        new_c = (1 - i) * c + i * g
        new_h = o * np.tanh(new_c)
        if zoneout is not None:
            parts = zip(zoneout, (new_h, new_c), (h, c), strict=True)
            new_h, new_c = (k[t] * new + (1 - k[t]) * old for k, new, old in parts)
        if mask is not None:
            new_h, new_c = (np.where(mask[t][:, None], new, old) for new, old in ((new_h, h), (new_c, c)))
        h, c = out[t], _ = new_h, new_c
    return out, (h, c)


def inputs(*sizes, axes=()):
    """x, state and params of one direction; with axes (2,) of both; with sizes of the inputs, of a stack."""
    init = layers.init_bidirectional if axes else layers.init_lstm
    params = [at_scale_one(init(np.random.default_rng(0), size, H, float), seed=k) for k, size in enumerate(sizes)]
    state = [layers.CellState(*normal(2, *axes, B, H, seed=5 + k)) for k in range(len(sizes))]
    given = {"x": normal(T, B, D, seed=1), "state": state, "params": params}
    return given if len(sizes) > 1 else given | {"state": state[0], "params": params[0]}


def shares(*shape):
    rng = np.random.default_rng(3)
    return tuple((rng.random((*shape, H)) < 0.6).astype(float) for _ in range(2))


def drop(*axes):
    return layers.dropout_mask(np.random.default_rng(4), (*axes, H, 4 * H), 0.4, float)


ONE = {  # options of `sequence`
    "plain": {},
    "ragged": {"mask": MASK},
    "ragged, reversed": {"mask": MASK, "reverse": True},
    "zoneout": {"mask": MASK, "zoneout": shares(T, B)},
    "weight-drop": {"mask": MASK, "weight_mask": drop()},
}
WAYS = {  # name: (function, inputs, options)
    **{name: (layers.sequence, inputs(D), options) for name, options in ONE.items()},
    "both ways": (
        layers.bidirectional,
        inputs(D, axes=(2,)),
        {"mask": MASK, "zoneout": shares(T, 2, B), "weight_mask": drop(2)},
    ),
    "stack": (layers.stack, inputs(D, H), {"mask": MASK, "residual": True, "zoneout": [None, shares(T, B)]}),
    "stack of both ways": (layers.stack, inputs(D, 2 * H, axes=(2,)), {"mask": MASK}),
}


def run(way, step, dtype=np.float64):
    """A trace, and random gradients of its outputs."""
    function, given, options = WAYS[way]
    moved = {
        name: tree if isinstance(tree, bool) else trees.cast(tree, dtype) for name, tree in (given | options).items()
    }
    trace = function(**moved, cell=layers.LSTM(step=STEPS[step]))
    return trace, {name: trees.cast(d, dtype) for name, d in output_gradients(trace).items()}


@pytest.mark.parametrize("way", ONE)
@each_step
def test_a_step_of_ones_own_is_its_equations(step, way):
    trace, _ = run(way, step)
    h, final = plain(**WAYS[way][1], **ONE[way])
    assert_close([trace.h, *trace.final], [h, *final], EXACT)


@each_step
def test_both_ways_are_each_alone(step):
    trace, _ = run("both ways", step)
    _, given, options = WAYS["both ways"]
    for k, params in enumerate((given["params"].ahead, given["params"].back)):
        turn = slice(None, None, -1 if k else 1)
        zoneout = tuple(share[turn, k] for share in options["zoneout"])
        state = [part[k] for part in given["state"]]
        h, final = plain(given["x"], state, params, MASK, bool(k), zoneout, options["weight_mask"][k])
        assert_close([trace.h[..., k * H : (k + 1) * H], *(part[k] for part in trace.final)], [h, *final], EXACT)


def test_a_stack_is_layer_on_layer():
    trace, _ = run("stack", "textbook")
    _, given, options = WAYS["stack"]
    x = given["x"]
    for state, params, zoneout, final in zip(
        given["state"], given["params"], options["zoneout"], trace.final, strict=True
    ):
        h, expected = plain(x, state, params, MASK, zoneout=zoneout)
        x = h + x if h.shape == x.shape else h
        assert_close(list(final), list(expected), EXACT)
    assert_close(trace.h, x, EXACT)


@pytest.mark.parametrize("way", WAYS)
def test_the_gradient_of_a_step_of_ones_own_is_right(way):
    function, given, options = WAYS[way]
    result = check(lambda **kw: function(**kw, **options, cell=layers.LSTM(step=textbook)), given)
    assert result.ok, result


@pytest.mark.parametrize("way", WAYS)
def test_it_does_not_matter_how_a_step_is_written(way):
    """Whose arrays, whose record, written into or made anew."""
    expected, upstream = run(way, "textbook")
    for step in STEPS:
        trace, _ = run(way, step)
        assert_close([trace.h, trace.final], [expected.h, expected.final], EXACT)
        before = [array.copy() for array in trees.leaves(list(upstream.values()))]
        assert_close(trace.backward(**upstream), expected.backward(**upstream), EXACT)
        assert_same(trace.backward(**upstream), trace.backward(**upstream))
        assert_same(trees.leaves(list(upstream.values())), before)


@pytest.mark.parametrize("way", WAYS)
@each_step
def test_a_step_of_ones_own_in_float32(step, way):
    (exact, upstream), (trace, rounded) = run(way, step), run(way, step, np.float32)
    found, expected = (
        [trace.h, trace.final, trace.backward(**rounded)],
        [exact.h, exact.final, exact.backward(**upstream)],
    )
    assert {leaf.dtype for leaf in trees.leaves(found)} == {np.dtype(np.float32)}
    assert_close(found, expected, 1e-4)


@each_step
def test_the_plain_lstm_is_another(step):
    """What is assigned is what is used: nothing falls back to the library's equations."""
    mine, _ = run("plain", step)
    theirs = layers.lstm(**WAYS["plain"][1])
    assert np.abs(mine.h - theirs.h).max() > 0.01


def test_everything_that_is_assigned_can_be_read():
    trace, _ = run("ragged", "changed")
    assert isinstance(trace.steps[2], CoupledStep)
    assert_same(trace.f, 1 - trace.i)
    assert_same(trace.c[0], trace.f[0] * trace.c_prev[0] + trace.i[0] * trace.g[0])
    trace, _ = run("both ways", "textbook")
    assert trace.ahead.keep.shape == trace.back.keep.shape == (T, B, H)
    trace, _ = run("ragged", "bare")
    assert {"i", "g", "o", "tanh_c"} <= set(dir(trace)) and trace.g.shape == (T, B, H)


@each_step
def test_gradients_inside_it_can_be_kept(step):
    trace, upstream = run("zoneout", step)
    expected = trace.backward(**upstream)
    with keep_gradients() as inside:
        assert_same(trace.backward(**upstream), expected)
    da = inside[trace].da
    assert_close(da.sum(axis=(0, 1)), expected.params.b, EXACT)
    assert (da[~MASK] == 0).all()
    # what a step gave is not what the step before it has made of that
    dc_prev, dc = inside[trace].dc_prev, inside.states(trace).c
    share = WAYS["zoneout"][2]["zoneout"][1]
    carried = np.where(MASK[1:, :, None], (1 - share[1:]) * dc[1:], dc[1:])
    assert_close(dc[:-1], dc_prev[1:] + carried, EXACT)


# one step of the other cells


@dataclass(slots=True)
class SineStep(layers.RNNStep):
    def backward(self, dh):
        return SimpleNamespace(da=dh * np.cos(self.a))


def sine(a):
    """An RNN with another nonlinearity."""
    s = SineStep()
    s.a = a
    s.h = np.sin(a)
    return s


@dataclass(slots=True)
class OpenGRUStep(layers.GRUStep):
    def backward(self, dh):
        grad = layers.GRUStep.backward(self, dh)
        grad.dz, grad.dn = dh * self.h_prev, dh
        da_n = tanh_backward(grad.dn, self.n)
        grad.dr, grad.du = da_n * self.u, da_n * self.r
        grad.da = np.concatenate([sigmoid_backward(grad.dr, self.r), sigmoid_backward(grad.dz, self.z), da_n], axis=-1)
        return grad


def open_gru(a, u, h_prev):
    """A GRU whose candidate is added whole."""
    s = layers.gru_step(a, u, h_prev, OpenGRUStep)
    s.h = s.n + s.z * s.h_prev
    return s


@dataclass(slots=True)
class OpenGRUBeforeStep(layers.GRUBeforeStep):
    def backward(self, dh):
        U_n = self.params.W_h[..., 2 * H :]
        da_n = tanh_backward(dh, self.n)
        dv = da_n @ U_n.swapaxes(-1, -2)
        da_r, da_z = sigmoid_backward(dv * self.h_prev, self.r), sigmoid_backward(dh * self.h_prev, self.z)
        return SimpleNamespace(da=np.concatenate([da_r, da_z, da_n], axis=-1), dh_prev=dh * self.z + dv * self.r)


def open_gru_before(a, h_prev, params):
    s = layers.gru_before_step(a, h_prev, params, OpenGRUBeforeStep)
    s.h = s.n + s.z * s.h_prev
    return s


@dataclass(slots=True)
class HalfResetStep(layers.GRUStep):
    def backward(self, dh):
        grad = layers.GRUStep.backward(self, dh)
        grad.da[..., :H] = 0
        return grad


def half_reset(a, u, h_prev):
    """A GRU whose reset gate is a half for good."""
    a[..., :H] = 0
    return layers.gru_step(a, u, h_prev, HalfResetStep)


def open_peephole(a, c_prev, params):
    """A peephole LSTM that shows all of its cell. The library's way back holds: sigma' is 0 where o is 1."""
    s = layers.peephole_step(a, c_prev, params)
    s.o = 0 * s.o + 1
    s.h = s.o * s.tanh_c
    return s


def open_lstm(a, c_prev):
    """The same without peepholes."""
    s = layers.lstm_step(a, c_prev)
    s.o = 0 * s.o + 1
    s.h = s.o * s.tanh_c
    return s


@dataclass(slots=True)
class LinearShowStep(layers.LayerNormLSTMStep):
    """Shows its normalised cell without a tanh."""

    def backward(self, dh, dc):
        s = replace(self, tanh_n=np.zeros_like(self.n))  # where tanh' is 1
        s.params = self.params
        grad = layers.LayerNormLSTMStep.backward(s, dh, dc)
        grad.do = dh * self.n
        grad.da[..., 3 * H : 4 * H] = sigmoid_backward(grad.do, self.o)
        grad.dq_hat = grad.da[..., : 4 * H] * self.params.g_h
        mean = lambda v: v.mean(axis=-1, keepdims=True)  # noqa: E731
        grad.dq = (grad.dq_hat - mean(grad.dq_hat) - self.q_hat * mean(grad.dq_hat * self.q_hat)) / self.q_std
        return grad


def linear_show(a, q, c_prev, params):
    s = layers.layernorm_lstm_step(a, q, c_prev, params, LinearShowStep)
    s.h = s.o * s.n
    return s


OTHERS = {
    "rnn": layers.RNN(step=sine),
    "gru": layers.GRU(step=open_gru),
    "gru, half reset": layers.GRU(step=half_reset),
    "gru before": layers.GRUBefore(step=open_gru_before),
    "lstm": layers.LSTM(step=open_lstm),
    "peephole": layers.PeepholeLSTM(step=open_peephole),
    "layer norm": layers.LayerNormLSTM(step=linear_show),
}


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", OTHERS)
def test_every_cell_takes_a_step_of_ones_own(name, both):
    cell, axes = OTHERS[name], (2,) if both else ()
    rng = np.random.default_rng(0)
    given = {
        "x": normal(T, B, D),
        "state": cell.State(*(normal(*axes, B, H, seed=1 + k) for k in range(len(cell.State._fields)))),
        "params": at_scale_one(
            layers.init_bidirectional(rng, D, H, float, cell) if both else cell.init(rng, D, H, float)
        ),
    }
    function = layers.bidirectional if both else layers.sequence
    result = check(lambda **kw: function(**kw, mask=MASK, cell=cell), given)
    assert result.ok, result
    standard = function(**given, mask=MASK, cell=type(cell)())
    assert np.abs(function(**given, mask=MASK, cell=cell).h - standard.h).max() > 0.01


def test_a_changed_equation_with_the_old_backward_is_found():
    def my_step(a, c_prev):
        s = changed(a, c_prev)
        return layers.LSTMStep(**{name: getattr(s, name) for name in s.__dataclass_fields__})

    function, given, options = WAYS["ragged"]
    assert not check(lambda **kw: function(**kw, **options, cell=layers.LSTM(step=my_step)), given).ok


# an attention


class NearAttention(layers.Attention):
    """e_tj = -|q_t - k_j|^2 / 2: the nearer, the better."""

    grad = DotStepGrad

    def score(self, s):
        return dots(s.query, self.keys) - (s.query**2).sum(axis=-1)[..., None] / 2 - (self.keys**2).sum(axis=-1).T / 2

    def score_backward(self, s, grad, shared):
        grad.dquery = weighted_mean(grad.de, self.keys) - grad.de.sum(axis=-1)[..., None] * s.query

    def weight_gradients(self, steps, grads, shared):
        dkeys = over_queries(grads.de, steps.query) - grads.de.sum(axis=0).T[..., None] * self.keys
        dvalues = over_queries(steps.alpha, grads.dcontext)
        return AttentionGrad(dquery=grads.dquery, dkeys=dkeys, dvalues=dvalues, params=None)


class NearAtOnce(NearAttention):
    at_once = True


@pytest.mark.parametrize("kind", [NearAttention, NearAtOnce])
def test_an_attention_of_ones_own(kind):
    mask = lengths_to_mask([4, 1, 3])
    given = {"query": normal(T, B, D), "keys": normal(4, B, D, seed=1), "values": normal(4, B, 6, seed=2)}
    result = check(lambda query, keys, values: layers.attend(kind(keys, values, mask=mask), query), given)
    assert result.ok, result
    trace = layers.attend(kind(given["keys"], given["values"], mask=mask), given["query"])
    e = -((given["query"][:, None] - given["keys"]) ** 2).sum(axis=-1) / 2  # (T, S, B)
    e = np.where(mask, np.exp(e), 0)
    assert_close(trace.alpha, (e / e.sum(axis=1, keepdims=True)).transpose(0, 2, 1), EXACT)


def test_an_attentions_functions_may_be_changed_alone():
    """Additive attention with scores twice as high; what comes behind them, there and back, is inherited."""

    class Sharpened(layers.AdditiveAttention):
        def score(self, s):
            return 2 * super().score(s)

        def score_backward(self, s, grad, shared):
            de, grad.de = grad.de, 2 * grad.de
            super().score_backward(s, grad, shared)
            grad.de = de

    params = at_scale_one(layers.init_attention(np.random.default_rng(0), D, D, 5, float))
    given = {
        "query": normal(T, B, D),
        "keys": normal(4, B, D, seed=1),
        "values": normal(4, B, 6, seed=2),
        "params": params,
    }
    attention = lambda query, keys, values, params: layers.attend(Sharpened(keys, values, params), query)  # noqa: E731
    result = check(attention, given)
    assert result.ok, result


# what is missing


def returns(change):
    """A step whose record is changed before it is returned."""

    def my_step(a, c_prev):
        return change(layers.lstm_step(a, c_prev))

    return my_step


def without(name):
    return lambda s: setattr(s, name, None) or s


def with_(**fields):
    return lambda s: [setattr(s, name, value) for name, value in fields.items()] and s


FORWARD = {  # what a step does, and what is said
    "nothing": (lambda s: None, TypeError, "my_step returned None: is a return missing?"),
    "no h": (without("h"), TypeError, "my_step gave a LSTMStep without h: assign it"),
    "no c": (without("c"), TypeError, "my_step gave a LSTMStep without c: assign it"),
    "an array": (lambda s: s.h, TypeError, "my_step gave a ndarray without h: assign it"),
    "one number": (with_(h=0.5), ValueError, r"my_step gave h the shape \(\): it must be \(3, 4\)"),
    "no rows": (with_(c=np.zeros(H)), ValueError, r"my_step gave c the shape \(4,\): it must be \(3, 4\)"),
    "one row": (with_(h=np.zeros((1, H))), ValueError, r"my_step gave h the shape \(1, 4\): it must be \(3, 4\)"),
    "more units": (
        with_(h=np.zeros((B, 2 * H))),
        ValueError,
        r"my_step gave h the shape \(3, 8\): it must be \(3, 4\)",
    ),
    "more digits": (
        with_(c=np.zeros((B, H), np.complex128)),
        TypeError,
        "my_step made c in complex128 of what was float64",
    ),
}


@pytest.mark.parametrize("what", FORWARD)
def test_what_a_step_leaves_out_is_said_in_a_line(what):
    change, error, said = FORWARD[what]
    with pytest.raises(error, match=f"^{said}") as info:
        layers.lstm(**WAYS["plain"][1], cell=layers.LSTM(step=returns(change)))
    assert "\n" not in str(info.value)


BACKWARD = {  # what a backward does, and what is said
    "nothing": (lambda grad: None, TypeError, "MyStep.backward returned None: is a return missing?"),
    "no da": (without("da"), TypeError, "MyStep.backward gave a LSTMStepGrad without da: assign it"),
    "no dc_prev": (without("dc_prev"), TypeError, "MyStep.backward gave a LSTMStepGrad without dc_prev: assign it"),
    "an array": (lambda grad: grad.da, TypeError, "MyStep.backward gave a ndarray without da: assign it"),
    "one block": (
        with_(da=np.zeros((B, H))), ValueError, r"MyStep.backward gave da the shape \(3, 4\): it must be \(3, 16\)",
    ),
    "no rows": (with_(dc_prev=np.zeros(H)), ValueError, r"MyStep.backward gave dc_prev the shape \(4,\): it must be"),
}  # fmt: skip


@pytest.mark.parametrize("what", BACKWARD)
def test_what_a_backward_leaves_out_is_said_in_a_line(what):
    change, error, said = BACKWARD[what]

    @dataclass(slots=True)
    class MyStep(layers.LSTMStep):
        def backward(self, dh, dc):
            return change(layers.LSTMStep.backward(self, dh, dc))

    cell = layers.LSTM(step=lambda a, c_prev: layers.lstm_step(a, c_prev, MyStep))
    trace = layers.lstm(**WAYS["plain"][1], cell=cell)
    with pytest.raises(error, match=f"^{said}") as info:
        trace.backward(trace.h)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("cell, left_out", [("gru", "du"), ("gru", "dh_prev"), ("gru_before", "dh_prev"), ("ln", "dq")])
def test_each_cell_says_what_its_backward_needs(cell, left_out):
    kind, step, record = {
        "gru": (layers.GRU, layers.gru_step, layers.GRUStep),
        "gru_before": (layers.GRUBefore, layers.gru_before_step, layers.GRUBeforeStep),
        "ln": (layers.LayerNormLSTM, layers.layernorm_lstm_step, layers.LayerNormLSTMStep),
    }[cell]

    @dataclass(slots=True)
    class MyStep(record):
        def backward(self, *dstate):
            return without(left_out)(record.backward(self, *dstate))

    mine = kind(step=lambda *args: step(*args, MyStep))
    trace = layers.sequence(normal(T, B, D), None, mine.init(np.random.default_rng(0), D, H, float), cell=mine)
    with pytest.raises(TypeError, match=f"^MyStep.backward gave a .*StepGrad without {left_out}: assign it$"):
        trace.backward(trace.h)


def test_a_step_cannot_write_into_the_state_before_it():
    """Which is what the step before has made, and is read again on the way back."""

    def my_step(a, c_prev):
        c_prev *= 0.5
        return layers.lstm_step(a, c_prev)

    with pytest.raises(ValueError, match="read-only"):
        layers.lstm(**WAYS["plain"][1], cell=layers.LSTM(step=my_step))


def test_a_field_that_the_weights_gradients_need_is_named():
    def my_step(a, u, h_prev):
        s = Bare()
        s.h = h_prev
        s.backward = lambda dh: SimpleNamespace(da=np.zeros((B, 3 * H)), du=0 * dh, dh_prev=dh)
        return s

    cell = layers.GRU(step=my_step)
    trace = layers.gru(normal(T, B, D), None, cell.init(np.random.default_rng(0), D, H, float), cell=cell)
    with pytest.raises(AttributeError, match="^Bare has no 'r'; it has h, backward$"):
        trace.backward(trace.h)


@pytest.mark.parametrize("kind", [NearAttention, NearAtOnce])
def test_what_an_attention_leaves_out_is_said_in_a_line(kind):
    class Mine(kind):
        def score(self, s):
            return wrong if wrong is not ... else kind.score(self, s)

        def score_backward(self, s, grad, shared):
            pass

    attention = Mine(normal(4, B, D), normal(4, B, 6))
    wrong = None
    with pytest.raises(TypeError, match="^Mine.score returned None: is a return missing[?]$"):
        layers.attend(attention, normal(T, B, D))
    wrong = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"^Mine.score gave e the shape \(2, 2\): it must be \(.*3, 4\)$"):
        layers.attend(attention, normal(T, B, D))
    wrong = ...
    trace = layers.attend(attention, normal(T, B, D))
    with pytest.raises(TypeError, match="^Mine.score_backward gave a DotStepGrad without dquery: assign it$"):
        trace.backward(trace.context)
