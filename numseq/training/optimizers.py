"""Optimisers: they see trees of parameters and gradients, and change the parameters in place.

Each parameter is worked on in pieces that fit the processor's cache, so that the several passes of an update read it
from main memory once.
"""

import numpy as np

from numseq import params as trees
from numseq.backend import array_module, for_each

PIECE = 1 << 18  # numbers: smaller ones make the processors wait for the interpreter


def _pieces(*trees_):
    """The same stretches of the leaves of several trees, as flat views; on a GPU, or in an odd layout, whole leaves."""
    for arrays in zip(*map(trees.leaves, trees_), strict=True):
        if not all(array.flags.c_contiguous for array in arrays):
            yield list(arrays)  # flattening would copy, and the update be lost in the copy
            continue
        flat = [array.reshape(-1) for array in arrays]
        step = PIECE if isinstance(flat[0], np.ndarray) else max(1, len(flat[0]))
        for start in range(0, len(flat[0]), step):
            yield [array[start : start + step] for array in flat]


class SGD:
    """Gradient descent with momentum.

    Equations: v <- momentum * v + g;  p <- p - lr * v.

    Args: params, the tree to be trained. lr, step size. momentum in [0, 1).
    Source: Polyak 1964, in the form of Sutskever et al. 2013 without Nesterov's look ahead, as PyTorch's SGD.
    """

    def __init__(self, params, lr=0.1, momentum=0.9):
        self.lr, self.momentum, self.steps = lr, momentum, 0
        self.moments = {"v": trees.zeros_like(params)}

    def update(self, params, grads):
        """One step down, in place."""
        self.steps += 1
        xp = array_module(trees.leaves(params)[0])

        def of_piece(piece):
            p, g, v = piece
            v *= self.momentum
            v += g
            p -= self.lr * v

        for_each(xp, of_piece, _pieces(params, grads, self.moments["v"]))


class Adam:
    """Adaptive moments.

    Equations: m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;
        p <- p - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps),  t counting steps from 1.

    Args: params, the tree to be trained. lr, step size. beta1, beta2, decay of the two moments. eps, in units of g.
    Source: Kingma & Ba 2015, algorithm 1.
    """

    def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps, self.steps = lr, beta1, beta2, eps, 0
        self.moments = {"m": trees.zeros_like(params), "v": trees.zeros_like(params)}

    def update(self, params, grads):
        """One step down, in place."""
        self.steps += 1
        rate = self.lr / (1 - self.beta1**self.steps)
        root = (1 - self.beta2**self.steps) ** 0.5
        xp = array_module(trees.leaves(params)[0])

        def of_piece(piece):
            p, g, m, v = piece
            m *= self.beta1
            step = g * (1 - self.beta1)
            m += step
            v *= self.beta2
            xp.multiply(g, g, out=step)
            step *= 1 - self.beta2
            v += step
            xp.sqrt(v, out=step)  # from here on step = rate * m / (sqrt(v) / root + eps), times root / root
            step += self.eps * root
            xp.divide(m, step, out=step)
            step *= rate * root
            p -= step

        for_each(xp, of_piece, _pieces(params, grads, self.moments["m"], self.moments["v"]))


OPTIMIZERS = {"adam": Adam, "sgd": SGD}


def clip_by_global_norm(grads, largest):
    """Scale the whole gradient, in place, so that its norm is at most `largest`; its direction stays.

    Equations: g <- g * min(1, largest / |g|), |g| being the norm over *all* parameters together.

    Args: grads, a tree. largest, a positive number, in the gradient's units.
    Returns: |g| before clipping, a Python float (this waits for a GPU).
    Source: Pascanu et al. 2013, algorithm 1.
    """
    norm = float(trees.global_norm(grads))
    if norm > largest:
        for leaf in trees.leaves(grads):
            leaf *= largest / norm
    return norm
