"""Pieces of decoders that are no traces: readout, looks and layers that go a step at a time in a decoder's loop.

The readout's equations are written out, since nobody else knows it. A layer and the looks at the memory are undone as
they are, while what they were given is noted: with it each is judged as a sequence, or as an attention, of its own.
"""

import numpy as np

from numseq.layers.attention.base import AttentionTrace, LookBack
from numseq.layers.cells.sequence import RecurrentGrad, RecurrentTrace
from numseq.layers.cells.unroll import Rewind
from numseq.layers.linear import LinearParams, rows
from numseq.mistakes.layer import equations


def at(t, gradient):
    """The gradient of step t's part of something, None where nobody read it."""
    return None if gradient is None else gradient[t]


def summed(*gradients):
    """The sum of the gradients of something that was read several times; None where nobody read it."""
    read = [d for d in gradients if d is not None]
    return sum(read[1:], start=read[0]) if read else None


def readout(piece, s, dr, change, sums=True):
    """r = tanh(x W + b), maxout(x W + b) or x, of x = [h; context; y], (..., .).

    Returns: the gradients of h, context and y, None for what was not read, and those of the parameters, if sums.
    """
    eq, kind, params, x, r = equations(change), piece.kind, piece.params, s.x, s.r
    H, C, E = piece.widths
    dparams, dx = None, dr
    if kind != "linear":
        W = params.W
        if kind == "tanh":
            da = eq("da_r", dr * (1 - r**2))
        else:
            pairs = s.a.reshape(*r.shape, 2)
            wins = (pairs == pairs.max(axis=-1, keepdims=True)).reshape(s.a.shape)
            da = eq("da_maxout", np.where(wins, dr.repeat(2, axis=-1), 0))
        if sums:
            dW = eq("dW_r", rows(x).T @ rows(da))
            of_h, of_context, of_y = dW[:H], dW[H : H + C], dW[H + C :]
            dW = np.concatenate(eq("dW_parts", [of_h, of_context, of_y]))
            over = tuple(range(da.ndim - 1))
            db = eq("db_r", da.sum(axis=over))
            dparams = LinearParams(W=dW, b=db)
        dx = eq("dx_r", da @ W.T)
    dh, dcontext, dy = eq("dx_parts", [dx[..., :H], dx[..., H : H + C], dx[..., H + C :]])
    dh = eq("dh_read", dh)
    dcontext = eq("dcontext_read", dcontext) if C else None
    dy = eq("dy_read", dy) if E else None
    return dh, dcontext, dy, dparams


class Stepwise:
    """A layer of a decoder's loop on its way back."""

    def __init__(self, layer):
        self.layer, self.rewind, self.given = layer, Rewind(layer.run), [None] * len(layer.x)

    def step(self, t, dh):
        self.given[t] = dh
        return self.rewind.step(t, dh)

    def grad(self):
        """A RecurrentGrad, once all steps are undone."""
        dx, dparams = self.layer.weight_gradients(self.rewind.da)
        return RecurrentGrad(dx=dx, dstate=self.rewind.dstate, params=dparams)

    def piece(self):
        """As `Wiring` gives it back; none of a cell of which nothing is known."""
        run, layer, equations = self.layer.run, self.layer, getattr(self.layer.run.cell, "equations", None)
        h, final = run.after.h, run.final
        trace = RecurrentTrace(layer.x, layer.params, layer.saved, layer.dropped, run, h, final)
        return [(equations, trace, {"dh": np.stack(self.given)}, self.grad())] if equations else []


class Looking:
    """The looks at the memory on their way back."""

    def __init__(self, attention, looks):
        self.attention, self.looks, self.back = attention, looks, LookBack(attention, looks)
        self.dcontext, self.dalpha = [None] * len(looks), [None] * len(looks)

    def look(self, t, dcontext, dalpha):
        self.dcontext[t], self.dalpha[t] = dcontext, dalpha
        return self.back.look(t, dcontext, dalpha)

    def grad(self):
        """An AttentionGrad, once all looks are undone."""
        return self.back.weight_gradients()

    def piece(self):
        """As `Wiring` gives it back; none of an attention of which nothing is known."""
        equations, looks = self.attention.equations, self.looks
        trace = AttentionTrace(self.attention, looks, (), looks.context, looks.alpha)
        given = {"dcontext": np.stack(self.dcontext)}
        if self.dalpha[0] is not None:
            given["dalpha"] = np.stack(self.dalpha)
        return [(equations, trace, given, self.grad())] if equations else []
