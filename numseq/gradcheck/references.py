"""Derivatives from forward evaluations alone, against which a backward is held.

    complex step         Im L(x + i h) / h,  h = 1e-100                     no subtraction: exact to rounding
    central differences  D(h) = (L(x + h) - L(x - h)) / 2h                  error about h^2 + 1e-16 / h
    Richardson           (4 D(h / 2) - D(h)) / 3                            error about h^4 + 1e-16 / h

Each is the slope of L along a direction v. Along the axes these are the numbers of a gradient; along one random
direction it is <gradient, v>, which a wrong gradient misses for almost every v.

Source: Squire & Trapp 1998, "Using complex variables to estimate derivatives of real functions"; Richardson 1911.
"""

import traceback
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import Generator, array_module, to_numpy
from numseq.errors import NumseqError

HERE = str(Path(__file__).parent)
STEP = {"complex-step": 1e-100, "central": 1e-5, "richardson": 1e-3}  # central ones where truncation meets rounding
METHODS = (*STEP, "directional")
TOLERANCE = {"complex-step": 1e-10, "central": 1e-6, "richardson": 1e-8}
EPS = float(np.finfo(float).eps)
FEW = 8  # steps, that a slope needs to agree with itself


class NotAnalyticError(NumseqError):
    """The forward pass drops or conjugates the imaginary part, so the complex step says nothing about it. because: in
    words, what of it is to blame."""

    def __init__(self, because: str, instead: str = "use method='central'"):
        super().__init__(f"{because}; {instead}")
        self.because = because


def number(x: Any) -> Any:
    """A number of NumPy, from wherever it lies."""
    return to_numpy(x)[()] if hasattr(x, "shape") else x


def size_of(array: Any) -> float:
    """The size of the numbers of an array, the root of their mean square; 1 where all are 0."""
    return float(np.sqrt((np.abs(to_numpy(array)) ** 2).mean())) or 1.0


def slope(loss: Callable[..., Any], method: str, h: float | None = None) -> float:
    """The slope of loss(step) at step 0, `step` being a multiple of some direction, by one of the methods."""
    h = STEP[method] if h is None else h
    if method == "complex-step":
        return complex_step(loss, h)
    central = lambda h: number(loss(h) - loss(-h)) / (2 * h)  # noqa: E731
    return central(h) if method == "central" else (4 * central(h / 2) - central(h)) / 3


def best_slope(loss: Callable[..., Any], size: float = 0.0) -> tuple[float, float]:
    """The slope by differences of many steps, and how far it can be off. size, of the numbers that L is summed of.

    D(h) is off by truncation where h is large, and by a kink that lies nearer than h; by rounding where h is small. In
    between, D with h, h / 4, h / 16, each pair put together as by Richardson, agree; where they agree best, that is the
    slope, and what they disagree by is its error. Beside a kink they agree too, on the mean of both sides. There the
    sides differ, by c(h) = (L(h) - 2 L(0) + L(-h)) / h, and not by h L'' alone, so (4 c(h / 4) - c(h)) / 3 is not 0.
    Steps that lead where L is no number, as beyond 0 in a logarithm, are too large.
    """
    steps = [1e-2 / 4**k for k in range(16)]
    here, beside = number(loss(0.0)), [(number(loss(h)), number(loss(-h))) for h in steps]
    while len(steps) > FEW and not np.isfinite(beside[0]).all():
        del steps[0], beside[0]
    central = [(there - back) / (2 * h) for h, (there, back) in zip(steps, beside, strict=True)]
    bent = [(there - 2 * here + back) / h for h, (there, back) in zip(steps, beside, strict=True)]
    extrapolated = [(16 * b - a) / 15 for a, b in pairwise(central)]
    kink = [abs(4 * b - a) / 6 for a, b in pairwise(bent)]  # a slope of one side is off by half of what they differ by
    noise = EPS * max(size, abs(here))  # of each loss: rounding may agree by chance, but is there
    found = []  # (slope, what its neighbours differ by, what the sides differ by)
    for k, (a, b, c) in enumerate(zip(extrapolated, extrapolated[1:], extrapolated[2:], strict=False)):
        found.append((b, max(abs(a - b), abs(b - c), noise / steps[k + 2]), max(kink[k : k + 3])))
    best = int(np.argmin([max(scatter, bend) for _, scatter, bend in found]))
    slope, scatter, bend = found[best]
    error = max(scatter, bend)
    for finer, scatter, bend in found[best + 1 :]:  # with smaller steps another slope is as sure: what is near is bent
        if abs(finer - slope) > 10 * scatter:
            error = max(error, abs(finer - slope) + bend)
    return slope, float(error)


def complex_step(loss: Callable[..., Any], h: float = STEP["complex-step"]) -> float:
    """Im loss(i h) / h.

    Raises: NotAnalyticError, with the line, when the imaginary part is dropped on the way.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            value = loss(1j * h)
        except (np.exceptions.ComplexWarning, TypeError) as error:
            if "omplex" not in str(error):
                raise
            raise NotAnalyticError(
                f"the forward pass cannot take the complex step: {_line_of(error)} puts complex numbers where only "
                f"real ones fit ({error})",
                "make such arrays with the dtype of the inputs, or use method='central'",
            ) from None
    value = number(value)
    if not np.iscomplexobj(value):
        raise NotAnalyticError(
            "the forward pass drops the imaginary part of its inputs (abs, .real, a float array?), so its outputs are "
            "real",
            "keep the dtype of the inputs, or use method='central'",
        )
    return value.imag / h


def rounding(size: float, method: str, h: float | None = None) -> float:
    """How far a slope by differences can be off since each loss is rounded to eps * size; 0 for the complex step.

    D(h) adds the errors of two losses, over 2h: eps size / h. Richardson's smallest step is h / 2 and weighs 4 / 3, and
    D(h) another 1 / 3: 4 / 3 * 2 + 1 / 3 = 3 times that.
    """
    h = STEP[method] if h is None else h
    return {"complex-step": 0, "central": 1, "richardson": 3}[method] * EPS * size / h


def _line_of(error):
    """The innermost line that is neither NumPy's nor the checker's."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if not f.filename.startswith((HERE, str(Path(np.__file__).parent)))]
    frame = mine[-1] if mine else frames[-1]
    return f"{frame.name} ({Path(frame.filename).name}, line {frame.lineno}: {frame.line})"


def gradient(loss: Callable[..., Any], inputs: dict[str, Any], method: str, h: float | None = None) -> dict[str, Any]:
    """The gradient of loss(inputs) by every number of every input: a dict of trees like inputs, on the host.

    Args: loss, called with a dict like inputs. inputs, a dict of trees of float64 arrays. h, the method's step.
    """
    dtype = np.complex128 if method == "complex-step" else np.float64
    # arrays, also of a number of NumPy's, which cannot be written to
    values = trees.map(_array, trees.cast(inputs, dtype))

    def of_leaf(leaf):
        def moved(index, step):
            before = leaf[index].copy()
            leaf[index] = before + step
            try:
                return loss(values)
            finally:
                leaf[index] = before

        each = [slope(lambda step, index=index: moved(index, step), method, h) for index in np.ndindex(leaf.shape)]
        return np.array(each, dtype=np.float64).reshape(leaf.shape)

    return trees.map(of_leaf, values)


def _array(leaf):
    return array_module(leaf).asarray(leaf)


def along(inputs: dict[str, Any], directions: dict[str, Any], step: complex) -> dict[str, Any]:
    """inputs + step * directions: a dict of trees, complex when the step is. A direction may be None."""
    return trees.map(lambda leaf, v: leaf + step * (v if v is not None else 0), inputs, directions)


def random_directions(inputs: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """Standard normal trees like inputs."""

    def direction(leaf):
        return array_module(leaf).asarray(rng.standard_normal(leaf.shape))

    return trees.map(direction, inputs)


def sweep(
    function: Callable[..., Any], inputs: dict[str, Any], steps: Iterable[float] | None = None, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """How exact each numeric derivative of a function is, against its step h.

    The slope of L, a random weighting of the outputs, along a random direction through all inputs, by every method and
    step, against the complex step with h = 1e-100. Large steps show truncation, small ones rounding, of which the
    complex step has none.

    Args: function and inputs, as of `check`. steps, values of h; by default 1e-1 to 1e-15.
    Returns: a dict of method to (steps, relative errors), two arrays; `numseq.plots.error_curve` draws it.
    """
    steps = np.logspace(-1, -15, 29) if steps is None else np.asarray(steps)
    rng = np.random.default_rng(seed)
    trace = function(**inputs)
    weights = {output: rng.standard_normal(np.shape(getattr(trace, output))) for output in trace.outputs}
    directions = random_directions(inputs, rng)

    def loss(step):
        trace = function(**along(inputs, directions, step))
        return sum((r * getattr(trace, output)).sum() for output, r in weights.items())

    exact = complex_step(loss)
    return {method: (steps, np.array([abs(slope(loss, method, h) / exact - 1) for h in steps])) for method in TOLERANCE}
