"""Every public function says what it takes and what it returns, with types."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import numseq

PACKAGE = Path(numseq.__file__).parent
# commands, which typer reads, and equations as in a book
PLAIN = ("cli", "mistakes/layers", "mistakes/boxes", "mistakes/exercises")
FILES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.relative_to(PACKAGE).as_posix().startswith(PLAIN) and path.name != "__main__.py"
]
PACKAGES = [".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in FILES if path.name == "__init__.py"]


def untyped(tree):
    """The public functions and methods of a file that leave a type out: "Class.method: argument"."""
    return [f"{name}: {what}" for name, function in public(tree) for what in left_out(function)]


def public(node, within=""):
    """(name, function) of all that a reader may call; what stands within a function is its own affair."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            if not child.name.startswith("_") or child.name.endswith("__"):
                yield within + child.name, child
        elif isinstance(child, ast.ClassDef):
            if not child.name.startswith("_"):
                yield from public(child, f"{within}{child.name}.")
        else:
            yield from public(child, within)


def left_out(function):
    a = function.args
    arguments = [*a.posonlyargs, *a.args, *filter(None, [a.vararg]), *a.kwonlyargs, *filter(None, [a.kwarg])]
    yield from (x.arg for x in arguments if x.annotation is None and x.arg not in ("self", "cls"))
    if function.returns is None and function.name != "__init__":
        yield "return"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_public_function_has_types(path):
    assert untyped(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_a_type_that_is_left_out_is_found():
    text = """
def f(x: int, *rest, y=1, **more) -> int: ...
def _g(x): ...
class A:
    def __init__(self, x): ...
    def h(self): ...
    if True:
        def k(cls, /, z) -> None: ...
class _B:
    def h(self): ...
"""
    assert untyped(ast.parse(text)) == ["f: rest", "f: y", "f: more", "A.__init__: x", "A.h: return", "A.k: z"]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_exports_shows_its_types(name):
    """Whoever asks `help` sees them, through decorators too."""
    module = importlib.import_module(name)
    for key in getattr(module, "__all__", ()):
        if inspect.isfunction(thing := getattr(module, key)):
            signature = inspect.signature(thing)
            types = [signature.return_annotation, *(x.annotation for x in signature.parameters.values())]
            assert inspect.Parameter.empty not in types, key
