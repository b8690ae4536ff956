"""Small corpora and tiny runs, for the tests of data, training and the command line."""

import io
import json
import math
import os
import random
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numseq
from numseq import backend, cli
from numseq.training import checkpoint, progress

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(numseq.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
TINY = ("--hidden", 8, "--embedding", 6, "--batch", 8, "--lr", 0.03)  # options of numseq train
OF_THE_MACHINE = ("seconds", "tokens_per_second", "peak_memory")  # in a line of the metrics


def digits(n, seed=0):
    """n pairs of a short string of digits and the same reversed."""
    rng = random.Random(seed)
    strings = ["".join(rng.choices("0123456789", k=rng.randint(2, 7))) for _ in range(n)]
    return [(s, s[::-1]) for s in strings]


def words(n, seed=0):
    """The same as `digits`, each digit a word."""
    return [(" ".join(s), " ".join(t)) for s, t in digits(n, seed)]


def write_parallel(folder, pairs, name=""):
    """(source file, target file) of some pairs."""
    files = folder / f"{name}source.txt", folder / f"{name}target.txt"
    for file, side in zip(files, zip(*pairs, strict=True), strict=True):
        file.write_text("".join(f"{line}\n" for line in side), encoding="utf-8")
    return files


def snapshot(folder):
    """Name, size and time of change of every file under a folder; names of the folders."""
    entries = ((path, path.lstat()) for path in sorted(folder.rglob("*")))
    return {
        str(path.relative_to(folder)): None if path.is_dir() else (found.st_size, found.st_mtime_ns)
        for path, found in entries
    }


def edit_config(folder, edit):
    """Change what a run's config.json says by edit(dict), and give it the checksum of what it says then."""
    path = folder / checkpoint.CONFIG
    said = json.loads(path.read_text())
    del said["crc32"]
    edit(said)
    said["crc32"] = checkpoint.checksum(checkpoint._canonical(said))
    path.write_text(json.dumps(said))


@dataclass
class Result:
    code: int
    out: str
    err: str


def numseq_cli(*args, encoding="utf-8"):
    """Run the command line in this process. An exception that it does not handle reaches the test."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
    before, code = backend._current, 0
    argv = ["numseq", *map(str, args)]
    try:
        quiet = mock.patch.object(progress, "FIRST", math.inf)  # however slow the machine
        with quiet, mock.patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
            cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        backend._current = before
    return Result(code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())


def how_to_go_on(err):
    """The arguments of numseq in what is said after Ctrl-C, as a shell would cut them."""
    [line] = [line for line in err.splitlines() if line.startswith("to go on: ")]
    words = shlex.split(line)
    return words[words.index("numseq") + 1 :]


def numseq_process(*args, **options):
    """Start `python -m numseq` in a process of its own; returns the Popen."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-m", "numseq", *map(str, args)], env=ENVIRONMENT, **options)
