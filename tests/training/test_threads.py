"""The threads of BLAS: how many are chosen, that so many are in force while numseq works and nowhere else, and kept."""

from contextlib import suppress
from threading import current_thread

import numpy as np
import pytest
from helpers_run import TINY, digits, numseq_cli, write_parallel
from test_training import assert_same, press_after

from numseq import backend, threads
from numseq.errors import ConfigError
from numseq.metrics import evaluate
from numseq.models import Seq2Seq
from numseq.search import BeamOptions, Translator
from numseq.threads import blas_threads, choose_threads, in_force
from numseq.training import Adam, DivergedError, InterruptedTraining, TrainingOptions
from numseq.training.checkpoint import load_model
from numseq.training.data_options import DataOptions
from numseq.training.run import resumed_options, train_run

pytestmark = pytest.mark.skipif(in_force() is None, reason="NumPy's BLAS is none that threadpoolctl knows")

MODEL = {"embedding": 5, "hidden": 6, "attention_size": 4}
DATA = DataOptions(source_tokens="char", target_tokens="char")
PAIRS, VALID = digits(40), digits(12, seed=1)
LARGE = np.broadcast_to(np.float32(0), (8_000_000,))  # takes no memory
NUMBERS = (0, -1, 1.5, True, "2")


@pytest.fixture(autouse=True)
def processors(monkeypatch):
    """Three processors, whatever this machine has, and BLAS set to three threads."""
    monkeypatch.setattr(threads, "processors", lambda: 3)
    with blas_threads(3):
        yield
        assert in_force() == 3  # restored, whatever a test did


@pytest.fixture
def seen(monkeypatch):
    """The set of numbers that were in force while a model computed, or was made."""
    found = set()
    for name in ("forward", "start", "step"):
        plain = getattr(Seq2Seq, name)

        def watched(self, *args, plain=plain, **options):
            found.add(in_force())
            return plain(self, *args, **options)

        monkeypatch.setattr(Seq2Seq, name, watched)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was never stopped, of two threads."""
    folder = tmp_path_factory.mktemp("threads") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "processors", lambda: 3)
        train(folder, threads=2)
    return folder


def train(folder, resume=False, say=lambda line: None, **options):
    options = TrainingOptions(**{"epochs": 2, "batch": 8, "lr": 0.01} | options)
    return train_run(folder, PAIRS, VALID, MODEL, DATA, options, resume=resume, say=say)


def kept(folder):
    return resumed_options(folder)[2].threads


# how it is chosen


@pytest.mark.parametrize("rows, n", [(1, 1), (24, 1), (25, 2), (37, 2), (38, 3), (10_000, 3)])
def test_a_thread_for_every_so_many_parameters_times_rows(rows, n):
    assert choose_threads(None, LARGE, rows) == n


def test_no_more_than_blas_is_set_to_or_processors_are_there(monkeypatch):
    with blas_threads(2):
        assert choose_threads(None, LARGE, 1000) == 2
        assert choose_threads(3, LARGE, 1000) == 3  # but what is asked is asked
    monkeypatch.setattr(threads, "processors", lambda: 1)
    assert choose_threads(None, LARGE, 1000) == 1


def test_more_than_there_are_processors_are_said_and_not_taken():
    said = []
    assert choose_threads(64, LARGE, 1, said.append) == 3
    assert said == ["3 threads instead of 64: so many processors can be used here"]


@pytest.mark.parametrize("quota, n", [("max 100000", None), ("250000 100000", 2), ("50000 100000", 1)])
@pytest.mark.parametrize("where", ["", "a", "a/b"])
def test_processors_are_no_more_than_a_container_may_use(tmp_path, quota, n, where):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "own").write_text("0::/a/b\n")
    (tmp_path / where / "cpu.max").write_text(f"{quota}\n")
    assert backend._share(tmp_path / "own", tmp_path) == n


def test_without_control_groups_there_is_no_share(tmp_path):
    assert backend._share(tmp_path / "none", tmp_path) is None
    (tmp_path / "own").write_text("4:cpu:/a\n")
    assert backend._share(tmp_path / "own", tmp_path) is None


# in force while numseq works, and restored


def test_a_block_restores_what_was_whatever_happens_in_it():
    with suppress(ZeroDivisionError), blas_threads(1):
        assert in_force() == 1
        raise ZeroDivisionError
    assert in_force() == 3
    with blas_threads(None):
        assert in_force() == 3


@pytest.mark.parametrize("asked, n", [(None, 1), (1, 1), (2, 2)])
def test_training_computes_with_as_many_as_were_asked_or_chosen(tmp_path, seen, asked, n):
    said = []
    train(tmp_path / "run", say=said.append, threads=asked)
    assert seen == {n} and kept(tmp_path / "run") == n
    assert f"matrix products with {n} thread{'s' if n > 1 else ''}" in said[:2]


@pytest.mark.parametrize("n", [1, 2])
def test_loops_of_numseq_use_no_more_threads_than_blas(tmp_path, monkeypatch, n):
    names, rule = set(), Adam.rule
    monkeypatch.setattr(backend, "processors", lambda: 3)
    monkeypatch.setattr(Adam, "rule", lambda *given: (names.add(current_thread().name), rule(*given)))
    train(tmp_path / "run", threads=n, epochs=1)
    assert all(name.startswith("numseq") for name in names) if n > 1 else names == {current_thread().name}
    assert backend._most == 3  # the fixture's block


def test_training_that_ends_early_restores_too(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(InterruptedTraining):
        press_after(patch, 1)
        train(tmp_path / "stopped", threads=2)
    assert in_force() == 3
    with pytest.raises(DivergedError):
        train(tmp_path / "diverged", threads=2, lr=1e30)


def test_first_values_are_made_with_one_thread(tmp_path, monkeypatch):
    seen, plain = set(), np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda a: (seen.add(in_force()), plain(a))[1])
    train(tmp_path / "run", threads=2, epochs=1)
    assert 1 in seen and seen <= {1, 3}  # 3 where a model is made to be loaded into


DECODING = {
    "translate": lambda translator, **asked: translator.translate(["123", "45"], **asked),
    "beam": lambda translator, **asked: translator.translate(["123"], search=BeamOptions(3), **asked),
    "stream": lambda translator, **asked: next(translator.stream(["1"] * 200, 8, **asked)),
    "evaluate": lambda translator, **asked: evaluate(translator, PAIRS[:3], metrics="exact,ppl", **asked),
    "rescore": lambda translator: translator.rescore(translator.translate(["123"])),
}


@pytest.mark.parametrize("what", DECODING)
def test_decoding_computes_with_as_many_as_were_asked_or_chosen(run, seen, what):
    translator = Translator(*load_model(run))
    DECODING[what](translator)
    assert seen == {1}
    if what != "rescore":
        seen.clear()
        DECODING[what](translator, threads=2)
        assert seen == {2}


def test_what_is_under_way_leaves_no_number_behind(run):
    under_way = Translator(*load_model(run)).stream(["1"] * 200, 8, threads=2)
    next(under_way)
    assert in_force() == 3


@pytest.mark.parametrize("command", ["translate", "score", "evaluate"])
def test_commands_compute_with_as_many_as_were_asked(run, tmp_path, seen, command):
    source, target = write_parallel(tmp_path, VALID)
    files = {
        "translate": ("--input", source),
        "score": ("--source", source, "--target", target),
        "evaluate": ("--source", source, "--reference", target),
    }
    result = numseq_cli(command, run, *files[command], "--threads", 2)
    assert result.code == 0 and seen == {2}, result
    result = numseq_cli(command, run, *files[command], "--threads", 64)
    assert "3 threads instead of 64" in result.err and seen == {2, 3}
    result = numseq_cli(command, run, *files[command])
    assert "threads" not in result.err and seen == {1, 2, 3}


def test_checks_of_gradients_take_one(monkeypatch):
    seen = []
    monkeypatch.setattr("numseq.mistakes.run_cases", lambda *given: seen.append(in_force()) or [])
    monkeypatch.setattr("numseq.mistakes.trial.trial", lambda: seen.append(in_force()) or [])
    numseq_cli("gradcheck", "lstm_step")
    numseq_cli("gradcheck", "--bugs")
    assert seen == [1, 1]


# the same bits, and what is kept


def test_the_same_seed_and_number_give_the_same_bits(run, tmp_path):
    train(tmp_path / "again", threads=2)
    assert_same(run, tmp_path / "again")


def test_a_run_that_was_stopped_goes_on_with_the_number_it_began_with(run, tmp_path, monkeypatch, seen):
    with monkeypatch.context() as patch, pytest.raises(InterruptedTraining):
        press_after(patch, 3)
        train(tmp_path / "run", threads=2)
    with blas_threads(1):  # as another OPENBLAS_NUM_THREADS
        train(tmp_path / "run", resume=True)
    assert seen == {2} and kept(tmp_path / "run") == 2
    assert_same(run, tmp_path / "run")


def test_another_number_on_resuming_is_taken_said_and_kept(tmp_path, monkeypatch, seen):
    train(tmp_path / "run", threads=3, epochs=1)
    for epochs, asked, available, n in ((2, 1, 3, 1), (3, None, 3, 1), (4, 2, 3, 2), (5, None, 1, 1)):
        monkeypatch.setattr(threads, "processors", lambda available=available: available)
        said, before = [], kept(tmp_path / "run")
        seen.clear()
        train(tmp_path / "run", resume=True, threads=asked, epochs=epochs, say=said.append)
        assert seen == {n} and kept(tmp_path / "run") == n
        changed = f"the run began with {before}: the last bits of what follows can be others than without this change"
        assert (changed in said) == (before != n)
    assert said[0] == "1 thread instead of 2: so many processors can be used here"


def test_the_command_resumes_with_another_number(tmp_path):
    source, target = write_parallel(tmp_path, PAIRS)
    out = ("--out", tmp_path / "run")
    data = ("--source", source, "--target", target, "--source-tokens", "char", "--target-tokens", "char")
    result = numseq_cli("train", *TINY, *out, *data, "--epochs", 1)
    assert result.code == 0 and "matrix products with 1 thread\n" in result.out
    result = numseq_cli("train", *out, "--resume", "--epochs", 2, "--threads", 2)
    assert result.code == 0 and "matrix products with 2 threads\nthe run began with 1: " in result.out
    result = numseq_cli("train", *out, "--resume", "--epochs", 3)
    assert result.code == 0 and "matrix products with 2 threads\n" in result.out and "began" not in result.out


# what is refused, and what cannot be set


@pytest.mark.parametrize("asked", NUMBERS, ids=repr)
def test_what_is_no_number_of_threads_is_refused(run, tmp_path, asked):
    wanted = "threads is .*: it must be a whole number of at least 1"
    with pytest.raises(ConfigError, match=wanted):
        train(tmp_path / "run", threads=asked)
    with pytest.raises(ConfigError, match=wanted):
        Translator(*load_model(run)).translate(["123"], threads=asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "demo", "translate", "score", "evaluate"])
@pytest.mark.parametrize("asked", ["0", "-1", "1.5", "two"])
def test_commands_refuse_it_too(tmp_path, command, asked):
    result = numseq_cli(command, "--threads", asked, *(["--out", tmp_path / "out"] * (command in ("train", "demo"))))
    assert result.code == 2 and "--threads" in result.err and not (tmp_path / "out").exists()


def test_a_blas_that_is_not_known_is_said_once_and_training_goes_on(tmp_path, monkeypatch):
    known = threads._blas()
    said = []
    with monkeypatch.context() as patch:
        patch.setattr(threads, "_blas", lambda: known.select(user_api="none"))
        train(tmp_path / "run", say=said.append, threads=2)
    assert [line for line in said if "thread" in line] == [
        "matrix products with as many threads as BLAS likes: threadpoolctl does not know this one"
    ]
    assert kept(tmp_path / "run") == 2  # for where it can be set


def test_on_a_gpu_there_is_nothing_to_set(monkeypatch):
    monkeypatch.setattr(threads, "array_module", lambda x: "cupy")
    said = []
    assert choose_threads(None, LARGE, 1000, said.append) is None and not said
    assert choose_threads(2, LARGE, 1000, said.append) is None and "GPU" in said[0]
