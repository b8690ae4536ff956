"""Where bytes go: the old file or the new one, never half; links, modes and devices as they were."""

import errno
import io
import os
import stat
import subprocess
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from helpers_run import ENVIRONMENT

from numseq.files import append, check_writable, make_folder, remove_parts, write_atomically

WRITE = "import sys; from numseq.files import write_atomically; write_atomically(sys.argv[1], b'bytes'); print('said')"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("fails", ["replace", "fsync"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_failed_write_leaves_what_was_there(tmp_path, monkeypatch, fails, old):
    path = tmp_path / "file"
    if old:
        path.write_bytes(old)

    def fail(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, fails, fail)
        with pytest.raises(OSError):
            write_atomically(path, b"new and longer")
    assert (path.read_bytes() if path.exists() else None) == old
    write_atomically(path, b"new")  # what is left of the failure is not in the way
    assert path.read_bytes() == b"new" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    events = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *args: (events.append("replace"), replace(*args)))
    write_atomically(tmp_path / "file", b"new")
    assert events[:2] == ["fsync", "replace"]


@pytest.mark.parametrize("target", ["real", "folder/real", "link to real"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link_and_what_it_leads_to_is_written(tmp_path, target, there):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link to real").symlink_to("folder/real")
    real = tmp_path / ("real" if target == "real" else "folder/real")
    if there:
        real.write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    write_atomically(tmp_path / "link", b"new")
    assert os.readlink(tmp_path / "link") == target and real.read_bytes() == b"new" and not real.is_symlink()


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o755])
def test_a_file_keeps_its_mode(tmp_path, bits):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(bits)
    write_atomically(path, b"new")
    assert mode(path) == bits and path.read_bytes() == b"new"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_mode_that_files_get(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o666 & ~mask


def test_a_pipe_is_written_through(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_atomically(tmp_path / "pipe", b"new")
    reader.join()
    assert read == [b"new"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "{out}"])
def test_the_standard_output_is_written_in_its_turn_wherever_it_was_sent(tmp_path, name):
    if not Path("/proc/self/fd/1").exists():
        name = "{out}"
    out = tmp_path / "out"
    with out.open("w") as file:
        file.write("before\n")
        file.flush()
        subprocess.run([sys.executable, "-c", WRITE, name.format(out=out)], env=ENVIRONMENT, stdout=file, check=True)
    assert out.read_text() == "before\nbytessaid\n" and list(tmp_path.iterdir()) == [out]


def test_a_captured_output_is_no_file(tmp_path):
    with redirect_stdout(io.StringIO()):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_name_that_was_put_there_beforehand_is_not_followed(tmp_path, monkeypatch, kind):
    """Whoever guesses the name of the part puts a link there, to have another file overwritten."""
    tokens = iter(["guessed", "guessed", "not guessed"])
    monkeypatch.setattr("secrets.token_hex", lambda n: next(tokens))
    (tmp_path / "victim").write_bytes(b"mine")
    part = tmp_path / ".file.guessed.part"
    part.symlink_to(tmp_path / "victim") if kind == "link" else part.write_bytes(b"yours")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and (tmp_path / "victim").read_bytes() == b"mine"
    assert part.is_symlink() or part.read_bytes() == b"yours"


def test_two_writers_of_one_file_do_not_share_a_part(tmp_path, monkeypatch):
    path, replace = tmp_path / "file", os.replace
    path.write_bytes(b"old")

    def late(part, to):
        monkeypatch.setattr(os, "replace", replace)
        write_atomically(path, b"second, longer")  # comes to its end while the first is about to
        replace(part, to)

    monkeypatch.setattr(os, "replace", late)
    write_atomically(path, b"first")
    assert path.read_bytes() == b"first" and list(tmp_path.iterdir()) == [path]


def test_ctrl_c_while_writing_leaves_no_part(tmp_path, monkeypatch):
    def pressed(number):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", pressed)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_call_that_a_signal_interrupts_is_made_again(tmp_path, monkeypatch, name):
    call, times = getattr(os, name), iter([True, True])

    def interrupted(*args):
        if next(times, False):
            raise InterruptedError(errno.EINTR, "Interrupted system call")
        return call(*args)

    monkeypatch.setattr(os, name, interrupted)
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_the_folder_is_forced_to_the_disk_after_the_name(tmp_path, monkeypatch):
    events, replace, fsync = [], os.replace, os.fsync
    kind = lambda number: "folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file"  # noqa: E731
    monkeypatch.setattr(os, "fsync", lambda number: (events.append(kind(number)), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda *args: (events.append("replace"), replace(*args)))
    write_atomically(tmp_path / "file", b"new")
    assert events == ["file", "replace", "folder"]


def events_of(monkeypatch):
    """Where what was made is forced to the disk, and what was written."""
    events, fsync = [], os.fsync

    def noted(number):
        events.append(os.readlink(f"/proc/self/fd/{number}"))
        fsync(number)

    monkeypatch.setattr(os, "fsync", noted)
    return events


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say which file a number is of")
def test_what_is_appended_is_on_the_disk_and_a_new_name_too(tmp_path, monkeypatch):
    path, events = tmp_path / "file", events_of(monkeypatch)
    append(path, b"1\n")
    assert path.read_bytes() == b"1\n" and events == [str(path), str(tmp_path)]
    append(path, b"2\n")
    assert path.read_bytes() == b"1\n2\n" and events[2:] == [str(path)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say which file a number is of")
def test_the_names_of_new_folders_are_on_the_disk(tmp_path, monkeypatch):
    events = events_of(monkeypatch)
    new = [tmp_path / "a" / "b", tmp_path / "a"]
    assert make_folder(tmp_path / "a" / "b") == new and set(events) == {str(tmp_path / "a"), str(tmp_path)}
    assert make_folder(tmp_path / "a" / "b") == [] and len(events) == 2


# what cannot be written


def cannot(path):
    """What of check and of writing says that a path cannot be written."""
    for call in (check_writable, lambda path: write_atomically(path, b"new")):
        with pytest.raises(OSError) as error:
            call(path)
        yield error.value


def test_a_folder_and_what_is_in_none_are_named(tmp_path):
    for path, number in ((tmp_path, errno.EISDIR), (tmp_path / "none" / "file", errno.ENOENT)):
        assert [(error.errno, error.filename) for error in cannot(path)] == [(number, str(path))] * 2
    (tmp_path / "file").write_bytes(b"")
    assert {error.errno for error in cannot(tmp_path / "file" / "in it")} == {errno.ENOTDIR}


def test_what_may_not_be_written_is_found_out_before(tmp_path, monkeypatch):
    """Root may write everything, so what the system would say to others is said here."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError) as error:
        check_writable(path)
    assert error.value.filename == str(path) and path.read_bytes() == b"old"


def test_looking_whether_a_file_can_be_written_leaves_nothing(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    os.mkfifo(tmp_path / "pipe")  # opened and closed, it would be at its end for who reads it; or wait for ever
    before = sorted(tmp_path.iterdir())
    for name in ("old", "new", "pipe"):
        check_writable(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.parametrize("letter", ["a", "é", "字", "😀"])
def test_a_name_may_be_as_long_as_the_system_takes_one(tmp_path, letter):
    path = tmp_path / os.fsdecode(letter.encode() * (255 // len(letter.encode())))
    check_writable(path)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_only_parts_that_were_made_here_are_removed(tmp_path):
    ours, others = [".a.0123456789abcdef.part"], [".thesis.part", ".a.0123.part", ".a.0123456789ABCDEF.part", "a.part"]
    for name in ours + others:
        (tmp_path / name).write_bytes(b"")
    remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
