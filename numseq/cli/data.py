"""The command that makes data: dates."""

import shlex
from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Context, Option

from numseq.cli.common import app


@app.command()
def dates(
    context: Context,
    folder: Annotated[Path, Argument(metavar="DIR", help="Folder for the files; made when it is not there.")],
    train: Annotated[int, Option(min=1, help="Pairs to train on.")] = 6000,  # three sizes as of the demo
    valid: Annotated[int, Option(min=1, help="Pairs for validation.")] = 500,
    test: Annotated[int, Option(min=1, help="Pairs to evaluate with; no day is in two files.")] = 1000,
    seed: Annotated[int, Option(min=0, help="The same seed gives the same bytes.")] = 0,
):
    """Write the demo's dates as files to train and evaluate on.

    train.tsv, valid.tsv and test.tsv have two columns: the date as people write it, and as ISO 8601. test.source and
    test.target hold the columns of test.tsv. To go on:

    \b
    numseq train --tsv DIR/train.tsv --val-tsv DIR/valid.tsv
        --source-tokens char --target-tokens char --out RUN
    numseq evaluate RUN --source DIR/test.source --reference DIR/test.target
    """
    from numseq.tasks.dates import make_dates

    try:
        made = make_dates(train, valid, test, seed)
    except ValueError as error:  # more pairs than days; no option gives more days, whatever the message goes on to say
        said = str(error).partition(":")[0]
        raise BadParameter(f"{said}: ask for fewer", param_hint="--train, --valid and --test") from None
    files = {f"{name}.tsv": _lines(map("\t".join, getattr(made, name))) for name in ("train", "valid", "test")}
    sources, targets = zip(*made.test, strict=True)
    files |= {"test.source": _lines(sources), "test.target": _lines(targets)}
    _write(folder, files)
    width = max(len(str(folder / name)) for name in files) + 2
    for name, data in files.items():
        count = len(data.splitlines())
        print(f"{folder / name!s:<{width}}{count:>6,} {'pairs' if name.endswith('.tsv') else 'lines'}")
    at = {name: shlex.quote(str(folder / name)) for name in (*files, "run")}
    program = context.find_root().info_name
    print(f"to train:    {program} train --tsv {at['train.tsv']} --val-tsv {at['valid.tsv']} --source-tokens char "
          f"--target-tokens char --out {at['run']}")  # fmt: skip
    print(f"to evaluate: {program} evaluate {at['run']} --source {at['test.source']} --reference {at['test.target']}")


def _lines(lines):
    return "".join(f"{line}\n" for line in lines).encode()


def _write(folder, files):
    """Write {name: bytes} into a folder, unless a file is there that holds something else: then none is written."""
    from numseq.data.reading import DataError
    from numseq.files import write_atomically

    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: the task needs a folder")
    missing = []
    for name, data in files.items():
        path = folder / name
        if not path.exists():
            missing.append(name)
        elif path.read_bytes() != data:
            raise DataError(f"{path} is there and holds something else: choose another folder, or move it away")
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:
        write_atomically(folder / name, files[name])
