"""The layer-normalised long short-term memory (Ba, Kiros & Hinton 2016).

a_t = LN(x_t W_x; g_x) + LN(h_{t-1} W_h; g_h) + b      pre-activations, four blocks of H columns: i, f, g, o
i_t, f_t, o_t = sigma(a_i), sigma(a_f), sigma(a_o)     gates
g_t = tanh(a_g)                                        candidate
c_t = f_t * c_{t-1} + i_t * g_t                        cell
n_t = LN(c_t; g_c) + b_c
h_t = o_t * tanh(n_t)                                  hidden state

LN(v; g) = g * (v - mean) / std over the whole of v, all four blocks of a product (see `numseq.layers.layernorm`). The
cell itself is carried as it is, only what is shown of it is normalised.

b_c stands where n begins as b does where the gates begin, so a_t has a fifth block, a_n = b_c: (T, B, 5H).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import array_module, asarray
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.init import DEFAULT
from numseq.layers.layernorm import normalise, normalise_backward
from numseq.layers.linear import affine, rows
from numseq.layers.lstm import LSTMStepGrad, gates, gates_backward, init_lstm
from numseq.layers.lstm import blocks as gate_blocks
from numseq.layers.recurrent import sequence
from numseq.record import StepGrad, StepRecord, put

Array = Any


@dataclass(slots=True)
class LayerNormLSTMParams:
    W_x: Array  # (D, 4H), columns in the order i, f, g, o
    W_h: Array  # (H, 4H)
    b: Array  # (4H,)
    g_x: Array  # (4H,), gain of x W_x
    g_h: Array  # (4H,), gain of h W_h
    g_c: Array  # (H,), gain of the cell
    b_c: Array  # (H,)


@dataclass(slots=True)
class LayerNormLSTMStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the loss's derivative by it. (B, H), da (B, 5H), dq (B, 4H)."""

    equations = LSTMStepGrad.equations | {
        "do": "dh * tanh(n), since h = o * tanh(n)",
        "dn": "dh * o * (1 - tanh(n)^2), since h = o * tanh(n)",
        "dc_hat": "dn * g_c, since n = g_c * c_hat + b_c",
        "dc": "dc as it comes back from the next step, plus (dc_hat - mean(dc_hat) - c_hat * mean(dc_hat * c_hat)) / "
        "std, since c_hat = (c - mean(c)) / std",
        "da": "[di * i (1 - i), df * f (1 - f), dg * (1 - g^2), do * o (1 - o), dn]",
        "dq_hat": "da * g_h, without the block of n, since a = a_x + g_h * q_hat",
        "dq": "(dq_hat - mean(dq_hat) - q_hat * mean(dq_hat * q_hat)) / std, since q_hat = (q - mean(q)) / std",
    }
    dh: Array = None
    do: Array = None
    dn: Array = None
    dc_hat: Array = None
    dc: Array = None
    di: Array = None
    df: Array = None
    dg: Array = None
    dc_prev: Array = None
    da: Array = None
    dq_hat: Array = None
    dq: Array = None


@dataclass(slots=True)
class LayerNormLSTMStep(StepRecord):
    """One step of a layer-normalised LSTM, with everything that its equations name: (B, H), a (B, 5H), q, q_hat and
    gates (B, 4H), q_std and c_std (B, 1)."""

    inputs, outputs, blocks, more_blocks = ("c_prev", "a", "q"), ("h", "c"), "ifgo", "n"
    c_prev: Array = None
    a: Array = None  # a_x, without q_hat, and b_c; None in a sequence, where the gates and tanh(n) take their place
    q: Array = None  # h_{t-1} W_h; None in a sequence
    q_hat: Array = None
    q_std: Array = None
    gates: Array = None  # i, f, g, o side by side
    i: Array = None
    f: Array = None
    g: Array = None
    o: Array = None
    c: Array = None
    c_hat: Array = None
    c_std: Array = None
    n: Array = None  # None in a sequence
    tanh_n: Array = None
    h: Array = None

    def backward(self, dh, dc, gains, da=None):
        """From the gradients of h and c to those of the pre-activations a, of q and of the previous cell.

        Args: dh, dc, (B, H): dc is what comes back from step t + 1, without the way through h, which is added here.
            gains, of the forward step. da, (B, 5H): where to write; None makes a new array.
        Returns: a LayerNormLSTMStepGrad.
        """
        concatenate, grad = array_module(dh).concatenate, LayerNormLSTMStepGrad(dh)
        grad.step = self
        grad.do = dh * self.tanh_n  # h = o * tanh(n)
        grad.dn = tanh_backward(dh * self.o, self.tanh_n)
        grad.dc_hat = grad.dn * gains.g_c  # n = g_c * c_hat + b_c
        grad.dc = dc + normalise_backward(grad.dc_hat, self.c_hat, self.c_std)  # by c_{t+1} and by h
        grad.di = grad.dc * self.g  # c = f * c_prev + i * g
        grad.df = grad.dc * self.c_prev
        grad.dg = grad.dc * self.i
        grad.dc_prev = grad.dc * self.f
        gates = concatenate([self.i, self.f, self.g, self.o], axis=-1) if self.gates is None else self.gates
        da_gates = gates_backward(concatenate([grad.di, grad.df, grad.dg, grad.do], axis=-1), gates)
        grad.da = concatenate([da_gates, grad.dn], axis=-1, out=da)
        grad.dq_hat = da_gates * gains.g_h  # a = a_x + g_h * q_hat
        grad.dq = normalise_backward(grad.dq_hat, self.q_hat, self.q_std)
        return grad


def layernorm_lstm_step(a, q, c_prev, gains, s=None):
    """One step of a layer-normalised LSTM from its two products.

    Args: a, (B, 5H) = [LN(x_t W_x; g_x) + b, b_c]. q, (B, 4H) = h_{t-1} W_h. c_prev, (B, H). gains, anything with g_h
        (4H,) and g_c (H,), as the LayerNormLSTMParams are. s, a record whose fields are where to write, or None for
        new arrays; its gates and tanh_n may be parts of a.
    Returns: the LayerNormLSTMStep.
    Backward: LayerNormLSTMStep.backward.
    Source: Ba, Kiros & Hinton 2016, equations 20 to 22 (of the supplement), where each LN has a bias of its own; here
        the sum of those of the two products is b.
    """
    xp = array_module(a)
    s = LayerNormLSTMStep() if s is None else s
    s.c_prev, s.a, s.q = c_prev, a, q
    H = c_prev.shape[-1]
    q_hat, std = normalise(s.q, out=s.q_hat)
    s.q_hat, s.q_std = q_hat, put(s.q_std, std)
    s.gates = gates(xp.add(s.a[..., : 4 * H], gains.g_h * s.q_hat, out=s.gates), out=s.gates)
    s.i, s.f, s.g, s.o = gate_blocks(s.gates)
    s.c = xp.add(s.f * s.c_prev, s.i * s.g, out=s.c)
    c_hat, std = normalise(s.c, out=s.c_hat)
    s.c_hat, s.c_std = c_hat, put(s.c_std, std)
    s.n = s.a[..., 4 * H :] + gains.g_c * s.c_hat
    s.tanh_n = tanh(s.n, out=s.tanh_n)
    s.h = xp.multiply(s.o, s.tanh_n, out=s.h)
    return s


@dataclass(frozen=True)
class LayerNormLSTM:
    """The layer-normalised LSTM as a cell (see `numseq.layers.recurrent`); a `step` of your own brings its record
    class, which has the backward."""

    states = ("h", "c")
    equations = "layernorm_lstm"
    step: Callable = layernorm_lstm_step
    record: type = LayerNormLSTMStep

    def init(self, rng, inputs, hidden, dtype, first=DEFAULT):
        """First values; see `init_layernorm_lstm`."""
        return init_layernorm_lstm(rng, inputs, hidden, dtype, first)

    def before(self, x, params):
        """a (T, B, 5H), and what undoing LN(x W_x) needs: x_hat (T, B, 4H) and std (T, B, 1)."""
        xp, product = array_module(x), affine(x, params.W_x)
        x_hat, std = normalise(product, out=product)
        G = x_hat.shape[-1]
        a = xp.empty((*x.shape[:-1], G + params.b_c.shape[-1]), dtype=x_hat.dtype)
        a[..., :G] = params.g_x * x_hat + params.b
        a[..., G:] = params.b_c
        return a, (x_hat, std)

    def storage(self, a, prev, out):
        """The sequence's record: gates and tanh(n) take the place of their pre-activations, the states lie in `out`."""
        (_, c_prev), (h, c), empty = prev, out, array_module(a).empty
        H = c.shape[-1]
        places, one = a[..., : 4 * H], (*a.shape[:-1], 1)
        return self.record(
            c_prev=c_prev,
            q_hat=empty(places.shape, dtype=a.dtype),
            q_std=empty(one, dtype=a.dtype),
            gates=places,
            **dict(zip("ifgo", gate_blocks(places), strict=True)),
            c=c,
            c_hat=empty(c.shape, dtype=a.dtype),
            c_std=empty(one, dtype=a.dtype),
            tanh_n=a[..., 4 * H :],
            h=h,
        )

    def forward(self, a, state, params, s):
        h_prev, c_prev = state
        self.step(a, h_prev @ params.W_h, c_prev, params, s)

    def backward(self, s, dstate, params, da):
        grad = s.backward(*dstate, params, da)
        return grad.dq @ params.W_h.swapaxes(-1, -2), grad.dc_prev

    def after(self, x, kept, steps, prev, da, params):
        """Each step used the same weights, so their gradients add over time and batch: one product each.

        With p = x W_x and q = h_{t-1} W_h: dx = dp W_x^T, dW_x = x^T dp, dW_h = h_{t-1}^T dq, where dp and dq come of
        da through the two normalisations, of all steps at once.
        """
        (x_hat, std), G = kept, params.W_x.shape[-1]
        da, dn = da[..., :G], da[..., G:]
        dp = rows(normalise_backward(da * params.g_x, x_hat, std))
        dq = rows(normalise_backward(da * params.g_h, steps.q_hat, steps.q_std))
        dparams = LayerNormLSTMParams(
            W_x=rows(x).T @ dp,
            W_h=rows(prev[0]).T @ dq,
            b=da.sum(axis=(0, 1)),
            g_x=(da * x_hat).sum(axis=(0, 1)),
            g_h=(da * steps.q_hat).sum(axis=(0, 1)),
            g_c=(dn * steps.c_hat).sum(axis=(0, 1)),
            b_c=dn.sum(axis=(0, 1)),
        )
        return (dp @ params.W_x.T).reshape(x.shape), dparams


STANDARD = LayerNormLSTM()


def layernorm_lstm(x, h0, c0, params, mask=None, reverse=False, cell=STANDARD):
    """A layer-normalised LSTM over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.recurrent.sequence`.

    Args: x, (T, B, D). h0, c0, (B, H). params, see LayerNormLSTMParams. mask, reverse: as of `sequence`. cell: a
        LayerNormLSTM with another step, to try a changed equation.
    Returns: a RecurrentTrace with h (T, B, H), h_T and c_T (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, h0, c0, params, cell, mask, reverse)


def init_layernorm_lstm(rng, inputs, hidden, dtype, first=DEFAULT):
    """First values: those of `init_lstm`, gains 1, b_c = 0."""
    lstm = init_lstm(rng, inputs, hidden, dtype, first)
    ones = [asarray(np.ones(size), dtype) for size in (4 * hidden, 4 * hidden, hidden)]
    return LayerNormLSTMParams(lstm.W_x, lstm.W_h, lstm.b, *ones, b_c=asarray(np.zeros(hidden), dtype))
