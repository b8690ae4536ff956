"""Which array library computes: NumPy, or CuPy on a GPU. The only file that knows CuPy.

Inside a function, `xp = array_module(x)` is the library of the arrays at hand. `use` chooses where *new* arrays
(parameters, batches) are made. Nothing here imports CuPy until somebody asks for it.
"""

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from numseq.errors import NumseqError

BACKENDS = ("numpy", "cupy")
Array: TypeAlias = np.ndarray  # or CuPy's, which can do the same; its shape stands in a comment or docstring beside it
DType: TypeAlias = type | np.dtype | str  # np.float32, or "float32"
if TYPE_CHECKING:
    from numpy.random import Generator
else:
    Generator = Any  # importing numpy.random takes longer than importing numseq, and CuPy has a Generator of its own


class BackendError(NumseqError):
    """The array library that was asked for cannot be used on this machine."""


def array_module(x: Any) -> ModuleType:
    """The library (`numpy` or `cupy`) that the array `x` belongs to."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(x, cupy.ndarray) else np


def _load(name):
    if name == "numpy":
        return np
    if name != "cupy":
        raise BackendError(f"unknown backend {name!r}: choose one of {', '.join(BACKENDS)}")
    try:
        import cupy
    except ImportError as error:
        raise BackendError(
            f"backend cupy: CuPy cannot be imported ({_one_line(error)}); "
            "pip install cupy-cuda12x, or cupy-cuda13x for CUDA 13"
        ) from None
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises its own CUDARuntimeError, which cannot be named without importing it
        raise BackendError(f"backend cupy: no usable GPU ({_one_line(error)}); use the backend numpy") from None
    if devices == 0:
        raise BackendError("backend cupy: no GPU was found; use the backend numpy")
    return cupy


def _one_line(error):
    return " ".join(str(error).split())


_current = None  # the library of new arrays; None until first asked, when NUMSEQ_BACKEND decides


def current() -> ModuleType:
    """The library in which new arrays are made: set by `use`, at first by the variable NUMSEQ_BACKEND."""
    global _current
    if _current is None:
        name = os.environ.get("NUMSEQ_BACKEND") or "numpy"
        if name not in BACKENDS:
            raise BackendError(f"NUMSEQ_BACKEND is {name!r}: choose one of {', '.join(BACKENDS)}")
        _current = _load(name)
    return _current


class use:
    """Choose where new arrays live: `use("cupy")` from here on, or `with use("cupy"):` for a block.

    Raises:
        BackendError: the name is unknown, CuPy is not installed, or there is no GPU.
    """

    def __init__(self, name: str):
        global _current
        chosen = _load(name)
        self._before, _current = _current, chosen

    def __enter__(self) -> ModuleType:
        return _current

    def __exit__(self, *exc_info: object) -> None:
        global _current
        _current = self._before


def to_numpy(x: Any) -> np.ndarray:
    """A NumPy array of the same values; from a GPU this copies and waits for it."""
    return x.get() if array_module(x) is not np else np.asarray(x)


def asarray(x: Any, dtype: DType | None = None) -> Array:
    """`x` as an array of the current backend, copied only where it must be."""
    xp = current()
    if xp is np:
        return np.asarray(to_numpy(x), dtype=dtype)
    return xp.asarray(x, dtype=dtype)


def keep_freed_memory() -> None:
    """Let this process reuse freed memory instead of giving it back to the system after every large array.

    A training step makes and frees the same large arrays again and again. By default the C library returns those to
    the system, and each new one is cleared page by page: measured, an eighth of a step. No effect but that on speed
    and on what the process holds; only glibc has the switch, elsewhere nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
    mallopt(M_MMAP_MAX, 0)  # large arrays, too, come from the heap
    mallopt(M_TRIM_THRESHOLD, -1)  # and the heap never shrinks


def free_memory(x: Array) -> int | None:
    """How many bytes are free where the array is: on a GPU, or in this process's share of the computer's memory; None
    where the system does not say."""
    xp = array_module(x)
    if xp is not np:
        return xp.cuda.Device().mem_info[0] + xp.get_default_memory_pool().free_bytes()
    left = [_available(), _left_of_group(), _left_of_limit()]
    return min((n for n in left if n is not None), default=None)


def _available(path: str = "/proc/meminfo") -> int | None:
    """What the system could give, without swapping."""
    try:
        said = dict(line.split(":") for line in Path(path).read_text().splitlines())
        return int(said["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):  # not Linux
        return None


def _left_of_group(own: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> int | None:
    """What the control groups of this process, as a container's, leave it; None for all. Of either version."""
    try:
        groups = [line.split(":", 2) for line in Path(own).read_text().splitlines()]
    except OSError:
        return None
    left = []
    for _, kinds, path in groups:
        if kinds == "":
            top, names = Path(root), ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            top = Path(root, "memory")
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / path.strip("/")
        for folder in (group, *group.parents):
            try:
                most, used = (int((folder / name).read_text()) for name in names[:2])
                counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                left.append(most - used + int(counts[names[2]]))  # files that were read make room
            except (OSError, ValueError, KeyError):  # no such file, or "max"
                continue
    return min(left, default=None)


def _left_of_limit() -> int | None:
    """What `ulimit -v` leaves; None for all."""
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError, ValueError):
        return None
    return None if most == resource.RLIM_INFINITY else most - pages * resource.getpagesize()


def for_each(xp: ModuleType, function: Callable[[Any], Any], pieces: Iterable[Any]) -> None:
    """function(piece) for every piece, with NumPy on all processors (see `at_most`): its own loops use only one.

    The pieces must not share memory that is written; each is computed as it would be alone, so the result does not
    depend on the number of processors.
    """
    pieces = list(pieces)
    if xp is np and len(pieces) > 1:
        left = deque(pieces)  # each worker takes the next piece when it is done with one

        def work(_):
            while True:
                try:
                    piece = left.popleft()
                except IndexError:
                    return
                function(piece)

        n = min(_most or len(pieces), processors(), len(pieces))
        if n > 1:
            list(_workers().map(work, range(n)))  # list, so that an error is raised here
        else:
            with np.errstate(all="ignore"):  # as quiet as the workers are
                work(0)
    else:
        for piece in pieces:
            function(piece)


_most = None  # threads that `for_each` may use; None for one on each processor


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Inside this block `for_each` works in so many threads at most; with one, in the caller's."""
    global _most
    before, _most = _most, threads
    try:
        yield
    finally:
        _most = before


@cache
def _workers():
    # What a caller wants to hear of overflow (np.errstate) does not reach other threads, so these keep quiet.
    silence = partial(np.seterr, all="ignore")
    return ThreadPoolExecutor(max_workers=processors(), thread_name_prefix="numseq", initializer=silence)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.cache_clear)  # threads are not forked with their process


def processors() -> int:
    """How many processors this process may use: those it may run on, and no more than its group's share of time."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(here, _share() or here)


@cache
def _share(own: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> int | None:
    """How many whole processors' time the control groups of this process, as a container's, leave it; None for all."""
    try:
        [path] = [line.strip()[3:] for line in Path(own).read_text().splitlines() if line.startswith("0::")]
    except (OSError, ValueError):  # not Linux, or without control groups of version 2
        return None
    group = Path(root, path.strip("/"))
    shares = []
    for folder in (group, *group.parents):
        try:
            quota, period = (folder / "cpu.max").read_text().split()
            shares.append(max(1, int(quota) // int(period)))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(shares, default=None)


def generator(*seed: int) -> Generator:
    """A seeded generator whose draws live on the host: shuffling, and the first values of parameters."""
    return np.random.default_rng(seed)


def device_generator(*seed: int) -> Generator:
    """A seeded generator of the current backend, for draws made where they are used (dropout masks).

    NumPy and CuPy give different numbers for one seed; each gives the same ones every time.
    """
    if current() is np:
        return np.random.default_rng(seed)
    # CuPy takes one integer only; NumPy's own seed hashing makes one of several.
    return current().random.default_rng(int(np.random.SeedSequence(seed).generate_state(1)[0]))


def ragged_steps(mask: Array | None) -> list[bool] | None:
    """For each of the T rows of a mask (T, B): must the step look at the mask at all?

    On the host a look at the row decides. On a GPU looking would mean waiting for it, so every step does.
    """
    if mask is None:
        return None
    if array_module(mask) is not np:
        return [True] * len(mask)
    ragged: Any = ~mask.all(axis=1)
    return ragged.tolist()


def scatter_add_rows(n_rows: int, ids: Array, values: Array) -> Array:
    """Sum the rows of `values` (N, D) that share an id into row `id` of a new array (n_rows, D).

    Equations: out[k] = sum over n with ids[n] = k of values[n].

    `np.add.at` does this one element at a time. Here all rows are put in place at once, which is right wherever an id
    occurs once. The others are sorted by id, so that equal ids are neighbours, and neighbours are added pair by pair,
    as a tournament: about log2(most repeats) rounds of whole-array additions.
    """
    xp = array_module(values)
    out = xp.zeros((n_rows, values.shape[1]), dtype=values.dtype)
    if len(ids) == 0:
        return out
    if xp is not np:
        _cupyx().scatter_add(out, ids, values)
        return out
    out[ids] = values
    order = np.argsort(ids, kind="stable")
    first = np.flatnonzero(np.diff(ids[order], prepend=-1))  # where each run of equal ids begins
    count = np.diff(first, append=len(ids))
    rank = np.arange(len(ids)) - np.repeat(first, count)  # place within its run
    repeated = np.repeat(count > 1, count)
    order, rank = order[repeated], rank[repeated]
    sums, players = values[order], np.arange(len(order))
    while rank.any():
        odd = rank % 2 == 1  # an odd place gives its sum to the even place before it, and is out
        sums[players[np.flatnonzero(odd) - 1]] += sums[players[odd]]
        players, rank = players[~odd], rank[~odd] // 2
    out[ids[order[players]]] = sums[players]
    return out


@cache
def _cupyx():
    import cupyx

    return cupyx
