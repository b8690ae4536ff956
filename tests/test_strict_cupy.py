"""The stand-in refuses what CuPy refuses, and computes what NumPy computes."""

import copy
import importlib.util
import operator
import sys

import numpy as np
import pytest
import strict_cupy


@pytest.fixture
def cp():
    with strict_cupy.installed() as module:
        strict_cupy.syncs = 0
        yield module


@pytest.fixture
def host():
    return np.arange(6.0).reshape(2, 3)


@pytest.fixture
def x(cp, host):
    return cp.asarray(host)


def same(array, expected):
    expected = np.asarray(expected)
    assert isinstance(array, strict_cupy.ndarray)
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(array.get(), expected)


def test_import_finds_it_and_then_no_more():
    before = sys.modules.get("cupy")
    with strict_cupy.installed() as module:
        import cupy
        import cupy.random
        import cupyx

        assert cupy is module and cupy.random.default_rng and cupyx.scatter_add
        assert importlib.util.find_spec("cupy") is not None
        assert cupy.is_available() and cupy.cuda.runtime.getDeviceCount() == 1
        cupy.cuda.Device().synchronize()
        cupy.cuda.Stream.null.synchronize()
        cupy.get_default_memory_pool().free_all_blocks()
    assert sys.modules.get("cupy") is before


@pytest.mark.parametrize("name", ["errstate", "block", "frompyfunc", "insert", "vecdot", "nanquantile"])
def test_unknown_names_are_refused(cp, name):
    assert not hasattr(cp, name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(cp, name)


def test_a_name_of_cupy_that_is_not_offered_says_so(cp):
    with pytest.raises(AttributeError, match="does not offer 'RawKernel'"):
        _ = cp.RawKernel


REFUSED_KEYWORDS = {
    "sum(where)": lambda cp, x: cp.sum(x, where=x > 1),
    "sum(initial)": lambda cp, x: cp.sum(x, initial=1.0),
    "mean(where)": lambda cp, x: cp.mean(x, where=x > 1),
    "max(initial)": lambda cp, x: cp.max(x, initial=0.0),
    "max(initial), by position": lambda cp, x: cp.max(x, 0, None, False, 0.0),
    "sort(stable)": lambda cp, x: cp.sort(x, stable=True),
    "reshape(shape)": lambda cp, x: cp.reshape(x, shape=(3, 2)),
    "zeros(device)": lambda cp, x: cp.zeros(3, device="cpu"),
    "einsum(out)": lambda cp, x: cp.einsum("ij->i", x, out=cp.zeros(2)),
    "exp(where)": lambda cp, x: cp.exp(x, where=x > 1),
    "matmul(subok)": lambda cp, x: cp.matmul(x, x.T, subok=True),
    "x.sum(where)": lambda cp, x: x.sum(where=x > 1),
    "x.sum(initial), by position": lambda cp, x: x.sum(0, None, None, False, 0.0),
    "x.max(initial)": lambda cp, x: x.max(initial=0.0),
    "x.sort(stable)": lambda cp, x: x.sort(stable=True),
    "x.take(mode)": lambda cp, x: x.take(0, mode="clip"),
    "add.reduce(where)": lambda cp, x: cp.add.reduce(x, where=x > 1),
    "integers(out)": lambda cp, x: cp.random.default_rng(0).integers(3, out=x),
}


@pytest.mark.parametrize("call", REFUSED_KEYWORDS.values(), ids=REFUSED_KEYWORDS)
def test_keywords_that_cupy_lacks_are_refused(cp, x, call):
    with pytest.raises(TypeError, match="unexpected keyword argument|takes at most"):
        call(cp, x)


MIXED = {
    "x + n": lambda cp, x, n: x + n,
    "n + x": lambda cp, x, n: n + x,
    "x + n of shape ()": lambda cp, x, n: x + np.array(1.0),
    "n of shape () * x": lambda cp, x, n: np.array(1.0) * x,
    "x @ n": lambda cp, x, n: x @ n.T,
    "n @ x": lambda cp, x, n: n.T @ x,
    "x == n": lambda cp, x, n: x == n,
    "n < x": lambda cp, x, n: n < x,
    "x += n": lambda cp, x, n: operator.iadd(x, n),
    "n += x": lambda cp, x, n: operator.iadd(n, x),
    "x + list": lambda cp, x, n: x + [1.0, 2.0, 3.0],
    "add": lambda cp, x, n: cp.add(x, n),
    "exp(n)": lambda cp, x, n: cp.exp(n),
    "exp(list)": lambda cp, x, n: cp.exp([1.0]),
    "exp(out=n)": lambda cp, x, n: cp.exp(x, out=n),
    "exp(out=(n,))": lambda cp, x, n: cp.exp(x, out=(n,)),
    "exp(x, n)": lambda cp, x, n: cp.exp(x, n),
    "sum(n)": lambda cp, x, n: cp.sum(n),
    "sum(list)": lambda cp, x, n: cp.sum([1.0, 2.0]),
    "sum(out=n)": lambda cp, x, n: cp.sum(x, axis=0, out=n[0]),
    "x.sum(out=n)": lambda cp, x, n: x.sum(axis=0, out=n[0]),
    "x.dot(n)": lambda cp, x, n: x.dot(n.T),
    "where(n)": lambda cp, x, n: cp.where(n > 1, x, 0),
    "where(list)": lambda cp, x, n: cp.where(x > 1, x, [1.0, 2.0, 3.0]),
    "concatenate(n)": lambda cp, x, n: cp.concatenate([x, n]),
    "stack(numbers)": lambda cp, x, n: cp.stack([1.0, 2.0]),
    "full(n)": lambda cp, x, n: cp.full((2, 3), n),
    "einsum(n)": lambda cp, x, n: cp.einsum("ij,ij->", x, n),
    "zeros_like(n)": lambda cp, x, n: cp.zeros_like(n),
    "ascontiguousarray(n)": lambda cp, x, n: cp.ascontiguousarray(n),
    "tensordot(n)": lambda cp, x, n: cp.tensordot(x, n.T, 1),
    "take(n)": lambda cp, x, n: cp.take(x, np.array([0]), axis=1),
    "x.fill(n)": lambda cp, x, n: x.fill(np.array(1.0)),
    "repeat by an array": lambda cp, x, n: cp.repeat(x, cp.asarray([1, 2]), axis=0),
    "repeat(repeats=)": lambda cp, x, n: cp.repeat(x, repeats=cp.asarray([1, 2]), axis=0),
    "x.repeat(n)": lambda cp, x, n: x.repeat(np.array([1, 2]), axis=0),
    "x[n]": lambda cp, x, n: x[np.array([0, 1])],
    "x[:, n]": lambda cp, x, n: x[:, np.array([0, 1])],
    "x[n > 1]": lambda cp, x, n: x[n > 1],
    "x[list]": lambda cp, x, n: x[[0, 1]],
    "x[n] = 0": lambda cp, x, n: x.__setitem__(np.array([0]), 0.0),
    "x[:] = n": lambda cp, x, n: x.__setitem__(slice(None), n),
    "x[0] = list": lambda cp, x, n: x.__setitem__(0, [1.0, 2.0, 3.0]),
    "n[:] = x": lambda cp, x, n: n.__setitem__(slice(None), x),
    "n[x]": lambda cp, x, n: n[x > 1],
    "scatter": lambda cp, x, n: cp.add.at(x, np.array([0]), 1.0),
    "np.exp": lambda cp, x, n: np.exp(x),
    "np.add(out=x)": lambda cp, x, n: np.add(n, n, out=x),
    "np.sum": lambda cp, x, n: np.sum(x),
    "np.concatenate": lambda cp, x, n: np.concatenate([x, x]),
    "np.asarray": lambda cp, x, n: np.asarray(x),
    "np.array of a list": lambda cp, x, n: np.array([x, x]),
}


@pytest.mark.parametrize("call", MIXED.values(), ids=MIXED)
def test_mixing_with_numpy_is_refused(cp, x, host, call):
    with pytest.raises(TypeError, match="Unsupported type|Implicit conversion|was called on|does not support ufunc"):
        call(cp, x, host)
    assert np.array_equal(host, np.arange(6.0).reshape(2, 3))


def test_scalars_mix_from_either_side(cp, x, host):
    for scalar in (2, 2.0, np.float64(2), np.float32(2), np.int64(2)):
        same(x * scalar, host * scalar)
        same(scalar - x, scalar - host)
        same(scalar <= x, scalar <= host)
    same(x.astype(np.float32) * 2.0, host.astype(np.float32) * 2.0)
    same(cp.maximum(x, 1.0), np.maximum(host, 1.0))


def test_operators_are_numpys(cp, x, host):
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
        method = f"__{name}__"
        same(getattr(x + 1, method)(x + 2), getattr(host + 1, method)(host + 2))
    same(2**x, 2**host)
    same(x @ x.T, host @ host.T)
    same(-x, -host)
    same(abs(x - 3), abs(host - 3))
    same((x > 1) & ~(x > 4) | (x == 5), (host > 1) & ~(host > 4) | (host == 5))
    same(x.real, host.real)
    same(x.imag, host.imag)


def test_host_data_comes_in_by_a_copy(cp, host):
    for take in (cp.asarray, cp.array, cp.asanyarray):
        x = take(host)
        x[0, 0] = 9.0
        same(take([[1, 2], [3, 4]], dtype=np.float32), np.array([[1, 2], [3, 4]], np.float32))
        same(take([x[0, 0], x[0, 1]]), [9.0, 1.0])
    assert host[0, 0] == 0.0
    assert cp.asarray(x) is x and cp.array(x) is not x
    back = cp.asnumpy(x)
    back[0, 0] = 5.0
    assert type(back) is np.ndarray and x[0, 0] == 9.0


def test_dtypes_that_cupy_lacks_are_refused(cp):
    for data in (["a"], [None], np.array(["2000-01-01"], "M8[D]"), np.zeros(2, np.longdouble)):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            cp.asarray(data)


def test_reductions_and_elements_are_arrays_of_shape_nothing(cp, x, host):
    for result in (
        x.sum(),
        cp.sum(x),
        x.max(),
        x.mean(),
        cp.linalg.norm(x),
        cp.vdot(x, x),
        x[1, 2],
        cp.exp(x[0, 0]),
    ):
        assert isinstance(result, cp.ndarray) and result.shape == ()
    for result in (cp.allclose(x, x), cp.array_equal(x, x), cp.count_nonzero(x), cp.any(x > 1)):
        assert isinstance(result, cp.ndarray) and result.shape == ()
    same(cp.sum(x, axis=(0, 1), keepdims=True), host.sum(keepdims=True))
    assert cp.ndim(x) == 2 and cp.shape(x) == (2, 3) and cp.result_type(x, np.float32) == np.float64
    assert strict_cupy.syncs == 1  # that of `same`


def test_slices_are_views(cp, x, host):
    row, one, turned = x[1], x[0, 1], x.reshape(3, 2).T
    x[1] = x[0] + 10.0
    x[0, 1] = 7.0
    same(row, [10.0, 11.0, 12.0])
    same(one, 7.0)
    turned[0, 0] = -1.0
    assert x[0, 0] == -1.0
    taken = x[cp.asarray([0])]
    taken[...] = 0.0
    assert x[0, 0] == -1.0
    for part in x:
        part += 1.0
    assert x[0, 0] == 0.0
    assert copy.deepcopy(x) is not x and copy.copy(x)[0, 0] == 0.0


def test_results_are_written_where_they_are_wanted(cp, x, host):
    room = cp.zeros((4, 2, 3))
    slot = room[2]
    assert cp.multiply(x, 2.0, out=slot) is slot
    same(room[2], host * 2)
    assert cp.sum(x, axis=0, out=slot[0]) is not slot
    same(room[2, 0], host.sum(axis=0))
    assert cp.matmul(x, x.T, out=(square := cp.empty((2, 2)))) is square
    same(square, host @ host.T)
    before, x_again = x, x
    x_again += 1.0
    assert x_again is before
    same(before, host + 1)
    z = x.astype(complex)
    z.imag[...] = 2.0
    z.real = 1.0
    same(z, np.full((2, 3), 1.0 + 2.0j))
    with pytest.warns(np.exceptions.ComplexWarning):
        z.astype(float)


def test_ufunc_methods_are_those_of_cupy(cp, x, host):
    same(cp.add.reduce(x), np.add.reduce(host))
    same(cp.multiply.accumulate(x, axis=1), np.multiply.accumulate(host, axis=1))
    same(cp.add.reduceat(x, cp.asarray([0, 1]), axis=1), np.add.reduceat(host, [0, 1], axis=1))
    same(cp.subtract.outer(x, x), np.subtract.outer(host, host))
    for call in (cp.maximum.at, cp.add.at):
        call(x, (cp.asarray([0, 0]), cp.asarray([1, 1])), 4.0)
    assert x[0, 1] == 12.0
    sys.modules["cupyx"].scatter_add(x, cp.asarray([1, 1]), cp.ones(3, np.float32))
    same(x[1], host[1] + 2)
    for name, method in [("maximum", "reduce"), ("multiply", "reduceat"), ("subtract", "accumulate")]:
        with pytest.raises(NotImplementedError, match=f"{name}.{method}"):
            getattr(getattr(cp, name), method)(x)
    with pytest.raises(NotImplementedError, match="multiply.at"):
        cp.multiply.at(x, 0, 1.0)
    for dtype in (np.int64, np.complex128):
        with pytest.raises(TypeError, match="does not support dtype"):
            cp.add.at(x.astype(dtype), cp.asarray([0]), 1)


def test_functions_compute_what_numpys_compute(cp, x, host):
    ids = cp.asarray([2, 0])
    same(cp.concatenate([x, x], axis=1), np.concatenate([host, host], axis=1))
    same(cp.where(x > 2, x, 0.0), np.where(host > 2, host, 0.0))
    same(cp.take(x, ids, axis=1), host[:, [2, 0]])
    same(x.take(ids, axis=1), host[:, [2, 0]])
    same(x[:, ids], host[:, [2, 0]])
    same(cp.take_along_axis(x, cp.argsort(-x, axis=1), axis=1), host[:, ::-1])
    same(cp.einsum("ij,kj->ik", x, x, optimize=True), host @ host.T)
    same(x.transpose(1, 0).reshape(-1, order="C"), host.T.reshape(-1))
    same(x.clip(1.0, x.max()), host.clip(1.0, None))
    same(cp.full((2,), x[1, 1], dtype=np.float32), np.full(2, 4.0, np.float32))
    same(cp.finfo(x.dtype).eps * x, np.finfo(host.dtype).eps * host)
    assert all(isinstance(part, cp.ndarray) for part in (*cp.split(x, 3, axis=1), *cp.linalg.qr(x), *cp.modf(x)))
    assert cp.get_array_module(x) is cp and cp.get_array_module(host) is np
    assert cp.newaxis is None and cp.float32 is np.float32 and cp.pi == np.pi
    x.sort(axis=0)
    x.fill(3.0)
    same(x, np.full((2, 3), 3.0))


def test_the_generator_has_cupys_methods_alone(cp):
    first, second = cp.random.default_rng(3), cp.random.default_rng(3)
    for draw in (
        lambda rng: rng.random((2, 3), dtype=np.float32),
        lambda rng: rng.standard_normal(4),
        lambda rng: rng.integers(0, 5, size=6),
        lambda rng: rng.uniform(-1.0, 1.0),
        lambda rng: rng.integers(5),
        lambda rng: rng.random(out=cp.empty(3)),
    ):
        same(draw(first), draw(second).get())
    for name in ("normal", "permutation", "choice", "shuffle", "bytes"):
        with pytest.raises(AttributeError, match=name):
            getattr(first, name)
    with pytest.raises(AttributeError, match="seed"):
        cp.random.seed(0)


SYNCING = {
    "get": lambda cp, x: x.get(),
    "asnumpy": lambda cp, x: cp.asnumpy(x),
    "item": lambda cp, x: x[0, 0].item(),
    "tolist": lambda cp, x: x.tolist(),
    "float": lambda cp, x: float(x[0, 0]),
    "int": lambda cp, x: int(x[0, 0]),
    "bool": lambda cp, x: bool((x > 1).all()),
    "range": lambda cp, x: range(cp.asarray(3)),
    "zeros(array)": lambda cp, x: cp.zeros((2, cp.asarray(3))),
    "x.reshape(array)": lambda cp, x: x.reshape(cp.asarray(3), -1),
    "str": lambda cp, x: f"{x}",
    "nonzero": lambda cp, x: cp.nonzero(x),
    "x.nonzero": lambda cp, x: x.nonzero(),
    "where(condition)": lambda cp, x: cp.where(x > 1),
    "unique": lambda cp, x: cp.unique(x),
    "x[mask]": lambda cp, x: x[x > 1],
    "x[mask] = 0": lambda cp, x: x.__setitem__(x > 1, 0.0),
}


@pytest.mark.parametrize("call", SYNCING.values(), ids=SYNCING)
def test_waiting_for_the_device_is_counted(cp, x, call):
    call(cp, x)
    assert strict_cupy.syncs == 1


def test_computing_does_not_wait(cp, x):
    y = cp.tanh(x @ x.T + 1.0)
    y = cp.where(y > 0.5, y, 0.0)[:, cp.asarray([0, 1])].sum(axis=0)
    y *= cp.random.default_rng(0).random(2)
    cp.add.at(y, cp.asarray([0, 0]), y.max())
    assert strict_cupy.syncs == 0
