"""Hops: a question reads a memory several times, and each time takes with it what it found.

    p_ki    = softmax over i of u_{k-1} . m_ki     m_k = memories[k-1]: how each sentence is addressed
    o_k     = sum_i p_ki c_ki                      c_k = memories[k]: what each sentence gives
    u_k     = u_{k-1} + o_k                        u_0 the question; k = 1 .. K

What a sentence gives in one hop is how it is addressed in the next: K hops need K + 1 memories of the same sentences
("adjacent" tying). Where nothing is remembered, p and o are 0.

Source: Sukhbaatar et al. 2015, sections 2.1 and 2.2, equations 1, 2 and 4.
"""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.layers.activations import MASKED, softmax_backward
from numseq.layers.attention.base import weights
from numseq.layers.attention.products import dots, weighted_mean
from numseq.layers.fit import Fit, as_of
from numseq.params import common_dtype
from numseq.record import Record, StepGrad, StepRecord, Steps, Trace, kept_gradients


@dataclass(slots=True)
class HopStep(StepRecord):
    """One hop."""

    inputs, outputs = ("u_prev",), ("u",)
    u_prev: Array = None  # (B, D)
    e: Array = None  # (B, S)
    p: Array = None  # (B, S)
    o: Array = None  # (B, D)
    u: Array = None  # (B, D)


@dataclass(slots=True)
class HopStepGrad(StepGrad):
    """Gradients inside one hop; d before a name is the derivative of the loss by it."""

    equations = {
        "du": "from the next hop, or from whoever read the last u",
        "do": "du, since u = u_prev + o",
        "dp": "do . c_i, since o = sum_i p_i c_i",
        "de": "p * (dp - sum_k dp_k p_k), since p = softmax(e)",
        "du_prev": "du + sum_i de_i m_i, since u = u_prev + o and e_i = u_prev . m_i",
    }
    du: Array = None  # (B, D)
    do: Array = None  # (B, D)
    dp: Array = None  # (B, S)
    de: Array = None  # (B, S)
    du_prev: Array = None  # (B, D)


def hop(u_prev: Array, m: Array, c: Array, real: Array | None = None) -> HopStep:
    """One hop of a question u_prev (B, D) over m and c (S, B, D), where real (B, S) is True. Returns: a HopStep."""
    s = HopStep()
    s.u_prev = u_prev
    e = dots(s.u_prev, m)
    s.e = e if real is None else array_module(e).where(real, e, MASKED)
    s.p = weights(s.e)
    s.o = weighted_mean(s.p, c)
    s.u = s.u_prev + s.o
    return s


def hop_backward(s: HopStep, du: Array, m: Array, c: Array) -> HopStepGrad:
    """Undo one hop, from the gradient of its u (B, D). Returns: a HopStepGrad."""
    grad = HopStepGrad()
    grad.du = du
    grad.do = grad.du  # u = u_prev + o
    grad.dp = dots(grad.do, c)  # o = p c
    grad.de = softmax_backward(grad.dp, s.p)  # exactly 0 where masked, since p is
    grad.du_prev = grad.du + weighted_mean(grad.de, m)  # e = u_prev m
    return grad


@dataclass(slots=True)
class HopsGrad(Record):
    du: Array  # (B, D)
    dmemories: Array  # (K + 1, S, B, D)


@dataclass(slots=True)
class HopsTrace(Trace):
    """What `hops` found: u (B, D) after the last hop; in `steps` all hops, whose p (K, B, S) is where they looked."""

    outputs = ("u",)
    equations = "hops"
    memories: Array  # (K + 1, S, B, D)
    mask: Array | None  # (S, B)
    steps: Steps
    u: Array

    @property
    def p(self) -> Array:
        return self.steps.p

    def backward(self, du: Array) -> HopsGrad:
        """Hop by hop back; then what sums over hops.

        dm_ki = de_ki u_{k-1};  dc_ki = p_ki do_k: a memory between two hops is read by both, so its gradients add.
        """
        as_of(du, "du", self.u, "u")
        xp, memories, K = array_module(du), self.memories, len(self.steps)
        grads = Steps([None] * K)
        for k in reversed(range(K)):
            grads.records[k] = hop_backward(self.steps[k], du, memories[k], memories[k + 1])
            du = grads.records[k].du_prev
            if (inside := kept_gradients()) is not None:
                inside.add(self.steps[k], grads.records[k])
        dmemories = xp.zeros_like(memories)
        dmemories[:-1] += _outer(grads.de, self.steps.u_prev)
        dmemories[1:] += _outer(self.steps.p, grads.do)
        return HopsGrad(du=du, dmemories=dmemories)


def _outer(weight, vector):
    """weight_ki vector_k of all hops and places: (K, B, S) and (K, B, D) give (K, S, B, D)."""
    return weight.transpose(0, 2, 1)[..., None] * vector[:, None]


FIT = Fit(u="B D", memories="N S B D", mask="S B bool")


def hops(u: Array, memories: Array, *, mask: Array | None = None) -> HopsTrace:
    """Read a memory K times.

    Equations: those of the module.

    Args: u, (B, D), the question. memories, (K + 1, S, B, D), K at least 1: the memory k - 1 is how sentences are
        addressed in hop k, the memory k what they give. mask, (S, B) True where there is a sentence, or None.
    Returns: a HopsTrace with u (B, D), and p (K, B, S).
    Backward: HopsTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    """
    FIT(u, memories, mask)
    common_dtype(u, memories)
    steps, real = [], None if mask is None else mask.T
    for k in range(len(memories) - 1):
        steps.append(hop(u, memories[k], memories[k + 1], real))
        u = steps[-1].u
    return HopsTrace(memories, mask, Steps(steps), u)
