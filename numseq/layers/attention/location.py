"""Location-aware attention: additive attention that sees where it looked last.

    f_tj = sum_k F_k alpha_{t-1, j + k - r}            k = 0 ... 2r: n filters on the last weights around position j
    u_tj = tanh(q_t W_q + k_j + f_tj U)                else as in `numseq.layers.attention.additive`
    e_tj = u_tj . w

Beyond the ends the last weights count as 0, and so do those before the first look. As everywhere in deep learning, the
"convolution" does not turn its filters round; they are learned, so nothing is lost.

`PositionAttention` is what this shares with `numseq.layers.attention.coverage`: scores that depend on what is known of
each position from the looks before.

Source: Chorowski et al. 2015, section 2.1, equations 6 to 9, with the softmax unsharpened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.errors import ArgumentError
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.attention.additive import (
    AdditiveAttention,
    AdditiveParams,
    AdditiveStep,
    AdditiveStepGrad,
    init_attention,
)
from numseq.layers.attention.base import AttentionGrad, AttentionTrace, attend
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.record import Steps


class PositionAttention(AdditiveAttention):
    """Additive attention whose scores read a few features of each position, made of what is carried from look to look.

    A kind says which: `features(s)` gives f, (S, B, n), `features_backward(s, grad, dcarried)` the gradient, (B, S), of
    what was carried. What is carried is one array, (B, S), zeros at first; `take` puts it into the record.
    """

    equations: str | None = None
    U: Array

    def __init__(self, keys: Array, values: Array, params: AdditiveParams, mask: Array | None = None):
        super().__init__(keys, values, params, mask)
        self.exp_2k = None  # the features come between query and key: the shortcut of `_u` is closed

    def initial_carried(self) -> tuple[Array, ...]:
        S, B, _ = self.values.shape
        return (array_module(self.values).zeros((B, S), dtype=self.values.dtype),)

    def shared_gradients(self) -> tuple[Array, ...]:
        """As of additive attention, and of U, still without the factor w too."""
        return *super().shared_gradients(), array_module(self.U).zeros_like(self.U)

    def score(self, s: Any) -> Array:
        s.f = self.features(s)
        s.projected = s.query @ self.params.W_q
        z = self.projected + s.projected
        # the product of one column with one row is an outer product: measured, a quarter of a matrix product's time
        z += s.f * self.U if len(self.U) == 1 else affine(s.f, self.U)
        s.u = tanh(z)
        return (s.u @ self.params.w).T

    def score_backward(self, s: Any, grad: Any, shared: Sequence[Array]) -> None:
        p, (of_keys, dw, of_U) = self.params, shared
        dz = tanh_backward(grad.de.T[:, :, None], s.u)  # e = u . w and u = tanh(z): dz / w = de * (1 - u^2)
        of_keys += dz  # z = q W_q + k + f U
        of_U += rows(s.f).T @ rows(dz)
        dw += grad.de.T.reshape(-1) @ rows(s.u)
        grad.dprojected = dz.sum(axis=0) * p.w
        grad.dquery = grad.dprojected @ p.W_q.T
        grad.df = affine(dz, (self.U * p.w).T)

    def backward(
        self,
        s: Any,
        dcontext: Array,
        shared: Sequence[Array],
        dalpha: Array | None = None,
        dcarried: tuple[Array, ...] = (),
    ) -> tuple[Any, tuple[Array, ...]]:
        """As of an Attention. What was carried on, alpha or a sum with it, hands its gradient to alpha."""
        (dnext,) = dcarried
        grad, _ = super().backward(s, dcontext, shared, dnext if dalpha is None else dalpha + dnext)
        return grad, (self.features_backward(s, grad, dnext),)

    def features(self, s: Any) -> Array:
        raise NotImplementedError

    def features_backward(self, s: Any, grad: Any, dcarried: Array) -> Array:
        """The gradient of what was carried to look s, (B, S). dcarried, that of what it carried on."""
        raise NotImplementedError


@dataclass(slots=True)
class LocationParams(AdditiveParams):
    F: Array  # (2r + 1, n), n filters
    U: Array  # (n, A)


@dataclass(slots=True)
class LocationStep(AdditiveStep):
    alpha_prev: Array = None  # (B, S)
    f: Array = None  # (S, B, n)


@dataclass(slots=True)
class LocationStepGrad(AdditiveStepGrad):
    equations = AdditiveStepGrad.equations | {
        "dalpha": "dcontext . v_j, plus that of whoever else read alpha: among them the next look",
        "df": "dprojected_j U^T, since u_j = tanh(q W_q + k_j + f_j U)",
        "dalpha_prev": "sum_k F_k . df_{i - k + r}, since f_j = sum_k F_k alpha_prev_{j + k - r}",
    }
    df: Array = None  # (S, B, n)
    dalpha_prev: Array = None  # (B, S)


class LocationAttention(PositionAttention):
    """See `numseq.layers.attention.base.Attention`. params: LocationParams, with an odd number of rows in F.

    Raises: ArgumentError, when it is even, for then no position is the middle.
    """

    record, grad = LocationStep, LocationStepGrad
    equations = "location_attention"
    shapes = AdditiveAttention.shapes | {"F": "W n", "U": "n A"}

    def __init__(self, keys: Array, values: Array, params: LocationParams, mask: Array | None = None):
        super().__init__(keys, values, params, mask)
        if len(params.F) % 2 == 0:
            raise ArgumentError(f"filters of {len(params.F)} positions have no middle: their number must be odd")

    @property
    def U(self) -> Array:
        return self.params.U

    @staticmethod
    def init(
        rng: Generator,
        query: int,
        keys: int,
        size: int,
        dtype: DType,
        initializer: Initializer = DEFAULT,
        filters: int = 10,
        width: int = 11,
    ) -> LocationParams:
        """First values: those of additive attention; Glorot for F and U."""
        p = init_attention(rng, query, keys, size, dtype, initializer)
        F, U = (
            asarray(initializer.matrix(rng, width, filters), dtype),
            asarray(initializer.matrix(rng, filters, size), dtype),
        )
        return LocationParams(p.W_q, p.W_k, p.b, p.w, F=F, U=U)

    def take(self, s: LocationStep, carried: tuple[Array, ...]) -> None:
        (s.alpha_prev,) = carried

    def carried(self, s: LocationStep) -> tuple[Array, ...]:
        """alpha, for the next look to see."""
        return (s.alpha,)

    def features(self, s: LocationStep) -> Array:
        return affine(windows(s.alpha_prev, len(self.params.F)), self.params.F).transpose(1, 0, 2)

    def features_backward(self, s: LocationStep, grad: LocationStepGrad, dcarried: Array) -> Array:
        F = self.params.F
        dwindows = affine(grad.df.transpose(1, 0, 2), F.T)  # (B, S, 2r + 1): f = windows F
        grad.dalpha_prev = windows_backward(dwindows)
        return grad.dalpha_prev

    def weight_gradients(self, steps: Steps, grads: Steps, shared: Sequence[Array]) -> AttentionGrad:
        *of_score, of_U = shared
        grad = super().weight_gradients(steps, grads, of_score)
        p, seen = grad.params, windows(steps.alpha_prev, len(self.params.F))
        F = rows(seen).T @ rows(grads.df.transpose(0, 2, 1, 3))  # windows (T, B, S, 2r + 1), df (T, S, B, n)
        grad.params = LocationParams(p.W_q, p.W_k, p.b, p.w, F=F, U=of_U * self.params.w)
        return grad


def windows(x: Array, width: int) -> Array:
    """Of each position its neighbourhood: x (..., S) gives (..., S, width), zeros beyond the ends."""
    xp, S, r = array_module(x), x.shape[-1], width // 2
    padded = xp.zeros((*x.shape[:-1], S + 2 * r), dtype=x.dtype)
    padded[..., r : r + S] = x
    return padded[..., xp.arange(S)[:, None] + xp.arange(width)]


def windows_backward(d: Array) -> Array:
    """The gradient of x, (B, S), from that of its windows, (B, S, width): a number stood in `width` of them."""
    xp, (B, S, width) = array_module(d), d.shape
    r, k = width // 2, xp.arange(width)
    padded = xp.zeros((B, S + 2 * r, width), dtype=d.dtype)
    padded[:, r : r + S] = d
    return padded[:, xp.arange(S)[:, None] - k + 2 * r, k].sum(axis=-1)  # x_i stood at place k of window i - k + r


def location_attention(
    query: Array, keys: Array, values: Array, params: LocationParams, *, mask: Array | None = None
) -> AttentionTrace:
    """Location-aware attention of T queries, one after the other, each seeing where the one before it looked.

    Equations: those of the module.

    Args: query, (T, B, Q). keys, (S, B, K). values, (S, B, C). params: W_q (Q, A), W_k (K, A), b (A,) or None, w (A,),
        F (2r + 1, n), U (n, A). mask, (S, B) True where a source token is real, or None.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward. Weights get gradient from the look after them too, so it goes through time.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or the filters' width is even.
    """
    return attend(LocationAttention(keys, values, params, mask), query)
