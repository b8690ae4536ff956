"""Mistakes in a residual block: what goes through, what goes around, and where a relu or a normalisation stands."""

import numpy as np

from numseq import layers
from numseq.layers import BatchNormState, ResidualParams, ResidualState
from numseq.mistakes.fixtures import CLEAR, REAL, B, Case, D, S, T, fit, rescaled
from numseq.mistakes.kinks import nearest_kink
from numseq.mistakes.layer import Wiring, equations, know


def residual(trace, dy, change=None):
    """y = relu(norm_2(conv_2(relu(norm_1(conv_1(x))))) + skip(x))"""
    eq, u, y, skip = equations(change), trace.u, trace.y, trace.skip
    ds = eq("ds", np.where(y > 0, dy, 0))
    norm_2 = trace.norm_2.backward(ds)
    dc_2 = eq("dc_2", norm_2.dx)
    conv_2 = trace.conv_2.backward(dc_2)
    du = eq("du", conv_2.dx)
    dn_1 = eq("dn_1", np.where(u > 0, du, 0))
    norm_1 = trace.norm_1.backward(dn_1)
    dc_1 = eq("dc_1", norm_1.dx)
    conv_1 = trace.conv_1.backward(dc_1)
    dthrough = conv_1.dx
    around = None if skip is None else skip.backward(ds)
    daround = eq("daround", ds if around is None else around.dx)
    dx = eq("dx", dthrough + daround)
    dskip = None if around is None else eq("dskip", around.params)
    params = ResidualParams(
        conv_1=eq("dconv_1", conv_1.params),
        norm_1=eq("dnorm_1", norm_1.params),
        conv_2=eq("dconv_2", conv_2.params),
        norm_2=eq("dnorm_2", norm_2.params),
        skip=dskip,
    )
    return {"dx": dx, "params": params}


SUM = "y is of x and of what the convolutions add: x gets the gradient of both"
SLOPE = "whether the gradient passes a relu is up to what the relu read, not to the gradient"
know(
    Wiring("residual", residual),
    ("residual block: nothing goes around the convolutions", "dx", lambda v: v.dthrough, SUM),
    ("residual block: nothing goes through the convolutions", "dx", lambda v: v.daround, SUM),
    ("residual block: both ways are averaged", "dx", lambda v: v.value / 2, SUM),
    ("residual block: the last relu is forgotten", "ds", lambda v: v.dy,
     "y = relu(n_2 + s): where y is 0, neither way has a gradient"),
    ("residual block: the last relu is forgotten on the way around", "daround", lambda v: v.dy,
     "the relu stands after the sum: it cuts both ways"),
    ("residual block: the first relu is forgotten", "dn_1", lambda v: v.du, "u = relu(n_1): where u is 0, so is dn_1"),
    ("residual block: the last relu takes the gradient's sign", "ds", lambda v: np.where(v.dy > 0, v.dy, 0), SLOPE),
    ("residual block: the first relu takes the gradient's sign", "dn_1", lambda v: np.where(v.du > 0, v.du, 0), SLOPE),
    ("residual block: both relus are the last one", "dn_1", lambda v: np.where(v.y > 0, v.du, 0),
     "each relu is on where its own output is"),
    ("residual block: a relu too many, on the way around", "daround", lambda v: np.where(v.u > 0, v.value, 0),
     "the first relu lies within the convolutions: what goes around does not meet it"),
    ("residual block: the second normalisation is skipped on the way back", "dc_2", lambda v: v.ds,
     "n_2 is normalised: dc_2 is what the normalisation's backward makes of ds"),
    ("residual block: the first normalisation is skipped on the way back", "dc_1", lambda v: v.dn_1,
     "n_1 is normalised: dc_1 is what the normalisation's backward makes of dn_1"),
    ("residual block: the second convolution is skipped on the way back", "du", lambda v: v.dc_2,
     "c_2 is a convolution of u: du is what its backward makes of dc_2"),
    ("residual block: what goes around is normalised too", "daround", lambda v: v.dc_2,
     "x is added after the normalisation"),
)  # fmt: skip


def cases(rng):
    def case(*shape, outputs=D, stride=1, mask=None, followed=()):
        params = layers.init_residual(rng, D, outputs, float, stride=stride, axes=len(shape) - 2)

        def function(x, params):
            state = ResidualState(BatchNormState(*followed[:2]), BatchNormState(*followed[2:])) if followed else None
            return layers.residual(x, params, stride=stride, mask=mask, state=state)

        def draw():
            return Case(function, {"x": rng.standard_normal(shape), "params": rescaled(rng, params)}, ("residual",))

        return fit(draw, lambda trace: nearest_kink(trace) > CLEAR)

    plain, x = layers.init_residual(rng, D, D, float), rng.standard_normal((S, T, B, D))
    state = layers.follow_residual(layers.init_residual_state(D, float), layers.residual(x, plain), momentum=0.7)
    followed = (state.norm_1.mean, state.norm_1.var, state.norm_2.mean, state.norm_2.var)
    evaluated = case(4, S, 3, D, followed=followed)
    evaluated.covers = ("residual", "follow_residual")
    return {
        "residual": case(4, S, 3, D),
        "residual, strided": case(S, 4, 3, D, outputs=4, stride=2),
        "residual, over time": case(T, B, D, mask=REAL),
        "residual, evaluation": evaluated,
    }
