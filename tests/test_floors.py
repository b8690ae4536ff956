"""Who may import whom: the floors of the design, no circles, CuPy in one file, and NumPy alone for the core."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import numseq

PACKAGE = Path(numseq.__file__).parent
FLOORS = [  # a module stands on the floor of its longest prefix here
    {
        "numseq",
        "numseq.errors",
        "numseq.arguments",
        "numseq.files",
        "numseq.backend",
        "numseq.params",
        "numseq.record",
        "numseq.options",
        "numseq.registry",
        "numseq.gradcheck",
        "numseq.show",
        "numseq.show_html",
        "numseq.threads",
    },
    {"numseq.layers", "numseq.data"},
    {"numseq.models", "numseq.objectives"},
    {
        "numseq.search",
        "numseq.training",
        "numseq.metrics",
        "numseq.plots",
        "numseq.studies",
        "numseq.tasks",
        "numseq.interop",
        "numseq.mistakes",
    },
    {
        "numseq.cli",
        "numseq.__main__",
        "numseq.demo",
    },
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def read_modules(folder):
    """{module: syntax tree} of every Python file below a package's folder."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"))
    return modules


def imports(tree, modules, for_types=True):
    """All that a file imports, wherever in it: `from numseq import params` is numseq.params. for_types: count what is
    named for signatures alone, under `if TYPE_CHECKING`, and never imported."""
    found, left_out = set(), set()
    if not for_types:
        blocks = (node for node in ast.walk(tree) if isinstance(node, ast.If))
        left_out = {n for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING" for n in ast.walk(block)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in modules else node.module)
    return found


def floor(module):
    """The floor of a module; of a package's part that the table does not name, that of the package."""
    name = module
    while name not in FLOOR_OF:
        name = name.rpartition(".")[0]
    assert name != "numseq" or module == "numseq", f"{module} has no floor: put it into the table"
    return FLOOR_OF[name]


def own_imports(modules, for_types=True):
    return {name: {i for i in imports(tree, modules, for_types) if i in modules} for name, tree in modules.items()}


def too_high(graph):
    return [f"{name} imports {i}" for name, found in graph.items() for i in found if floor(i) > floor(name)]


def parents(module):
    parts = module.split(".")
    return {".".join(parts[:k]) for k in range(1, len(parts))}


def circle(graph):
    """Modules that import one another in a circle, or None. Importing a.b runs the package a as well, unless one is
    in it."""
    edges = {
        name: found | {p for i in found for p in parents(i) - parents(name) - {name}} for name, found in graph.items()
    }
    done = set()

    def search(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for other in sorted(edges[name]):
                if found := search(other, [*path, name]):
                    return found
        done.add(name)
        return None

    return next((found for name in edges if (found := search(name, []))), None)


MODULES = read_modules(PACKAGE)
GRAPH = own_imports(MODULES)


def test_every_file_has_a_floor_and_every_floor_has_files():
    assert {floor(name) for name in MODULES} == set(range(len(FLOORS)))
    assert FLOOR_OF.keys() <= MODULES.keys()


def test_no_file_imports_from_a_floor_above_its_own():
    assert too_high(GRAPH) == []


def test_no_file_imports_in_a_circle():
    assert circle(own_imports(MODULES, for_types=False)) is None


@pytest.mark.parametrize("part", ["numseq.layers", "numseq.data"])
def test_the_parts_of_the_first_floor_do_not_know_one_another(part):
    for name, found in GRAPH.items():
        if floor(name) == 1 and f"{name}.".startswith(f"{part}."):
            assert {i for i in found if floor(i) == 1 and not f"{i}.".startswith(f"{part}.")} == set()


def test_the_checker_knows_the_mistakes_by_name_alone_and_at_one_place():
    """`numseq.gradcheck.naming` imports them when it is asked, which the table of floors does not see."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (PACKAGE / "gradcheck").glob("*.py")}
    assert [name for name, text in texts.items() if "import_module" in text] == ["naming"]
    assert texts["naming"].count("import_module(") == 1 and 'import_module("numseq.mistakes")' in texts["naming"]


def write_package(folder, files):
    for name, text in files.items():
        path = folder / "numseq" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    modules = read_modules(folder / "numseq")
    return modules, own_imports(modules)


def test_an_import_from_above_and_a_circle_are_found(tmp_path):
    files = {
        "__init__.py": "",
        "backend.py": "def f():\n    from numseq import cli\n",
        "cli.py": "import numseq.layers.lstm\n",
        "layers/__init__.py": "from numseq.layers.lstm import lstm\n",
        "layers/lstm.py": "from numseq import backend\n",
    }
    _, graph = write_package(tmp_path, files)
    assert too_high(graph) == ["numseq.backend imports numseq.cli"]
    found = circle(graph)
    assert found[0] == found[-1] and set(found) >= {"numseq.backend", "numseq.cli", "numseq.layers.lstm"}
    _, graph = write_package(tmp_path, {"backend.py": ""})
    assert too_high(graph) == [] and circle(graph) is None


def test_what_is_named_for_signatures_alone_makes_no_circle_but_has_its_floor(tmp_path):
    for_types = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from numseq.layers.lstm import lstm\n"
    files = {
        "__init__.py": "",
        "backend.py": for_types,
        "layers/__init__.py": "",
        "layers/gru.py": for_types,
        "layers/lstm.py": "from numseq.layers import gru\n",
    }
    modules, graph = write_package(tmp_path, files)
    assert too_high(graph) == ["numseq.backend imports numseq.layers.lstm"]
    assert circle(graph) is not None
    assert circle(own_imports(modules, for_types=False)) is None


def test_a_file_without_a_floor_is_found(tmp_path):
    modules, _ = write_package(tmp_path, {"__init__.py": "", "extra.py": ""})
    with pytest.raises(AssertionError, match="numseq.extra has no floor"):
        [floor(name) for name in modules]


def test_only_the_backend_names_cupy():
    named = {
        name for name, tree in MODULES.items() for i in imports(tree, MODULES) if i.split(".")[0] in ("cupy", "cupyx")
    }
    assert named == {"numseq.backend"}


@pytest.mark.parametrize("part", [0, 1, 2])
def test_the_lower_floors_name_no_package_but_numpy_when_imported(part):
    """Imports at the left margin run with `import`; those in functions run when somebody needs them."""
    for name, tree in MODULES.items():
        if floor(name) == part:
            top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
            roots = {i.split(".")[0] for i in imports(top, MODULES)}
            assert roots <= {"numseq", "numpy"} | sys.stdlib_module_names, name


CORE = "import numseq, numseq.layers, numseq.models, numseq.gradcheck, numseq.mistakes, numseq.search.greedy"


def run(code):
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_core_imports_numpy_and_nothing_else():
    code = f"import sys; before = set(sys.modules); {CORE}; print(*(set(sys.modules) - before))"
    roots = {name.split(".")[0] for name in run(code).split()}
    roots = {name for name in roots if not name.startswith("_")}  # compiled helpers of Python's own
    assert {"numseq", "numpy"} <= roots <= {"numseq", "numpy"} | sys.stdlib_module_names


def test_the_core_works_where_nothing_but_numpy_is_installed():
    code = f"""
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {{"numseq", "numpy"}} | sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Nothing())
try:
    import matplotlib
except ModuleNotFoundError as error:
    print(error)
{CORE}
from numseq.mistakes import run_cases
from numseq.models import Seq2Seq, Seq2SeqConfig
assert all(check.ok for check in run_cases(["lstm_step", "linear"]))
Seq2Seq.create(Seq2SeqConfig(5, 5, embedding=2, hidden=2, attention_size=2))
print("works")
"""
    assert run(code).split("\n") == ["matplotlib is blocked", "works", ""]
