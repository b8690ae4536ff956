"""Doubly stochastic attention: not only do a step's weights sum to 1, those of each place should do so as well.

seen_sb  = sum over the real steps t of alpha_tbs         how much a place was looked at, all in all
short_sb = 1 - seen_sb                                    at real places, 0 at others
loss     = mean over rows b of sum over s of short_sb^2

A sentence about a picture should then have looked at all of it. Beside the loss of the words it has a weight.

Source: Xu et al. 2015, section 4.2.1.
"""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.layers.fit import Fit
from numseq.layers.losses.weights import as_weights
from numseq.record import Record, Trace


@dataclass(slots=True)
class DoublyStochasticGrad(Record):
    dalpha: Array  # (T, B, S)


@dataclass(slots=True)
class DoublyStochasticTrace(Trace):
    """What `doubly_stochastic_loss` computed.

    steps (T, B), True where a step is real; short (B, S) what each place lacks of 1, 0 where it is no place; weights
    (B,), 1 / (number of rows that have a real step), and 0 for others; the loss ().
    """

    outputs = ("loss",)
    equations = "doubly_stochastic_loss"
    steps: Array
    short: Array
    weights: Array
    loss: Array

    def backward(self, dloss: float = 1.0) -> DoublyStochasticGrad:
        """dshort = 2 short * weights * dloss
        dalpha_t = -dshort at each real step t, since all of them are added; exactly 0 at others
        """
        dshort = 2 * self.short * (self.weights * dloss)[:, None]
        return DoublyStochasticGrad(dalpha=-dshort * self.steps[:, :, None])


FIT = Fit(alpha="T B S", steps="T B bool", mask="S B bool")


def doubly_stochastic_loss(
    alpha: Array, steps: Array | None = None, *, mask: Array | None = None
) -> DoublyStochasticTrace:
    """How far each place is from having been looked at once, squared, summed over places, averaged over rows.

    Equations: those of the module.

    Args: alpha, (T, B, S) weights of any attention. steps, (T, B) True where a target token is real; mask, (S, B) True
        where a place is; None for all. Rows without a real step are not counted.
    Returns: a DoublyStochasticTrace with loss ().
    Backward: DoublyStochasticTrace.backward.
    Raises: ArgumentError, when shapes do not fit, or steps or mask are no booleans.
    Source: Xu et al. 2015, section 4.2.1; there with a weight, lambda, beside the cross-entropy.
    """
    FIT(alpha, steps, mask)
    xp = array_module(alpha)
    steps = xp.ones(alpha.shape[:2], dtype=bool) if steps is None else steps
    weights, rows = as_weights(xp.any(steps, axis=0), alpha.shape[1:2], alpha)
    places = rows[:, None] if mask is None else rows[:, None] & mask.T
    seen = xp.where(steps[:, :, None], alpha, 0).sum(axis=0)
    short = xp.where(places, 1 - seen, 0)
    return DoublyStochasticTrace(steps, short, weights, ((short * short).sum(axis=-1) * weights).sum())
