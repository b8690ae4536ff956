"""Pointwise functions and the softmax: the atoms that every other equation is made of.

They take an array and return a new one. Each derivative is a function of the *output*, because that is what a trace
keeps. All are analytic, so the complex step goes through them.
"""

from numseq.backend import Array, array_module
from numseq.layers.fit import Fit

MASKED = -1e30  # the score of a masked position: exp gives exactly 0, and unlike -inf never makes inf - inf


def sigmoid(x: Array) -> Array:
    """The logistic function.

    Equations: sigma(x) = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2. The second form cannot overflow.

    Args: x, any shape.
    Returns: sigma(x), shape of x.
    """
    y = array_module(x).tanh(0.5 * x)
    y += 1
    y *= 0.5
    return y


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dx = dy * y * (1 - y), with y = sigma(x)."""
    slope = 1 - y
    slope *= y
    slope *= dy
    return slope


def tanh(x: Array) -> Array:
    """The hyperbolic tangent, tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Args: x, any shape.
    Returns: tanh(x), shape of x.
    """
    return array_module(x).tanh(x)


def tanh_backward(dy: Array, y: Array) -> Array:
    """dx = dy * (1 - y^2), with y = tanh(x)."""
    slope = 1 - y * y
    slope *= dy
    return slope


def relu(x: Array) -> Array:
    """The rectified linear unit.

    Equations: relu(x) = max(x, 0), written x * [x > 0], and of complex numbers the real part decides.

    Args: x, any shape.
    Returns: relu(x), shape of x.
    """
    return x * (x.real > 0)


def relu_backward(dy: Array, y: Array) -> Array:
    """dx = dy where y > 0, else 0, with y = relu(x); at x = 0, where there is no slope, 0."""
    return dy * (y.real > 0)


SCORES = Fit(z="... K")


def softmax(z: Array) -> Array:
    """Probabilities from scores, over the last axis.

    Equations: p_k = exp(z_k - m) / sum_j exp(z_j - m), m = max_j z_j, which cancels and keeps exp from overflowing.

    Args: z, (..., K).
    Returns: p, (..., K); each row sums to 1.
    Raises: ArgumentError, when z has no axis.
    """
    if not getattr(z, "ndim", 0):  # asked first, since it is quicker, and a search asks at every step
        SCORES(z)
    xp = array_module(z)
    p = xp.exp(z - z.real.max(axis=-1, keepdims=True))  # the real part orders complex scores; m is a mere constant
    p /= p.sum(axis=-1, keepdims=True)
    return p


def softmax_backward(dp: Array, p: Array) -> Array:
    """dz_k = p_k * (dp_k - sum_j dp_j p_j): the Jacobian diag(p) - p p^T, applied without forming it."""
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


def log_softmax(z: Array) -> Array:
    """Log-probabilities from scores, over the last axis.

    Equations: logp_k = (z_k - m) - log sum_j exp(z_j - m), with m = max_j z_j.

    Args: z, (..., K).
    Returns: logp, (..., K).
    Raises: ArgumentError, when z has no axis.
    """
    if not getattr(z, "ndim", 0):  # asked first, since it is quicker, and a search asks at every step
        SCORES(z)
    xp = array_module(z)
    logp = z - z.real.max(axis=-1, keepdims=True)
    logp -= xp.log(xp.exp(logp).sum(axis=-1, keepdims=True))
    return logp


def log_softmax_backward(dlogp: Array, logp: Array) -> Array:
    """dz_k = dlogp_k - p_k * sum_j dlogp_j, with p = exp(logp)."""
    return dlogp - array_module(logp).exp(logp) * dlogp.sum(axis=-1, keepdims=True)
