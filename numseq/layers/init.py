"""First values of parameters, drawn on the host in float64 so that every backend and dtype starts from the same."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import Generator, generator

MATRICES = ("glorot", "uniform")
RECURRENT = ("orthogonal", "same")


class Zeros:
    """In the place of a generator: what first values are drawn by gives 0. For parameters that are to be replaced."""

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = ()) -> np.ndarray:
        return np.broadcast_to(0.0, size)

    def standard_normal(self, size: Any = ()) -> np.ndarray:
        return np.broadcast_to(0.0, size)

    def __getattr__(self, name: str) -> Any:
        """What else a cell of one's own asks of a generator, it gets of one."""
        return getattr(generator(0), name)


def uniform(rng: Generator, shape: int | tuple[int, ...], scale: float) -> np.ndarray:
    """Uniform in [-scale, scale]."""
    return rng.uniform(-scale, scale, size=shape)


def glorot(rng: Generator, inputs: int, outputs: int) -> np.ndarray:
    """Uniform in +-sqrt(6 / (inputs + outputs)), which keeps the variance of signals and gradients alike.

    Source: Glorot & Bengio 2010, equation 16.
    """
    return uniform(rng, (inputs, outputs), np.sqrt(6 / (inputs + outputs)))


def orthogonal(rng: Generator, size: int) -> np.ndarray:
    """A random orthogonal (size, size) matrix: h W keeps the length of h, so repeating it neither fades nor grows.

    Source: Saxe et al. 2014; the signs make the distribution uniform (Mezzadri 2007).
    """
    drawn = rng.standard_normal((size, size))
    if isinstance(rng, Zeros):
        return drawn
    q, r = np.linalg.qr(drawn)
    return q * np.sign(np.diag(r))


@dataclass(frozen=True, slots=True)
class Initializer:
    """Which first values a model gets; as it stands, what suits each kind of parameter.

    Args: matrices, "glorot", or "uniform" in [-scale, scale] for every matrix, embeddings and the attention's vector
        included. recurrent, "orthogonal", or "same" as the other matrices. scale, of "uniform" alone. forget_bias,
        the first bias of an LSTM's forget gate; all other biases are 0.
    Raises: ValueError, for a name that is not known, or a scale that is not positive.
    Source: Sutskever et al. 2014, section 3.4, is Initializer("uniform", "same"); they drew the biases too.
    """

    matrices: str = "glorot"
    recurrent: str = "orthogonal"
    scale: float = 0.08
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        for field, known in (("matrices", MATRICES), ("recurrent", RECURRENT)):
            if getattr(self, field) not in known:
                raise ValueError(f"initial {field} are {getattr(self, field)!r}: choose one of {', '.join(known)}")
        if not 0 < self.scale < np.inf:
            raise ValueError(f"initial scale is {self.scale}: it must be positive, and finite")

    def matrix(self, rng: Generator, inputs: int, outputs: int) -> np.ndarray:
        """(inputs, outputs), of a product with what comes from below."""
        if self.matrices == "uniform":
            return uniform(rng, (inputs, outputs), self.scale)
        return glorot(rng, inputs, outputs)

    def recurrent_matrix(self, rng: Generator, hidden: int) -> np.ndarray:
        """(hidden, hidden), of a product with the state of the step before; one for each gate."""
        return orthogonal(rng, hidden) if self.recurrent == "orthogonal" else self.matrix(rng, hidden, hidden)

    def embedding_matrix(self, rng: Generator, vocabulary: int, size: int, deviation: float = 1.0) -> np.ndarray:
        """(vocabulary, size), normal where matrices are Glorot's; see `init_embedding` for why."""
        if self.matrices == "uniform":
            return uniform(rng, (vocabulary, size), self.scale)
        return deviation * rng.standard_normal((vocabulary, size))

    def vector(self, rng: Generator, size: int) -> np.ndarray:
        """(size,), of a dot product with something of that size: in +-1 / sqrt(size) where matrices are Glorot's."""
        return uniform(rng, size, self.scale if self.matrices == "uniform" else size**-0.5)


DEFAULT = Initializer()
