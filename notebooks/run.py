"""Run notebooks from top to bottom and keep their outputs: python notebooks/run.py [NAME...]; without a name, all.

A NAME is how the file's name begins, such as 04; solutions of that name are run too. Two notebooks run at a time, each
in an empty folder and with this numseq, and none is written unless it ran to its end. In its metadata stays a hash of
the code cells that ran: so one can see whether outputs belong to the code that stands above them. What it needs comes
with `pip install -e '.[test]'`.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
NOTEBOOKS = sorted(path for folder in (HERE, HERE / "solutions") for path in folder.glob("*.ipynb"))
TIMEOUT = 300  # seconds a cell
AT_ONCE = 2
BAR = {"application/vnd.jupyter.widget-view+json", "text/plain"}  # what a progress bar leaves, where there are widgets


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def source_hash(notebook: NotebookNode) -> str:
    """SHA-256 of the code cells in their order, whatever their outputs."""
    return hashlib.sha256(json.dumps([cell.source for cell in code_cells(notebook)]).encode()).hexdigest()


def execute(notebook: NotebookNode) -> None:
    """Run all cells anew, in place. Raises: CellExecutionError, when one fails."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran concerns nobody
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as folder:  # what a cell writes stays out of the repository
        nbclient.NotebookClient(
            notebook,
            timeout=TIMEOUT,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,  # one output where what was printed came in parts
        ).execute(env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)})
    for cell in code_cells(notebook):  # a bar that has done its work is none in a page
        cell.outputs = [output for output in cell.outputs if set(output.get("data", {})) != BAR]
    notebook.metadata["numseq"] = {"source_hash": source_hash(notebook)}


def run(path: Path) -> None:
    """Run the notebook in this file and write it back."""
    start = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    try:
        execute(notebook)
    except nbclient.exceptions.CellExecutionError as error:
        error.add_note(f"This was {path.parent.name}/{path.name}, which stays as it was.")
        raise
    nbformat.write(notebook, path)
    print(f"{path.parent.name}/{path.name}: {time.monotonic() - start:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="how the name of a notebook begins, such as 04")
    names = parser.parse_args().names
    for name in names:
        if not any(path.name.startswith(name) for path in NOTEBOOKS):
            parser.error(f"no notebook begins with {name!r}; there are {', '.join(path.stem for path in NOTEBOOKS)}")
    chosen = [path for path in NOTEBOOKS if path.name.startswith(tuple(names or [""]))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(run, chosen))


if __name__ == "__main__":
    main()
