"""An experiment: all that a run is made of. Commands take it as options and as a TOML file that holds any of them.

    out = "runs/small"          # above the tables: out, from, backend

    [files]
    source = "train.en"         # relative to the folder of this file
    target = "train.fr"

    [model]
    hidden = 512

A table has the options of a group, by their names on the command line (min-count) or in Python (min_count). What is
said on the command line goes before what the file says, and that before the defaults.
"""

import inspect
import tomllib
from dataclasses import MISSING, dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import typer

from numseq.backend import BACKENDS
from numseq.cli.common import Backend, BackendName, Options, flag, is_given
from numseq.errors import ConfigError, shown
from numseq.options import Option, options_of

TOP = {
    "out": Option(name="out", kinds=(PathLike,), default=None),
    "from": Option(name="from", kinds=(PathLike,), default=None),
    "backend": Option(name="backend", kinds=(str,), default=None, choices=BACKENDS),
}
From = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="DIR", help="Begin with the weights of this run; model options that are not said are its."
    ),
]
File = Annotated[
    Path | None,
    typer.Argument(metavar="EXPERIMENT.toml", help="A file of what is below, in tables [files], [data] ..."),
]


@dataclass(frozen=True)
class Experiment:
    """What was asked for.

    parts: {table: {option: value}}, every option of the command line, checked, paths in full. said: {(table, option):
    what it is called where it was said}, of those that were said. begin: the run with whose weights to begin, or None.
    backend: a BackendName or None. out: the folder that the file names, or None.
    """

    parts: dict[str, dict[str, Any]]
    said: dict[tuple[str, str], str]
    begin: str | None
    backend: BackendName | None
    out: Path | None


class ExperimentOptions(Options):
    """An Experiment among the parameters of a command: a file, the options of some groups, and the backend.

    Args: groups, {table: Group}. instead: {table: tuple of ways}, where a way to say something is a set of options, and
        one that the command line takes puts those of the file out of force.
    """

    def __init__(self, groups, instead):
        self.groups, self.instead = groups, instead

    def parameters(self):
        yield inspect.Parameter("experiment", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=File)
        for group in self.groups.values():
            yield from group.parameters()
        yield inspect.Parameter("begin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=From)
        yield inspect.Parameter("backend", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Backend)

    def take(self, given, context):
        """The Experiment. Raises: ConfigError."""
        parts = {table: group.take(given, context) for table, group in self.groups.items()}
        for table, group in self.groups.items():
            for name, known in group.options.items():
                if PathLike in known.kinds:
                    parts[table][name] = full(parts[table][name])
        names = [(table, name) for table, group in self.groups.items() for name in group.options]
        said = {(table, name): flag(name) for table, name in names if is_given(context, name)}
        path, top = given.pop("experiment"), {}
        begin, backend = full(given.pop("begin")), given.pop("backend")
        if path is not None:
            top, written = self._read(path)
            for table, name in written.keys() - said.keys() - self._put_out_of_force(said):
                parts[table][name], said[table, name] = written[table, name]
        if backend is None and "backend" in top:
            backend = BackendName(top["backend"])
        return Experiment(parts, said, begin or top.get("from"), backend, top.get("out"))

    def _put_out_of_force(self, said):
        """{(table, option)} of the ways that were not taken, where another was."""
        return {
            (table, name)
            for table, choices in self.instead.items()
            for ways in choices
            if any((table, name) in said for way in ways for name in way)
            for way in ways
            if not any((table, name) in said for name in way)
            for name in way
        }

    def _read(self, path):
        """(what stands above the tables, {(table, option): (value, what it is called)}) of a file."""
        top, written = {}, {}
        for key, value in read_toml(path).items():
            if key in TOP:
                top[key] = _checked(TOP[key], value, path, key)
            elif key not in self.groups:
                raise ConfigError(f"{path}: {key}: {self._unknown_at_top(key)}")
            elif not isinstance(value, dict):
                raise ConfigError(f"{path}: {key} is {shown(value)}: it must be a table, [{key}]")
            else:
                for name, found in value.items():
                    option, called = name.replace("-", "_"), f"{key}.{name}"
                    if option not in self._known(key):
                        raise ConfigError(f"{path}: {called}: {self._unknown(key, option)}")
                    if (key, option) in written:
                        raise ConfigError(f"{path}: {called}: it is said twice, with - and with _")
                    found = _checked(self._known(key)[option], found, path, called)
                    written[key, option] = found, f"{path}: {called}"
        return top, written

    def _known(self, table):
        """{name: Option} of a table: those of the command line, and those that have no choice there."""
        group = self.groups[table]
        return {name: one for name, one in options_of(group.kind).items() if one.default is not MISSING} | group.options

    def _unknown_at_top(self, key):
        for table in self.groups:
            if key.replace("-", "_") in self._known(table):
                return f"this belongs into the table [{table}]"
        return "there is no such table or key" + nearest(key, [*self.groups, *TOP])

    def _unknown(self, table, name):
        for other in self.groups:
            if name in self._known(other):
                return f"this belongs into the table [{other}]"
        return f"there is no such option in [{table}]" + nearest(name, self._known(table))


def nearest(name, names):
    """The name that is nearest to one that is none, as the end of a message."""
    near = get_close_matches(name, names, n=1)
    return f"; the nearest is {near[0]}" if near else f"; there are {', '.join(names)}"


def _checked(known, value, path, called):
    """A value of a file as its option keeps it."""
    called = f"{path}: {called}"
    if PathLike not in known.kinds:
        return known.checked(value, called)
    return full(known.checked(_as_paths(value, called), called), path.parent)


def _as_paths(value, called):
    """The names of files as paths; whatever else as it is."""
    if isinstance(value, list):
        if "" in value:
            raise ConfigError(f"{called} is {shown(value)}: an empty name is none of a file")
        return [_as_paths(one, called) for one in value]
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{called} is {shown(value)}: no file can be called so")
    return (Path(value) if value else None) if isinstance(value, str) else value


def read_toml(path):
    """The dict of a TOML file. Raises: ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder: name a file, as {path / 'experiment.toml'}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start:,}, and so no TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not an experiment (nested too deeply)") from None


def full(path, folder=Path()):
    """A path that means the same from everywhere, as text, or a list of such. folder: of what it is relative to."""
    if isinstance(path, list):
        return [full(one, folder) for one in path]
    if not path or str(path) == "-":  # standard input
        return path or None
    path = Path(folder, path)
    special = path.exists() and not path.is_file()  # the link of a pipe leads nowhere
    return str(path.absolute() if special else path.resolve())
