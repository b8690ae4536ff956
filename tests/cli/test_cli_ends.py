"""However a command ends, it ends in one line: what no command has foreseen, streams that are closed, Ctrl-C."""

import os
import subprocess
import sys
import warnings
from unittest import mock

import pytest
from helpers_run import ENVIRONMENT, TINY, numseq_cli, numseq_process, words, write_parallel

from numseq import cli
from numseq.cli import asked, decode
from numseq.cli.common import flag, program
from numseq.errors import ConfigError, NumseqError


def deep(n=0):
    return deep(n + 1)


class PanicException(BaseException):
    """As libraries in Rust raise it."""


def raising(error):
    def fails(*args, **named):
        raise error

    return fails


def raising_from(first, error):
    def fails(*args):
        try:
            raise first
        except BaseException as caught:
            raise error from caught

    return fails


def failing(monkeypatch, function):
    """What `numseq convert` says when its work ends so."""
    monkeypatch.setattr("numseq.training.convert.convert", function)
    return numseq_cli("convert", "run")


ENDS = {
    "memory": (raising(MemoryError("Unable to allocate 8 EiB")), 1, ["not enough memory (Unable to allocate 8 EiB): "]),
    "memory, no more said": (raising(MemoryError()), 1, ["not enough memory: take a smaller --batch"]),
    "recursion": (lambda run: deep(), 1, ["nested too deeply"]),
    "overflow": (lambda run: 2.0**5000, 1, ["a number is too large: "]),
    "digits": (lambda run: int("9" * 5000), 1, ["a bug in numseq: ValueError: Exceeds the limit"]),
    "panic": (
        raising(PanicException("index out\nof bounds")),
        1,
        ["a bug in a library: PanicException: index out of "],
    ),
    "bug": (lambda run: {}["x"], 1, ["a bug in numseq: KeyError: 'x' (", "runs.py, line ", "NUMSEQ_TRACEBACK=1"]),
    "bug of no words": (raising(AssertionError()), 1, ["a bug in numseq: AssertionError (", "runs.py"]),
    "a user's mistake": (raising(NumseqError("run: not\na run")), 1, ["numseq: run: not a run"]),
    "a wrong option": (raising(ConfigError("hidden is 0")), 2, ["numseq: hidden is 0"]),
    "system": (raising(OSError(28, "No space left on device", "a.txt")), 1, ["numseq: a.txt: No space left on device"]),
    "system, no file": (raising(OSError("odd")), 1, ["numseq: odd"]),
    "Ctrl-C": (raising(KeyboardInterrupt()), 130, ["numseq: stopped"]),
    "Ctrl-C, by another name": (raising_from(KeyboardInterrupt(), ImportError("x")), 130, ["numseq: stopped"]),
    "a library is gone": (
        raising(ModuleNotFoundError("No module named 'tqdm'")),
        1,
        ["No module named 'tqdm' (", "anew"],
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_whatever_happens_ends_in_one_line(monkeypatch, case):
    function, code, needles = ENDS[case]
    result = failing(monkeypatch, function)
    [line] = result.err.splitlines()
    assert result.code == code and result.out == "" and line.startswith("numseq: ")
    assert all(needle in line for needle in needles), line


def test_the_trace_is_there_for_whoever_asks(monkeypatch):
    monkeypatch.setenv("NUMSEQ_TRACEBACK", "1")
    with pytest.raises(KeyError):
        failing(monkeypatch, lambda run: {}["x"])


@pytest.mark.parametrize("library", ["typer", "numpy"])
def test_ctrl_c_is_heard_while_libraries_are_imported(tmp_path, library):
    """The first of two folders with a module of this name is the one that is imported: here Ctrl-C is pressed."""
    (tmp_path / f"{library}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    result = subprocess.run(
        [sys.executable, "-m", "numseq", "--version"], env=ENVIRONMENT | {"PYTHONPATH": path}, capture_output=True
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"numseq: stopped\n")


@pytest.mark.parametrize("message", ["no installed font has \u4e2d", "two\nlines"])
def test_a_warning_is_its_message(monkeypatch, message):
    def warns(run):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(message, stacklevel=1)

    result = failing(monkeypatch, warns)
    assert result.code == 0
    assert result.err == f"numseq: warning: {message.replace(chr(10), ' ')}\n"
    assert warnings.showwarning.__module__ != "numseq.cli"  # whoever calls `main` has their own again


@pytest.mark.parametrize("found, said", [("/a b/numseq", "numseq"), ("/other/numseq", "'/a b/numseq'")])
def test_a_command_to_paste_is_short_where_the_shell_finds_numseq(monkeypatch, found, said):
    monkeypatch.setattr(sys, "argv", ["/a b/numseq"])
    monkeypatch.setattr("shutil.which", lambda name: found)
    assert program() == said


# standard streams that are closed, as services and some schedulers start programs


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with a trained run, lines, and their translations."""
    folder = tmp_path_factory.mktemp("ends")
    source, target = write_parallel(folder, words(40))
    result = numseq_cli("train", *TINY, "--epochs", 1, "--source", source, "--target", target, "--out", folder / "run")
    assert result.code == 0, result.err
    (folder / "expected").write_text(numseq_cli("translate", folder / "run", "--input", source).out, encoding="utf-8")
    return folder


def without(*streams, arguments):
    """The exit code of a command in this process, some of whose standard streams are closed."""
    closed = {name: mock.patch.object(sys, name, None) for name in streams}
    with mock.patch.object(sys, "argv", ["numseq", *map(str, arguments)]):
        for patch in closed.values():
            patch.start()
        try:
            cli.main()
        except SystemExit as stop:
            return stop.code or 0
        finally:
            for patch in closed.values():
                patch.stop()


@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdin",), ("stdin", "stdout", "stderr")])
def test_from_file_to_file_needs_no_stream(room, tmp_path, streams):
    files = ("--input", room / "source.txt", "--output", tmp_path / "out")
    assert without(*streams, arguments=("translate", room / "run", *files)) == 0
    assert (tmp_path / "out").read_text(encoding="utf-8") == (room / "expected").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        "dates {new} --train 20 --valid 3 --test 3",
        "train --source {room}/source.txt --target {room}/target.txt --hidden 8 --embedding 6 --epochs 1 --out {new}",
        "score {room}/run --source {room}/source.txt --target {room}/target.txt --json {new}",
        "gradcheck linear --json {new}",
    ],
)
def test_commands_that_write_files_need_no_output(room, tmp_path, arguments):
    arguments = arguments.format(room=room, new=tmp_path / "new").split()
    assert without("stdout", "stderr", arguments=arguments) == 0
    assert (tmp_path / "new").exists()


def test_what_should_be_read_and_is_closed_is_named(room, capsys):
    assert without("stdin", arguments=("translate", room / "run")) == 1
    said = capsys.readouterr().err
    assert said.startswith("numseq: standard input: ") and "it is closed" in said and said.count("\n") == 1


def test_no_file_that_is_opened_takes_the_place_of_a_closed_stream(tmp_path):
    """With its streams closed a process would give the first files the numbers 0, 1 and 2, to which libraries write."""
    program = f'exec "{sys.executable}" -m numseq dates "$0" --train 20 --valid 3 --test 3 <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", program, tmp_path / "closed"], env=ENVIRONMENT).returncode == 0
    assert numseq_cli("dates", tmp_path / "open", "--train", 20, "--valid", 3, "--test", 3).code == 0
    for name in ("train.tsv", "test.source"):
        assert (tmp_path / "closed" / name).read_bytes() == (tmp_path / "open" / name).read_bytes()


def test_nobody_who_reads_the_errors_is_no_reason_to_hang_or_to_crash(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with numseq_process("translate", tmp_path / "no-run", stderr=writer) as process:
        os.close(writer)
        assert process.wait() == 1


# numbers beyond what a computer holds

WHOLE = [
    (command, name)
    for command, groups in (("train", (asked.DATA, asked.MODEL, asked.TRAINING)), ("translate", (decode.BEAM,)))
    for group in groups
    for name, known in group.options.items()
    if int in known.kinds
]


@pytest.mark.parametrize("digits", [21, 400])
@pytest.mark.parametrize(("command", "name"), WHOLE)
def test_numbers_beyond_64_bits_are_refused_before_anything_is_made(room, tmp_path, command, name, digits):
    files = ("--source", room / "source.txt", "--target", room / "target.txt", "--out", tmp_path / "new")
    files = files if command == "train" else (room / "run", "--input", room / "source.txt")
    result = numseq_cli(command, *files, flag(name), 10**digits)
    assert result.code == 2 and result.out == "" and not (tmp_path / "new").exists()
    [line] = result.err.splitlines()
    assert line.startswith(f"numseq: {flag(name)} is 1") and len(line) < 200


@pytest.mark.parametrize(
    ("option", "value"), [("--hidden", 10**9), ("--embedding", 10**7), ("--layers", 10**5), ("--attention-size", 10**9)]
)
def test_sizes_that_no_machine_has_are_refused(room, tmp_path, option, value):
    files = ("--source", room / "source.txt", "--target", room / "target.txt", "--out", tmp_path / "new")
    result = numseq_cli("train", *files, option, value)
    assert result.code == 2 and f"{option} is {value}: " in result.err and "at most" in result.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--beam", 10**9), ("--length-penalty", 1000), ("--coverage-penalty", 1e300)]
)
def test_searches_that_no_machine_can_do_are_refused(room, option, value):
    beam = () if option == "--beam" else ("--beam", 3)
    result = numseq_cli("translate", room / "run", "--input", room / "source.txt", *beam, option, value)
    assert result.code == 2 and f"{option} is " in result.err and "at most" in result.err
