"""Connectionist temporal classification: a short target under many frames, whichever way it lies along them.

Each frame says a token or nothing. Nothing is the blank, id 0: <pad> is never said, so it serves as the blank, and no
vocabulary has to be changed. What a path through the frames says is found by merging repeats, then dropping blanks. The
T tokens of a target, with a blank before, between and behind them, are U = 2T + 1 states. A path stays in its state,
goes on by one, or by two from a token to another token:

    l_u      = the token of state u: 0, y_1, 0, y_2, ..., y_T, 0
    x_su     = logits_sk with k = l_u
    skip_u   = l_u is neither the blank nor l_{u-2}
    a_su     = x_su + log(exp(alpha_{s-1,u}) + exp(alpha_{s-1,u-1}) + [skip_u] exp(alpha_{s-1,u-2}))
    shift_s  = max_u a_su at one frame in 8, 0 at the others
    alpha_su = a_su - shift_s
    end      = log(exp(alpha_{S,U}) + exp(alpha_{S,U-1}))
    nll      = sum_s (log sum_k exp(logits_sk) - shift_s) - end

exp(a_su) is the sum over all beginnings of paths that are in state u at frame s. The larger these numbers, the fewer
digits are left for what tells states apart, so shift takes out what all have in common; it comes in at the end. beta is
the same of all that can follow, and both together say how probable each state is in a path that says the target:

    beta_Su      = -end of the last two states, -infinity of the others
    q_su         = x_su + beta_su
    beta_{s-1,u} = log(exp(q_su) + exp(q_{s,u+1}) + [skip_{u+2}] exp(q_{s,u+2})) - shift_s
    occupancy_su = exp(alpha_su + beta_su)

Source: Graves et al. 2006, sections 3 and 4, equations 5 to 16; there beta has its own frame in it, too, and in place
of logs are probabilities, which are rescaled at every frame.
"""

from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, array_module, ragged_steps, scatter_add_rows
from numseq.errors import ArgumentError
from numseq.layers.activations import MASKED
from numseq.layers.fit import Fit, in_table
from numseq.layers.linear import rows
from numseq.layers.losses.cross_entropy import exponentials
from numseq.layers.losses.weights import as_weights
from numseq.record import Record, Trace

BLANK = 0  # the id of <pad>, see numseq.data.kinds
EVERY = 8  # frames from one shift to the next: a maximum over states takes as long as half a frame's other work


@dataclass(slots=True)
class CTCGrad(Record):
    dlogits: Array  # (S, B, V)


@dataclass(slots=True)
class CTCTrace(Trace):
    """What `ctc_loss` computed.

    loss () is the sum of weights * nll; nll (B,) the negative log-probability of each target, 0 where it is impossible;
    impossible (B,), True where no path says the target; x and alpha (S, U, B), alpha of a frame that is not real as of
    the one before; shift (S, B); end (B,), 0 where impossible; skip (U, B), 0 where a path may come from two states
    before, MASKED elsewhere; lengths (B,) of the targets; e (S B, V) and z (S B,) as of `cross_entropy`; weights (B,),
    0 where impossible.
    """

    outputs = ("loss",)
    logits: Array
    targets: Array
    mask: Array | None
    lengths: Array
    weights: Array
    e: Array
    z: Array
    x: Array
    skip: Array
    alpha: Array
    shift: Array
    end: Array
    impossible: Array
    nll: Array
    loss: Array

    @property
    def beta(self) -> Array:
        """(S, U, B), about MASKED where nothing can follow; computed when it is asked for."""
        return backward_scores(self)

    @property
    def occupancy(self) -> Array:
        """(S, U, B), how probable each state is at each frame, given the target: the states' sum is 1 at each frame, or
        0 where the target is impossible; of a frame that is not real as of the one before. Computed when it is asked
        for."""
        occupancy = self.beta
        occupancy += self.alpha
        return array_module(occupancy).exp(occupancy, out=occupancy)

    def backward(self, dloss: float = 1.0) -> CTCGrad:
        """dlogits_sk = (softmax(logits_s)_k - sum of occupancy_su over the states u with l_u = k) * weights * dloss.

        Every other state is the blank. What a target says more than once is summed as an embedding's gradient is. A
        frame that is not real, and a target that is impossible, get exactly 0.
        """
        (S, B, V), xp, occupancy = self.logits.shape, array_module(self.logits), self.occupancy
        weights = self.weights * dloss if self.mask is None else self.weights * dloss * self.mask
        dlogits = self.e.reshape(S, B, V) * (weights / self.z.reshape(S, B))[..., None]  # softmax * weights
        blanks = occupancy[:, ::2]
        dlogits[..., BLANK] -= weights * (xp.ones(blanks.shape[1], dtype=blanks.dtype) @ blanks)  # quicker than a sum
        columns = columns_of(self.targets, V)
        said = scatter_add_rows(B * V, columns, occupancy[:, 1::2].reshape(S, len(columns)).T)
        dlogits -= weights[..., None] * said.T.reshape(S, B, V)
        return CTCGrad(dlogits=dlogits)


FIT = Fit(logits="S B V", targets="T B int", target_mask="T B bool", mask="S B bool")


def ctc_loss(
    logits: Array,
    targets: Array,
    target_mask: Array | None = None,
    weights: Array | None = None,
    *,
    mask: Array | None = None,
) -> CTCTrace:
    """The negative log-probability of targets of which nobody knows at which frames they are said.

    Equations: those of the module;  loss = sum(weights * nll), where None stands for the weight 1 / (number of real
        target tokens of all rows) of each row: the mean over these tokens.

    Args: logits, (S, B, V) scores in nats, of which those of id 0 are the blank's. targets, (T, B) integers in [1, V),
        or 0 where they are not real. target_mask, (T, B), True on the tokens of a target, which come first; None for
        all. weights, (B,): booleans, the mean over the tokens of these rows; numbers, what each row's nll counts; None
        for all rows. mask, (S, B), True where a frame is real; None for all.
    Returns: a CTCTrace with loss (), nll and impossible (B,). A target that is longer than its frames allow, where two
        equal tokens need a blank between them, has no probability: its nll is 0 in place of infinity, its gradient 0,
        and impossible says so; the mean is still over its tokens, too. No tokens are a target as well.
    Backward: see CTCTrace.backward.
    Raises: ArgumentError, when shapes do not fit, targets are none of [0, V) or say the blank, or a target has a gap;
        see `as_weights` for the weights.
    Source: Graves et al. 2006, section 4.
    """
    FIT(logits, targets, target_mask, mask)
    (S, B, V), T, xp = logits.shape, len(targets), array_module(logits)
    target_mask = xp.ones((T, B), dtype=bool) if target_mask is None else target_mask
    in_table(targets, "targets", V)
    _said(targets, target_mask)
    lengths = target_mask.sum(axis=0)
    weights = _of_rows(weights, lengths, logits)

    e, z, m = exponentials(rows(logits))
    log_z = (xp.log(z) + m).reshape(S, B)
    states = xp.full((2 * T + 1, B), BLANK)
    states[1::2] = targets
    x = xp.take(logits.reshape(S, B * V), columns_of(states, V), axis=1).reshape(S, *states.shape)
    others = xp.zeros(states.shape, dtype=bool)
    others[1::2] = True
    others[3::2] = targets[1:] != targets[:-1]
    skip = xp.where(others, 0, MASKED).astype(m.dtype)
    alpha, shift = forward_scores(x, skip, mask)

    last = xp.stack([alpha[S, 2 * lengths + k, xp.arange(B)] for k in (1, 2)])
    most = last.real.max(axis=0)
    end = most + xp.log(xp.exp(last - most).sum(axis=0))
    nll = ((log_z if mask is None else log_z * mask) - shift).sum(axis=0) - end
    impossible = nll.real > -MASKED / 2
    nll, end, weights = (xp.where(impossible, 0, each) for each in (nll, end, weights))
    loss = (nll * weights).sum()
    alpha = alpha[1:, 2:]
    return CTCTrace(logits, targets, mask, lengths, weights, e, z, x, skip, alpha, shift, end, impossible, nll, loss)


def forward_scores(x: Array, skip: Array, mask: Array | None) -> tuple[Array, Array]:
    """alpha, with a row before the frames and two states in front of the others, (S + 1, 2 + U, B); and shift, (S, B).

    Before the first frame all paths are in the state in front of the first, from where two are in reach: so the first
    frame is a frame as any other, and a target without tokens has been said.

    Args: x, (S, U, B). skip, (U, B), 0 or MASKED. mask, (S, B), or None.
    """
    xp, (S, U, B) = array_module(x), x.shape
    alpha, shift = xp.empty((S + 1, U + 2, B), dtype=x.dtype), xp.zeros((S, B), dtype=skip.dtype)
    alpha[0], alpha[1:, :2] = MASKED, MASKED
    alpha[0, 1] = 0
    add, ragged = LogSum(x), ragged_steps(mask)
    for s in range(S):
        before, here = alpha[s], alpha[s + 1]
        states = here[2:]
        add(before[2:], before[1:-1], before[:-2], skip, out=states)
        states += x[s]
        if s % EVERY == 0:
            here.real.max(axis=0, out=shift[s])
            here -= shift[s]
        if mask is not None and ragged[s]:
            shift[s] *= mask[s]
            xp.copyto(here, before, where=~mask[s])
    return alpha, shift


def backward_scores(trace: CTCTrace) -> Array:
    """beta of a trace, (S, U, B)."""
    x, shift, mask = trace.x, trace.shift, trace.mask
    xp, (S, U, B) = array_module(x), x.shape
    after = 2 * trace.lengths - xp.arange(U)[:, None]  # how many states come after each
    beta = xp.empty((S, U, B), dtype=x.dtype)
    beta[S - 1 :] = xp.where((after == 0) | (after == 1), -trace.end, MASKED)
    q = xp.full((U + 2, B), MASKED, dtype=x.dtype)  # with two states behind the others, from where nothing comes
    skip = xp.full_like(trace.skip, MASKED)
    skip[:-2] = trace.skip[2:]
    add, ragged = LogSum(x), ragged_steps(mask)
    for s in reversed(range(1, S)):
        here = beta[s - 1]
        xp.add(beta[s], x[s], out=q[:-2])
        add(q[:-2], q[1:-1], q[2:], skip, out=here)
        if s % EVERY == 0:
            here -= shift[s]
        if mask is not None and ragged[s]:
            xp.copyto(here, beta[s], where=~mask[s])
    return beta


class LogSum:
    """log(exp(stay) + exp(one) + exp(two + skip)), in storage that is made once.

    `np.logaddexp` would be shorter; but it knows two numbers and takes a logarithm for each pair, and knows no complex
    numbers.
    """

    def __init__(self, x: Array):
        self.xp, shape = array_module(x), x.shape[1:]
        self.terms, self.most = self.xp.empty((3, *shape), dtype=x.dtype), self.xp.empty(shape, dtype=x.real.dtype)
        self.each = tuple(self.terms)

    def __call__(self, stay: Array, one: Array, two: Array, skip: Array, out: Array) -> None:
        xp, most, (first, second, third) = self.xp, self.most, self.each
        xp.add(two, skip, out=third)
        xp.maximum(stay.real, one.real, out=most)
        xp.maximum(most, third.real, out=most)
        xp.subtract(stay, most, out=first)
        xp.subtract(one, most, out=second)
        third -= most
        xp.exp(self.terms, out=self.terms)
        xp.add(first, second, out=out)
        out += third
        xp.log(out, out=out)
        out += most


def columns_of(ids: Array, V: int) -> Array:
    """Where ids (N, B) stand among the B V scores of a frame: (N B,)."""
    return (ids + V * array_module(ids).arange(ids.shape[1])).reshape(-1)


def _said(targets, target_mask):
    """Raise ArgumentError, unless targets can be said. Looked at on the host alone, as ids are."""
    if not isinstance(targets, np.ndarray):
        return
    if (target_mask[1:] & ~target_mask[:-1]).any():
        raise ArgumentError("target_mask has a gap: the real tokens of a target come first, with none left out")
    if ((targets == BLANK) & target_mask).any():
        raise ArgumentError(f"targets holds {BLANK} where target_mask is True: that is the blank, which is never said")


def _of_rows(weights, lengths, logits):
    """What the nll of each row counts, (B,)."""
    xp = array_module(logits)
    numbers, counted = as_weights(weights, lengths.shape, logits)
    if weights is not None and weights.dtype != bool:
        return numbers
    tokens = xp.maximum((lengths * counted).sum(), 1)  # 1, where no target has any
    return counted / tokens.astype(numbers.dtype)
