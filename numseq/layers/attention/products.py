"""The three products of attention: of one query a row, (B, .), or of T of them, (T, B, .), as one product a row."""

from numseq.backend import Array, array_module


def dots(q: Array, k: Array) -> Array:
    """q . k_j for every position j: q (..., B, K) and k (S, B, K) give (..., B, S)."""
    xp = array_module(q)
    if q.ndim == 2:
        return xp.matmul(k.transpose(1, 0, 2), q[:, :, None])[:, :, 0]
    return xp.matmul(q.transpose(1, 0, 2), k.transpose(1, 2, 0)).transpose(1, 0, 2)


def weighted_mean(alpha: Array, v: Array) -> Array:
    """sum_j alpha_j v_j: alpha (..., B, S) and v (S, B, C) give (..., B, C)."""
    xp = array_module(alpha)
    if alpha.ndim == 2:
        return xp.matmul(alpha[:, None, :], v.transpose(1, 0, 2))[:, 0]
    return xp.matmul(alpha.transpose(1, 0, 2), v.transpose(1, 0, 2)).transpose(1, 0, 2)


def over_queries(alpha: Array, d: Array) -> Array:
    """sum_t alpha_tj d_t for every position j: alpha (T, B, S) and d (T, B, C) give (S, B, C)."""
    return array_module(alpha).matmul(alpha.transpose(1, 2, 0), d.transpose(1, 0, 2)).transpose(1, 0, 2)
