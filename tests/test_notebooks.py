"""Every notebook runs from top to bottom, and is committed as such a run left it."""

import re
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(path for folder in ("notebooks", "notebooks/solutions") for path in (ROOT / folder).glob("*.ipynb"))
SOLVED = [ROOT / "notebooks" / path.name for path in NOTEBOOKS if path.parent.name == "solutions"]
QUICK = "03_decoding"  # whatever keeps all notebooks from running keeps this one


def name(path):
    return path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()


@pytest.fixture(params=NOTEBOOKS, ids=name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def noise(notebook):
    """Outputs that a reader should not meet: errors, warnings, progress bars."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", SOLVED, ids=name)
def test_solutions_stand_apart_from_their_exercises(path):
    student, solved = (nbformat.read(p, as_version=4) for p in (path, path.parent / "solutions" / path.name))
    links = {f"solutions/{path.name}": student, f"../{path.name}": solved}
    assert all(f"]({link})" in "".join(cell.source for cell in book.cells) for link, book in links.items())
    graded = re.compile(r"^print\(grade\(\"(\w+)\", my_\w+, hints=0\)\)$", re.MULTILINE)
    exercises = {name: cell for cell in code_cells(student) for name in graded.findall(cell.source)}
    assert len(exercises) >= 3
    assert not any(": right" in output.get("text", "") for cell in exercises.values() for output in cell.outputs)
    for name in exercises:
        cells = [cell for cell in code_cells(solved) if f'grade("{name}", ' in cell.source]
        assert any(": right" in output.get("text", "") for cell in cells for output in cell.outputs), name


def test_the_committed_notebook_shows_one_whole_run(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells) and not noise(notebook)
    kinds = {kind for cell in cells for output in cell.outputs for kind in output.get("data", {})}
    assert not any("widget" in kind for kind in kinds)  # a bar that was there for a while is none in a page
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any("execution" in cell.metadata for cell in cells)  # when each cell ran concerns nobody


@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, id=name(path), marks=[] if name(path) == QUICK else pytest.mark.slow) for path in NOTEBOOKS],
    indirect=True,
)
def test_the_notebook_runs(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # this numseq, installed or not
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    where = {"metadata": {"path": str(tmp_path)}}  # what a cell writes stays out of the repository
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    assert not noise(notebook)
