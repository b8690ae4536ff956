"""What all commands share: the program, how a dataclass becomes options, and loading a run."""

import contextlib
import errno
import functools
import inspect
import shlex
import shutil
import sys
from dataclasses import MISSING, replace
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, BadParameter, Context, Option
from typer.core import TyperCommand

from numseq import backend
from numseq.options import options_of
from numseq.threads import THREADS, choose_threads

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a system calls it when there is no room for more of a file

app = typer.Typer(
    name="numseq",
    help="Sequence-to-sequence learning in NumPy, with backpropagation written by hand.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

BackendName = StrEnum("BackendName", backend.BACKENDS)
Run = Annotated[Path, Argument(metavar="DIR", help="A folder made by numseq train or demo.")]
Runs = Annotated[
    list[Path], Argument(metavar="DIR...", help="A folder made by numseq train or demo; several decode together.")
]
Backend = Annotated[BackendName | None, Option(help="Array library; else NUMSEQ_BACKEND, else numpy.")]
Batch = Annotated[int, Option(min=1, help="Sentences worked on together.")]


class Options:
    """What stands for several options among the parameters of a command: `parameters()` yields them, and
    `take(given, context)` makes something of what was given, a dict, out of which it takes its own."""


class Group(Options):
    """The options of a dataclass, as commands have them under one title of their help: all that have a default, and
    among whose values there is a choice.

    Args: title. kind, the dataclass. without, names of options that the command finds out otherwise. changed, by name
        what an option says here and not in Python: {"default": 0.3}.
    """

    def __init__(self, title, kind, without=(), **changed):
        known = {name: replace(found, **changed.pop(name, {})) for name, found in options_of(kind).items()}
        assert not changed, f"{kind.__name__} has no {', '.join(changed)}"
        self.title, self.kind = title, kind
        self.options = {n: found for n, found in known.items() if n not in without and _is_open(found)}

    def parameters(self):
        """The parameters of a function from which typer makes these options."""
        for name, found in self.options.items():
            if found.choices is not None:
                kind = Literal[tuple(found.choices)]
            else:
                kind = Path if PathLike in found.kinds else found.kinds[0]
                kind = list[kind] if found.several else kind
            more = {"metavar": "<path>"} if found.several else {}
            told = Option(help=described(found), show_default=False, rich_help_panel=self.title, **more)
            kind = Annotated[kind | None if found.default is None else kind, told]
            yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=found.default, annotation=kind)

    def take(self, given, context):
        """{name: value} of this group out of a dict of all that were given, checked. Raises: ConfigError."""
        return {
            name: found.checked(given.pop(name) or found.default if found.several else given.pop(name), flag(name))
            for name, found in self.options.items()
        }


def _is_open(option):
    return option.default is not MISSING and (option.choices is None or len(option.choices) > 1)


def is_given(context, name):
    """Was an option said on the command line?"""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def flag(name):
    """What an option is called on the command line."""
    return "--" + name.replace("_", "-")


def described(option):
    """The help of an option, with its default and its bounds."""
    usual = f"default: {option.usual}" if option.usual else ""
    more = "; ".join(filter(None, [usual, option.bounds]))
    return f"{option.help} [{more}]" if more else option.help


Threads = Annotated[int | None, Option(min=THREADS.least, help=described(THREADS), show_default=False)]


class _Command(TyperCommand):
    """A command whose help has its options under the titles of their groups."""

    def format_options(self, ctx, formatter):
        sections = {"Arguments": [], "Options": []}
        for one in self.get_params(ctx):
            usual = "Arguments" if one.param_type_name == "argument" else "Options"
            if record := one.get_help_record(ctx):
                sections.setdefault(getattr(one, "rich_help_panel", None) or usual, []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def command(function, app=app):
    """Make a command of a function. A parameter that is Annotated[dict, Group(...)] stands for the group's options:
    on the command line they take its place, and the function gets {name: value} of them. Other `Options` likewise.
    app, the typer.Typer that has the command.
    """
    parameters, groups = [], {}
    for one in inspect.signature(function).parameters.values():
        found = [group for group in getattr(one.annotation, "__metadata__", ()) if isinstance(group, Options)]
        if found:
            [groups[one.name]] = found
            parameters += found[0].parameters()
        else:
            parameters.append(one.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    parameters.append(inspect.Parameter("invocation", inspect.Parameter.KEYWORD_ONLY, annotation=Context))

    @functools.wraps(function)
    def run(invocation, **given):
        taken = {name: group.take(given, invocation) for name, group in groups.items()}
        return function(**given, **taken)

    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return app.command(cls=_Command)(run)


def choose(name):
    """Use the backend that was asked for, if any."""
    if name is not None:
        backend.use(name.value)


def load(folder):
    """The Translator of a run."""
    from numseq.search.translate import Translator
    from numseq.training.checkpoint import load_extra, load_model

    return Translator(*load_model(folder), extra=load_extra(folder))


def threads_of(asked, translator, batch):
    """The number of threads to decode with; where one is asked that cannot be had, that is said on standard error."""
    say = {} if asked is None else {"say": functools.partial(print, file=sys.stderr)}
    return choose_threads(asked, translator.model.params, batch, **say)


def program():
    """How this program was called, so that what is printed can be pasted."""
    if Path(sys.argv[0]).name == "numseq":
        return "numseq" if shutil.which("numseq") == sys.argv[0] else shlex.quote(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m numseq"


def can_write(**files):
    """Raise BadParameter when a file cannot be written, or two are one, before any work is done."""
    from numseq.files import check_writable

    taken = {}
    for name, path in files.items():
        if not path:
            continue
        if not path.parent.is_dir():
            raise BadParameter(f"{flag(name)} is {path}, but there is no folder {path.parent}")
        try:
            check_writable(path)
        except OSError as error:
            raise BadParameter(f"{flag(name)} is {path}, which cannot be written: {error.strerror}") from None
        if path.is_file() or not path.exists():  # a device takes more than one
            other = taken.setdefault(path.resolve(), name)
            if other != name:
                raise BadParameter(f"{flag(other)} and {flag(name)} are one file, {path}: give another name")


def can_draw(**pictures):
    """The same of pictures, which are of two kinds."""
    for name, path in pictures.items():
        if path and path.suffix.lower() not in (".png", ".svg"):
            raise BadParameter(f"{flag(name)} is {path}: its name must end in .png or .svg")
    can_write(**pictures)


@contextlib.contextmanager
def how_to_resume(command):
    """Say how to go on after Ctrl-C, and where the disk is full."""
    from numseq.training.trainer import InterruptedTraining

    try:
        yield
    except InterruptedTraining as stop:
        print(f"{stop}\nto go on: {command}", file=sys.stderr)
        raise typer.Exit(130) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        said = "what was saved before is whole: make room, and the same command with --resume goes on"
        raise OSError(error.errno, f"{error.strerror}; {said}", error.filename) from None
