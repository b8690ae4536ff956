"""One fault at each file operation of a run, then resumed: the same bits as of the run that nothing disturbed.

    python tests/training/faults.py [--sample 300 --seed 0]

All operations are tried, or a sample of them. The run that meets the fault ends in one line, or well, or is killed.
Prints what is not so, and a summary; the exit status is 1 if there is any.
"""

import argparse
import errno
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers_fork import DiedError, forked, show_broken
from operations import relative, watched
from scenes import run_cli, scenes


def fail(number):
    raise OSError(number, os.strerror(number))


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


class Fault:
    """What happens at the operation of a number, and to those after it."""

    def __init__(self, kind, number):
        self.kind, self.number, self.made = kind, number, 0

    def meet(self, operation):
        self.made += 1
        if self.made == self.number:
            return KINDS[self.kind](operation)
        if self.made > self.number and self.kind in FULL and operation.takes_space:
            fail(errno.ENOSPC)
        return operation.do()


def after(then):
    def both(operation):
        operation.do()
        return then()

    return both


KINDS = {
    "I/O error": lambda operation: fail(errno.EIO),
    "I/O error, though it was done": after(lambda: fail(errno.EIO)),
    "no space": lambda operation: fail(errno.ENOSPC),
    "no space from here on": lambda operation: fail(errno.ENOSPC),
    "half of a write, then no space": lambda operation: operation.do_half(),
    "interrupted": lambda operation: fail(errno.EINTR),
    "killed before": lambda operation: kill(),
    "killed after": after(kill),
    "killed in the middle": lambda operation: (operation.do_half(), kill()),
}
FULL = ("no space from here on", "half of a write, then no space")
HALVES = ("half of a write, then no space", "killed in the middle")


def applies(kind, operation):
    return operation.writes if kind in HALVES else kind != "no space from here on" or operation.takes_space


def operations(scene, run):
    """[(how it is shown, kinds of fault that it can meet)] of all operations of the undisturbed run."""

    def counted():
        found = []

        def meet(operation):
            found.append([relative(operation, run), [kind for kind in KINDS if applies(kind, operation)]])
            return operation.do()

        with watched(run, meet):
            code, _, err = run_cli(*scene.command(run))
        assert (code, err) == (0, ""), err
        return found

    scene.lay_out(run)
    return forked(counted)


def attempt(scene, run, kind, number):
    """Run with the fault, then resume without. Returns: (how the first ended, what is wrong, lines)."""
    scene.lay_out(run)

    def disturbed():
        with watched(run, Fault(kind, number).meet):
            return run_cli(*scene.command(run))

    try:
        code, _, err = forked(disturbed)
    except DiedError as error:
        if "killed" in kind and str(error) == f"ended with {-signal.SIGKILL}":
            return "killed", scene.mended(run)
        return "raised", [str(error)]
    wrong = []
    if code == 0:
        wrong += [] if not err else [f"ends well, and says {err.strip()}"]
        for path in run.glob(".*"):  # what could not be removed is nobody's, and goes when the run is resumed
            path.unlink()
        wrong += scene.differences(run)
    elif code != 1 or err.count("\n") != 1 or not err.startswith("numseq: "):
        wrong.append(f"ends with {code} and {err.strip()!r}")
    return "well" if code == 0 else "a line", wrong + scene.mended(run)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="so many faults, drawn; all when not given")
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args(arguments)
    began, ends, broken = time.time(), Counter(), 0
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        run, found = work / "try" / "run", scenes(work)
        faults = []
        for scene in found:
            made = operations(scene, run)
            met = [(scene, k, shown, kind) for k, (shown, kinds) in enumerate(made, start=1) for kind in kinds]
            print(f"a run that {scene.name}: {len(made)} operations, {len(met)} faults", flush=True)
            faults += met
        total = len(faults)
        if said.sample:
            faults = random.Random(said.seed).sample(faults, said.sample)
        for scene, k, shown, kind in faults:
            end, wrong = attempt(scene, run, kind, k)
            ends[end] += 1
            if wrong:
                broken += 1
                show_broken(f"a run that {scene.name}, operation {k}, {shown}, {kind} (ended: {end})", wrong)
    print(f"{len(faults)} of {total} faults, {dict(ends)}, {broken} broken, {time.time() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
