"""Cases of the attentions, and of the coverage loss."""

import numpy as np

from numseq import layers
from numseq.gradcheck.cases.case import REAL, SOURCE_REAL, A, B, Case, D, H, S, T, V, rescaled

C, K = 4, 16  # values, and all heads of the multi-head attention together
CLEAR = 5e-3  # how far from a window's edge, and from a change of the smaller of two, no difference steps over it


def cases(rng):
    normal = rng.standard_normal
    table, source_real, real = {}, SOURCE_REAL, REAL  # held by the cases, so that a test can look at them

    def look(name, function, covers, params=None, query=H, **options):
        inputs = {"query": normal((T, B, query)), "keys": normal((S, B, D)), "values": normal((S, B, C))}
        if params is not None:
            inputs["params"] = rescaled(rng, params)
        case = Case(lambda **given: function(**given, **options, mask=source_real), inputs, covers)
        table[name] = case
        return case

    additive = layers.AdditiveAttention.init(rng, H, D, A, float)
    look("additive_attention", layers.additive_attention, ("additive_attention", "AdditiveAttention"), additive)
    concat = layers.ConcatAttention.init(rng, H, D, A, float)
    look("concat_attention", _of(layers.ConcatAttention), ("ConcatAttention", "Attention", "attend"), concat)
    look("dot_attention", layers.dot_attention, ("dot_attention", "DotAttention"), query=D)
    look("scaled_dot_attention", layers.dot_attention, ("ScaledDotAttention",), query=D, scaled=True)
    general = layers.GeneralAttention.init(rng, H, D, A, float)
    look("general_attention", layers.general_attention, ("general_attention", "GeneralAttention"), general)

    heads = layers.MultiHeadAttention.init(rng, V - 1, D, K, float)
    heads.W_v, heads.W_o, heads.b_o = np.empty((C, K)), np.empty((K, V)), np.empty(V)  # no two widths alike
    covers = ("multihead_attention", "MultiHeadAttention")
    look("multihead_attention", layers.multihead_attention, covers, heads, query=V - 1, heads=2)

    local = layers.LocalAttention.init(rng, H, D, A, float)
    while True:
        covers = ("local_attention", "LocalAttention")
        case = look("local_attention", layers.local_attention, covers, local, window=1.5)
        p = case.function(**case.inputs).steps.p
        edges = np.stack([p - 1.5, p + 1.5])
        if np.abs(edges - edges.round()).min() > CLEAR:
            break

    location = layers.LocationAttention.init(rng, H, D, A, float, filters=8, width=3)
    look("location_attention", layers.location_attention, ("location_attention", "LocationAttention"), location)
    coverage = layers.CoverageAttention.init(rng, H, D, A, float)
    look("coverage_attention", layers.coverage_attention, ("coverage_attention", "CoverageAttention"), coverage)

    def loss(alpha):
        return layers.coverage_loss(alpha, real)

    while True:
        alpha = layers.softmax(normal((T, B, S)))
        if np.abs(alpha - loss(alpha).coverage).min() > CLEAR:
            break
    table["coverage_loss"] = Case(loss, {"alpha": alpha}, ("coverage_loss",))
    return table


def _of(kind):
    """The attention of a kind that has no function of its own."""
    return lambda query, keys, values, params, mask: layers.attend(kind(keys, values, params, mask), query)
