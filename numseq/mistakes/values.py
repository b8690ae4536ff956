"""What becomes of an equation's result, however it came about: another sign or size, some of it, another order."""

import ast
from collections.abc import Callable, Iterator

import numpy as np

from numseq import params as trees
from numseq.mistakes.formulas import Formula, nodes

SIZES = {"T": "steps", "B": "rows", "S": "positions"}


def is_no_gradient(f: Formula) -> bool:
    """Whether an equation is of something else than a gradient, as of a mask."""
    return not f.name.startswith("d")


def _leaves(change):
    """A change of every array. An index, or a mask, is no quantity: what is done to it, only indices can say."""

    def changed(leaf):
        if np.asarray(leaf).dtype.kind != "f":
            raise ValueError("this is no quantity")
        return change(np.asarray(leaf))

    return lambda v: trees.map(changed, v.value)


def _matrix(a):
    if a.ndim != 2:
        raise ValueError("this is no matrix")
    return a


def of_value(f: Formula) -> Iterator[tuple[str, Callable]]:
    """(what, change): all of it."""

    def scaled(size, by):
        return lambda v: trees.map(lambda leaf: leaf * _size(v, size) ** by, v.value)

    yield f"{f.name} is zero", _leaves(lambda a: 0 * a)
    yield f"the sign of {f.name} is turned", _leaves(lambda a: -a)
    yield f"{f.name} is twice what it should be", _leaves(lambda a: 2 * a)
    yield f"{f.name} is half of what it should be", _leaves(lambda a: a / 2)
    for size, what in SIZES.items():
        yield f"{f.name} is divided by the number of {what}", scaled(size, -1)
        yield f"{f.name} is multiplied by the number of {what}", scaled(size, 1)
    yield f"{f.name} has the part of t = 0 alone", lambda v: v.value if v.t == 0 else _so_far(v, f)
    yield f"{f.name} has the part of the last t alone", lambda v: v.value if v.t == v.T - 1 else _so_far(v, f)
    yield f"{f.name} is transposed", _leaves(lambda a: _matrix(a).T)
    yield f"the first row of {f.name} is zero", _leaves(lambda a: np.concatenate([0 * _matrix(a)[:1], a[1:]]))
    yield f"{f.name} has the factor dloss once more", lambda v: trees.map(lambda leaf: leaf * _loss(v), v.value)
    for by in (1, -1):
        yield f"{f.name} {by:+d} in the place of {f.name}", lambda v, by=by: _index(v) + by
    if is_no_gradient(f):
        yield f"1 - {f.name} in the place of {f.name}", _leaves(lambda a: 1 - a)


def of_parts(f: Formula) -> Iterator[tuple[str, Callable]]:
    """(what, change): some of its layers, directions, steps, or all of them in another order."""

    def when(holds):
        return lambda v: v.value if holds(v) else _nothing(v.value)

    yield f"{f.name} runs the other way round", lambda v: _loop(v)[::-1]
    yield f"the last of {f.name} is left out", lambda v: _loop(v)[:-1]
    yield f"the first of {f.name} is left out", lambda v: _loop(v)[1:]
    yield f"the layers of {f.name} stand in reversed order", lambda v: _layers(v)[::-1]
    yield f"{f.name} is zero but for the lowest layer", lambda v: [_layers(v)[0], *map(_nothing, v.value[1:])]
    yield f"{f.name} is zero but for the top layer", lambda v: [*map(_nothing, _layers(v)[:-1]), v.value[-1]]
    yield f"{f.name} is zero for the lowest layer", lambda v: [_nothing(_layers(v)[0]), *v.value[1:]]
    yield f"{f.name} is zero for the top layer", lambda v: [*_layers(v)[:-1], _nothing(v.value[-1])]
    for part in ("h", "c"):
        yield (
            f"{part} of {f.name} is zero",
            lambda v, part=part: _states(v, lambda s: s._replace(**{part: 0 * getattr(s, part)})),
        )
    yield f"h of {f.name} is twice what it should be", lambda v: _states(v, lambda s: s._replace(h=2 * s.h))
    yield f"h and c of {f.name} are exchanged", lambda v: _states(v, lambda s: s._replace(h=s.c, c=s.h))
    yield f"c of {f.name} is that of h", lambda v: _states(v, lambda s: s._replace(c=s.h))
    yield f"the two directions of {f.name} are exchanged", _leaves(lambda a: _both(a)[::-1])
    for k, what in enumerate(("left to right", "right to left")):
        yield f"{f.name} is zero but for what reads {what}", _leaves(lambda a, k=k: _one_of(a, k))
    yield f"the two halves of {f.name} are exchanged", _leaves(lambda a: np.roll(a, _half(a), axis=-1))
    if "k" in f.names and "L" in f.names:
        yield f"{f.name} is zero for the top layer alone", when(lambda v: v.k != v.L - 1)
        yield f"{f.name} is zero for the lowest layer alone", when(lambda v: v.k != 0)
    if "t" in f.names:
        yield f"{f.name} is zero but at t = 0", when(lambda v: v.t == 0)
        yield f"{f.name} is zero but at the last t", when(lambda v: v.t == v.T - 1)
        yield f"{f.name} is zero at t = 0", when(lambda v: v.t != 0)
        yield f"{f.name} is zero at the last t", when(lambda v: v.t != v.T - 1)
    yield f"{f.name} stands in reversed order", _leaves(lambda a: of_sequence(a)[::-1])
    yield f"{f.name} stands one place later", _leaves(lambda a: moved(a, 1))
    yield f"{f.name} stands one place earlier", _leaves(lambda a: moved(a, -1))
    yield (
        f"{f.name} stands one place later, and its last comes first",
        _leaves(lambda a: np.roll(of_sequence(a), 1, 0)),
    )
    yield (
        f"{f.name} stands one place earlier, and its first comes last",
        _leaves(lambda a: np.roll(of_sequence(a), -1, 0)),
    )
    for what, where in PLACES.items():
        yield f"{f.name} is zero {what}", _leaves(lambda a, where=where: _only(a, where))
    yield f"{f.name} piles up over all places before", _leaves(lambda a: np.cumsum(of_sequence(a), axis=0))
    yield f"{f.name} piles up over all places after", _leaves(lambda a: np.cumsum(of_sequence(a)[::-1], axis=0)[::-1])
    yield f"each place of {f.name} has the sum of all", _leaves(lambda a: 0 * a + of_sequence(a).sum(axis=0))
    for way in (reordered, reordered_back):
        yield f"{f.name} is put into shape in another order of its axes", _leaves(way)


def _size(v, name):
    size = getattr(v, name, None)
    if not isinstance(size, int) or size < 2:
        raise ValueError(f"nothing has the size {name}")
    if any(getattr(v, other, None) == size for other in SIZES if other != name):
        raise ValueError("this is the size of something else too")
    return float(size)


def _so_far(v, f):
    """A sum over steps before this step's part is added. Raises: ValueError, where it is no such sum."""
    if not any(isinstance(node, ast.Name) and node.id == f.name for node in nodes(f.tree)):
        raise ValueError("this is no sum over steps")
    return getattr(v, f.name)


def _loss(v):
    """The gradient of a loss, if it is another number than 1."""
    dloss = getattr(v, "dloss", 1.0)
    if np.ndim(dloss) or dloss == 1:
        raise ValueError("there is no such factor")
    return dloss


def _index(v):
    if not isinstance(v.value, int) or isinstance(v.value, bool):
        raise ValueError("this is no index")
    return v.value


def _loop(v):
    if not isinstance(v.value, list) or len(v.value) < 2 or not isinstance(v.value[0], int):
        raise ValueError("this is no loop")
    return v.value


def _layers(v):
    if not isinstance(v.value, list) or len(v.value) < 2 or isinstance(v.value[0], int):
        raise ValueError("these are no layers")
    return v.value


def _nothing(tree):
    return trees.map(lambda leaf: 0 * leaf, tree)


def _states(v, change):
    return [change(state) for state in v.value] if isinstance(v.value, list) else change(v.value)


def _both(a):
    if a.ndim != 3 or len(a) != 2:
        raise ValueError("these are no two directions")
    return a


def _one_of(a, k):
    return np.stack([_both(a)[j] if j == k else 0 * a[j] for j in (0, 1)])


def _half(a):
    if a.ndim < 2 or a.shape[-1] % 2:
        raise ValueError("this has no halves")
    return a.shape[-1] // 2


def of_sequence(a: np.ndarray) -> np.ndarray:
    """An array with steps or positions in front. Raises: ValueError, when it has none."""
    if a.ndim < 3 and not (a.ndim == 2 and a.dtype == bool):  # a mask has no units
        raise ValueError("this has no steps or positions")
    return a


def moved(a: np.ndarray, by: int) -> np.ndarray:
    """The same, some places later, with 0 where nothing comes."""
    other = np.zeros_like(of_sequence(a))
    other[max(by, 0) : len(a) + min(by, 0)] = a[max(-by, 0) : len(a) - max(by, 0)]
    return other


def reordered(a: np.ndarray) -> np.ndarray:
    """What comes of an array that is read, number by number, in another order of its first two axes."""
    if a.ndim < 2:
        raise ValueError("this has no two axes")
    return a.swapaxes(0, 1).reshape(a.shape)


def reordered_back(a: np.ndarray) -> np.ndarray:
    """The other way round: an array that was put into shape so."""
    if a.ndim < 2:
        raise ValueError("this has no two axes")
    return a.reshape(a.shape[1], a.shape[0], *a.shape[2:]).swapaxes(0, 1)


def _repeated(a, where):
    """One column or row everywhere, as of a variable that a loop has left behind."""
    if a.ndim < 2 or a.dtype.kind != "f":
        raise ValueError("this has no rows and columns")
    return np.broadcast_to(a[where], a.shape).copy()


TURNED: dict[str, Callable] = {
    "in reversed order": lambda a: of_sequence(a)[::-1],
    "one place later": lambda a: moved(a, 1),
    "one place earlier": lambda a: moved(a, -1),
    "one place later, its last first,": lambda a: np.roll(of_sequence(a), 1, axis=0),
    "one place earlier, its first last,": lambda a: np.roll(of_sequence(a), -1, axis=0),
    "one place later, its first twice,": lambda a: np.concatenate([of_sequence(a)[:1], a[:-1]]),
    "read in another order of its axes": reordered,
    "put into shape in another order of its axes": reordered_back,
    "with its last column in the place of each": lambda a: _repeated(a, np.s_[..., -1:]),
    "with its last row in the place of each": lambda a: _repeated(a, np.s_[..., -1:, :]),
}


def _only(a, where):
    kept = np.zeros_like(of_sequence(a))
    kept[where] = a[where]
    return kept


PLACES = {
    "but at its first place": slice(None, 1),
    "but at its last place": slice(-1, None),
    "at its first place": slice(1, None),
    "at its last place": slice(None, -1),
}
