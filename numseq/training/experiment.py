"""The file that says how to repeat a run: experiment.toml, with all that decides its numbers, defaults too."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from numseq.files import write_atomically
from numseq.options import options_of

EXPERIMENT = "experiment.toml"
BEGINNING = "# All that decides this run. To repeat it: numseq train experiment.toml --out ANOTHER_FOLDER\n"


def save_experiment(folder: str | PathLike, top: Mapping[str, Any], tables: Mapping[str, Any]) -> None:
    """Write experiment.toml, unless it says the same already.

    Args: folder, of the run. top: {name: value} above the tables. tables: {name: (class of the options or None,
        {option: value})}.
    """
    path, text = Path(folder) / EXPERIMENT, BEGINNING
    text += "".join(_lines(top, {}))
    for name, (kind, values) in tables.items():
        text += f"\n[{name}]\n" + "".join(_lines(values, options_of(kind) if kind else {}))
    data = text.encode()
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)


def _lines(values, known):
    """A line for each value; where None stands for something, a comment."""
    for name, value in values.items():
        if value is not None:
            line = f"{name} = {_toml(value)}\n"
            yield line if _is_unicode(line) else f"# {name}: a name that is not Unicode\n"
        elif name in known and known[name].otherwise:
            yield f"# {name}: {known[name].otherwise}\n"


def _toml(value):
    """A value as TOML writes it: as JSON does, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _is_unicode(text):
    """Not so the name of a file whose bytes are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
