"""The coverage loss, against looking again where one has looked.

    cov_tj = sum over t' < t of alpha_t'j
    loss   = mean over target steps t of sum_j min(alpha_tj, cov_tj)

It is of the weights alone, so it serves every kind of attention.

Source: See, Liu & Manning 2017, section 2.3, equations 12 and 13.
"""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.layers.fit import Fit
from numseq.layers.losses.weights import as_weights
from numseq.record import Record, Trace


@dataclass(slots=True)
class CoverageLossGrad(Record):
    dalpha: Array  # (T, B, S)


@dataclass(slots=True)
class CoverageLossTrace(Trace):
    """What `coverage_loss` computed.

    loss () is the sum of weights * how much is looked at again; coverage (T, B, S) of the looks before; again
    (T, B, S) = min(alpha, coverage), 0 where the step's weight is; by_alpha (T, B, S), True where alpha is the smaller;
    weights (T, B), with a mask 1 / (number of real steps), and 0 where masked.
    """

    outputs = ("loss",)
    equations = "coverage_loss"
    alpha: Array
    weights: Array
    coverage: Array
    by_alpha: Array
    again: Array
    loss: Array

    def backward(self, dloss: float = 1.0) -> CoverageLossGrad:
        """dalpha_t = dagain_t where alpha_t was the smaller, plus the sum over all later t' of dagain_t' where the
        coverage was, since alpha_t is part of the coverage of each.

        dagain = weights * dloss, the same for all positions of a step; a step of weight 0 gets exactly 0.
        """
        xp = array_module(self.alpha)
        dagain = (self.weights * dloss)[:, :, None]
        dcoverage = dagain * ~self.by_alpha
        dalpha = dagain * self.by_alpha
        dalpha[:-1] += xp.cumsum(dcoverage[:0:-1], axis=0)[::-1] * (self.weights[:-1] != 0)[:, :, None]
        return CoverageLossGrad(dalpha=dalpha)


FIT = Fit(alpha="T B S")


def coverage_loss(alpha: Array, weights: Array | None = None) -> CoverageLossTrace:
    """How much a step looks where the steps before it have looked, averaged over target steps, or weighed.

    Equations: cov_tj = sum over t' < t, of a weight other than 0, of alpha_t'j;  loss = sum over t of weights_t *
        sum_j min(alpha_tj, cov_tj), where a mask stands for the weights mask / sum(mask). Of complex numbers the real
        part decides which is the smaller.

    Args: alpha, (T, B, S) weights of any attention. weights, (T, B): a mask, True where a target token is real, for the
        mean over these; or numbers, what each step counts; None for the mean over all.
    Returns: a CoverageLossTrace with loss (), with a mask between 0 and 1.
    Backward: see CoverageLossTrace.backward. Of two equal numbers it is the coverage that gets the gradient.
    Raises: ArgumentError, when alpha has other axes; see `as_weights` for the weights.
    Source: See, Liu & Manning 2017, equations 12 and 13; there the mean is over the steps of one example.
    """
    FIT(alpha)
    xp = array_module(alpha)
    weights, real = as_weights(weights, alpha.shape[:2], alpha)
    real = real[:, :, None]
    coverage = xp.zeros_like(alpha)
    coverage[1:] = xp.cumsum((alpha * real)[:-1], axis=0)
    by_alpha = alpha.real < coverage.real
    again = xp.where(by_alpha, alpha, coverage) * real
    loss = (again * weights[:, :, None]).sum()
    return CoverageLossTrace(alpha, weights, coverage, by_alpha, again, loss)
