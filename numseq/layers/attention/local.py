"""Local attention: the query says where in the source to look, and only a window around that place is looked at.

    u_t         = tanh(q_t W_p)
    fraction_t  = sigma(u_t . v)
    p_t         = L fraction_t                                 the place; L is how many real positions this source has
    e_tj        = q_t . (x_j W)        where |j - p_t| <= D    the general score, within a window of 2D positions
    align_t     = softmax over the window of e_tj
    gauss_tj    = exp(-(j - p_t)^2 / (2 sigma^2))              sigma = D / 2
    alpha_tj    = align_tj gauss_tj                            favours what is near p_t

As in the paper the weights are not made to sum to 1 again: what the Gaussian takes is lost, and their sum is at most 1.
Positions count from 0 and p_t is no whole number. Through the Gaussian a gradient reaches p_t; where the window cuts
there is none.

Source: Luong, Pham & Manning 2015, section 3.2, local-p, equations 9 and 10, with the general score.
"""

from dataclasses import dataclass

from numseq.arguments import number
from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.layers.activations import MASKED, sigmoid, sigmoid_backward, softmax_backward, tanh, tanh_backward
from numseq.layers.attention.base import (
    AttentionGrad,
    AttentionStep,
    AttentionStepGrad,
    AttentionTrace,
    attend,
    weights,
)
from numseq.layers.attention.dot import GeneralAttention, GeneralParams
from numseq.layers.attention.products import dots, weighted_mean
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows


@dataclass(slots=True)
class LocalParams(GeneralParams):
    W_p: Array  # (Q, A)
    v: Array  # (A,)


@dataclass(slots=True)
class LocalStep(AttentionStep):
    u: Array = None  # (B, A)
    fraction: Array = None  # (B,)
    p: Array = None  # (B,), in positions
    align: Array = None  # (B, S)
    gauss: Array = None  # (B, S)


@dataclass(slots=True)
class LocalStepGrad(AttentionStepGrad):
    equations = AttentionStepGrad.equations | {
        "dalign": "dalpha * gauss, since alpha = align * gauss",
        "de": "align * (dalign - sum_k dalign_k align_k), since align = softmax(e)",
        "dp": "sum_j dalpha_j * alpha_j * (j - p) / sigma^2, since gauss_j = exp(-(j - p)^2 / (2 sigma^2))",
        "dfraction": "dp * L, since p = L fraction",
        "du": "dfraction * fraction * (1 - fraction) * v, since fraction = sigma(u . v)",
        "dquery": "sum_j de_j k_j + (du * (1 - u^2)) W_p^T, since e_j = q . k_j and u = tanh(q W_p)",
    }
    dalign: Array = None  # (B, S)
    dp: Array = None  # (B,)
    dfraction: Array = None  # (B,)
    du: Array = None  # (B, A)


class LocalAttention(GeneralAttention):
    """See `numseq.layers.attention.base.Attention`. params: LocalParams. mask: the real positions come first.
    D, half the window's width, in positions.

    Raises: ArgumentError, when D is below 1: a window could lie between two positions, or behind the last.
    """

    record, grad = LocalStep, LocalStepGrad
    equations = "local_attention"
    shapes = GeneralAttention.shapes | {"W_p": "Q A", "v": "A"}
    position_arrays = ("keys", "values", "projected", "lengths")
    options = ("window",)

    def __init__(self, keys: Array, values: Array, params: LocalParams, mask: Array | None = None, window: float = 10):
        super().__init__(keys, values, params, mask)
        window = number(window, "window", least=1)  # or some windows were empty
        (S, B, _), xp = values.shape, array_module(values)
        self.window, self.sigma = window, window / 2
        lengths = xp.full((1, B), S) if mask is None else mask.sum(axis=0, keepdims=True)
        self.lengths = lengths.astype(values.real.dtype)  # (1, B), so that `select_rows` picks rows of it like of keys

    @staticmethod
    def init(
        rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> LocalParams:
        """First values: Glorot for the matrices, uniform in +-1 / sqrt(A) for v."""
        return LocalParams(
            W=asarray(initializer.matrix(rng, keys, query), dtype),
            W_p=asarray(initializer.matrix(rng, query, size), dtype),
            v=asarray(initializer.vector(rng, size), dtype),
        )

    def forward(self, query: Array, carried: tuple[Array, ...] = ()) -> LocalStep:
        s = self.record()
        s.query = query
        s.u = tanh(affine(s.query, self.params.W_p))
        s.fraction = sigmoid(s.u @ self.params.v)
        s.p = self.lengths[0] * s.fraction
        away = self._away(s)
        near = away.real**2 <= self.window**2  # of complex numbers the real part says where the window is
        s.e = self.masked(array_module(away).where(near, self.score(s), MASKED))
        s.align = weights(s.e)
        s.gauss = array_module(away).exp(away**2 / (-2 * self.sigma**2))
        s.alpha = s.align * s.gauss
        s.context = weighted_mean(s.alpha, self.values)
        return s

    def _away(self, s):
        """j - p, (..., B, S)."""
        p = s.p[..., None]
        return array_module(p).arange(len(self.values), dtype=p.real.dtype) - p

    def backward(
        self, s: LocalStep, dcontext: Array, shared: None, dalpha: Array | None = None, dcarried: tuple[Array, ...] = ()
    ) -> tuple[LocalStepGrad, tuple[Array, ...]]:
        grad = self.grad()
        grad.dcontext = dcontext
        through_context = dots(dcontext, self.values)
        grad.dalpha = through_context if dalpha is None else through_context + dalpha
        grad.dalign = grad.dalpha * s.gauss
        grad.de = softmax_backward(grad.dalign, s.align)  # exactly 0 where masked and beyond the window
        grad.dp = (grad.dalpha * s.alpha * self._away(s)).sum(axis=-1) / self.sigma**2
        grad.dfraction = self.lengths[0] * grad.dp
        grad.du = self._to_sigma(s, grad)[..., None] * self.params.v
        dquery = weighted_mean(grad.de, self.projected)  # e = q . k
        grad.dquery = dquery + affine(tanh_backward(grad.du, s.u), self.params.W_p.T)  # u = tanh(q W_p)
        return grad, ()

    def _to_sigma(self, s, grad):
        """The gradient of u . v, (..., B)."""
        return sigmoid_backward(grad.dfraction, s.fraction)

    def weight_gradients(self, steps: LocalStep, grads: LocalStepGrad, shared: None) -> AttentionGrad:
        grad = super().weight_gradients(steps, grads, shared)
        grad.params = LocalParams(
            W=grad.params.W,
            W_p=rows(steps.query).T @ rows(tanh_backward(grads.du, steps.u)),
            v=self._to_sigma(steps, grads).reshape(-1) @ rows(steps.u),
        )
        return grad


def local_attention(
    query: Array, keys: Array, values: Array, params: LocalParams, *, mask: Array | None = None, window: float = 10
) -> AttentionTrace:
    """Local attention of T queries, each with a window of its own.

    Equations: those of the module.

    Args: query, (T, B, Q). keys, (S, B, K). values, (S, B, C). params: W (K, Q), W_p (Q, A), v (A,). window, D, half
        window's width, in positions; 10 in the paper. mask, (S, B) True where a source token is real, which come first,
        or None.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S); p (T, B) is in its steps.
    Backward: AttentionTrace.backward. The query is read twice, by the scores and by p. A score behind the window's edge
        gets exactly 0; that the edge moves with p has no gradient, as it has none of a maximum which is the larger.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or D is below 1.
    """
    return attend(LocalAttention(keys, values, params, mask, window), query)
