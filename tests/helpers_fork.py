"""Work in copies of this process: quick to start, and what dies, hangs or takes all memory takes nothing with it."""

import os
import pickle
import resource
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

# Threads do not outlive a fork, so none are begun. Set before NumPy is first imported.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

LONG = 300  # seconds without a word; far more than anything here takes on any machine


class DiedError(Exception):
    """The copy came to its end before its work did."""


def forked(work: Callable[[], Any], memory: int | None = None) -> Any:
    """What work() returns. Args: see `each_forked`. Raises: DiedError."""
    [(_, result)] = each_forked(lambda none: work(), [None], memory)
    if isinstance(result, DiedError):
        raise result
    return result


def each_forked(
    work: Callable[[Any], Any], cases: Iterable[Any], memory: int | None = None, at_once: int = 50
) -> Iterator[tuple[Any, Any]]:
    """Yield (case, work(case)) of each case, in its place a DiedError if the copy that did it died, hung or raised.

    Args: memory, bytes that a copy may take beyond what this process has. at_once, so many cases are done in one copy.
    """
    cases = list(cases)
    while cases:
        chunk, done = cases[:at_once], 0
        for result in _results(work, chunk, memory):
            yield chunk[done], result
            done += 1
        cases = cases[done:]


def _results(work, chunk, memory):
    """Those of the first cases, up to the first that the copy did not survive."""
    reading, writing = os.pipe()
    with warnings.catch_warnings(action="ignore"):  # of threads: what forks here has none that hold a lock
        number = os.fork()
    if not number:
        os.close(reading)
        _work(work, chunk, memory, writing)
    os.close(writing)
    end = ""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        for _ in chunk:
            data = _read(pipe)
            if data is None:
                end = f"said nothing in {LONG} s"
                os.kill(number, signal.SIGKILL)
            if not data:
                break
            yield pickle.loads(data)
        else:
            os.waitpid(number, 0)
            return
    _, status = os.waitpid(number, 0)
    yield DiedError(end or f"ended with {os.waitstatus_to_exitcode(status)}")


def _read(pipe):
    """What was sent next, b"" at the end, None when nothing comes."""
    data, length = b"", 8
    while len(data) < length:
        if not select.select([pipe], [], [], LONG)[0]:
            return None
        part = pipe.read(length - len(data))
        if not part:
            return b""
        data += part
        if len(data) == 8:
            length += int.from_bytes(data, "little")
    return data[8:]


def _work(work, chunk, memory, writing):
    """What the copy does: the result of each case is sent."""
    try:
        if memory is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + memory
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for case in chunk:
            try:
                result = work(case)
            except BaseException:
                result = DiedError(traceback.format_exc())
            data = pickle.dumps(result)
            data = memoryview(len(data).to_bytes(8, "little") + data)
            while data:
                data = data[os.write(writing, data) :]
    finally:
        os._exit(0)


def show_broken(what: object, wrong: Iterable[str]) -> None:
    """Print what was tried, and what was wrong with how it ended."""
    print(f"BROKEN, {what}")
    print("\n".join(f"    {line}" for line in "\n".join(wrong).splitlines()), flush=True)
