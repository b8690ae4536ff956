"""Temporal encoding: each sentence of a memory is told how long ago it was said.

    y_i = x_i + T[age_i]        age_i sentences were said after it, 0 for the most recent

What happened last can make what happened before untrue, and a sum over memories knows of no order. T is learnt.

Source: Sukhbaatar et al. 2015, section 4.1 (T_A and T_C, which lie side by side here).
"""

from dataclasses import dataclass

from numseq.backend import Array, DType, Generator, array_module, asarray, scatter_add_rows
from numseq.layers.fit import Fit, as_of, in_table
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import rows
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class TemporalParams(Record):
    T: Array  # (A, D), one row for each age


@dataclass(slots=True)
class TemporalGrad(Record):
    dx: Array  # (P, B, D)
    params: TemporalParams


@dataclass(slots=True)
class TemporalTrace(Trace):
    """What `temporal_encoding` added: y (P, B, D), with the ages (P, B), and which places are real (P, B)."""

    outputs = ("y",)
    equations = "temporal_encoding"
    age: Array
    mask: Array
    params: TemporalParams
    y: Array

    def backward(self, dy: Array) -> TemporalGrad:
        """dx = dy;  dT[a] = sum of dy over the real places of age a: the memories of all rows read the same T."""
        as_of(dy, "dy", self.y, "y")
        A = len(self.params.T)
        row = array_module(dy).where(self.mask, self.age, A)  # the one behind the last is of what is not real
        dT = scatter_add_rows(A + 1, row.reshape(-1), rows(dy))[:A]
        return TemporalGrad(dx=dy, params=TemporalParams(T=dT))


FIT = Fit(T="A D", x="P B D", age="P B int", mask="P B bool")


def temporal_encoding(x: Array, age: Array, params: TemporalParams, *, mask: Array) -> TemporalTrace:
    """Add to each sentence what its age stands for.

    Equations: those of the module.

    Args: x, (P, B, D). age, (P, B) integers in [0, A). params: T (A, D). mask, (P, B) True where a sentence is a
        memory; to others nothing is added.
    Returns: a TemporalTrace with y (P, B, D).
    Backward: TemporalTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or ages are none of [0, A).
    """
    FIT(params.T, x, age, mask)
    common_dtype(x, params)
    in_table(age, "age", len(params.T))
    y = x + array_module(x).where(mask[:, :, None], params.T[age], 0)
    return TemporalTrace(age=age, mask=mask, params=params, y=y)


def init_temporal(
    rng: Generator, ages: int, size: int, dtype: DType, initializer: Initializer = DEFAULT, scale: float = 0.1
) -> TemporalParams:
    """First values: normal with standard deviation `scale`, as of the embeddings that they are added to."""
    return TemporalParams(T=asarray(initializer.embedding_matrix(rng, ages, size, scale), dtype))
