"""Pointwise functions and the softmax: the atoms that every other equation is made of.

They take an array and return an array; `out=` writes into storage that is already there. Each derivative is a
function of the *output*, because that is what a trace keeps. All are analytic, so the complex step goes through them.
"""

from numseq.backend import array_module

MASKED = -1e30  # the score of a masked position: exp gives exactly 0, and unlike -inf never makes inf - inf


def sigmoid(x, out=None):
    """The logistic function.

    Equations: sigma(x) = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2. The second form cannot overflow.

    Args: x, any shape. out: where to write; may be x itself.
    Returns: sigma(x), shape of x.
    """
    xp = array_module(x)
    y = xp.multiply(x, 0.5, out=out)
    y = xp.tanh(y, out=y)
    y += 1
    y *= 0.5
    return y


def sigmoid_backward(dy, y, out=None):
    """dx = dy * y * (1 - y), with y = sigma(x)."""
    slope = 1 - y
    slope *= y
    return array_module(y).multiply(dy, slope, out=slope if out is None else out)


def tanh(x, out=None):
    """The hyperbolic tangent, tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Args: x, any shape. out: where to write; may be x itself.
    Returns: tanh(x), shape of x.
    """
    return array_module(x).tanh(x, out=out)


def tanh_backward(dy, y, out=None):
    """dx = dy * (1 - y^2), with y = tanh(x)."""
    xp = array_module(y)
    slope = y * y
    xp.subtract(1, slope, out=slope)
    return xp.multiply(dy, slope, out=slope if out is None else out)


def relu(x, out=None):
    """The rectified linear unit.

    Equations: relu(x) = max(x, 0), written x * [x > 0], and of complex numbers the real part decides.

    Args: x, any shape. out: where to write; may be x itself.
    Returns: relu(x), shape of x.
    """
    return array_module(x).multiply(x, x.real > 0, out=out)


def relu_backward(dy, y, out=None):
    """dx = dy where y > 0, else 0, with y = relu(x); at x = 0, where there is no slope, 0."""
    return array_module(y).multiply(dy, y.real > 0, out=out)


def softmax(z):
    """Probabilities from scores, over the last axis.

    Equations: p_k = exp(z_k - m) / sum_j exp(z_j - m), m = max_j z_j, which cancels and keeps exp from overflowing.

    Args: z, (..., K).
    Returns: p, (..., K); each row sums to 1.
    """
    xp = array_module(z)
    p = xp.exp(z - z.real.max(axis=-1, keepdims=True))  # the real part orders complex scores; m is a mere constant
    p /= p.sum(axis=-1, keepdims=True)
    return p


def softmax_backward(dp, p):
    """dz_k = p_k * (dp_k - sum_j dp_j p_j): the Jacobian diag(p) - p p^T, applied without forming it."""
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


def log_softmax(z):
    """Log-probabilities from scores, over the last axis.

    Equations: logp_k = (z_k - m) - log sum_j exp(z_j - m), with m = max_j z_j.

    Args: z, (..., K).
    Returns: logp, (..., K).
    """
    xp = array_module(z)
    shifted = z - z.real.max(axis=-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))


def log_softmax_backward(dlogp, logp):
    """dz_k = dlogp_k - p_k * sum_j dlogp_j, with p = exp(logp)."""
    return dlogp - array_module(logp).exp(logp) * dlogp.sum(axis=-1, keepdims=True)
