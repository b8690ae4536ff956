"""Two processes do not write in one folder: the second is told of the first, and nothing is lost."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers_run import ENVIRONMENT, digits, numseq_cli, snapshot, words, write_parallel

from numseq.data import Pairs, Tokens
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import CheckpointError, DataOptions, Trainer, TrainingOptions, train_run
from numseq.training import lock as locks
from numseq.training.checkpoint import CONFIG, METRICS, TOKENS, TRAINING
from numseq.training.checkpoint import MODEL as MODEL_FILE
from numseq.training.experiment import EXPERIMENT
from numseq.training.lock import LOCK, LockedError, locked, writer
from numseq.training.verify import verify

HOLDER = """
import os, sys
from numseq.training.lock import locked
with locked(sys.argv[1]):
    print("has it", flush=True)
    sys.stdin.readline()
"""
DATA = DataOptions(source_tokens="char", target_tokens="char")
FILES = {CONFIG, EXPERIMENT, MODEL_FILE, TRAINING, METRICS, *TOKENS}
MODEL = {"embedding": 4, "hidden": 4, "attention_size": 4}


def train(folder, resume=False, epochs=1):
    options = TrainingOptions(epochs=epochs, batch=8)
    return train_run(folder, digits(20), digits(4, 1), MODEL, DATA, options, resume=resume, say=lambda line: None)


@pytest.fixture
def holder(tmp_path):
    """A process that has the lock of tmp_path / "run"."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")],
        env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "has it\n"
        yield process
        process.kill()


@pytest.fixture
def run(tmp_path):
    train(tmp_path / "run")
    return tmp_path / "run"


def test_the_second_is_refused_in_a_line_that_names_the_first(run, holder):
    before = snapshot(run)
    for what in (lambda: train(run, resume=True, epochs=2), lambda: locked(run).__enter__()):
        with pytest.raises(LockedError, match=rf"in use by process {holder.pid} on \S+: wait") as error:
            what()
        assert "\n" not in str(error.value)
    assert snapshot(run) == before
    assert f"process {holder.pid} on " in writer(run)


@pytest.mark.parametrize("name", ["", "process {dead} on {host}", "process {beyond} on {host}"])
def test_who_died_is_not_named_while_the_next_has_not_written_its_name(tmp_path, name):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = tmp_path / LOCK
    path.write_text(name.format(dead=dead.pid, beyond="9" * 30, host=socket.gethostname()))
    with path.open() as held:
        locks._lock(held.fileno())
        with pytest.raises(LockedError, match="in use by another process"), locked(tmp_path):
            pass
        assert writer(tmp_path) == "another process"


def test_a_name_of_another_host_is_said(tmp_path):
    path = tmp_path / LOCK
    path.write_text("process 7 on elsewhere")
    with path.open() as held:
        locks._lock(held.fileno())
        assert writer(tmp_path) == "process 7 on elsewhere"


def test_a_new_run_where_another_begins_is_refused(tmp_path, holder):
    with pytest.raises(LockedError):
        train(tmp_path / "run")
    assert os.listdir(tmp_path / "run") == [LOCK]


@pytest.mark.parametrize("command", ["train --out {run} {corpus}", "convert {run}", "verify {run}", "demo --out {run}"])
def test_every_command_that_writes_there_is_refused(run, holder, command, tmp_path):
    source, target = write_parallel(tmp_path, words(12))
    before = snapshot(run)
    result = numseq_cli(*command.format(run=run, corpus=f"--source {source} --target {target}").split())
    assert result.code == 1 and f"process {holder.pid} on" in result.err and result.err.count("\n") == 1
    assert snapshot(run) == before


def test_reading_needs_no_lock(run, holder, tmp_path):
    (tmp_path / "in").write_text("1 2\n")
    assert numseq_cli("translate", run, "--input", tmp_path / "in").code == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_system_gives_the_lock_free_when_its_process_dies(run, holder, number):
    os.kill(holder.pid, number)
    holder.wait()
    assert writer(run) is None
    train(run, resume=True, epochs=2)
    assert not (run / LOCK).exists()


def test_one_thread_may_ask_again_another_may_not(tmp_path):
    refused = []

    def other():
        try:
            with locked(tmp_path / "run"):
                pass
        except LockedError as error:
            refused.append(str(error))

    with locked(tmp_path / "run"):
        with locked(tmp_path / "run"):
            assert (tmp_path / "run" / LOCK).exists()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(refused) == 1 and f"process {os.getpid()}" in refused[0]


def test_a_folder_in_which_nothing_came_to_be_goes_again(tmp_path):
    with locked(tmp_path / "new" / "folder"):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    with locked(tmp_path / "there"):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]


@pytest.mark.parametrize("command", ["demo --out {file}", "train --out {file} --tsv {tsv}"])
@pytest.mark.parametrize("inside", ["", "/run"])
def test_a_file_is_no_folder_of_a_run(tmp_path, command, inside):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "tsv").write_text("a b\tc d\n" * 9)
    words = command.format(file=f"{tmp_path}/file{inside}", tsv=tmp_path / "tsv").split()
    result = numseq_cli(*words)
    assert result.code == 1 and result.err.count("\n") == 1
    assert f"{tmp_path}/file{inside} cannot be the folder of a run: {tmp_path}/file is a file" in result.err
    assert (tmp_path / "file").read_text() == "mine"


def test_two_names_of_one_folder_are_one_folder(tmp_path, holder):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(LockedError):
        train(tmp_path / "link")


def test_a_lock_that_was_removed_by_who_had_it_is_no_lock(tmp_path, monkeypatch):
    """Between the opening of the lock's file and the locking, the one who had it may end, and remove it."""
    folder, lock = tmp_path / "run", locks._lock
    calls = []

    def late(number, shared=False):
        calls.append(number)
        if len(calls) == 1:
            (folder / LOCK).unlink()
        return lock(number, shared)

    monkeypatch.setattr(locks, "_lock", late)
    folder.mkdir()
    with locked(folder):
        assert (folder / LOCK).exists() and writer(folder)
    assert len(calls) >= 2


def test_a_file_system_that_cannot_lock_is_told_of(tmp_path, monkeypatch):
    def cannot(number, shared=False):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_lock", cannot)
    said = []
    with locked(tmp_path / "run", said.append):
        pass
    assert said == [
        f"{tmp_path}/run cannot be locked here (No locks available): make sure that nothing else trains in it"
    ]


def test_parts_that_a_dead_writer_left_are_removed(run):
    (run / ".model.safetensors.0123456789abcdef.part").write_bytes(b"half")
    train(run, resume=True, epochs=2)
    assert not list(run.glob(".*"))


# a folder that is not the one it was


def renamed_after(epoch, folder, then):
    """What to call with lines of text: after an epoch the folder is moved away, and something else done."""

    def say(line):
        if line.startswith(f"epoch   {epoch}"):
            folder.rename(folder.with_name("moved"))
            then()

    return say


@pytest.mark.parametrize("then", ["nothing", "an empty folder", "another run"])
def test_who_trains_in_a_folder_that_was_renamed_writes_nowhere_else(tmp_path, then):
    folder, moved = tmp_path / "run", tmp_path / "moved"
    do = {"nothing": lambda: None, "an empty folder": folder.mkdir, "another run": lambda: train(folder)}[then]
    say = renamed_after(1, folder, do)
    with pytest.raises(CheckpointError, match=f"{folder} was renamed or removed") as error:
        train_run(folder, digits(20), None, MODEL, DATA, TrainingOptions(epochs=3, batch=8), say=say)
    assert "\n" not in str(error.value)
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    assert MODEL_FILE not in there or {wrong for _, wrong in verify(folder)} == {None}
    assert there == (FILES if then == "another run" else set())
    train_run(moved, digits(20), None, MODEL, DATA, TrainingOptions(epochs=3, batch=8), resume=True)
    assert {wrong for _, wrong in verify(moved)} == {None}


def trainer(folder, resume, epochs=1):
    pairs = digits(20)
    tokens = Tokens.train([source for source, _ in pairs], "char")
    data = Pairs.encode(pairs, tokens, tokens)
    model = Seq2Seq.create(Seq2SeqConfig(len(tokens), len(tokens), **MODEL))
    return Trainer(model, data, data, folder, TrainingOptions(epochs=epochs, batch=8), lambda line: None, resume)


@pytest.mark.parametrize("begun", [False, True])
def test_what_was_trained_since_a_trainer_was_made_is_not_trained_over(tmp_path, begun):
    if begun:
        trainer(tmp_path, resume=False).run()
    late, first = trainer(tmp_path, begun, epochs=3), trainer(tmp_path, begun, epochs=2)
    assert len(first.run()) == 2
    before = snapshot(tmp_path)
    with pytest.raises(CheckpointError, match="something else has trained here meanwhile"):
        late.run()
    assert snapshot(tmp_path) == before
    assert len(first.run()) == 2  # the one that did may be asked again


@pytest.mark.parametrize("name", [METRICS, MODEL_FILE, TRAINING])
def test_what_cannot_be_written_is_said_before_training(run, monkeypatch, name):
    """Root may write everything, so what the system would say to others is said here."""
    usual = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: os.path.basename(path) != name and usual(path, mode))
    before = snapshot(run)
    with pytest.raises(PermissionError) as error:
        train(run, resume=True, epochs=2)
    assert error.value.filename == str(run / name) and error.value.strerror
    after = snapshot(run)
    assert all(after[file] == before[file] for file in (MODEL_FILE, TRAINING, METRICS))


def test_a_lock_that_another_user_left_is_taken(run, monkeypatch):
    """Root may write everything, so what the system would say to others is said here."""
    (run / LOCK).write_text("process 7 on elsewhere")
    usual = os.open

    def refuse(path, flags, *mode):
        if os.path.basename(path) == LOCK and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return usual(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)
    with locked(run):
        assert writer(run)
        with pytest.raises(LockedError):
            in_a_thread(lambda: locked(run).__enter__())


def in_a_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_a_full_disk_is_no_reason_not_to_lock(tmp_path, monkeypatch):
    def full(number, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with locked(tmp_path):
            assert writer(tmp_path) == "another process"
    assert writer(tmp_path) is None
