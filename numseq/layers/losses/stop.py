"""The stop loss: at each frame, is it the last one?

p_tb    = sigma(logits_tb)                                       the probability that frame t ends row b
nll_tb  = -stop_weight log p_tb  where it does,  -log(1 - p_tb)  where it does not
loss    = sum over tb of weights_tb * nll_tb

In logits nothing overflows: -log p = softplus(-logit) and -log(1 - p) = softplus(logit), where
softplus(a) = log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|)). Of hundreds of frames one is the last, which stop_weight
can make up for.

Source: Shen et al. 2018, section 2.2 (the stop token).
"""

from dataclasses import dataclass

from numseq.arguments import number
from numseq.backend import Array, array_module
from numseq.layers.activations import sigmoid
from numseq.layers.fit import Fit
from numseq.layers.losses.weights import as_weights
from numseq.record import Record, Trace


@dataclass(slots=True)
class StopGrad(Record):
    dlogits: Array  # (T, B)


@dataclass(slots=True)
class StopTrace(Trace):
    """What `stop_loss` computed.

    p (T, B) the probabilities; last (T, B), True where a frame is the last; nll (T, B), 0 where the weight is; weights
    (T, B), with a mask 1 / (number of real frames), and 0 where masked; the loss ().
    """

    outputs = ("loss",)
    equations = "stop_loss"
    last: Array
    weights: Array
    stop_weight: float
    p: Array
    nll: Array
    loss: Array

    def backward(self, dloss: float = 1.0) -> StopGrad:
        """dnll = weights * dloss
        dlogits = stop_weight (p - 1) dnll where it is the last frame, p dnll where it is not
        """
        dnll = self.weights * dloss
        off = array_module(self.p).where(self.last, self.stop_weight * (self.p - 1), self.p)
        return StopGrad(dlogits=off * dnll)


FIT = Fit(logits="T B", last="T B bool")


def stop_loss(logits: Array, last: Array, weights: Array | None = None, *, stop_weight: float = 1.0) -> StopTrace:
    """The binary cross-entropy of "this is the last frame".

    Equations: those of the module; a mask stands for the weights mask / sum(mask).

    Args: logits, (T, B). last, (T, B) True where a frame is the last of its row. weights, (T, B): a mask, True where a
        frame is real, for the mean over these; or numbers, what each frame counts; None for the mean over all.
        stop_weight, above 0: how many other frames a last one counts for. The mean is over frames, however much these
        count.
    Returns: a StopTrace with loss (), with a mask in nats per real frame, and p (T, B).
    Backward: see StopTrace.backward.
    Raises: ArgumentError, when shapes do not fit, last holds no booleans, or stop_weight is not above 0; see
        `as_weights` for the weights.
    Source: Shen et al. 2018, section 2.2, without a weight; stop_weight is PyTorch's pos_weight.
    """
    stop_weight = number(stop_weight, "stop_weight", above=0)
    FIT(logits, last)
    xp = array_module(logits)
    weights, real = as_weights(weights, logits.shape, logits)
    nll = xp.where(last, stop_weight * _softplus(-logits), _softplus(logits))
    nll = xp.where(real, nll, 0)
    return StopTrace(last, weights, stop_weight, sigmoid(logits), nll, (nll * weights).sum())


def last_frames(mask: Array) -> Array:
    """Which frames are the last of their row. mask, (T, B) True where a frame is real. Returns: (T, B) booleans."""
    xp = array_module(mask)
    after = xp.concatenate([mask[1:], xp.zeros_like(mask[:1])])
    return mask & ~after


def _softplus(a):
    xp = array_module(a)
    size = a * xp.sign(a.real)  # |a|, of complex numbers by the real part
    return a * (a.real > 0) + xp.log1p(xp.exp(-size))
