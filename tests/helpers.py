"""What several test files use: random models, ragged batches, and comparisons of trees."""

import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest

from numseq import layers
from numseq import params as trees
from numseq.data import EOS, Batch, Pairs
from numseq.data.batches import Ragged
from numseq.models import Seq2Seq, Seq2SeqConfig

SOURCES = ([5, 6, 7, 5, 8], [9, 4], [6, 6, 10, 4], [7])  # ragged; ids repeat within and across rows
TARGETS = ([4, 9, 4, 12, 8, 11], [5], [6, 4, 4], [12, 12, 10, 9])
MODELS = [("plain", 1), ("plain", 2), ("attention", 1), ("attention", 2)]
KINDS = {  # of decoders, and what makes one
    "plain": {"decoder": "plain"},
    "vector": {"decoder": "vector"},
    "attention": {"decoder": "bahdanau"},
    "luong": {"decoder": "luong", "attention": "general"},
    "feeding": {"decoder": "luong-feeding", "attention": "general"},
}
CELLS = {  # by the names of their equations
    "lstm": layers.LSTM(),
    "rnn": layers.RNN(),
    "relu_rnn": layers.RNN(layers.relu_step),
    "gru": layers.GRU(),
    "gru_before": layers.GRUBefore(),
    "peephole": layers.PeepholeLSTM(),
    "layernorm_lstm": layers.LayerNormLSTM(),
}


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def at_scale_one(tree, seed=0):
    """The tree with standard normal numbers, so that every part of a model matters."""
    rng = np.random.default_rng(seed)
    return trees.map(lambda leaf: rng.standard_normal(leaf.shape).astype(leaf.dtype), tree)


def create(kind, layers=1, dtype=np.float64, dropout=0.0, **options):
    """A model with all sizes different, parameters at scale 1, on the host. kind: of KINDS."""
    sizes = {"source_vocabulary": 11, "target_vocabulary": 13, "embedding": 7, "hidden": 16, "attention_size": 9}
    config = Seq2SeqConfig(**(sizes | {"layers": layers, "dropout": dropout} | KINDS[kind] | options))
    model = Seq2Seq.create(config, dtype=dtype)
    model.params = at_scale_one(model.params)
    return model


def batch(sources=SOURCES, targets=TARGETS):
    """A Batch on the current backend."""
    return Pairs(Ragged(sources), Ragged(targets)).batch(np.arange(len(sources)))


def oracle(name, prefix=""):
    """The arrays of a file of oracles/ whose names begin with the prefix, without it."""
    with np.load(Path(__file__).parent / "oracles" / f"{name}.npz") as file:
        names, values = file["names"].tolist(), file["values"]
    arrays, start = {}, 0
    for name, *shape in map(str.split, names):
        shape = tuple(map(int, shape))
        stop = start + int(np.prod(shape))
        if name.startswith(prefix):
            arrays[name.removeprefix(prefix)] = values[start:stop].reshape(shape)
        start = stop
    assert start == len(values) and arrays
    return arrays


def padded(given, steps=3, rows=2, seed=0):
    """The batch with more steps and more rows, all padding, whose ids are garbage."""
    rng = np.random.default_rng(seed)
    fields = {}
    for field in dataclasses.fields(Batch):
        array = getattr(given, field.name)
        if array is None or isinstance(array, int):
            fields[field.name] = array
        elif array.dtype == bool:
            fields[field.name] = np.pad(array, [(0, steps), (0, rows)])
        else:
            garbage = rng.integers(0, 11, size=(len(array) + steps, array.shape[1] + rows))
            garbage[: len(array), : array.shape[1]] = array
            mask = given.source_mask if field.name == "source" else given.target_mask
            garbage[: len(array), : array.shape[1]][~mask] = EOS
            fields[field.name] = garbage
    return Batch(**fields)


def with_other_contents(function, change):
    """The function, with change(thing) for each thing that it holds in its closure."""
    if not getattr(function, "__closure__", None):
        return function
    cells = tuple(types.CellType(change(cell.cell_contents)) for cell in function.__closure__)
    code, known, usual = function.__code__, function.__globals__, function.__defaults__
    return types.FunctionType(code, known, argdefs=usual, closure=cells)


def lengths_to_mask(lengths, steps=None):
    """(T, B), True on the first lengths[b] positions of column b."""
    lengths = np.asarray(lengths)
    return np.arange(max(lengths) if steps is None else steps)[:, None] < lengths


def assert_close(found, expected, tolerance=1e-12):
    """Each array differs by at most `tolerance` times its largest number; names and shapes are the same."""
    found, expected = dict(trees.walk(found)), dict(trees.walk(expected))
    assert found.keys() == expected.keys()
    for name, a in found.items():
        b = expected[name]
        assert np.shape(a) == np.shape(b), name
        difference, scale = np.abs(a - b).max(initial=0), np.abs(b).max(initial=0)
        assert difference <= tolerance * scale, f"{name or 'array'}: off by {difference / (scale or 1):.1e}"


def assert_same(found, expected):
    """The same to the last bit."""
    found, expected = dict(trees.walk(found)), dict(trees.walk(expected))
    assert found.keys() == expected.keys()
    for name, array in found.items():
        assert np.array_equal(array, expected[name]), name


def assert_gradients(model, given, noise=None, objective=None, tolerance=1e-10):
    """The gradient of every array of a model's parameters is right along a direction, by complex step."""
    grad = dict(trees.walk(model.forward(given, noise, objective).backward().params))
    leaves = dict(trees.walk(model.params))
    assert {name: d.shape for name, d in grad.items()} == {name: leaf.shape for name, leaf in leaves.items()}
    for k, (name, leaf) in enumerate(leaves.items()):
        direction = normal(*leaf.shape, seed=k)
        moved = {other: array.astype(np.complex128) for other, array in leaves.items()}
        moved[name] += 1e-100j * direction
        bent = dataclasses.replace(model, params=trees.replace(model.params, moved))
        slope = bent.forward(given, noise, objective).loss.imag / 1e-100
        scale = np.abs(grad[name] * direction).sum()  # terms of both signs are added, so errors are of their size
        assert abs((grad[name] * direction).sum() - slope) <= tolerance * scale, name


def arrays_in(thing, seen=None):
    """All arrays that an object holds, however deep: in fields, attributes, lists and dicts."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, type):
        return
    seen.add(id(thing))
    if hasattr(thing, "dtype") and hasattr(thing, "shape"):
        yield thing
    elif isinstance(thing, dict):
        for part in thing.values():
            yield from arrays_in(part, seen)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from arrays_in(part, seen)
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield from arrays_in(getattr(thing, field.name), seen)
    elif hasattr(thing, "__dict__") and not callable(thing):
        yield from arrays_in(vars(thing), seen)


def output_gradients(trace, seed=1):
    """Random gradients of a trace's outputs, as its `backward` takes them."""
    rng = np.random.default_rng(seed)
    outputs = {name: getattr(trace, name) for name in trace.outputs if getattr(trace, name) is not None}
    return {f"d{name}": trees.map(lambda leaf: rng.standard_normal(np.shape(leaf)), o) for name, o in outputs.items()}


def in_few(rows):
    """Names of few rows of options, {name: options}, in which each value of each option stands all the same."""
    seen, few = set(), []
    for name, row in rows.items():
        if not seen >= row.items():
            few.append(name)
            seen |= row.items()
    return few


def few_fast(values, fast):
    """Parameters of a test, of which these run in the fast part and the others with `-m slow`."""
    missing = set(fast) - set(values)
    assert not missing, missing
    return [pytest.param(value, marks=() if value in fast else pytest.mark.slow) for value in values]
