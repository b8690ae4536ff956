"""Several processes train in one folder at once, and some are killed: one run, whole, each time.

    python tests/training/crowd.py --count 100 --seed 0

They begin together. One is killed when it has said a line, or when a file is there; then another begins. Each ends
well, or killed, or with a line that says who has the folder; in the end the run is the one that nothing disturbed, and
no epoch was trained twice. Prints what is not so, and a summary; the exit status is 1 if there is any.
"""

import argparse
import io
import os
import random
import re
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers_fork import LONG, show_broken
from scenes import scenes

from numseq import cli
from numseq.training import run, trainer  # noqa: F401  (here, so that no copy has to)
from numseq.training.checkpoint import CONFIG, METRICS, MODEL, SOURCE_TOKENS, TRAINING
from numseq.training.lock import LOCK

SIZES = (2, 3, 5)
FILES = (LOCK, SOURCE_TOKENS, CONFIG, TRAINING, MODEL, METRICS)


class Process:
    """One that trains, as soon as the barrier, a pipe, is closed."""

    def __init__(self, command, barrier=None):
        self.out, writing = os.pipe()
        self.said, self.killed, self.code = b"", False, None
        self.number = os.fork()
        if self.number:
            os.close(writing)
            return
        code = 99
        try:
            if barrier:
                os.close(barrier[1])
                os.read(barrier[0], 1)
            sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True)
            with mock.patch.object(sys, "argv", ["numseq", *map(str, command)]):
                code = _ending()
        finally:
            os._exit(code)

    @property
    def lines(self):
        return self.said.decode(errors="replace").splitlines()

    def listen(self):
        """Take what it has said; True when that was all."""
        part = os.read(self.out, 1 << 16)
        self.said += part
        if not part:
            os.close(self.out)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])
        return not part

    def kill(self):
        self.killed = True
        os.kill(self.number, signal.SIGKILL)


def _ending():
    try:
        with mock.patch.object(trainer, "SAVE_EVERY", -1):
            cli.main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def attempt(scene, folder, n, rng):
    """n processes, and up to three kills. Returns: (how they ended, what is wrong, lines)."""
    scene.lay_out(folder)
    barrier = os.pipe()
    everyone = [Process(scene.command(folder), barrier) for _ in range(n)]
    for number in barrier:
        os.close(number)
    going, kills = list(everyone), [_event(folder, rng) for _ in range(rng.randrange(4))]
    heard = time.monotonic()
    while going:
        ready, _, _ = select.select([process.out for process in going], [], [], 0.001)
        for process in [process for process in going if process.out in ready]:
            heard = time.monotonic()
            if process.listen():
                going.remove(process)
        if kills and (process := kills[0](going)):
            kills.pop(0)
            process.kill()
            another = Process(scene.command(folder))
            everyone.append(another)
            going.append(another)
        if time.monotonic() - heard > LONG:
            for process in going:
                process.kill()
            return Counter(), [f"nobody said anything in {LONG} s"]
    return _judged(scene, folder, everyone)


def _event(folder, rng):
    """A function of the processes that gives the one to kill, None as long as nothing has happened."""
    if rng.random() < 0.5:
        words, most = rng.choice(["parameters", "epoch ", "validation"]), rng.randint(1, 3)
        return lambda going: next((p for p in going if p.said.decode().count(words) >= most and not p.killed), None)
    name = rng.choice(FILES)

    def there(going):
        if not (folder / name).exists():
            return None
        with suppress(OSError, ValueError, IndexError):  # whoever has it, else anybody
            number = int((folder / LOCK).read_text().split()[1])
            return next((p for p in going if p.number == number and not p.killed), None)
        return next((p for p in going if not p.killed), None)

    return there


def _judged(scene, folder, everyone):
    ends, wrong, epochs = Counter(), [], []
    numbers = {str(process.number) for process in everyone}
    for process in everyone:
        epochs += [line.split("/")[0].split()[-1] for line in process.lines if re.match(r"epoch +\d+/", line)]
        if process.code == 0:
            ends["well"] += 1
        elif process.killed and process.code == -signal.SIGKILL:
            ends["killed"] += 1
        elif process.code == 1 and (found := re.search(r"in use by process (\d+) on ", process.lines[-1])):
            ends["refused"] += 1
            if found[1] not in numbers:
                wrong.append(f"refused because of process {found[1]}, which is none of them")
        elif process.code == 1 and "in use by another process" in process.lines[-1]:  # that had not yet said who it is
            ends["refused"] += 1
        else:
            wrong.append(f"one ends with {process.code}: {process.lines[-3:]}")
    if twice := [epoch for epoch, count in Counter(epochs).items() if count > 1]:
        wrong.append(f"epochs {twice} were trained twice")
    if not ends["killed"] and not ends["well"]:
        wrong.append("all were refused")
    return ends, wrong + scene.mended(folder)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args(arguments)
    began, ends, broken = time.time(), Counter(), 0
    with tempfile.TemporaryDirectory() as work:
        both = scenes(Path(work))[:2]  # that train
        for k in range(said.count):
            n, rng = SIZES[k % len(SIZES)], random.Random(f"{said.seed} {k}")
            scene = rng.choice(both)
            found, wrong = attempt(scene, Path(work) / "try" / "run", n, rng)
            ends += found
            if wrong:
                broken += 1
                show_broken(f"try {k}, {n} processes, a run that {scene.name}", wrong)
    print(f"{said.count} tries: {dict(ends)}, {broken} broken, {time.time() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
