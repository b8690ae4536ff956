"""The command line: `numseq --help`. Exit code 0 when done, 2 on bad use, 1 on failure, 130 after Ctrl-C.

Here is how it begins and ends: whatever happens, in one line. Little is imported before that can be promised; the
commands are in `numseq.cli.commands`.
"""

import errno
import io
import os
import sys
import warnings


def main():
    """Run the command line; whatever goes wrong is shown as one line. With NUMSEQ_TRACEBACK=1 it is a stack trace."""
    try:
        _prepare_streams()
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                from numseq.cli.commands import app  # now, since importing takes a while and can be interrupted

                app()
            finally:
                _flush()
    except SystemExit as stop:
        if not _was_interrupted(stop):  # which typer makes an exit of
            raise
        _say("stopped")
        sys.exit(130)
    except BaseException as error:  # a library written in Rust panics with one that is no Exception
        if os.environ.get("NUMSEQ_TRACEBACK"):
            raise
        code, said = _ending(error)
        if said:
            _say(said)
        sys.exit(code)


def _ending(error):
    """(exit code, what is said) of an exception that no command has handled."""
    from numseq.errors import ConfigError, NumseqError

    why = " ".join(str(error).split())
    if isinstance(error, NumseqError):
        return (2 if isinstance(error, ConfigError) else 1), why
    if isinstance(error, BrokenPipeError):  # whoever read our output has closed it: nobody is left to tell
        return 1, None
    if _was_interrupted(error):  # some libraries make another error of it while they are imported
        return 130, "stopped"
    if isinstance(error, ImportError):
        return 1, f"{why} {_where(error)}: a library that numseq needs is missing or broken; install numseq anew"
    if isinstance(error, OSError):
        return 1, f"{error.filename}: {error.strerror}" if error.filename else error.strerror or why
    if isinstance(error, MemoryError):
        why = f" ({why})" if why else ""
        return 1, f"not enough memory{why}: take a smaller --batch or --beam, a smaller model, or shorter lines"
    if isinstance(error, RecursionError):
        return 1, f"something that was read is nested too deeply {_where(error)}"
    if isinstance(error, OverflowError):
        return 1, f"a number is too large: {why} {_where(error)}"
    of = "numseq" if isinstance(error, Exception) else "a library"
    why = f": {why}" if why else ""
    return 1, f"a bug in {of}: {type(error).__name__}{why} {_where(error)}; NUMSEQ_TRACEBACK=1 shows more"


def _was_interrupted(error):
    """Does an error come of Ctrl-C?"""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error is not None


def _where(error):
    """The last place in numseq on the way to an error."""
    package, found = os.path.dirname(os.path.dirname(__file__)), ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(package + os.sep):
            found = f"({os.path.relpath(file, os.path.dirname(package))}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


def _say(line):
    try:
        print(f"numseq: {line}", file=sys.stderr, flush=True)
    except OSError:  # standard error is a closed pipe, or a full disk
        _give_up(sys.stderr)


def _show_warning(message, category, filename, lineno, file=None, line=None):
    """A warning for whoever runs a program is its message; a place in a source tells them nothing."""
    _say(f"warning: {' '.join(str(message).split())}")


class _Closed(io.RawIOBase):
    """In the place of standard input when it is closed, as services start programs."""

    def readable(self):
        return True

    def readinto(self, buffer):
        raise OSError(errno.EBADF, "it is closed, so there is nothing to read", "standard input")


def _prepare_streams():
    """Standard streams that are closed are opened, or a file that is opened next would become one of them. What is
    written there is lost, as who closed them wants it; what should be read is missed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, so this one
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_Closed()))
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        # a terminal that lacks a letter shows its code; a log has a line as soon as it is said
        stream.reconfigure(errors="backslashreplace", line_buffering=True)


def _flush():
    """Write what is left of standard output here, where a full disk or a closed pipe can still be told."""
    try:
        sys.stdout.flush()
    except OSError:
        _give_up(sys.stdout)
        raise


def _give_up(stream):
    """Python would try again at exit, and say that it could not."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
