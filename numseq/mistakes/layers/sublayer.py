"""Mistakes in what lies around a part: the residual connection, dropout, and the norm before or after."""

import numpy as np

from numseq import layers
from numseq.layers import FeedForwardParams, LayerNormParams, SublayerParams
from numseq.mistakes.boxes.decoders.pieces import summed
from numseq.mistakes.fixtures import CLEAR, A, B, Case, T, V, call, fit, rescaled
from numseq.mistakes.kinks import is_off, nearest_kink
from numseq.mistakes.layer import Wiring, equations, know


def pre_norm(trace, dy, dpart=None, dalpha=None, change=None):
    """y = x + dropout(part(norm(x)))"""
    eq, norm, part, dropout = equations(change), trace.norm, trace.part, trace.dropout
    dadded = eq("dadded", dropout.backward(dy).dx)
    dgiven = eq("dgiven", summed(dadded, dpart))
    grad = part.backward(dgiven) if dalpha is None else part.backward(dgiven, dalpha)
    dread = eq("dread", grad.dx)
    through = norm.backward(dread)
    dnormed = through.dx
    dx = eq("dx", dy + dnormed)
    params = SublayerParams(norm=eq("dnorm", through.params), part=eq("dinner", grad.params))
    return {"dx": dx, "params": params}


def post_norm(trace, dy, dpart=None, dalpha=None, change=None):
    """y = norm(x + dropout(part(x)))"""
    eq, norm, part, dropout = equations(change), trace.norm, trace.part, trace.dropout
    after = norm.backward(dy)
    ds = eq("ds", after.dx)
    dadded = eq("dadded", dropout.backward(ds).dx)
    dgiven = eq("dgiven", summed(dadded, dpart))
    grad = part.backward(dgiven) if dalpha is None else part.backward(dgiven, dalpha)
    dread = grad.dx
    dx = eq("dx", ds + dread)
    params = SublayerParams(norm=eq("dnorm", after.params), part=eq("dinner", grad.params))
    return {"dx": dx, "params": params}


AROUND = "y is x and what the part adds: x gets the gradient of both"
know(
    Wiring("pre_norm", pre_norm),
    ("pre-norm: nothing goes around the part", "dx", lambda v: v.dnormed, AROUND),
    ("pre-norm: nothing goes through the part", "dx", lambda v: v.dy, AROUND),
    ("pre-norm: both ways are averaged", "dx", lambda v: v.value / 2, AROUND),
    ("pre-norm: the norm is skipped on the way back", "dx", lambda v: v.dy + v.dread,
     "the part read norm(x), so what it hands back goes through the norm"),
    ("pre-norm: what goes around is normalised too", "dx", lambda v: v.norm.backward(v.dread + v.dy).dx,
     "around the part goes x itself, as it was before the norm"),
    ("pre-norm: the norm stands around the part, not before it", "dx", lambda v: v.norm.backward(v.dy).dx + v.dread,
     "that is post-norm: here the norm was what the part read"),
    ("pre-norm: the way around has dropout", "dx", lambda v: v.dadded + v.dnormed,
     "dropped was what the part gave, not x"),
    ("pre-norm: dropout is forgotten on the way back", "dadded", lambda v: v.dy,
     "what the part gave was dropped in places: there it has no gradient"),
    ("pre-norm: dropout without its scaling", "dadded", lambda v: v.dy * (v.dropout.mask > 0),
     "what was kept was scaled as well"),
    ("pre-norm: the part is skipped on the way back", "dread", lambda v: v.dgiven,
     "the way through leads through the part: its own backward"),
)  # fmt: skip
know(
    Wiring("post_norm", post_norm),
    ("post-norm: nothing goes around the part", "dx", lambda v: v.dread, AROUND),
    ("post-norm: nothing goes through the part", "dx", lambda v: v.ds, AROUND),
    ("post-norm: both ways are averaged", "dx", lambda v: v.value / 2, AROUND),
    ("post-norm: the norm is skipped on the way around", "dx", lambda v: v.dy + v.dread,
     "the sum was normalised, both parts of it"),
    ("post-norm: the norm is skipped on the way through", "dadded", lambda v: v.dropout.backward(v.dy).dx,
     "the sum was normalised, both parts of it"),
    ("post-norm: the norm is skipped on the way back", "ds", lambda v: v.dy,
     "y = norm(s): the gradient of s is what the norm's backward makes of dy"),
    ("post-norm: the norm is undone twice", "ds", lambda v: v.norm.backward(v.value).dx,
     "there is one norm, after the sum"),
    ("post-norm: the norm stands before the part", "ds", lambda v: v.dy + v.value,
     "that is pre-norm: here x does not go around the norm"),
    ("post-norm: the way around has dropout", "dx", lambda v: v.dadded + v.dread,
     "dropped was what the part gave, not x"),
    ("post-norm: dropout is forgotten on the way back", "dadded", lambda v: v.ds,
     "what the part gave was dropped in places: there it has no gradient"),
    ("post-norm: dropout without its scaling", "dadded", lambda v: v.ds * (v.dropout.mask > 0),
     "what was kept was scaled as well"),
)  # fmt: skip


def cases(rng):
    def case(norm):
        mask = layers.dropout_mask(rng, (T, B, A), 0.4, float)

        def draw():
            inner = FeedForwardParams(np.empty((A, V)), np.empty(V), np.empty((V, A)), np.empty(A))
            params = rescaled(rng, SublayerParams(LayerNormParams(np.empty(A), np.empty(A)), inner))
            inputs = {"x": rng.standard_normal((T, B, A)), "params": params}
            function = call(layers.sublayer, part=layers.feed_forward, norm=norm, dropout_mask=mask)
            return Case(function, inputs, ("sublayer",))

        return fit(draw, lambda trace: nearest_kink(trace) > CLEAR and not is_off(trace))

    return {"pre_norm": case("pre"), "post_norm": case("post")}
