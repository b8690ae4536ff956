"""Mistakes in the backward of several looks at a time: what goes from look to look; each look as it is."""

import numpy as np

from numseq import layers
from numseq import params as trees
from numseq.layers import MultiHopParams
from numseq.mistakes.boxes.decoders.pieces import Looking
from numseq.mistakes.fixtures import A, D, H
from numseq.mistakes.layer import Wiring, equations, know
from numseq.mistakes.layers.attention.look import C, look
from numseq.record import Steps

HOPS = 3


def multihop_attention(trace, dcontext, dalpha=None, change=None):
    """q_k is read by look k, and by q_{k+1}, which has o_k W besides."""
    eq, W, K, T = equations(change), trace.attention.params.W, trace.attention.hops, len(dcontext)
    records = [trace.steps[t] for t in range(T)]
    looks = [Looking(trace.attention.attention, Steps([one.looks[k] for one in records])) for k in range(K)]
    dquery, dW = np.zeros_like(trace.steps.query), np.zeros_like(W)
    for t in reversed(range(T)):
        do = eq("do_last", dcontext[t])
        dq = np.zeros_like(dquery[t])
        for k in eq("looks_back", list(reversed(range(K)))):
            dalpha_k = None
            if dalpha is not None:
                last = k == K - 1
                dalpha_k = eq("dalpha_k", dalpha[t] * last)
            dlook = eq("dlook", looks[k].look(t, do, dalpha_k))
            dq = eq("dq", dq + dlook)
            if k:
                o = eq("o", records[t].looks[k - 1].context)
                dW_k = eq("dW_k", o.T @ dq)
                dW = eq("dW", dW + dW_k)
                do = eq("do", dq @ W.T)
        dquery[t] = eq("dquery", dq)
    grads = [each.grad() for each in looks]
    each_dkeys, each_dvalues = [grad.dkeys for grad in grads], [grad.dvalues for grad in grads]
    dkeys, dvalues = eq("dkeys", sum(each_dkeys)), eq("dvalues", sum(each_dvalues))
    each_params = [grad.params for grad in grads]
    dparams = eq("dparams", added(each_params))
    found = {"dquery": dquery, "dkeys": dkeys, "dvalues": dvalues, "params": MultiHopParams(dparams, eq("dW_all", dW))}
    return found | {"pieces": [piece for each in looks for piece in each.piece()]}


def added(each):
    """The sum of several trees of gradients."""
    return trees.map(lambda first, *others: sum(others, first), *each)


know(
    Wiring("multihop_attention", multihop_attention),
    ("a query does not hear of the looks after it", "dq", lambda v: v.dlook,
     "q_{k+1} = q_k + o_k W: the gradient of q_{k+1} is that of q_k too"),
    ("a query does not hear of its own look", "dq", lambda v: v.value - v.dlook if v.k < v.K - 1 else v.value,
     "q_k is read by its look, and by the query after it: both gradients add"),
    ("what the looks before the last found gets no gradient", "do", lambda v: 0 * v.value,
     "each context but the last is in the next query: do = dq W^T"),
    ("the context's gradient reaches all looks", "do", lambda v: v.value + v.dcontext[v.t],
     "the context is what the last look found; the others are heard by the next query alone"),
    ("the weights' own gradient reaches all looks", "dalpha_k", lambda v: v.dalpha[v.t],
     "the weights that were handed out are those of the last look"),
    ("the weights' own gradient reaches the first look", "dalpha_k", lambda v: v.dalpha[v.t] * (v.k == 0),
     "the weights that were handed out are those of the last look"),
    ("the weights' own gradient is ignored in all looks", "dalpha_k", lambda v: 0 * v.value,
     "alpha was handed out too: whoever read it sends a gradient"),
    ("W between looks has the gradient of the last time only", "dW", lambda v: v.value if v.t == v.T - 1 else v.dW,
     "+= and not =: each time used the same W"),
    ("W between looks has the gradient of one pair of looks", "dW", lambda v: v.value if v.k == 1 else v.dW,
     "+= and not =: each pair of looks used the same W"),
    ("W between looks gets what the later look found", "o", lambda v: v.records[v.t].looks[v.k].context,
     "q_k = q_{k-1} + o_{k-1} W: beside W stands what the look before found"),
    ("W between looks gets what the first look found", "o", lambda v: v.records[v.t].looks[0].context,
     "q_k = q_{k-1} + o_{k-1} W: beside W stands what the look before found"),
    ("W between looks is averaged over looks", "dW_all", lambda v: v.value / (v.K - 1),
     "each pair of looks used the same W: their gradients add"),
    ("keys of the last look only", "dkeys", lambda v: v.each_dkeys[-1], "each look met the same keys"),
    ("values of the last look", "dvalues", lambda v: v.each_dvalues[-1], "each look found a mean of the same values"),
    ("keys are averaged over looks", "dkeys", lambda v: v.value / v.K, "each look met the same keys: gradients add"),
    ("the attention's weights learn of the first look only", "dparams", lambda v: v.each_params[0],
     "all looks used the same weights: their gradients add"),
)  # fmt: skip


def looking(kind):
    """Several looks with an attention of a kind."""

    def function(query, keys, values, params, mask):
        return layers.multihop_attention(query, kind(keys, values, params.look, mask), params, hops=HOPS)

    return function


def cases(rng):
    covers = ("multihop_attention", "MultiHopAttention")
    kinds = {"": layers.AdditiveAttention, ", coverage": layers.CoverageAttention, ", general": layers.GeneralAttention}
    table = {}
    for name, kind in kinds.items():
        params = MultiHopParams(kind.init(rng, H, D, A, float), np.empty((C, H)))
        table[f"multihop_attention{name}"] = look(rng, looking(kind), covers, H, params)
    return table
