"""Optimisers: they see trees of parameters and gradients, and change the parameters in place.

Each parameter is worked on in pieces that fit the processor's cache, so that the several passes of an update read it
from main memory once.
"""

import inspect
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from numseq import arguments
from numseq import params as trees
from numseq.backend import Array, array_module, for_each
from numseq.errors import ArgumentError, shown
from numseq.registry import Registry

PIECE = 1 << 18  # numbers: smaller ones make the processors wait for the interpreter


def pieces(*trees_: Any) -> Iterator[list[Array]]:
    """The same stretches of the leaves of several trees, as flat views; on a GPU, or in an odd layout, whole leaves."""
    for arrays in zip(*map(trees.leaves, trees_), strict=True):
        if not all(array.flags.c_contiguous for array in arrays):
            yield list(arrays)  # flattening would copy, and the update be lost in the copy
            continue
        flat = [array.reshape(-1) for array in arrays]
        step = PIECE if isinstance(flat[0], np.ndarray) else max(1, len(flat[0]))
        for start in range(0, len(flat[0]), step):
            yield [array[start : start + step] for array in flat]


class Optimizer:
    """What all optimisers share. A rule of one's own is a subclass with `rule(p, g, *moments)`.

    lr, the step size, may be changed between steps; steps, how many were made; moments, a dict of trees like the
    parameters, 0 at first: what a checkpoint must keep. weight_decay times p is added to the gradient of p, which is
    the gradient of weight_decay / 2 * |p|^2 (L2, as PyTorch's optimisers have it), unless a rule says otherwise.
    Raises: ArgumentError, when lr or weight_decay is no number, or negative.
    """

    moment_names: tuple[str, ...] = ()
    rule: Callable

    def __init__(self, params: Any, lr: float = 0.01, weight_decay: float = 0.0):
        if not arguments.one_of(lr, "lr", Real) >= 0:  # infinite it may be, to see what comes of it
            raise ArgumentError(f"lr is {shown(lr)}: it must be a number of at least 0")
        self.lr, self.steps = lr, 0
        self.weight_decay = arguments.number(weight_decay, "weight_decay", least=0)
        self.moments = {name: trees.zeros_like(params) for name in self.moment_names}

    def update(self, params: Any, grads: Any) -> None:
        """One step down, in place."""
        self.steps += 1
        xp = array_module(trees.leaves(params)[0])
        for_each(xp, lambda piece: self.rule(*piece), pieces(params, grads, *self.moments.values()))

    def decayed(self, p: Array, g: Array) -> Array:
        """g + weight_decay * p; without weight decay g itself, and no work."""
        return g + self.weight_decay * p if self.weight_decay else g


class SGD(Optimizer):
    """Stochastic gradient descent with momentum; without, momentum = 0, it is plain and keeps no v.

    Equations: g <- g + weight_decay * p;  v <- momentum * v + g;  p <- p - lr * v.

    Args: params, the tree to be trained. lr, step size. momentum in [0, 1). weight_decay, see Optimizer.
    Raises: ArgumentError, when one of these is out of bounds.
    Source: Polyak 1964, in the form of Sutskever et al. 2013 without Nesterov's look ahead, as PyTorch's SGD.
    """

    moment_names: tuple[str, ...] = ("v",)

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0):
        self.momentum = arguments.number(momentum, "momentum", least=0, below=1)
        if not momentum:
            self.moment_names = ()
        super().__init__(params, lr, weight_decay)

    def rule(self, p: Array, g: Array, v: Array | None = None) -> None:
        g = self.decayed(p, g)
        if v is not None:
            v *= self.momentum
            v += g
            g = self.direction(g, v)
        p -= self.lr * g

    def direction(self, g: Array, v: Array) -> Array:
        """Where to go down: along v."""
        return v


class Nesterov(SGD):
    """SGD that looks ahead: the gradient counts once more, as if it had been taken where momentum will lead.

    Equations: g <- g + weight_decay * p;  v <- momentum * v + g;  p <- p - lr * (g + momentum * v).

    Args, Raises: those of SGD.
    Source: Nesterov 1983, in the form of Sutskever et al. 2013, as PyTorch's SGD with nesterov=True.
    """

    def direction(self, g: Array, v: Array) -> Array:
        """Along g + momentum * v."""
        return g + self.momentum * v


class Adam(Optimizer):
    """Adaptive moments.

    Equations: g <- g + weight_decay * p;  m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;
        p <- p - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps),  t counting steps from 1.

    Args: params, the tree to be trained. lr, step size. beta1, beta2, decay of the two moments. eps, in units of g.
        weight_decay, see Optimizer; Adam divides it by sqrt(v) like the rest of the gradient, AdamW does not.
    Source: Kingma & Ba 2015, algorithm 1.
    """

    moment_names = ("m", "v")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, lr, weight_decay)
        self.beta1 = arguments.number(beta1, "beta1", least=0, below=1)
        self.beta2 = arguments.number(beta2, "beta2", least=0, below=1)
        self.eps = arguments.number(eps, "eps", least=0)

    def rule(self, p: Array, g: Array, m: Array, v: Array) -> None:
        xp, g = array_module(p), self.decayed(p, g)
        rate, root = self.lr / (1 - self.beta1**self.steps), (1 - self.beta2**self.steps) ** 0.5
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


class AdamW(Adam):
    """Adam with its weight decay decoupled: beside the gradient, and so neither in the moments nor divided by them.

    Equations: p <- (1 - lr * weight_decay) p;  then Adam's step with g as it is.

    Args: those of Adam.
    Source: Loshchilov & Hutter 2019, algorithm 2, with the decay scaled by lr, as PyTorch's AdamW.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(params, lr, beta1, beta2, eps, weight_decay)

    def decayed(self, p: Array, g: Array) -> Array:
        """g as it is; p is made smaller instead."""
        if self.weight_decay:
            p *= 1 - self.lr * self.weight_decay
        return g


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean square of the gradient.

    Equations: g <- g + weight_decay * p;  v <- alpha v + (1 - alpha) g^2;  p <- p - lr * g / (sqrt(v) + eps).

    Args: params, the tree to be trained. lr, step size. alpha, decay of the mean square. eps, in units of g.
        weight_decay, see Optimizer.
    Source: Tieleman & Hinton 2012, lecture 6.5 of "Neural networks for machine learning", as PyTorch's RMSprop.
    """

    moment_names = ("v",)

    def __init__(
        self, params: Any, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0
    ):
        super().__init__(params, lr, weight_decay)
        self.alpha, self.eps = arguments.number(alpha, "alpha", least=0, below=1), arguments.number(eps, "eps", least=0)

    def rule(self, p: Array, g: Array, v: Array) -> None:
        xp, g = array_module(p), self.decayed(p, g)
        v *= self.alpha
        step = g * g
        step *= 1 - self.alpha
        v += step
        _divided(xp, g, v, self.eps, out=step)
        step *= self.lr
        p -= step


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients so far: what moved much moves less and less.

    Equations: g <- g + weight_decay * p;  v <- v + g^2;  p <- p - lr * g / (sqrt(v) + eps).

    Args: params, the tree to be trained. lr, step size. eps, in units of g. weight_decay, see Optimizer.
    Source: Duchi et al. 2011, the diagonal form of figure 1, as PyTorch's Adagrad.
    """

    moment_names = ("v",)

    def __init__(self, params: Any, lr: float = 1e-2, eps: float = 1e-10, weight_decay: float = 0.0):
        super().__init__(params, lr, weight_decay)
        self.eps = arguments.number(eps, "eps", least=0)

    def rule(self, p: Array, g: Array, v: Array) -> None:
        xp, g = array_module(p), self.decayed(p, g)
        step = g * g
        v += step
        _divided(xp, g, v, self.eps, out=step)
        step *= self.lr
        p -= step


class Adadelta(Optimizer):
    """Steps in the units of the parameters: as large as the last ones were, by a running mean, over the gradient's root
    mean square.

    Equations: g <- g + weight_decay * p;  v <- rho v + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(v + eps) * g;
        u <- rho u + (1 - rho) d^2;  p <- p - lr * d.

    Args: params, the tree to be trained. lr, a factor; the paper has none, which is 1. rho, decay of the two means.
        eps, in units of g^2 and of d^2: the first steps are about sqrt(eps). weight_decay, see Optimizer.
    Raises: ArgumentError, when one of these is out of bounds.
    Source: Zeiler 2012, algorithm 1, as PyTorch's Adadelta.
    """

    moment_names = ("v", "u")

    def __init__(self, params: Any, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0):
        super().__init__(params, lr, weight_decay)
        self.rho, self.eps = arguments.number(rho, "rho", least=0, below=1), arguments.number(eps, "eps", least=0)

    def rule(self, p: Array, g: Array, v: Array, u: Array) -> None:
        xp, g = array_module(p), self.decayed(p, g)
        v *= self.rho
        v += (1 - self.rho) * g * g
        d = u + self.eps
        d /= v + self.eps
        xp.sqrt(d, out=d)
        d *= g
        u *= self.rho
        u += (1 - self.rho) * d * d
        d *= self.lr
        p -= d


def _divided(xp, g, v, eps, out):
    """g / (sqrt(v) + eps), written to `out`."""
    xp.sqrt(v, out=out)
    out += eps
    xp.divide(g, out, out=out)


OPTIMIZERS = Registry(
    "optimizer",
    {
        "adam": Adam,
        "adamw": AdamW,
        "sgd": SGD,
        "nesterov": Nesterov,
        "rmsprop": RMSprop,
        "adagrad": Adagrad,
        "adadelta": Adadelta,
    },
    offers=("update", "moment_names"),
)


def takes(optimizer: Any, name: str) -> bool:
    """Whether the constructor of an optimiser has an argument of this name, or takes any."""
    known = inspect.signature(optimizer).parameters
    return name in known or any(one.kind is one.VAR_KEYWORD for one in known.values())


def default_lr(optimizer: Any) -> float | None:
    """The step size of an optimiser when none is said; None where its constructor does not tell."""
    known = inspect.signature(optimizer).parameters.get("lr")
    return float(known.default) if known and isinstance(known.default, Real) else None


def clip_by_global_norm(grads: Any, largest: float) -> float:
    """Scale the whole gradient, in place, so that its norm is at most `largest`; its direction stays.

    Equations: g <- g * min(1, largest / |g|), |g| being the norm over *all* parameters together.

    Args: grads, a tree. largest, a positive number, in the gradient's units; infinity clips nothing.
    Returns: |g| before clipping, a Python float (this waits for a GPU).
    Raises: ArgumentError, when largest is not positive.
    Source: Pascanu et al. 2013, algorithm 1.
    """
    if not largest > 0:
        raise ArgumentError(f"largest is {shown(largest)}: it must be above 0")
    norm = float(trees.global_norm(grads))
    if norm > largest:
        for leaf in trees.leaves(grads):
            leaf *= largest / norm
    return norm


def clip_by_value(grads: Any, largest: float) -> None:
    """Cut every number of the gradient, in place, to at most `largest` up or down; its direction changes.

    Equations: g_i <- max(-largest, min(largest, g_i)).

    Args: grads, a tree. largest, a positive number, in the gradient's units.
    Raises: ArgumentError, when largest is not positive.
    Source: Mikolov 2012, as PyTorch's clip_grad_value_.
    """
    if not largest > 0:
        raise ArgumentError(f"largest is {shown(largest)}: it must be above 0")
    for leaf in trees.leaves(grads):
        array_module(leaf).clip(leaf, -largest, largest, out=leaf)
