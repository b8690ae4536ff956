"""A layer's backward as plain code that can be changed and checked where it stands: the function that
`numseq.mistakes` compares with, without the places where it can be made wrong."""

import ast
import inspect
import re
import sys
import textwrap

import numseq.layers
from numseq.mistakes import LAYERS
from numseq.mistakes.grade import GRADED
from numseq.mistakes.layer import Layer


def cells(module: str) -> list[str]:
    """Code for each of the layers of a module of `numseq.mistakes.layers` that has plain equations of its own."""
    layers = {LAYERS[name].backward: LAYERS[name] for name in reversed(GRADED)}  # of several alike the first
    found = [layer for function, layer in reversed(layers.items()) if function.__module__ == module]
    return [cell(layer) for layer in found if not re.search(r"\bchange\b", plain(layer.backward))]


def cell(layer: Layer) -> str:
    """Imports, the function, and its check."""
    code, module = plain(layer.backward), sys.modules[layer.backward.__module__]
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)} & vars(module).keys()
    lines = ["import numpy as np\n"] if "np" in used else []
    lines += sorted({"from numseq.gradcheck import grade", *(imported(name, module) for name in used - {"np"})})
    name = layer.backward.__name__
    return "\n".join([*lines, "\n", code, "\n", f'print(grade("{layer.name}", {name}))'])


def imported(name, module):
    if name == "layers":
        return "from numseq import layers"
    home = (
        "numseq.layers" if name in numseq.layers.__all__ else getattr(vars(module)[name], "__module__", module.__name__)
    )
    return f"from {home} import {name}"


def plain(function) -> str:
    """Its source, in which no equation can be exchanged."""
    code = textwrap.dedent(inspect.getsource(function)).strip()
    code = code.replace(", change=None", "").replace('", change)', '")')
    code = re.sub(r"^( *)eq, (.+) = equations\(change\), (.+)$", r"\1\2 = \3", code, flags=re.MULTILINE)
    code = re.sub(r"^ *eq = equations\(change\)\n", "", code, flags=re.MULTILINE)
    while found := next(filter(exchanged, ast.walk(ast.parse(code))), None):
        whole, value = ast.get_source_segment(code, found), ast.get_source_segment(code, found.args[1])
        code = code.replace(whole, value, 1)
    return code


def exchanged(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "eq"
