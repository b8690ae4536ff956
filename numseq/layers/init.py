"""First values of parameters, drawn on the host in float64 so that every backend and dtype starts from the same."""

import numpy as np


def uniform(rng, shape, scale):
    """Uniform in [-scale, scale]."""
    return rng.uniform(-scale, scale, size=shape)


def glorot(rng, inputs, outputs):
    """Uniform in +-sqrt(6 / (inputs + outputs)), which keeps the variance of signals and gradients alike.

    Source: Glorot & Bengio 2010, equation 16.
    """
    return uniform(rng, (inputs, outputs), np.sqrt(6 / (inputs + outputs)))


def orthogonal(rng, size):
    """A random orthogonal (size, size) matrix: h W keeps the length of h, so repeating it neither fades nor grows.

    Source: Saxe et al. 2014; the signs make the distribution uniform (Mezzadri 2007).
    """
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.sign(np.diag(r))
