"""A run that is killed ends, once resumed, with the bits of a run that was left alone.

Where it is killed is counted in calls of functions and not in seconds, so that every machine sees the same moments.
"""

import json
import random
import re
import signal
import subprocess
import sys

import pytest
from helpers_run import ENVIRONMENT, OF_THE_MACHINE, TINY, how_to_go_on, words, write_parallel

from numseq.training.arrays import load_arrays

EPOCHS, KILLS = 6, 4
COMMAND_LINE = """
import os, sys
from numseq import cli
from numseq.training.trainer import Trainer

number, last, made, run = int(sys.argv.pop(1)), int(sys.argv.pop(1)), 0, Trainer.run

def count(*call):  # calls and returns of functions in Python and in C
    global made
    made += 1
    if made == last:
        os.kill(os.getpid(), number)

def counted(self):
    sys.setprofile(count)
    try:
        return run(self)
    finally:
        sys.setprofile(None)
        print("calls:", made)

Trainer.run = counted
cli.main()
"""


def numseq(*args, signal=signal.SIGTERM, after=-1):
    """(stdout, stderr, exit code) of the command line, which after so many calls within training gets a signal."""
    command = [sys.executable, "-c", COMMAND_LINE, str(int(signal)), str(after), *map(str, args)]
    done = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout, done.stderr, done.returncode


def command(corpus, out, epochs=EPOCHS):
    return ["train", "--source", corpus[0], "--target", corpus[1], "--out", out, "--epochs", epochs, *TINY]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_parallel(tmp_path_factory.mktemp("corpus"), words(60))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, corpus):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    _, err, code = numseq(*command(corpus, folder))
    assert (code, err) == (0, "")
    return folder


@pytest.fixture(scope="module")
def calls(tmp_path_factory, corpus):
    """How many calls an epoch makes."""
    out, _, _ = numseq(*command(corpus, tmp_path_factory.mktemp("one") / "run", epochs=1))
    return int(re.search("calls: (.*)", out)[1])


def assert_same(run, undisturbed):
    assert (run / "model.safetensors").read_bytes() == (undisturbed / "model.safetensors").read_bytes()
    ours, theirs = (load_arrays(folder / "training.safetensors")[0] for folder in (run, undisturbed))
    assert ours.keys() == theirs.keys()
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)
    assert metrics(run) == metrics(undisturbed)


def metrics(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in OF_THE_MACHINE} for line in lines]


def test_killed_at_any_moment(tmp_path, corpus, undisturbed, calls):
    rng, run = random.Random(0), tmp_path / "run"
    for _ in range(KILLS):  # each run gets through one epoch at most, so none comes to its end before
        moment = rng.randrange(1, 19 * calls // 10)
        assert numseq(*command(corpus, run), "--resume", signal=signal.SIGKILL, after=moment)[2] == -signal.SIGKILL
    _, err, code = numseq(*command(corpus, run), "--resume")
    assert (code, err) == (0, "")
    assert_same(run, undisturbed)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, corpus, undisturbed, calls):
    run = tmp_path / "a run"
    _, err, code = numseq(*command(corpus, run), signal=signal.SIGINT, after=3 * calls // 2)
    assert code == 130
    assert err.startswith("stopped at epoch 2, ") and len(err.splitlines()) == 2
    assert how_to_go_on(err) == ["train", "--out", str(run), "--resume"]
    assert numseq(*how_to_go_on(err))[1:] == ("", 0)
    assert_same(run, undisturbed)
