"""Cross-entropy where a word is made in one of two ways: generated from the vocabulary, or copied from the source.

A pointer-generator mixes the two with a gate g, CopyNet has one softmax for all words and places:

    g = sigmoid(a)
    p(w) = g softmax(logits)_w + (1 - g) sum_j alpha_j [copies_j = w]

    Z = sum_k exp(logits_k) + sum_j exp(psi_j)
    p(w) = (exp(logits_w) + sum_j exp(psi_j) [copies_j = w]) / Z

The second is the first with alpha = softmax(psi) and a = log of the two sums' ratio, so both are one file. `copies`
says which word stands at a place: an id of the vocabulary, or from V on a word that only this source has. A word that
is not there can only be generated, and one from V on only copied. No array is wider than the vocabulary.

The gradient says what there is to learn. With the share of p(y) that was generated,

    share    = g softmax(logits)_y / p(y)
    da       = g - share                  of the negative log-probability: the way that explains y better gets more
    dlogits  = share (softmax - onehot)   that of generating alone, times its share
    dalpha_j = -(1 - g) / p(y)            where y stands; 0 elsewhere

Source: See, Liu & Manning 2017, section 2.2, equations 8 and 9; Gu et al. 2016, section 3.2, equations 4 to 6.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import Array, array_module
from numseq.layers.activations import MASKED, sigmoid, softmax_backward
from numseq.layers.attention.base import weights as softmax_of_real
from numseq.layers.fit import Fit
from numseq.layers.linear import rows
from numseq.layers.losses.cross_entropy import exponentials
from numseq.layers.losses.weights import as_weights
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class PointerLossGrad(Record):
    dlogits: Array  # (T, B, V)
    da: Array  # (T, B)
    dalpha: Array  # (T, B, S)


@dataclass(slots=True)
class PointerLossTrace(Trace):
    """What `pointer_loss` computed.

    loss () is the sum of weights * nll; nll (T, B) the negative log-probability of each target, 0 where its weight is;
    g (T, B) how probable generating was; share (T, B) how much of the target's probability was generated; match
    (T, B, S) where the target stands in the source; per_place (T, B) = (1 - g) / p, what a place's attention adds to
    log p, 0 where the target stands nowhere; e (N, V) and z (N,) as of `cross_entropy`; weights (T, B).
    """

    outputs = ("loss",)
    logits: Array
    alpha: Array
    targets: Array
    weights: Array
    e: Array
    z: Array
    g: Array
    match: Array
    share: Array
    per_place: Array
    nll: Array
    loss: Array

    def backward(self, dloss: float = 1.0) -> PointerLossGrad:
        """dlogits = (softmax - onehot) * share;  da = g - share;  dalpha = -(1 - g) / p where the word stands.

        Each of them times weights * dloss.
        """
        w = self.weights * dloss
        return PointerLossGrad(dlogits=self.dlogits(w), da=self.da(w), dalpha=self.dalpha(w))

    def da(self, w: Array) -> Array:
        """The gradient of a (T, B). w: (T, B), weights * dloss."""
        return (self.g - self.share) * w

    def dalpha(self, w: Array) -> Array:
        """The gradient of alpha (T, B, S). w: (T, B), weights * dloss."""
        return self.match * -(w * self.per_place)[..., None]

    def dlogits(self, w: Array, dlog_z: Array | float = 0.0) -> Array:
        """The gradient of logits (T, B, V). Args: w, (T, B), weights * dloss. dlog_z, (T, B), of whoever else read the
        log of their sum of exponentials."""
        xp, V = array_module(self.e), self.logits.shape[-1]
        generated = (w * self.share).reshape(-1)
        of_e = generated + (dlog_z if isinstance(dlog_z, float) else dlog_z.reshape(-1))
        d = self.e * (of_e / self.z)[:, None]
        d[xp.arange(len(d)), xp.minimum(self.targets.reshape(-1), V - 1)] -= generated  # 0 for a word from V on
        return d.reshape(self.logits.shape)


FIT = Fit(logits="T B V", alpha="T B S", copies="S B int", targets="T B int", a="T B")


def pointer_loss(
    logits: Array, a: Array, alpha: Array, copies: Array, targets: Array, weights: Array | None = None
) -> PointerLossTrace:
    """The loss of a pointer-generator.

    Equations: p_t = g_t softmax(logits_t)[y_t] + (1 - g_t) sum_j alpha_tj [copies_j = y_t];  g = sigmoid(a);
        loss = -sum(weights * log p), where a mask stands for the weights mask / sum(mask).

    Args: logits, (T, B, V) scores in nats. a, (T, B), the pre-activation of g. alpha, (T, B, S), weights that sum to 1
        over the places, 0 where nothing is real. copies, (S, B), what stands at each place: integers, from V on words
        that the vocabulary lacks. targets, (T, B), of the same kind. weights, (T, B), see `cross_entropy`.
    Returns: a PointerLossTrace with loss (), nll, g and share (T, B).
    Backward: see PointerLossTrace.backward.
    Raises: ArgumentError, when shapes do not fit; TypeError, when dtypes differ.
    Source: See, Liu & Manning 2017, equation 9.
    """
    FIT(logits, alpha, copies, targets, a)
    common_dtype(logits, a, alpha)
    weights, real = as_weights(weights, targets.shape, logits)
    return _mixture(logits, exponentials(rows(logits)), a, alpha, copies, targets, weights, real)


def _mixture(logits, softmax, a, alpha, copies, targets, weights, real):
    """The trace of a word's two ways. softmax: the `exponentials` of logits."""
    xp, V = array_module(logits), logits.shape[-1]
    e, z, m = softmax
    ids = targets.reshape(-1)
    of_y = rows(logits)[xp.arange(len(ids)), xp.minimum(ids, V - 1)]
    log_vocabulary = xp.where(ids < V, of_y - m - xp.log(z), 2 * MASKED).reshape(targets.shape)
    match = targets[:, :, None] == copies.T
    stands, copied = match.any(axis=-1), (alpha * match).sum(axis=-1)
    # in logs, so that a way which is all but impossible keeps its gradient; but the attention as it is, since at 0 its
    # log has no slope, and p has one
    generated, log_rest = log_sigmoid(a) + log_vocabulary, xp.where(stands, log_sigmoid(-a), MASKED)
    copied = xp.where(stands, copied + _tiny(copied), 1)
    most = xp.maximum(generated.real, log_rest.real + xp.log(xp.maximum(copied.real, _tiny(copied))))
    log_p = most + xp.log(xp.exp(generated - most) + xp.exp(log_rest - most) * copied)
    nll = xp.where(real, -log_p, 0)
    share, per_place = xp.exp(generated - log_p), xp.exp(xp.where(stands, log_rest - log_p, MASKED))
    loss = (nll * weights).sum()
    return PointerLossTrace(logits, alpha, targets, weights, e, z, sigmoid(a), match, share, per_place, nll, loss)


@dataclass(slots=True)
class CopyNetLossGrad(Record):
    dlogits: Array  # (T, B, V)
    dpsi: Array  # (T, B, S)


@dataclass(slots=True)
class CopyNetLossTrace(Trace):
    """What `copynet_loss` computed of psi (T, B, S) and mask (S, B): alpha (T, B, S) = softmax(psi), a (T, B), and in
    `mixture` what a pointer-generator makes of them; loss (), nll (T, B)."""

    outputs = ("loss",)
    psi: Array
    mask: Array | None
    alpha: Array
    a: Array
    mixture: PointerLossTrace
    loss: Array

    @property
    def nll(self) -> Array:
        return self.mixture.nll

    def backward(self, dloss: float = 1.0) -> CopyNetLossGrad:
        """a is the difference of two logs of sums, so da goes to each score by its share of its sum:
        dlogits = share (softmax - onehot) + da softmax;  dpsi = that through alpha = softmax(psi), less da alpha."""
        mixture = self.mixture
        w = mixture.weights * dloss
        da = mixture.da(w)
        dpsi = softmax_backward(mixture.dalpha(w), self.alpha) - da[..., None] * self.alpha
        return CopyNetLossGrad(dlogits=mixture.dlogits(w, dlog_z=da), dpsi=dpsi)


COPYNET_FIT = Fit(logits="T B V", psi="T B S", copies="S B int", targets="T B int", mask="S B bool")


def copynet_loss(
    logits: Array,
    psi: Array,
    copies: Array,
    targets: Array,
    weights: Array | None = None,
    *,
    mask: Array | None = None,
) -> CopyNetLossTrace:
    """The loss of CopyNet, whose words compete with the places of the source in one softmax.

    Equations: those of the module, with alpha = softmax(psi),
        a = log sum_k exp(logits_k) - log sum_j exp(psi_j).

    Args: logits, (T, B, V), and psi, (T, B, S): scores in nats, of generating a word and of copying a place. copies,
        targets, weights: as of `pointer_loss`. mask, (S, B), True where a place is real, or None.
    Returns: a CopyNetLossTrace with loss () and nll (T, B).
    Backward: see CopyNetLossTrace.backward.
    Raises: ArgumentError, when shapes do not fit; TypeError, when dtypes differ.
    Source: Gu et al. 2016, equations 4 to 6.
    """
    COPYNET_FIT(logits, psi, copies, targets, mask)
    common_dtype(logits, psi)
    weights, real = as_weights(weights, targets.shape, logits)
    softmax = exponentials(rows(logits))
    alpha, a = ways(logits, softmax, psi, mask)
    mixture = _mixture(logits, softmax, a, alpha, copies, targets, weights, real)
    return CopyNetLossTrace(psi, mask, alpha, a, mixture, mixture.loss)


def ways(logits: Array, softmax: tuple[Array, Array, Array], psi: Array, mask: Array | None) -> tuple[Array, Array]:
    """CopyNet as a pointer-generator: (alpha (T, B, S), a (T, B)). Args: softmax, the `exponentials` of logits."""
    xp = array_module(psi)
    _, z, m = softmax
    psi = psi if mask is None else xp.where(mask.T, psi, MASKED)
    most = xp.maximum(psi.real.max(axis=-1), MASKED / 2)
    sums = xp.exp(psi - most[..., None]).sum(axis=-1)
    log_copies = xp.log(sums + _tiny(sums)) + most  # about MASKED / 2 where nothing is real: then all is generated
    return softmax_of_real(psi), (xp.log(z) + m).reshape(log_copies.shape) - log_copies


def log_sigmoid(a: Array) -> Array:
    """log(1 / (1 + exp(-a))), without overflow for any a."""
    xp = array_module(a)
    up = a.real > 0
    return xp.where(up, 0, a) - xp.log(1 + xp.exp(xp.where(up, -a, a)))


def _tiny(like: Array) -> Any:
    """What is added to a sum that may be 0: it changes no other."""
    return np.finfo(like.real.dtype).tiny
