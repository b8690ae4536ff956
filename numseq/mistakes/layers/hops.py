"""Mistakes in the backward of hops over a memory."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import SOURCE_REAL, B, Case, D, S, call
from numseq.mistakes.layer import Layer, equations, know

K = 3


def hops(trace, du, change=None):
    eq, memories, steps, K = equations(change), trace.memories, trace.steps, len(trace.steps)
    dmemories = np.zeros_like(memories)
    for k in eq("hops_back", list(reversed(range(K)))):
        m, c, p, u_prev = memories[k], memories[k + 1], steps.p[k], steps.u_prev[k]
        do = eq("do", du)
        dp = eq("dp", np.einsum("bd,sbd->bs", do, c))
        mean = eq("mean", (dp * p).sum(axis=-1, keepdims=True))
        de = eq("de", p * (dp - mean))
        dm = eq("dm", np.einsum("bs,bd->sbd", de, u_prev))
        dc = eq("dc", np.einsum("bs,bd->sbd", p, do))
        through = eq("through", np.einsum("bs,sbd->bd", de, m))
        du = eq("du_prev", du + through)
        dmemories[k] = eq("dmemory_m", dmemories[k] + dm)
        dmemories[k + 1] = eq("dmemory_c", dmemories[k + 1] + dc)
    return {"du": eq("du", du), "dmemories": eq("dmemories", dmemories)}


DE = "de = p * (dp - sum_j p_j dp_j), dp = du . c"
SAYS = {
    "du": f"du of the last hop, and for each hop the sum over the sentences of de m, where {DE}",
    "dmemories": f"where a memory is addressed de u_prev, where it gives p du, and both between two hops; {DE}",
}

know(
    Layer("hops", hops, says=SAYS),
    ("a hop's question is not passed on beside it", "du_prev", lambda v: v.through,
     "u = u_prev + o: the gradient of u is that of u_prev too"),
    ("a hop's scores say nothing to its question", "du_prev", lambda v: v.value - v.through,
     "u_prev is read twice: it is added to o, and it addresses the memory; both gradients add"),
    ("only the diagonal of the softmax's Jacobian in a hop", "de", lambda v: v.p * (1 - v.p) * v.dp,
     "every score moves every weight"),
    ("the mean is not subtracted in a hop's softmax", "mean", lambda v: 0 * v.value, "de = p * (dp - sum dp p)"),
    ("the plain mean in a hop's softmax", "mean", lambda v: v.dp.mean(axis=-1, keepdims=True),
     "the mean that is subtracted is weighted by p: de = p * (dp - sum dp p)"),
    ("a hop's softmax is left out", "de", lambda v: v.dp, "the gradient of p is not that of the scores"),
    ("a hop's weights are undone with what addresses", "dp", lambda v: np.einsum("bd,sbd->bs", v.do, v.m),
     "o = sum p_i c_i: dp_i = do . c_i; m is what the question meets"),
    ("a hop's question is undone with what is given", "through", lambda v: np.einsum("bs,sbd->bd", v.de, v.c),
     "e_i = u_prev . m_i: beside u_prev stands m"),
    ("what addresses gets weights, not the scores' gradient", "dm", lambda v: np.einsum("bs,bd->sbd", v.p, v.u_prev),
     "e_i = u_prev . m_i: dm_i = de_i u_prev"),
    ("what is given gets the scores' gradient, not weights", "dc", lambda v: np.einsum("bs,bd->sbd", v.de, v.do),
     "o = sum p_i c_i: dc_i = p_i do"),
    ("what addresses gets the question after the hop", "dm", lambda v: np.einsum("bs,bd->sbd", v.de, v.steps.u[v.k]),
     "the question that met m is the one before the hop"),
    ("what addresses gets the first question in all hops", "dm",
     lambda v: np.einsum("bs,bd->sbd", v.de, v.steps.u_prev[0]),
     "each hop asks with what the hops before it found"),
    ("a memory between two hops is assigned, not added", "dmemory_c", lambda v: v.dc,
     "it gives in one hop and is addressed in the next: += and not ="),
    ("a memory between two hops does not hear what it gave", "dmemory_c",
     lambda v: v.value if v.k == v.K - 1 else v.value - v.dc,
     "it gives in one hop and is addressed in the next: both gradients add"),
    ("memories are averaged over hops", "dmemories", lambda v: v.value / v.K,
     "a memory that is read in several hops gets the sum of their gradients"),
)  # fmt: skip


def cases(rng):
    inputs = {"u": rng.standard_normal((B, D)), "memories": rng.standard_normal((K + 1, S, B, D))}
    nothing = SOURCE_REAL & (np.arange(B) != 2)  # a row with nothing to remember
    return {
        "hops": Case(call(layers.hops, mask=SOURCE_REAL), inputs, ("hops",)),
        "hops, nothing remembered": Case(call(layers.hops, mask=nothing), inputs, ("hops",)),
        "hops, one": Case(layers.hops, {"u": inputs["u"], "memories": inputs["memories"][:2]}, ("hops",)),
    }
