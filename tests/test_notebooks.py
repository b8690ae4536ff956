"""Every notebook runs from top to bottom, and is committed as such a run left it."""

import copy
import re
import runpy
from pathlib import Path

import nbformat
import pytest
import strict_cupy
from nbclient.exceptions import CellExecutionError

import numseq

ROOT = Path(__file__).parent.parent
RUN = runpy.run_path(str(ROOT / "notebooks" / "run.py"))
NOTEBOOKS, code_cells, source_hash = RUN["NOTEBOOKS"], RUN["code_cells"], RUN["source_hash"]
SOLVED = [ROOT / "notebooks" / path.name for path in NOTEBOOKS if path.parent.name == "solutions"]
QUICK = "13_write_it_yourself"  # whatever keeps all notebooks from running keeps this one


DEVICES = "14_from_numpy_to_cupy"


def name(path):
    return path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()


@pytest.fixture(params=NOTEBOOKS, ids=name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


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


def test_the_outputs_are_of_the_code_above_them(notebook):
    assert notebook.metadata.numseq.source_hash == source_hash(notebook), "run it: python notebooks/run.py NAME"


def test_whatever_changes_in_the_code_changes_the_hash(notebook):
    kept = copy.deepcopy(notebook)
    for cell in kept.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source += " More."
    assert source_hash(kept) == source_hash(notebook)
    for k, cell in enumerate(code_cells(notebook)):
        changed, without = copy.deepcopy(notebook), copy.deepcopy(notebook)
        code_cells(changed)[k].source += "  # changed"
        without.cells.remove(code_cells(without)[k])
        assert source_hash(notebook) not in (source_hash(changed), source_hash(without)), cell.source


def test_the_command_keeps_what_ran_to_its_end(tmp_path):
    path = tmp_path / "small.ipynb"
    bar = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "0%"}
    begins = f"import pathlib, numseq; display({bar}, raw=True)"
    cells = [begins, "pathlib.Path('litter').touch(); print(numseq.__file__); print('two')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="old")]
    notebook.cells[0].metadata["execution"] = {"iopub.execute_input": "2020-01-01T00:00:00Z"}
    notebook.metadata.kernelspec = {"display_name": "mine", "language": "python", "name": "mine"}
    nbformat.write(notebook, path)
    RUN["run"](path)
    ran = nbformat.read(path, as_version=4)
    assert [[o.text for o in cell.outputs] for cell in ran.cells] == [[], [f"{ROOT / 'numseq' / '__init__.py'}\ntwo\n"]]
    assert [cell.execution_count for cell in ran.cells] == [1, 2] and not ran.cells[0].metadata
    assert ran.metadata.kernelspec.name == "python3" and ran.metadata.numseq.source_hash == source_hash(ran)
    assert list(tmp_path.iterdir()) == [path]

    ran.cells[1].source = "1 / 0"
    nbformat.write(ran, path)
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        RUN["run"](path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, id=name(path), marks=[] if name(path) == QUICK else pytest.mark.slow) for path in NOTEBOOKS],
    indirect=True,
)
def test_the_notebook_runs(notebook):
    RUN["execute"](notebook)
    assert not noise(notebook)


@pytest.mark.slow
def test_the_notebook_about_devices_uses_one_where_there_is_one(capsys, monkeypatch):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    notebook, names = nbformat.read(ROOT / "notebooks" / f"{DEVICES}.ipynb", as_version=4), {}
    with strict_cupy.installed(), numseq.use("numpy"):  # and back again after it
        for cell in code_cells(notebook):
            exec(cell.source, names)
    assert names["BACKEND"] == "cupy" and "new arrays are made by cupy" in capsys.readouterr().out
