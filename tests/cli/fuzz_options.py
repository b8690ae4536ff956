"""Random options with random values, of all commands: a line that says what is wrong and nothing written, or it works.

    python tests/cli/fuzz_options.py --count 1000 --seed 0

Options are those that the commands have. Prints what is not so, and a summary; the exit status is 1 if there is any.
"""

import argparse
import io
import os
import random
import shutil
import sys
import tempfile
import textwrap
import time
from collections import Counter
from dataclasses import replace
from enum import EnumType
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args, get_origin
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers_fork import DiedError, each_forked, forked, show_broken
from helpers_run import numseq_cli, snapshot, words, write_parallel
from typer.main import get_command

from numseq import demo, metrics, plots  # noqa: F401  (here, so that no copy has to)
from numseq.cli.common import app
from numseq.training import TrainingOptions, convert, verify  # noqa: F401

MEMORY = 1 << 30
SMALL = ("--hidden", "4", "--embedding", "4", "--batch", "8", "--epochs", "1")
BASE = {  # a command that works
    "train": ("--source", "source.txt", "--target", "target.txt", "--out", "new", *SMALL),
    "tune": ("small.toml", "--out", "new", *SMALL, "--vary", "lr=1e-3..1e-1", "--trials", "2"),
    "info": ("run",),
    "translate": ("run", "--input", "lines"),
    "evaluate": ("run", "--source", "source.txt", "--reference", "target.txt", "--metric", "exact,ppl"),
    "errors": ("run", "--source", "source.txt", "--reference", "target.txt"),
    "score": ("run", "--source", "source.txt", "--target", "target.txt"),
    "attention": ("run", "1 2 3", "--out", "picture.png"),
    "chat": ("talk",),
    "gradcheck": ("lstm_step", "--method", "central"),
    "dates": ("dates", "--train", "6", "--valid", "2", "--test", "2"),
    "demo": ("--out", "demo"),
    "verify": ("run",),
    "average": ("run", "--last", "1", "--out", "mean"),
    "lr-range": ("--source", "source.txt", "--target", "target.txt", "--out", "picture.png", "--steps", "3", *SMALL),
    "plot": ("run", "--out", "picture.png"),
    "convert": ("run",),
}
NUMBERS = (
    "-1", "0", "1", "2", "3", "5", "0.5", "1.5", "1e3", "1e-9", "-0.0", "1e400", "nan", "inf", "-inf", "0x10", "1_0",
    " 3", "٣",
)  # fmt: skip
HUGE = ("100000", "1000000000", "9" * 20, "9" * 5000, "1e30")
TEXTS = (
    "lr=1..2", "hidden=4,6",
    "", " ", "x", "none", "all", "\0", "a\0b", "\ud800", "é" * 300, "--", "-", "-x", "a,b", ",", "%s", "{}", "\n",
    "x" * 100_000,
)  # fmt: skip
PATHS = (
    "source.txt", "target.txt", "pairs.tsv", "lines", "run", "other", "folder", "folder/new", "none/new", "file/new",
    "empty", "binary", "link", "loop", "/dev/null", "/dev/full", "out.json", "out.png", "out.svg", "out.PNG",
    "pipe", "given", "small.toml", "dialogues.txt", "talk",
)  # fmt: skip
ENDLESS = ("epochs", "bugs")  # what is right, and takes long


def kinds(param):
    """What somebody may think that an option takes."""
    kind = param.type_descriptor.annotation
    if get_origin(kind) is Literal or isinstance(kind, EnumType):
        return get_args(kind) or [choice.value for choice in kind]
    return {Path: PATHS, int: NUMBERS, float: NUMBERS}.get(kind, TEXTS)


def value(rng, param):
    """One that may be right more often than not, or any."""
    several = [kinds(param)] * 3 + [NUMBERS, TEXTS, PATHS] + ([] if param.name in ENDLESS else [HUGE])
    return rng.choice(rng.choice(several))


def drawn(rng):
    """Arguments of numseq."""
    name = rng.choice(sorted(BASE))
    command = get_command(app).commands[name]
    args = list(BASE[name])
    options = [one for one in command.params if one.param_type_name == "option" and one.name not in ENDLESS]
    if rng.random() < 0.1:  # something is missing
        del args[rng.randrange(len(args))]
    for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3, 4])):
        if options and rng.random() < 0.9:
            param = rng.choice(options)
            args.append(rng.choice(param.opts + param.secondary_opts))
            if not param.is_flag or rng.random() < 0.05:
                args.append(value(rng, param))
        elif args:  # another argument, or one more
            k = rng.randrange(len(args) + 1)
            more = rng.choice([NUMBERS, TEXTS, PATHS, ("--x", "--hidden", "--beam")])
            args[k : k + rng.choice([0, 1])] = [rng.choice(more)]
    if name == "gradcheck" and "lstm_step" not in args:  # the whole table takes minutes
        args.append("lstm_step")
    return [name, *_without_endless(args)]


def _without_endless(args):
    """--epochs 1000 is right, and takes long."""
    for k, arg in enumerate(args[:-1]):
        if arg == "--epochs" and args[k + 1] not in ("-1", "0", "", "x", "nan", "1.5"):
            args[k + 1] = "1"
    return args


class Workplace:
    """A folder with what options may name: there, a copy of it in which the commands run."""

    def __init__(self, folder):
        self.made, self.there = folder / "made", folder / "there"
        self.made.mkdir()
        write_parallel(self.made, words(16))
        for name, text in (
            ("pairs.tsv", "1 2\t2 1\n3 4\t4 3\n"),
            ("lines", "1 2 3\n\n7\n"),
            ("file", "x"),
            ("empty", ""),
            ("dialogues.txt", "1 a\tb\n2 c d\n3 e\tf g\n1 a\tf\n" * 3),
            ("small.toml", '[files]\nsource = "source.txt"\ntarget = "target.txt"\n'),
        ):
            (self.made / name).write_text(text)
        (self.made / "binary").write_bytes(bytes(range(256)))
        (self.made / "folder").mkdir()
        (self.made / "link").symlink_to("source.txt")
        (self.made / "loop").symlink_to("loop")
        pairs = ("--source", self.made / "source.txt", "--target", self.made / "target.txt")
        for name, *options in (
            ("run", *pairs, "--keep-last", 1),
            ("other", *pairs, "--min-count", 9),
            ("talk", "--task", "dialogue", "--text", self.made / "dialogues.txt"),
        ):
            out = self.made / name
            done = forked(lambda: numseq_cli("train", "--out", out, *SMALL, *options))  # noqa: B023
            assert done.code == 0, done

    def lay_out(self):
        shutil.rmtree(self.there, ignore_errors=True)
        shutil.copytree(self.made, self.there, symlinks=True)
        os.mkfifo(self.there / "pipe")
        os.chdir(self.there)  # of a copy of this process

    def attempt(self, case):
        """Returns: (arguments, how it ended, [what is wrong])."""
        rng = random.Random(f"{case}")
        args = drawn(rng)
        self.lay_out()
        before = snapshot(self.there)
        with _streams(args) as args, _small_demo():
            try:
                done = numseq_cli(*args)
            except BaseException as error:
                return args, "raised", [f"{type(error).__name__}: {error}"[:500]]
        if done.code == 0:
            return args, "works", self.not_right(args, done)
        wrong = [] if done.code in (1, 2) else [f"ends with {done.code}"]
        said = done.err.strip().splitlines()
        if not said and not _of_verdicts(args, done):
            wrong.append("says nothing")
        if "Traceback" in done.err or "a bug in" in done.err or len(said) > 6:
            wrong.append(f"says {done.err!r:.800}")
        if (now := snapshot(self.there)) != before and not _began(args, done):
            others = sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
            wrong.append(f"is refused ({said}), and these are others: {others}"[:1500])
        return args, "refused", wrong

    def not_right(self, args, done):
        wrong = [f"says {done.err!r:.500}"] if "Traceback" in done.err or "a bug in" in done.err else []
        if args[0] == "train" and "--help" not in args:
            run = self.there / _last(args, "--out")
            checked = numseq_cli("verify", run)
            wrong += [f"verify: {checked.out}{checked.err}"] if checked.code else []
        rows = [
            row.split("\t") for row in done.out.splitlines()
        ]  # one without a hypothesis is empty, and nan its scores
        if args[0] == "evaluate" and "nan" in done.out.split():
            wrong.append("gives nan")
        if args[0] == "translate" and any(row[0] == "nan" and row[-1] for row in rows):
            wrong.append("gives nan")
        if args[0] == "score" and any("nan" in row and set(row) != {"nan"} for row in rows):
            wrong.append("gives nan")
        return wrong


def _last(args, flag):
    found = [value for name, value in pairwise(args) if name == flag]
    return found[-1] if found else "."


def _of_verdicts(args, done):
    """gradcheck and verify say on standard output what is wrong, and exit with 1."""
    return args[0] in ("gradcheck", "verify") and done.code == 1 and "WRONG" in done.out


def _began(args, done):
    """Training that began, and could not go on, has left its run; a full disk is seen when one writes there."""
    failed = any(why in done.err for why in ("training stopped", "every trial failed"))
    return done.code == 1 and (failed or "/dev/full" in args)


class _streams:
    """Standard input with lines, a pipe with lines for "given", and somebody who reads what is written to the pipe."""

    def __init__(self, args):
        self.args = args

    def __enter__(self):
        reading, writing = os.pipe()
        os.write(writing, b"1 2 3\n4\n")
        os.close(writing)
        self.open = [reading, os.open("pipe", os.O_RDWR | os.O_NONBLOCK)]
        self.stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(b"1 2\n3\n"))
        reads = {"--output", "--json", "--attention", "--out"}  # into a pipe one may write; to read it is to wait
        args = [arg if arg != "pipe" or self.args[k - 1] in reads else "given" for k, arg in enumerate(self.args)]
        return [f"/dev/fd/{reading}" if arg == "given" else arg for arg in args]

    def __exit__(self, *exc_info):
        sys.stdin = self.stdin
        for number in self.open:
            os.close(number)


def _small_demo():
    model, training = {"embedding": 4, "hidden": 4, "attention_size": 4}, TrainingOptions(epochs=1, batch=8)
    small = {name: replace(one, sizes=(24, 6, 8), model=model, training=training) for name, one in demo.DEMOS.items()}
    return mock.patch.dict(demo.DEMOS, small)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args(arguments)
    began, ends, broken = time.time(), Counter(), 0
    numseq_cli("--version")  # now every command is imported
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(Path(folder))
        for case, found in each_forked(place.attempt, [(said.seed, k) for k in range(said.count)], MEMORY, at_once=25):
            args, end, wrong = ([], "died", [str(found)]) if isinstance(found, DiedError) else found
            ends[end] += 1
            if wrong:
                broken += 1
                args = args or drawn(random.Random(f"{case}"))
                show_broken(f"{case}, {end}: {[textwrap.shorten(arg, 60) for arg in args]}", wrong)
    print(f"{said.count} commands: {dict(ends)}, {broken} broken, {time.time() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
