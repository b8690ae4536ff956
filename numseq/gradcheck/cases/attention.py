"""Cases of the attentions."""

from numseq import layers
from numseq.gradcheck.cases.case import SOURCE_REAL, A, B, Case, D, H, S, T, rescaled


def cases(rng):
    normal = rng.standard_normal
    attention = {
        "query": normal((T, B, H)),
        "values": normal((S, B, D)),
        "params": rescaled(rng, layers.init_attention(rng, H, D, A, float)),
    }
    return {
        "additive_attention": Case(
            lambda **kw: layers.additive_attention(**kw, mask=SOURCE_REAL),
            attention,
            ("additive_attention", "AdditiveAttention"),
        )
    }
