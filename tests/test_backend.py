"""NumPy and CuPy: choosing one, trees of arrays, and the same numbers from both.

Where there is a GPU with CuPy the comparisons run on it; on every machine they run on the strict stand-in.
"""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import strict_cupy
from helpers import (
    KINDS,
    MODELS,
    SOURCES,
    arrays_in,
    assert_close,
    assert_same,
    at_scale_one,
    batch,
    create,
    normal,
    with_other_contents,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import numseq
from numseq import backend, layers
from numseq import params as trees
from numseq.backend import BackendError, array_module, asarray, scatter_add_rows, to_numpy
from numseq.layers import LinearParams
from numseq.mistakes import cases
from numseq.models import Seq2Seq, draw_noise
from numseq.params import TreeError
from numseq.search import greedy
from numseq.training import OPTIMIZERS, Adam, clip_by_global_norm, clip_by_value


def gpu_is_there():
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:  # CuPy's own error class cannot be named without importing it
        return False


GPUS = ["stand-in", "cupy"] if gpu_is_there() else ["stand-in"]


@pytest.fixture(params=GPUS)
def gpu(request):
    """The current backend is CuPy, or what stands in for it."""
    backend._cupyx.cache_clear()
    if request.param == "cupy":
        with numseq.use("cupy") as cupy:
            yield cupy
    else:
        with strict_cupy.installed(), numseq.use("cupy") as cupy:
            strict_cupy.syncs = 0
            yield cupy
    backend._cupyx.cache_clear()


@pytest.fixture
def fresh(monkeypatch):
    """No backend has been asked for yet."""
    monkeypatch.delenv("NUMSEQ_BACKEND", raising=False)
    monkeypatch.setattr(backend, "_current", None)


def one_line(info):
    return "\n" not in str(info.value)


# choosing


def test_the_backend_is_numpy_unless_said_otherwise(fresh):
    assert backend.current() is np


def test_use_as_a_call_and_as_a_context_manager(fresh):
    with strict_cupy.installed() as cupy:
        with numseq.use("cupy") as chosen:
            assert chosen is cupy and backend.current() is cupy
            with numseq.use("numpy"):
                assert backend.current() is np
            assert backend.current() is cupy
        assert backend.current() is np
        numseq.use("cupy")
        assert backend.current() is cupy and isinstance(asarray([1.0]), cupy.ndarray)
        numseq.use("numpy")
        assert isinstance(asarray([1.0]), np.ndarray)


def test_an_error_in_the_block_gives_the_backend_back(fresh):
    with strict_cupy.installed(), pytest.raises(KeyError), numseq.use("cupy"):
        raise KeyError
    assert backend.current() is np


def test_a_failed_use_changes_nothing(fresh):
    numseq.use("numpy")
    with pytest.raises(BackendError):
        numseq.use("torch")
    assert backend.current() is np


def test_an_unknown_backend_is_one_line():
    with pytest.raises(BackendError, match="^unknown backend 'torch': choose one of numpy, cupy$"):
        numseq.use("torch")


def test_missing_cupy_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendError, match="cannot be imported .*pip install cupy-cuda12x, or cupy-cuda13x") as info:
        numseq.use("cupy")
    assert one_line(info)


def test_a_broken_cupy_is_one_line_too(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('====\\nlibnvrtc.so.13: not found\\n\\n====')\n")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackendError, match=r"libnvrtc.so.13: not found.*cupy-cuda12x") as info:
        numseq.use("cupy")
    assert one_line(info)


def fake_cupy(count):
    runtime = SimpleNamespace(getDeviceCount=count)
    module = types.ModuleType("cupy")
    module.cuda, module.ndarray = SimpleNamespace(runtime=runtime), type("ndarray", (), {})
    return module


def no_driver():
    raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")


@pytest.mark.parametrize("count, why", [(no_driver, "cudaErrorInsufficientDriver"), (lambda: 0, "no GPU was found")])
def test_a_machine_without_gpu_is_told_what_to_do(monkeypatch, count, why):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(count))
    with pytest.raises(BackendError, match=f"{why}.*use the backend numpy") as info:
        numseq.use("cupy")
    assert one_line(info)


@pytest.mark.parametrize(
    "value, expected",
    [
        (None, "numpy"),
        ("numpy", "numpy"),
        ("torch", "BackendError NUMSEQ_BACKEND is 'torch': choose one of numpy, cupy"),
        ("cupy", "BackendError backend cupy: CuPy cannot be imported"),
    ],
)
def test_the_variable_decides_when_a_backend_is_first_asked_for(value, expected):
    code = """
import sys
sys.modules["cupy"] = None
from numseq import backend
try:
    print(backend.current().__name__)
except backend.BackendError as error:
    print("BackendError", error)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(numseq.__file__).parents[1])}
    environment.pop("NUMSEQ_BACKEND", None)
    environment |= {} if value is None else {"NUMSEQ_BACKEND": value}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.startswith(expected) and done.stdout.count("\n") == 1 and done.stderr == ""


def test_use_goes_before_the_variable(fresh, monkeypatch):
    monkeypatch.setenv("NUMSEQ_BACKEND", "torch")
    with numseq.use("numpy"):
        assert backend.current() is np


def test_array_module_is_that_of_the_array():
    assert array_module(np.ones(2)) is np and array_module(1.5) is np
    with strict_cupy.installed() as cupy:
        assert array_module(np.ones(2)) is np and array_module(cupy.ones(2)) is cupy


def test_arrays_go_to_the_gpu_and_come_back(gpu):
    there = asarray(np.arange(6.0).reshape(2, 3), np.float32)
    assert isinstance(there, gpu.ndarray) and there.dtype == np.float32
    back = to_numpy(there)
    assert isinstance(back, np.ndarray) and back.tolist() == [[0, 1, 2], [3, 4, 5]]
    with numseq.use("numpy"):
        assert isinstance(asarray(there), np.ndarray)


def test_on_the_host_nothing_is_copied():
    x = normal(3, 2)
    assert asarray(x) is x and to_numpy(x) is x


def test_generators_are_seeded(gpu):
    draws = [to_numpy(backend.device_generator(*seed).random(50)) for seed in ((1, 2), (1, 2), (2, 1), (1,))]
    assert (draws[0] == draws[1]).all() and (draws[0] != draws[2]).any() and (draws[0] != draws[3]).any()
    assert backend.generator(1, 2).random() == backend.generator(1, 2).random() != backend.generator(2, 1).random()


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_for_each_does_every_piece_once_and_raises_what_a_piece_raises(threads):
    seen = []
    with backend.at_most(threads):
        backend.for_each(np, seen.append, range(100))
        assert sorted(seen) == list(range(100))
        backend.for_each(np, lambda piece: np.float64(1e308) * piece, [1, 10])  # overflows without a warning
        with pytest.raises(ZeroDivisionError):
            backend.for_each(np, lambda k: 1 / k, [1, 0, 1])


# sums of rows


def expected_sum(n, ids, values):
    out = np.zeros((n, values.shape[1]), values.dtype)
    np.add.at(out, ids, values)
    return out


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 3), st.integers(0, 1000))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_scatter_add_rows_is_np_add_at(ids, width, seed):
    ids = np.array(ids, dtype=np.int64)
    values = np.random.default_rng(seed).integers(-1000, 1000, size=(len(ids), width)).astype(float)
    given = ids.copy(), values.copy()
    assert_same(scatter_add_rows(7, ids, values), expected_sum(7, ids, values))  # whole numbers: any order is exact
    assert_same([ids, values], list(given))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_scatter_add_rows_keeps_the_dtype(dtype, kind):
    ids, values = (np.arange(500) ** 2 % 11).astype(kind), normal(500, 3).astype(dtype)
    found = scatter_add_rows(11, ids, values)
    assert found.dtype == dtype
    assert_close(found, expected_sum(11, ids, values), 100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("ids", [[], [3], [0] * 1000, [6, 0, 6, 0, 6]])
def test_scatter_add_rows_on_the_gpu(gpu, ids):
    ids, values = np.array(ids, dtype=np.int64), normal(len(ids), 2)
    found = scatter_add_rows(7, asarray(ids), asarray(values))
    assert isinstance(found, gpu.ndarray)
    assert_close(to_numpy(found), expected_sum(7, ids, values))


# trees


@dataclasses.dataclass
class Node:
    first: object
    second: object = None


def tree():
    return Node([np.arange(3.0), Node(np.ones((2, 2)))], (np.array([1, 2]),))


def test_walk_names_leaves_by_their_place():
    assert [name for name, _ in trees.walk(tree())] == ["first.0", "first.1.first", "second.0"]
    assert [name for name, _ in trees.walk(tree(), "m")] == ["m.first.0", "m.first.1.first", "m.second.0"]
    assert [name for name, _ in trees.walk(np.ones(1))] == [""] and list(trees.walk(None)) == []


def test_the_parameters_of_a_model_are_named_like_the_model():
    names = [name for name, _ in trees.walk(create("attention", 2).params)]
    assert names[:3] == ["source.W", "encoder.0.ahead.W_x", "encoder.0.ahead.W_h"]
    assert names[-1] == "head.b" and len(names) == len(set(names))


def test_map_keeps_the_structure():
    doubled = trees.map(lambda leaf: 2 * leaf, tree())
    assert isinstance(doubled, Node) and isinstance(doubled.first, list) and isinstance(doubled.second, tuple)
    assert doubled.first[1].second is None
    summed = trees.map(lambda a, b: a + b, tree(), doubled)
    assert_same(summed, trees.map(lambda leaf: 3 * leaf, tree()))


@pytest.mark.parametrize("other", [np.ones(3), Node([np.ones(3)], (np.ones(2),)), [np.ones(1)] * 3])
def test_map_refuses_a_tree_of_another_structure(other):
    with pytest.raises(TreeError, match="differ in structure"):
        trees.map(lambda a, b: a, tree(), other)


def test_count_zeros_cast():
    assert trees.count(tree()) == 3 + 4 + 2
    zeros = trees.zeros_like(tree())
    assert all((leaf == 0).all() for leaf in trees.leaves(zeros))
    assert [leaf.dtype.char for leaf in trees.leaves(zeros)] == ["d", "d", "l"]
    assert [leaf.dtype.char for leaf in trees.leaves(trees.cast(tree(), np.float32))] == ["f", "f", "l"]


def test_replace_puts_arrays_in_their_place():
    arrays = {name: leaf + 1 for name, leaf in trees.walk(tree())}
    replaced = trees.replace(tree(), dict(reversed(arrays.items())))
    assert all(array is arrays[name] for name, array in trees.walk(replaced)) and isinstance(replaced, Node)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda arrays: arrays.pop("first.0"), "^first.0 is missing$"),
        (lambda arrays: arrays.update(third=np.ones(1)), "^third is not expected$"),
        (
            lambda arrays: arrays.update({"second.0": np.ones((2, 1))}),
            r"^second.0 has shape \(2, 1\), expected \(2,\)$",
        ),
    ],
)
def test_replace_names_the_first_array_that_does_not_fit(change, message):
    arrays = dict(trees.walk(tree()))
    change(arrays)
    with pytest.raises(TreeError, match=message):
        trees.replace(tree(), arrays)


def test_common_dtype_looks_at_floating_arrays_only():
    assert trees.common_dtype(tree(), np.array([True]), None) == np.float64
    assert trees.common_dtype(normal(2, dtype=np.float32)) == np.float32
    with pytest.raises(TypeError, match="^no floating array in the call$"):
        trees.common_dtype(np.arange(3))
    with pytest.raises(TypeError, match="first.0 is float64, another float32") as info:
        trees.common_dtype(normal(2, dtype=np.float32), tree())
    assert one_line(info)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_global_norm_is_that_of_all_numbers_together(dtype):
    leaves = [normal(3, 4, dtype=dtype), normal(5, seed=1, dtype=dtype)]
    norm = trees.global_norm({"a": leaves}["a"])
    together = np.concatenate([leaf.reshape(-1) for leaf in leaves]).astype(np.float64)
    assert norm.shape == () and norm.dtype == np.float64
    assert_close(norm, np.linalg.norm(together), 10 * np.finfo(dtype).eps)


def test_trees_go_to_the_gpu_and_come_back(gpu):
    params = create("plain").params
    there = trees.to_backend(params)
    assert all(isinstance(leaf, gpu.ndarray) for leaf in trees.leaves(there))
    assert_same(trees.to_host(there), params)
    norm = trees.global_norm(there)
    assert isinstance(norm, gpu.ndarray) and norm.dtype == np.float64
    assert_close(to_numpy(norm), trees.global_norm(params))


# the same numbers on both

# one rounding a number and an addition, in sums of up to some hundred terms that partly cancel
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-4}
both_precisions = pytest.mark.parametrize("dtype", TOLERANCE)
each_model = pytest.mark.parametrize("kind, depth", [*MODELS, ("vector", 2), ("luong", 1), ("feeding", 2)])


def moved(thing, dtype):
    """What a case holds, in the precision asked for and on the current backend."""
    if isinstance(thing, np.ndarray):
        return trees.to_backend(trees.cast(thing, dtype))
    if isinstance(thing, SimpleNamespace):
        return SimpleNamespace(**{name: moved(part, dtype) for name, part in vars(thing).items()})
    if isinstance(thing, dict):
        return {name: moved(part, dtype) for name, part in thing.items()}
    if isinstance(thing, list | tuple):
        parts = [moved(part, dtype) for part in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type | Seq2Seq):
        parts = {field.name: moved(getattr(thing, field.name), dtype) for field in dataclasses.fields(thing)}
        return dataclasses.replace(thing, **parts)
    return with_other_contents(thing, lambda inside: moved(inside, dtype))  # what a function knows goes with it


def outcome(name, dtype):
    """Outputs and gradients of a case, computed on the current backend."""
    with numseq.use("numpy"):
        case = cases()[name]
    trace = moved(case.function, dtype)(**moved(case.inputs, dtype))
    outputs = {name: getattr(trace, name) for name in trace.outputs}
    outputs = {name: output for name, output in outputs.items() if output is not None}
    rng = np.random.default_rng(0)
    like = lambda leaf: asarray(rng.standard_normal(leaf.shape), dtype)  # noqa: E731
    ahead = {f"d{name}": trees.map(like, output) for name, output in outputs.items()}
    return [*trees.leaves(list(outputs.values())), *arrays_in(trace.backward(**ahead))]


@both_precisions
@pytest.mark.parametrize("name", cases())
def test_every_layer_and_model_computes_the_same_on_the_gpu(gpu, name, dtype):
    found = outcome(name, dtype)
    assert all(isinstance(array, gpu.ndarray) and array.dtype == dtype for array in found)
    with numseq.use("numpy"):
        expected = outcome(name, dtype)
    assert_close([to_numpy(array) for array in found], expected, TOLERANCE[dtype])


@each_model
def test_a_new_model_has_the_same_numbers_on_every_backend(gpu, kind, depth):
    with numseq.use("numpy"):
        config = create(kind, depth).config
        expected = Seq2Seq.create(config, seed=3).params
    found = Seq2Seq.create(config, seed=3).params
    assert all(isinstance(leaf, gpu.ndarray) for leaf in trees.leaves(found))
    assert_same(trees.to_host(found), expected)


@both_precisions
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_training_steps_give_the_same_parameters(gpu, kind, make, dtype):
    def trained():
        model = create(kind, 2, dtype)
        model.params = trees.to_backend(model.params)
        optimizer, given, norms = make(model.params, lr=0.01, weight_decay=0.1), batch(), []
        for _ in range(3):
            grad = model.forward(given).backward().params
            norms.append(clip_by_global_norm(grad, 0.5))
            clip_by_value(grad, 0.05)
            optimizer.update(model.params, grad)
        assert min(norms) > 0.5  # so that clipping clips
        return trees.to_host(model.params), norms

    found, norms = trained()
    with numseq.use("numpy"):
        expected, expected_norms = trained()
    # Adam divides by the root of the squared gradient: where that is all but 0, its last digits decide the step
    assert_close(found, expected, 100 * TOLERANCE[dtype])
    assert_close(np.array(norms), np.array(expected_norms), 100 * TOLERANCE[dtype])


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_training_step_reaches_parameters_in_any_order_of_memory(make):
    rows, columns = normal(3, 4), np.asfortranarray(normal(3, 4))
    grad = normal(3, 4, seed=1)
    for params in (rows, columns):
        make([params], lr=0.1).update([params], [grad])
    assert_close(columns, rows)


@each_model
def test_greedy_search_says_the_same(gpu, kind, depth):
    def said():
        model, given = create(kind, depth), batch()
        model.params = trees.to_backend(model.params)
        return greedy(model, given.source, given.source_mask, np.array([9, 4, 6, 2]))

    found = said()
    with numseq.use("numpy"):
        expected = said()
    assert isinstance(found.ids, np.ndarray)
    assert_same([found.ids, found.lengths], [expected.ids, expected.lengths])
    if expected.alpha is not None:
        assert_close(found.alpha, expected.alpha)


@each_model
def test_dropout_masks_are_drawn_where_they_are_used(gpu, kind, depth):
    model, given = create(kind, depth, np.float32, dropout=0.5), batch()
    params = trees.to_backend(model.params)
    first, again = (trees.leaves(draw_noise(model.config, params, given, 1, 2)) for _ in range(2))
    assert len(first) == 3 + 2 * (depth - 1)
    for one, other in zip(first, again, strict=True):
        assert isinstance(one, gpu.ndarray) and one.dtype == np.float32
        assert set(np.unique(to_numpy(one)).tolist()) == {0, 2}
        assert (to_numpy(one) == to_numpy(other)).all()


# waiting


@pytest.fixture
def stand_in():
    backend._cupyx.cache_clear()
    with strict_cupy.installed(), numseq.use("cupy") as cupy:
        yield cupy
    backend._cupyx.cache_clear()


@each_model
def test_the_host_does_not_wait_in_a_training_step_but_for_the_norm(stand_in, kind, depth):
    model, given = create(kind, depth, np.float32, dropout=0.3), batch()
    model.params = at_scale_one(model.params)
    model.params = trees.to_backend(model.params)
    optimizer = Adam(model.params)
    strict_cupy.syncs = 0
    trace = model.forward(given, model.draw_noise(given, 0))
    grad = trace.backward().params
    clip_by_value(grad, 1.0)
    optimizer.update(model.params, grad)
    assert strict_cupy.syncs == 0
    clip_by_global_norm(grad, 1.0)
    assert strict_cupy.syncs == 1


def test_greedy_waits_for_the_lengths_and_once_or_twice_a_step(stand_in):
    for kind, waits in (("plain", 1), ("attention", 2)):  # for lengths and tokens; of the memory, too: mask and weights
        model, given = create(kind), batch()
        model.params = trees.to_backend(model.params)
        strict_cupy.syncs = 0
        found = greedy(model, given.source, given.source_mask, np.full(len(SOURCES), 5))
        assert strict_cupy.syncs == waits + waits * len(found.ids)


def test_mixing_host_and_gpu_arrays_is_an_error(stand_in):
    params = LinearParams(asarray(normal(3, 2)), None)
    with pytest.raises(TypeError, match="Unsupported type"):
        layers.linear(normal(4, 3), params)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_for_each_works_in_a_forked_process_too(monkeypatch):
    monkeypatch.setattr(backend, "processors", lambda: 2)
    backend._workers.cache_clear()

    def meet():
        """Two pieces that wait for one another need two workers."""
        both = threading.Barrier(2)
        backend.for_each(np, lambda piece: both.wait(), range(2))

    meet()
    child = os.fork()
    if not child:
        signal.alarm(20)  # ends what would wait for ever
        meet()
        os._exit(0)
    backend._workers.cache_clear()
    assert os.waitpid(child, 0)[1] == 0
