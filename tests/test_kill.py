"""A run that is killed ends, once resumed, with the bits of a run that was left alone."""

import json
import random
import signal
import subprocess
import time

import pytest
from helpers_run import TINY, how_to_go_on, numseq_process, words, write_parallel

from numseq.training.checkpoint import load_arrays

EPOCHS = 18


def command(corpus, out):
    return ["train", "--source", corpus[0], "--target", corpus[1], "--out", out, "--epochs", EPOCHS, *TINY]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_parallel(tmp_path_factory.mktemp("corpus"), words(300))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, corpus):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    _, err, code = finish(numseq_process(*command(corpus, folder)))
    assert (code, err) == (0, "")
    return folder


def finish(process, seconds=60):
    out, err = process.communicate(timeout=seconds)
    return out.decode(), err.decode(), process.returncode


def wait_for_epochs(run, process, epochs):
    metrics = run / "metrics.jsonl"
    while not (metrics.exists() and metrics.read_bytes().count(b"\n") >= epochs):
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.01)


def assert_same(run, undisturbed):
    assert (run / "model.safetensors").read_bytes() == (undisturbed / "model.safetensors").read_bytes()
    ours, theirs = (load_arrays(folder / "training.safetensors")[0] for folder in (run, undisturbed))
    assert ours.keys() == theirs.keys()
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)
    assert metrics(run) == metrics(undisturbed)


def metrics(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def test_killed_ten_times_at_any_moment(tmp_path, corpus, undisturbed):
    rng, run, killed = random.Random(0), tmp_path / "run", 0
    for _ in range(10):
        process = numseq_process(*command(corpus, run), "--resume")
        try:
            _, err, code = finish(process, rng.uniform(0.2, 2.2))
            assert (code, err) == (0, "")
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
    assert killed >= 3, "too few kills for this test to say anything: make the run longer"
    _, err, code = finish(numseq_process(*command(corpus, run), "--resume"))
    assert (code, err) == (0, "")
    assert_same(run, undisturbed)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, corpus, undisturbed):
    run = tmp_path / "a run"
    process = numseq_process(*command(corpus, run))
    wait_for_epochs(run, process, 1)
    process.send_signal(signal.SIGINT)
    _, err, code = finish(process)
    assert code == 130
    assert err.startswith("stopped at epoch ") and len(err.splitlines()) == 2
    assert how_to_go_on(err) == ["train", "--out", str(run), "--resume"]
    assert finish(numseq_process(*how_to_go_on(err)))[1:] == ("", 0)
    assert_same(run, undisturbed)
