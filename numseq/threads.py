"""With how many threads BLAS, the library below NumPy, computes matrix products.

OpenBLAS's threads wait for one another without letting go of their processors. On an idle machine that is fast. Where
other work wants a processor, every product waits for a thread that does not run: a step then takes many times as long.
So what gains nothing from a second thread has one, whatever else the machine does, and does not hand work over to
workers of numseq's own either.

The last bits of a product can depend on the number. It is chosen by sizes alone, and a run keeps the one it began with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import array_module, at_most, processors
from numseq.options import Option

WORTH = 100_000_000  # parameters times rows that are worth a thread: see docs/performance.md
THREADS = Option(
    name="threads",
    kinds=(int,),
    default=None,
    help="Threads of the matrix products.",
    least=1,
    otherwise="by the sizes of model and batch",
)


@cache
def _blas():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def in_force() -> int | None:
    """With how many threads BLAS computes now; None where it cannot be known."""
    return max((library.num_threads for library in _blas().lib_controllers), default=None)


@contextmanager
def blas_threads(n: int | None) -> Iterator[None]:
    """Inside this block BLAS computes with n threads, and numseq's own loops with no more (`backend.at_most`), in the
    whole process; after it as before. None changes nothing.
    """
    if n is None:
        yield
    else:
        with _blas().limit(limits=n), at_most(n):
            yield


def choose_threads(
    asked: int | None, params: trees.Tree, rows: int, say: Callable[[str], Any] = lambda line: None
) -> int | None:
    """How many threads are right for a model and a batch of so many rows.

    Equations: n = parameters * rows / WORTH, rounded down; at least 1, and not above what BLAS is set to, as by the
        variable OPENBLAS_NUM_THREADS. Instead of n what is `asked`, if anything. Never more than there are processors.

    Args: asked, a number or None. params, the model's. rows, of a batch. say: called with a line where the number is
        another than what was asked, or cannot be set.
    Returns: the number; None where it cannot be set: on a GPU, or with a BLAS that threadpoolctl does not know.
    Raises: ConfigError, when what is asked is no whole number of at least 1.
    """
    asked, most = THREADS.checked(asked), processors()
    if array_module(trees.leaves(params)[0]) is not np:
        if asked is not None:
            say("threads change nothing here: the matrix products are the GPU's")
        return None
    if (now := in_force()) is None:
        say("matrix products with as many threads as BLAS likes: threadpoolctl does not know this one")
        return None
    if asked is None:
        return max(1, min(trees.count(params) * rows // WORTH, now, most))
    if asked > most:
        say(f"{_counted(most)} instead of {asked}: so many processors can be used here")
    return min(asked, most)


def run_threads(
    asked: int | None, kept: int | None, params: trees.Tree, rows: int, say: Callable[[str], Any]
) -> int | None:
    """The same for a training run, said: what is asked, else what the run has kept since it began, else chosen.

    Args: kept, None of a new run. The others: see `choose_threads`.
    """
    n = choose_threads(kept if asked is None else asked, params, rows, say)
    if n is None:
        return kept if asked is None else asked  # where it can be set, it will be
    say(f"matrix products with {_counted(n)}")
    if kept not in (None, n):
        say(f"the run began with {kept}: the last bits of what follows can be others than without this change")
    return n


def _counted(n):
    return f"{n} thread{'s' if n > 1 else ''}"
