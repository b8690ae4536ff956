"""The forward pass of a linear-chain CRF as people write it: log Z of scores (T, K) and transitions (K, K).

log Z is the logarithm of the sum over all paths, and its gradient the marginal probabilities.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from .way import call, grad, normal, way, wrong


def logsumexp(x, axis):
    m = np.max(x, axis=axis, keepdims=True)
    return np.squeeze(m, axis) + np.log(np.sum(np.exp(x - m), axis=axis))


def alphas(emissions, transitions):
    rows = [emissions[0]]
    for e in emissions[1:]:
        rows.append(e + logsumexp(rows[-1][:, None] + transitions, axis=0))
    return np.array(rows)


def betas(emissions, transitions):
    rows = [np.zeros(len(transitions))]
    for e in emissions[:0:-1]:
        rows.append(logsumexp(transitions + e + rows[-1], axis=1))
    return np.array(rows[::-1])


def sentence():
    return {"emissions": normal(200, 5, 3), "transitions": normal(201, 3, 3)}


def marginals(emissions, transitions):
    alpha, beta = alphas(emissions, transitions), betas(emissions, transitions)
    log_z = logsumexp(alpha[-1], axis=0)
    unary = np.exp(alpha + beta - log_z)
    inner = (emissions + beta)[1:, None, :]
    pairwise = np.exp(alpha[:-1, :, None] + transitions + inner - log_z)
    return unary, pairwise


# no cache: forward and backward algorithm


def log_partition(emissions, transitions):
    return logsumexp(alphas(emissions, transitions)[-1], axis=0)


def log_partition_backward(dout, emissions, transitions):
    unary, pairwise = marginals(emissions, transitions)
    return dout * unary, dout * pairwise.sum(axis=0)


def log_partition_backward_transposed(dout, emissions, transitions):
    unary, pairwise = marginals(emissions, transitions)
    return dout * unary, dout * pairwise.sum(axis=0).T


def log_partition_backward_pairs(dout, emissions, transitions):
    unary, _ = marginals(emissions, transitions)
    return dout * unary, dout * unary[:-1].T @ unary[1:]


way("crf, no cache, marginals", lambda: call(log_partition, sentence(), backward=log_partition_backward))
wrong(
    "crf, no cache, marginals: transitions transposed",
    lambda: call(log_partition, sentence(), backward=log_partition_backward_transposed),
    grad("transitions"),
    "transpos",
)
wrong(
    "crf, no cache, marginals: pairs as if independent",
    lambda: call(log_partition, sentence(), backward=log_partition_backward_pairs),
    grad("transitions"),
)


# a trace: the recursion undone step by step


@dataclass
class PartitionTrace:
    emissions: np.ndarray
    transitions: np.ndarray
    alpha: np.ndarray
    log_z: float
    outputs = ("log_z",)

    def backward(self, dlog_z=1.0):
        dtransitions = np.zeros_like(self.transitions)
        demissions = np.zeros_like(self.emissions)
        dalpha = dlog_z * np.exp(self.alpha[-1] - self.log_z)
        for t in range(len(self.alpha) - 1, 0, -1):
            demissions[t] = dalpha
            pair = self.alpha[t - 1][:, None] + self.transitions
            p = np.exp(pair - logsumexp(pair, axis=0)) * dalpha
            dtransitions += p
            dalpha = p.sum(axis=1)
        demissions[0] = dalpha
        return SimpleNamespace(demissions=demissions, dtransitions=dtransitions)


class PartitionTraceAxis(PartitionTrace):
    def backward(self, dlog_z=1.0):
        dtransitions = np.zeros_like(self.transitions)
        demissions = np.zeros_like(self.emissions)
        dalpha = dlog_z * np.exp(self.alpha[-1] - self.log_z)
        for t in range(len(self.alpha) - 1, 0, -1):
            demissions[t] = dalpha
            pair = self.alpha[t - 1][:, None] + self.transitions
            p = np.exp(pair - logsumexp(pair, axis=0)) * dalpha
            dtransitions += p
            dalpha = p.sum(axis=0)
        demissions[0] = dalpha
        return SimpleNamespace(demissions=demissions, dtransitions=dtransitions)


def partition(emissions, transitions, cls=PartitionTrace):
    alpha = alphas(emissions, transitions)
    return cls(emissions, transitions, alpha, logsumexp(alpha[-1], axis=0))


def partition_axis(emissions, transitions):
    return partition(emissions, transitions, PartitionTraceAxis)


way("crf, dataclass trace, log Z a number", lambda: call(partition, list(sentence().values())))
wrong(
    "crf, dataclass trace, log Z a number: summed over the wrong axis",
    lambda: call(partition_axis, list(sentence().values())),
    grad("emissions"),
)


# cs231n: a batch with a mask, start and end scores, loops over floats


def crf_forward(unary, A, start, end, mask):
    """unary (B, T, K), A (K, K), mask (B, T): log Z (B,)."""
    B, T, K = unary.shape
    log_alpha = np.zeros((B, T, K))
    log_z = np.zeros(B)
    for b in range(B):
        log_alpha[b, 0] = start + unary[b, 0]
        last = int(mask[b].sum()) - 1
        for t in range(1, last + 1):
            for k in range(K):
                log_alpha[b, t, k] = unary[b, t, k] + logsumexp(log_alpha[b, t - 1] + A[:, k], axis=0)
        log_z[b] = logsumexp(log_alpha[b, last] + end, axis=0)
    return log_z, (log_alpha, log_z, unary, A, end, mask)


def crf_backward(dlog_z, cache):
    log_alpha, log_z, unary, A, end, mask = cache
    grads = {"unary": np.zeros_like(unary), "A": np.zeros_like(A), "start": np.zeros_like(end), "end": 0}
    for b in range(len(unary)):
        last = int(mask[b].sum()) - 1
        d = dlog_z[b] * np.exp(log_alpha[b, last] + end - log_z[b])
        grads["end"] = grads["end"] + d
        for t in range(last, 0, -1):
            grads["unary"][b, t] = d
            lse = log_alpha[b, t] - unary[b, t]
            p = np.exp(log_alpha[b, t - 1][:, None] + A - lse) * d
            grads["A"] += p
            d = p.sum(axis=1)
        grads["unary"][b, 0] = d
        grads["start"] += d
    return grads


def crf_backward_no_mask(dlog_z, cache):
    log_alpha, log_z, unary, A, end, mask = cache
    return crf_backward(dlog_z, (log_alpha, log_z, unary, A, end, np.ones_like(mask)))


def crf_backward_last_sentence(dlog_z, cache):
    grads = crf_backward(dlog_z, cache)
    only = np.zeros_like(dlog_z)
    only[-1] = dlog_z[-1]
    return {**grads, "A": crf_backward(only, cache)["A"]}


def crf_batch():
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 0, 0, 0, 0]], dtype=bool)
    scores = {"unary": normal(202, 4, 5, 3), "A": normal(203, 3, 3), "start": normal(204, 3), "end": normal(205, 3)}
    return {**scores, "mask": mask}


way("crf, cs231n pair, boolean mask, plain names", lambda: call(crf_forward, crf_batch(), backward=crf_backward))
wrong(
    "crf, cs231n pair, boolean mask: mask forgotten in backward",
    lambda: call(crf_forward, crf_batch(), backward=crf_backward_no_mask),
    grad("unary"),
)
wrong(
    "crf, cs231n pair, boolean mask: = for += over the sentences",
    lambda: call(crf_forward, crf_batch(), backward=crf_backward_last_sentence),
    grad("A"),
)


# a closure: the loss of given tags


def crf_loss(tags, emissions, transitions):
    steps = np.arange(len(tags))
    score = emissions[steps, tags].sum() + transitions[tags[:-1], tags[1:]].sum()
    loss = log_partition(emissions, transitions) - score

    def backward(dloss):
        unary, pairwise = marginals(emissions, transitions)
        demissions, dtransitions = unary, pairwise.sum(axis=0)
        demissions[steps, tags] -= 1
        np.add.at(dtransitions, (tags[:-1], tags[1:]), -1)
        return {"demissions": dloss * demissions, "dtransitions": dloss * dtransitions}

    return loss, backward


def crf_loss_adds_once(tags, emissions, transitions):
    loss, _ = crf_loss(tags, emissions, transitions)
    steps = np.arange(len(tags))

    def backward(dloss):
        unary, pairwise = marginals(emissions, transitions)
        demissions, dtransitions = unary, pairwise.sum(axis=0)
        demissions[steps, tags] -= 1
        dtransitions[tags[:-1], tags[1:]] -= 1
        return {"demissions": dloss * demissions, "dtransitions": dloss * dtransitions}

    return loss, backward


def tagged():
    return {"tags": np.array([1, 2, 1, 2, 0]), **sentence()}


way("crf, closure, integer tags", lambda: call(crf_loss, tagged()))
wrong(
    "crf, closure, integer tags: a repeated pair counted once",
    lambda: call(crf_loss_adds_once, tagged()),
    grad("transitions"),
    "element|entry|1, 2|where",
)


# object: transitions are a parameter


class CRF:
    def __init__(self, n_tags):
        self.transitions = normal(206, n_tags, n_tags)
        self.dtransitions = np.zeros_like(self.transitions)

    def forward(self, emissions):
        self.emissions = emissions
        return log_partition(emissions, self.transitions)

    def backward(self, dlog_z):
        unary, pairwise = marginals(self.emissions, self.transitions)
        self.dtransitions = dlog_z * pairwise.sum(0)
        return dlog_z * unary


class CRFForgetsUpstream(CRF):
    def backward(self, dlog_z):
        unary, pairwise = marginals(self.emissions, self.transitions)
        self.dtransitions = pairwise.sum(0)
        return unary


way("crf, object, transitions and dtransitions", lambda: call(CRF(3), {"emissions": normal(200, 5, 3)}))
wrong(
    "crf, object, transitions and dtransitions: the upstream gradient not used",
    lambda: call(CRFForgetsUpstream(3), {"emissions": normal(200, 5, 3)}),
    "dlog_z|upstream|from above|twice|factor",
)


# autograd.Function, JAX; in the probability domain


class LogPartition:
    @staticmethod
    def forward(ctx, emissions, transitions):
        alpha = alphas(emissions, transitions)
        log_z = logsumexp(alpha[-1], axis=0)
        ctx.save_for_backward(emissions, transitions)
        return log_z

    @staticmethod
    def backward(ctx, grad_log_z):
        emissions, transitions = ctx.saved_tensors
        unary, pairwise = marginals(emissions, transitions)
        return grad_log_z * unary, grad_log_z * pairwise.sum(0)


def chain_fwd(params):
    """Products of matrices, without logarithms inside: params is a dict with lists."""
    v = np.exp(params["scores"][0])
    vs = [v]
    for s in params["scores"][1:]:
        v = (v @ np.exp(params["A"])) * np.exp(s)
        vs.append(v)
    return np.log(v.sum()), (vs, params)


def chain_bwd(res, g):
    vs, params = res
    M = np.exp(params["A"])
    gv = np.full(len(M), g / vs[-1].sum())
    gA = np.zeros_like(M)
    gscores = [gv * vs[-1]]
    for t in range(len(vs) - 1, 0, -1):
        gv = gv * np.exp(params["scores"][t])
        gA += np.outer(vs[t - 1], gv) * M
        gv = M @ gv
        gscores.insert(0, gv * vs[t - 1])
    return ({"scores": gscores, "A": gA},)


def chain_bwd_no_exp(res, g):
    ((grads),) = chain_bwd(res, g)
    return ({**grads, "A": grads["A"] / np.exp(res[1]["A"])},)


def chain():
    return ({"scores": [normal(207 + t, 3) for t in range(4)], "A": normal(211, 3, 3)},)


way("crf, autograd.Function", lambda: call(LogPartition, tuple(sentence().values())))
way("crf, fwd and bwd of JAX, one tree of parameters", lambda: call(chain_fwd, chain(), backward=chain_bwd))
wrong(
    "crf, fwd and bwd of JAX, one tree of parameters: derivative of the exponential forgotten",
    lambda: call(chain_fwd, chain(), backward=chain_bwd_no_exp),
    r"A\b",
)
