"""The k largest of many numbers."""

import numpy as np

from numseq.backend import Array, array_module

COLUMNS = 64  # whose maximum stands for them while the largest are looked for


def topk(x: Array, k: int) -> tuple[Array, Array]:
    """The k largest of each row of x (N, M), largest first: values and indices (N, k).

    On the host they are looked for among the columns of the k blocks with the largest maxima, which hold them all, so
    that the M numbers are read once. Of equal numbers, the first is the larger.
    """
    xp, M = array_module(x), x.shape[1]
    if xp is not np:
        index = xp.argsort(-x, axis=1)[:, :k]
        return xp.take_along_axis(x, index, axis=1), index
    columns = np.arange(M)[None]
    if 4 * k * COLUMNS < M:
        starts = np.arange(0, M, COLUMNS)
        largest = np.maximum.reduceat(x, starts, axis=1)
        blocks = np.sort(np.argsort(-largest, axis=1, kind="stable")[:, :k], axis=1)
        columns = (blocks[:, :, None] * COLUMNS + np.arange(COLUMNS)).reshape(len(x), -1)
        x = np.where(columns < M, np.take_along_axis(x, np.minimum(columns, M - 1), axis=1), -np.inf)
    order = np.argsort(-x, axis=1, kind="stable")[:, :k]
    columns = np.broadcast_to(columns, x.shape)
    return np.take_along_axis(x, order, axis=1), np.take_along_axis(columns, order, axis=1)
