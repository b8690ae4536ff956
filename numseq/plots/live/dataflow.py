"""The data flow of a step, read from its equations: which quantity is made of which others, and where each stands in a
drawing.

The equations are those of the docstring of the module that a step's record comes from, such as

    c_t = f_t * c_{t-1} + i_t * g_t            cell

which makes `c` a quantity that reads f, c_prev, i and g. Where there are none, as for a step that was written in a
notebook, they are the assignments of the step itself: `s.c = s.f * s.c_prev + s.i * s.g`.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from numseq.show import EQUATION, equations_of

PRE_ACTIVATIONS = "a_t = x_t W_x + h_{t-1} W_h + b", "pre-activations", ["x", "h_prev"]
TOKEN = re.compile(r"([A-Za-z]+)((?:_(?:\{[^{}]*\}|[A-Za-z0-9]+))*)")
# what stands beside a quantity's name: what is done to make it
SIGNS = [(r"sigma\(|sigmoid\(", "σ"), (r"tanh\(", "tanh"), (r"relu\(|max\(", "max"), (r"softmax\(", "softmax")]
SIGNS += [(r"\bLN\(|normalise\(", "LN"), (r" [UW]_\w+| @ ", "W"), (r" \* ", "×"), (r" \+ ", "+")]


@dataclass
class Quantity:
    """A name, the equation that makes it ("" for what comes from outside), and the names that this reads."""

    name: str
    equation: str = ""
    remark: str = ""
    reads: list[str] = field(default_factory=list)

    @property
    def signs(self) -> str:
        made = self.equation.partition(" = ")[2]
        for name in self.reads:  # what has a box of its own is not done here
            function, _, rest = name.partition("_")
            made = re.sub(rf"\b{function}\({rest}(_t)?\)", name, made)
        return " ".join(sign for pattern, sign in SIGNS if re.search(pattern, made))


def quantities(
    record: Any,
    step: Callable | None = None,
    outside: Iterable[str] = (),
    blocks: str = "",
    projected: bool = False,
) -> list[Quantity]:
    """What a step names, those that come from outside first, then each after what it reads, as far as it can be.

    Args: record, of one step. step, the function that made it, for equations that no docstring has. outside: names that
        a step reads and its record has not. blocks: letters of the blocks of its pre-activations. projected: whether
        these are a_t = x_t W_x + h_{t-1} W_h + b, of a step whose own code has no equation for them.
    """
    fields = [name for name in _names_of(record) if getattr(record, name, None) is not None]
    known = {*fields, *outside}
    written = _of_code(step, known)
    own = step is not None and step.__module__ != type(record).__module__
    found = [] if own and written else _of_docstring(record, known, blocks, written)
    if not found:
        found = [*([Quantity("a", *PRE_ACTIVATIONS)] if projected and "a" in known else []), *written]
    made = {q.name: q for q in found}
    for name in fields:  # tanh_c is no equation of its own, but a quantity
        function, _, rest = name.partition("_")
        if name not in made and function in ("tanh", "sigma", "exp") and rest in known:
            _insert(made, name, function, rest)
    read = {name for q in made.values() for name in q.reads}
    inputs = [Quantity(name) for name in (*outside, *fields) if name not in made and name in read]
    alone = [] if made else [Quantity(name) for name in fields]
    return [*{q.name: q for q in inputs}.values(), *_in_order(list(made.values())), *alone]


def _names_of(record):
    names = getattr(record, "__dataclass_fields__", None) or getattr(record, "_fields", ())
    return [*names, *getattr(record, "__dict__", ())]


def _of_docstring(record, known, blocks, written):
    code, found = {q.name: q for q in written}, []
    for line in equations_of(record):
        if not EQUATION.match(line):
            continue
        equation, _, remark = re.sub(" += ", " = ", line.strip(), count=1).partition("   ")
        left, right = equation.split(" = ", 1)
        names = left.split(", ")
        either = right.split(", or ")  # two kinds of a cell, of which the code is one
        signs = code[_plain(names[0])].signs if len(either) > 1 and _plain(names[0]) in code else ""
        right = next((one for one in either if Quantity("", f" = {one}").signs == signs), either[0])
        parts = _parts(right)
        if len(parts) != len(names):
            parts = [right] * len(names)
        for name, part in zip(names, parts, strict=True):
            plain = _plain(name.strip())
            found.append(Quantity(plain, f"{name.strip()} = {part}", remark.strip(), [part]))
    known = known | {q.name for q in found}
    if not any(q.name in _names_of(record) for q in found):
        return []  # equations of something else
    for q in found:
        q.reads = _reads(q.reads[0], known - {q.name}, blocks)
    return found


def _parts(text):
    """What top-level commas divide."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def _plain(name):
    """h_{t-1} is h_prev, and h_t is h; other indices stay."""
    return re.sub(r"_t\b", "", re.sub(r"_\{t-1\}", "_prev", name))


def _reads(text, known, blocks):
    names = []
    for token in TOKEN.finditer(text):
        name = _plain(token.group())
        base, _, index = name.partition("_")
        if name in known:
            names.append(name)
        elif index and index in blocks and base in known:  # a_i, a block of a
            names.append(base)
    return list(dict.fromkeys(names))


def _insert(made, name, function, of):
    """A quantity that stands inside others' equations: tanh_c, wherever tanh(c_t) is read."""
    inside = re.compile(rf"{function}\({of}(_t)?\)")
    for q in made.values():
        if inside.search(q.equation) and of in q.reads:
            rest = TOKEN.findall(inside.sub("", q.equation.partition(" = ")[2]))
            if all(_plain(base + index) != of for base, index in rest):
                q.reads[q.reads.index(of)] = name
    made[name] = Quantity(name, f"{name} = {function}({of})", reads=[of])


def _in_order(found):
    """Each after what it reads; in a circle, as written."""
    done, left = [], list(found)
    while left:
        names = {q.name for q in left}
        first = next((q for q in left if not names & {*q.reads} - {q.name}), left[0])
        left.remove(first)
        done.append(first)
    return done


def _of_code(step, known):
    """The assignments to a record in a function's source: s.c = s.f * s.c_prev."""
    if step is None:
        return []
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(step)))
    except (OSError, TypeError, SyntaxError):
        return []
    aliases, found = {}, []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple):
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value] * len(target.elts)
                pairs = list(zip(target.elts, values, strict=False))
            for one, value in pairs:
                reads = _names_in(value, known, aliases)
                if isinstance(one, ast.Name):
                    aliases[one.id] = reads
                elif isinstance(one, ast.Attribute) and one.attr in known:
                    if isinstance(value, ast.Name) and value.id == one.attr:
                        continue  # s.a = a
                    text = re.sub(r"\bs\.", "", ast.unparse(value))
                    found.append(Quantity(one.attr, f"{one.attr} = {text}", "", [r for r in reads if r != one.attr]))
    return list({q.name: q for q in found}.values())


def _names_in(value, known, aliases):
    names = []
    shapes = [node for node in ast.walk(value) if isinstance(node, ast.Attribute) and node.attr == "shape"]
    passed = {inner for node in shapes for inner in ast.walk(node)}
    for node in ast.walk(value):
        if node in passed:
            continue
        if isinstance(node, ast.Attribute) and node.attr in known:
            names.append(node.attr)
        elif isinstance(node, ast.Name):
            names += aliases.get(node.id, [node.id] if node.id in known else [])
    return list(dict.fromkeys(names))


# Where each stands

WIDE, TALL = 128, 46  # of a quantity
ACROSS, DOWN = 46, 20  # between quantities
THIN = 12  # height of a wire that goes past


@dataclass
class Drawing:
    """Places of quantities: {name: (x, y)} of the upper left corner; wires: (from, to, points of its way)."""

    width: float
    height: float
    places: dict[str, tuple[float, float]]
    wires: list[tuple[str, str, list[tuple[float, float]]]]
    ends: dict[str, tuple[float, float]]  # of what leaves to the next step, on the right edge


def lay_out(found: list[Quantity], states: Collection[str]) -> Drawing:
    """Left to right by depth; what is carried from step to step goes straight through, the last of them on top."""
    depth = {}
    for q in found:
        depth[q.name] = 1 + max((depth.get(name, 0) for name in q.reads), default=-1)
    lane = {}
    for k, state in enumerate(states):
        side = "top" if k == len(states) - 1 else f"bottom{k}"
        lane |= {name: side for name in (state, f"{state}_prev") if name in depth}
    columns: list[list[Any]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for q in found:
        if q.name not in lane:
            columns[depth[q.name]].append(q.name)
    chains = []  # wires by way of what they pass
    for q in found:
        for name in q.reads:
            if name not in depth:
                continue
            way: list[Any] = [name]
            straight = name in lane and lane.get(q.name) == lane[name]
            if not straight:
                for k in range(depth[name] + 1, depth[q.name]):
                    way.append((name, q.name, k))
                    columns[k].append(way[-1])
            chains.append([*way, q.name])
    tall = max((_height(column) for column in columns), default=0)
    lanes = ["top", *(side for side in dict.fromkeys(lane.values()) if side != "top")]
    top = (TALL + DOWN) if "top" in lane.values() else 0
    middle = {}
    for _ in range(8):
        for column in columns:
            _spread(column, middle, chains, lane, top, tall)
    below = top + tall + DOWN + TALL / 2
    level = {"top": TALL / 2} | {side: below + k * (TALL + DOWN) for k, side in enumerate(lanes[1:])}
    height = top + tall + (len(lanes) - 1) * (TALL + DOWN) if lane else tall
    left: list[float] = [14.0 + k * (WIDE + ACROSS) for k in range(len(columns))]
    places: dict[str, tuple[float, float]] = {}
    ends: dict[str, tuple[float, float]] = {}
    width = 14 + len(columns) * (WIDE + ACROSS) - ACROSS + 46
    for q in found:
        at = level[lane[q.name]] if q.name in lane else middle[q.name]
        places[q.name] = (left[depth[q.name]], round(at - TALL / 2 + 6, 1))
        if q.name in states:
            ends[q.name] = (width - 6, round(at + 6, 1))
    wires: list[tuple[str, str, list[tuple[float, float]]]] = []
    for way in chains:
        start, end = places[way[0]], places[way[-1]]
        points: list[tuple[float, float]] = [(start[0] + WIDE, start[1] + TALL / 2)]
        for passed in way[1:-1]:
            y = round(middle[passed] + 6, 1)
            points += [(left[passed[2]], y), (left[passed[2]] + WIDE, y)]
        wires.append((way[0], way[-1], [*points, (end[0], end[1] + TALL / 2)]))
    return Drawing(width, max(height, TALL) + 12, places, wires, ends)


def _height(column):
    return sum(TALL if isinstance(name, str) else THIN for name in column) + DOWN * max(0, len(column) - 1)


def _spread(column, middle, chains, lane, top, tall):
    """Put a column's members in the order of their neighbours' heights, evenly around the middle."""
    neighbours = {}
    for way in chains:
        for one, other in pairwise(way):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)

    def wanted(name):
        heights = []
        for other in neighbours.get(name, []):
            side = lane.get(other) if isinstance(other, str) else None
            if side:
                heights.append(0 if side == "top" else top + tall + DOWN + TALL / 2)
            elif other in middle:
                heights.append(middle[other])
        return sum(heights) / len(heights) if heights else top + tall / 2

    order = {name: (wanted(name), k) for k, name in enumerate(column)}
    column.sort(key=lambda name: order[name])
    y = top + (tall - _height(column)) / 2
    for name in column:
        size = TALL if isinstance(name, str) else THIN
        middle[name] = y + size / 2
        y += size + DOWN
