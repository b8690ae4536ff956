"""How time and memory of a training step grow: S, T, B, H and V doubled several times, one at a time.

Time is the median of forward and backward, clip and Adam; memory is the peak of what NumPy allocates in them. Both are
fitted as size ** exponent on the larger half of the sizes, where fixed costs are small. A step's products cost
S, T, B, V each to the first power, but S * T in the attention; H to the second power in the recurrent products, to the
first in the readout and in what is pointwise.

    python -m benchmarks.scaling [--json F]
"""

import statistics
import tracemalloc

import numpy as np

from benchmarks.process import numseq_step
from benchmarks.timing import arguments, describe, in_turn, write

BASE = {"V": 1000, "E": 64, "H": 64, "B": 32, "S": 16, "T": 16}
MIB = 1 << 20
AXES = {"S": 5, "T": 5, "B": 5, "H": 5, "V": 6}  # doublings


def peak(function):
    """The most bytes that a call holds at a time."""
    tracemalloc.start()
    function()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def exponent(sizes, values):
    """The slope of log(values) over log(sizes) on the larger half."""
    half = len(sizes) // 2
    return np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)[0]


def grow(axis, doublings, rounds, base=BASE):
    """Measure along one axis, print and return the rows."""
    sizes = [base[axis] << k for k in range(doublings + 1)]
    steps = {size: numseq_step(tuple((base | {axis: size}).values())) for size in sizes}
    times = in_turn(steps, rounds, warm_up=2)
    seconds = [statistics.median(times[size]) for size in sizes]
    bytes_ = [peak(steps[size]) for size in sizes]
    line = [f"{n}: {1e3 * s:.1f} ms {b / MIB:.0f} MiB" for n, s, b in zip(sizes, seconds, bytes_, strict=True)]
    print(f"{axis} = " + ", ".join(line))
    time_exponent, memory_exponent = exponent(sizes, seconds), exponent(sizes, bytes_)
    print(f"   time ~ {axis}^{time_exponent:.2f}, memory ~ {axis}^{memory_exponent:.2f}", flush=True)
    return {
        "name": "scaling", "shape": axis, "sizes": sizes, "seconds": seconds, "bytes": bytes_,
        "time_exponent": time_exponent, "memory_exponent": memory_exponent,
    }  # fmt: skip


def main():
    options = arguments(__doc__.splitlines()[0], rounds=7)
    describe()
    write(options.json, [grow(axis, doublings, options.rounds) for axis, doublings in AXES.items()])


if __name__ == "__main__":
    main()
