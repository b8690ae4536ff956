"""A strict stand-in for CuPy 14.2, backed by NumPy.

What runs on it uses only CuPy's names and keywords, never mixes CuPy's arrays with NumPy's, and never relies
on NumPy's scalars. It is no emulator: the numbers are NumPy's, and where CuPy's behaviour is in doubt it
refuses. The names and the keywords of functions are in cupy_names.json and cupy_keywords.json.

    with strict_cupy.installed() as cupy:      # `import cupy` finds the stand-in
        strict_cupy.syncs = 0
        ...
        assert strict_cupy.syncs == 0          # the host never waited for the device
"""

import importlib.machinery
import json
import operator
import sys
import types
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

import numpy as np

NAMES = set(json.loads(Path(__file__).with_name("cupy_names.json").read_text()))
KEYWORDS = json.loads(Path(__file__).with_name("cupy_keywords.json").read_text())
# CuPy declares these with **kwargs, so the file lacks them. A function in neither table takes no keyword.
KEYWORDS |= {
    "einsum": ["*operands", "dtype", "optimize"],
    "meshgrid": ["*xi", "copy", "indexing", "sparse"],
    "pad": ["array", "pad_width", "mode", "constant_values"],
    "size": ["a", "axis"],
}
VARIADIC = {"args", "arys", "arrays", "arrays_and_dtypes", "varargs"}  # how the file names a *parameter


def _table(text):
    return {name: parameters for name, *parameters in map(str.split, text.split(";"))}


METHODS = _table(
    """all axis out keepdims; any axis out keepdims; argmax axis out dtype keepdims;
    argmin axis out dtype keepdims; argpartition kth axis; argsort axis kind;
    astype dtype order casting subok copy; choose choices out mode; clip min max out;
    compress condition axis out; conj; conjugate; copy order; cumprod axis dtype out; cumsum axis dtype out;
    diagonal offset axis1 axis2; dot b out; fill value; flatten order; max axis out keepdims;
    mean axis dtype out keepdims; min axis out keepdims; nonzero; partition kth axis;
    prod axis dtype out keepdims; put indices values mode; ravel order; repeat repeats axis;
    reshape *shape order; round decimals out; searchsorted v side sorter; sort axis kind; squeeze axis;
    std axis dtype out ddof keepdims; sum axis dtype out keepdims; swapaxes axis1 axis2;
    take indices axis out; trace offset axis1 axis2 dtype out; transpose *axes;
    var axis dtype out ddof keepdims; view dtype"""
)
GENERATOR = _table(
    """binomial n p size dtype; exponential scale size dtype; gamma shape scale size; geometric p size dtype;
    integers low high size dtype endpoint; poisson lam size dtype; random size dtype out;
    standard_exponential size dtype method out; standard_gamma shape size dtype out;
    standard_normal size dtype out; uniform low high size dtype"""
)
LINALG = _table("inv a; norm x ord axis keepdims; qr a mode; solve a b; svd a full_matrices compute_uv")
UFUNC_METHODS = {  # with the ufuncs that have them
    "reduce": ({"add", "multiply"}, ["array", "axis", "dtype", "out", "keepdims"]),
    "accumulate": ({"add", "multiply"}, ["array", "axis", "dtype", "out"]),
    "reduceat": ({"add"}, ["array", "indices", "axis", "dtype", "out"]),
}
# The device's atomic operations, by which `at` works, know these dtypes only: no int64 and no complex number.
ATOMIC = {"add": "iIQLefd", "maximum": "iIQLfd", "minimum": "iIQLfd"}
DTYPES = "?bBhHiIlLqQefdFD"  # no objects, strings, dates or long doubles
SCALARS = (bool, int, float, complex, np.number, np.bool_)

TAKES_HOST_DATA = {"array", "asarray", "asanyarray"}
# These look at a scalar or a list as well; any other function with a parameter `a` needs an array there.
TAKES_ANYTHING = TAKES_HOST_DATA | {"allclose", "isclose", "ndim", "shape", "size"}
# Where an array stands for an integer, NumPy is left to ask its __index__, which is counted.
TAKES_NO_ARRAY = {"arange", "broadcast_shapes", "empty", "eye", "identity", "indices", "ones", "tri", "zeros"}
TAKES_ONE_ARRAY = {
    "array_split",
    "broadcast_to",
    "expand_dims",
    "moveaxis",
    "repeat",
    "reshape",
    "roll",
    "split",
    "tile",
}
ARRAY_PARAMETERS = {"b", "choices", "condition", "indices", "max", "min", "out", "sorter", "v", "value", "values"}
GIVES_HOST_SCALAR_IN_NUMPY = {"allclose", "array_equal", "array_equiv", "count_nonzero"}
SYNCING = {
    "argwhere",
    "array2string",
    "array_repr",
    "array_str",
    "average",
    "bincount",
    "choose",
    "compress",
    "corrcoef",
    "cov",
    "delete",
    "extract",
    "flatnonzero",
    "histogram",
    "histogram2d",
    "histogramdd",
    "in1d",
    "intersect1d",
    "nonzero",
    "percentile",
    "piecewise",
    "place",
    "polyfit",
    "quantile",
    "roots",
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
    "setdiff1d",
    "setxor1d",
    "trim_zeros",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
}

syncs = 0  # how often the host has waited for the device; set it to 0 to count anew


def _sync():
    global syncs
    syncs += 1


def _unsupported(where, value):
    return TypeError(f"cupy: {where}: Unsupported type {type(value)}")


def _check(where, args, kwargs, allowed):
    """Refuse a keyword, or an argument too many, that CuPy would refuse."""
    for key in kwargs:
        if key not in allowed:
            raise TypeError(f"cupy: {where}() got an unexpected keyword argument {key!r}")
    variadic = any(name in VARIADIC or name.startswith("*") for name in allowed)
    if len(args) > len(allowed) and not variadic:
        raise TypeError(f"cupy: {where}() takes at most {len(allowed)} arguments but {len(args)} were given")


def _host(where, value, deep=False):
    """What NumPy is given for `value`. Only `deep` looks into a list, which else is a shape, axes, ..."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise _unsupported(where, value)
    if deep and isinstance(value, (list, tuple)):
        return [_host(where, item, deep) for item in value]
    return value


def _operand(where, value):
    """What NumPy is given for an operand, which is an array of ours or a scalar."""
    if not isinstance(value, (ndarray, *SCALARS)):
        raise _unsupported(where, value)
    return _host(where, value)


def _device(result, given=()):
    """Our array for NumPy's. One of `given` whose memory it is, as `out` is, is handed back itself."""
    if isinstance(result, (list, tuple)):
        return (list if isinstance(result, list) else tuple)(_device(item, given) for item in result)
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    for array in given:
        if isinstance(array, ndarray) and array._host is result:
            return array
    if result.dtype.char not in DTYPES:
        raise ValueError(f"cupy: Unsupported dtype {result.dtype}")
    array = ndarray.__new__(ndarray)
    array._host = np.asarray(result)
    return array


def _index(key):
    """The key for NumPy. CuPy copies lists and NumPy arrays to the device, a hidden cost: refused here."""
    parts = key if isinstance(key, tuple) else (key,)
    kinds = (ndarray, slice, int, np.integer, np.bool_, type(None), type(...))
    for part in parts:
        if not isinstance(part, kinds):
            raise _unsupported("index", part)
        if isinstance(part, (bool, np.bool_)) or (isinstance(part, ndarray) and part.dtype == bool):
            _sync()  # the device alone knows how many are selected
    return tuple(_host("index", part) for part in parts)


class ndarray:
    """CuPy's array. It wraps NumPy's, and lets go of it by `get` and its like alone."""

    __slots__ = ("_host",)
    __module__ = "cupy"
    __array_ufunc__ = None  # NumPy's operators leave the work to ours, and NumPy's ufuncs refuse
    __hash__ = None

    def __init__(self, shape, dtype=float, order="C"):
        self._host = np.empty(shape, dtype, order)

    def __array__(self, *args, **kwargs):
        raise TypeError("cupy: Implicit conversion to a NumPy array is not allowed: use .get()")

    def __array_function__(self, function, *args):
        raise TypeError(f"cupy: numpy.{function.__name__} was called on a cupy.ndarray: use cupy's own")

    T = property(lambda self: _device(self._host.T))
    mT = property(lambda self: _device(self._host.mT))

    @property
    def flags(self):
        names = ("c_contiguous", "f_contiguous", "owndata")
        return types.SimpleNamespace(**{name: getattr(self._host.flags, name) for name in names})

    @property
    def real(self):
        return _device(self._host.real)

    @real.setter
    def real(self, value):
        self._host.real = _operand("ndarray.real", value)

    @property
    def imag(self):
        return _device(self._host.imag if self.dtype.kind == "c" else np.zeros_like(self._host))

    @imag.setter
    def imag(self, value):
        self._host.imag = _operand("ndarray.imag", value)

    def __getitem__(self, key):
        key = _index(key)  # a trailing Ellipsis has NumPy give a view of shape () in place of a scalar
        return _device(self._host[key if any(part is Ellipsis for part in key) else (*key, ...)])

    def __setitem__(self, key, value):
        self._host[_index(key)] = _operand("ndarray.__setitem__", value)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def get(self, stream=None, order="C", out=None, blocking=True):
        _sync()
        if out is None:
            return np.array(self._host, order=order)
        np.copyto(out, self._host, casting="no")
        return out


def _complete_ndarray():
    """Give it the attributes, conversions, operators and methods that differ by their name alone."""

    def converted(convert):
        return lambda self, *args: convert(self.get(), *args)

    def operated(name, function, reflected=False):
        def call(self, *others):
            operands = [self._host, *(_operand(name, other) for other in others)]
            return _device(function(*operands[:: -1 if reflected else 1]), (self,))

        return call

    def method(name, parameters):
        where = f"ndarray.{name}"

        def host(key, value):
            return value if isinstance(value, ndarray) and key not in ARRAY_PARAMETERS else _host(where, value)

        def call(self, *args, **kwargs):
            _check(where, args, kwargs, parameters)
            if name in SYNCING:
                _sync()
            hosts = [host(*pair) for pair in zip_longest(parameters[: len(args)], args)]
            named = {key: host(key, value) for key, value in kwargs.items()}
            return _device(getattr(self._host, name)(*hosts, **named), (self, *args, *kwargs.values()))

        return call

    for name in ("shape", "dtype", "ndim", "size", "nbytes", "strides", "itemsize"):
        setattr(ndarray, name, property(operator.attrgetter(f"_host.{name}")))
    for convert in (bool, int, float, complex, operator.index, repr, str, format):
        setattr(ndarray, f"__{convert.__name__}__", converted(convert))
    for name in ("item", "tolist", "tobytes"):
        setattr(ndarray, name, converted(getattr(np.ndarray, name)))
    for name in ["lt", "le", "eq", "ne", "gt", "ge", "neg", "pos", "abs", "invert"]:
        setattr(ndarray, f"__{name}__", operated(name, getattr(operator, name)))
    for name in [
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
        "matmul",
    ]:
        function = getattr(operator, f"__{name}__")
        setattr(ndarray, f"__{name}__", operated(name, function))
        setattr(ndarray, f"__r{name}__", operated(name, function, reflected=True))
        if name != "matmul":
            setattr(ndarray, f"__i{name}__", operated(name, getattr(operator, f"__i{name}__")))
    for name, parameters in METHODS.items():
        setattr(ndarray, name, method(name, parameters))


_complete_ndarray()


class ufunc:
    """CuPy's ufunc, without `where` and with few of NumPy's methods."""

    def __init__(self, name):
        self._numpy = getattr(np, name)
        self.__name__ = name
        self.nin, self.nout, self.nargs = self._numpy.nin, self._numpy.nout, self._numpy.nargs

    def __call__(self, *args, out=None, **kwargs):
        _check(self.__name__, (), kwargs, KEYWORDS.get(self.__name__, ["casting", "dtype"]))
        outs = args[self.nin :] or (out if isinstance(out, tuple) else (out,))
        for array in outs:
            if not (array is None or isinstance(array, ndarray)):
                raise _unsupported(f"{self.__name__}(out=)", array)
        if any(array is not None for array in outs):
            kwargs["out"] = tuple(_host(self.__name__, array) for array in outs)
        return _device(self._numpy(*(_operand(self.__name__, x) for x in args[: self.nin]), **kwargs), outs)

    def __getattr__(self, method):
        if method not in UFUNC_METHODS:
            raise AttributeError(f"cupy: 'ufunc' object has no attribute {method!r}")
        names, allowed = UFUNC_METHODS[method]
        if self.__name__ not in names:
            raise NotImplementedError(f"cupy: `{self.__name__}.{method}` is not supported")
        return _function(f"{self.__name__}.{method}", getattr(self._numpy, method), allowed)

    def outer(self, A, B, **kwargs):
        return self(A.reshape(A.shape + (1,) * B.ndim), B, **kwargs)

    def at(self, a, indices, b=None):
        if self.__name__ not in ATOMIC:
            raise NotImplementedError(f"cupy: `{self.__name__}.at` is not supported")
        key = _index(indices)
        by_number = any(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in key)
        if by_number and a.dtype.char not in ATOMIC[self.__name__]:
            raise TypeError(f"cupy: `{self.__name__}.at` does not support dtype {a.dtype}")
        self._numpy.at(a._host, key, np.asarray(_operand(f"{self.__name__}.at", b)).astype(a.dtype))


def _function(where, function, allowed):
    """NumPy's function as CuPy has it: its parameters, arrays of ours in and out."""
    name = where.rpartition(".")[2]
    deep = "tup" in allowed or "condlist" in allowed

    def host(value, first=False):
        by_index = isinstance(value, ndarray) and name in TAKES_ONE_ARRAY and not first
        return value if by_index else _host(where, value, deep)

    def call(*args, **kwargs):
        _check(where, args, kwargs, allowed)
        if name in TAKES_NO_ARRAY:
            return _device(function(*args, **kwargs))
        takes_array = "a" in allowed and name not in TAKES_ANYTHING
        for value in args[0] if "tup" in allowed and args else args[:takes_array]:
            if not isinstance(value, ndarray):
                raise _unsupported(where, value)
        if name == "where":
            for value in args:
                _operand(where, value)
        if name in SYNCING or (name == "where" and len(args) == 1):
            _sync()
        hosts = [host(arg, first=i == 0) for i, arg in enumerate(args)]
        result = function(*hosts, **{key: host(arg) for key, arg in kwargs.items()})
        if name in GIVES_HOST_SCALAR_IN_NUMPY:
            result = np.asarray(result)
        return _device(result, (*args, *kwargs.values()))

    call.__name__ = name
    return call


def _from_host(name):
    """`asarray` and its kin take the host's data in, always by a copy: the device has its own memory."""

    def data(obj):
        if isinstance(obj, (list, tuple)):
            return [data(item) for item in obj]
        return obj._host if isinstance(obj, ndarray) else obj

    def call(obj, *args, blocking=False, **kwargs):
        _check(name, (obj, *args), kwargs, KEYWORDS[name])
        host = obj._host if isinstance(obj, ndarray) else np.array(data(obj))
        return _device(getattr(np, name)(host, *args, **kwargs), (obj,))

    return call


def _asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out) if isinstance(a, ndarray) else np.asarray(a, order=order)


def _get_array_module(*args):
    return cupy if any(isinstance(arg, ndarray) for arg in args) else np


class Generator:
    """CuPy's generator, which lacks `normal`, `permutation`, `choice`, `shuffle` and more."""

    def __init__(self, seed=None):
        self._numpy = np.random.default_rng(seed)

    def __getattr__(self, name):
        if name not in GENERATOR:
            raise AttributeError(f"cupy: 'Generator' object has no attribute {name!r}")
        draw = getattr(self._numpy, name)  # which gives a Python number where no size is asked
        return _function(
            f"Generator.{name}", lambda *args, **kwargs: np.asarray(draw(*args, **kwargs)), GENERATOR[name]
        )


class Device:
    mem_info = (3 << 30, 4 << 30)  # free, in all

    def __init__(self, id=0):
        self.id = id

    def synchronize(self):
        """Wait openly, which is not what `syncs` is after."""


def _numpys(name):
    """Our form of what NumPy calls `name`, or None."""
    value = getattr(np, name, None)
    if isinstance(value, np.ufunc):
        return ufunc(name)
    if isinstance(value, type):
        return value if issubclass(value, (np.generic, np.dtype, np.finfo, np.iinfo, np.ndindex)) else None
    if callable(value):
        return _function(name, value, KEYWORDS.get(name, []))
    return value if isinstance(value, float) or name in {"exceptions", "index_exp", "s_"} else None


def _missing(name):
    why = "the stand-in for cupy does not offer" if name in NAMES else "module 'cupy' has no attribute"
    raise AttributeError(f"{why} {name!r}")


def _module(name, contents):
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    module.__dict__.update(contents)
    return module


def _build():
    ours = {name: value for name in NAMES if (value := _numpys(name)) is not None}
    ours |= {name: _from_host(name) for name in TAKES_HOST_DATA}
    ours |= {"ndarray": ndarray, "ufunc": ufunc, "newaxis": None, "__version__": "14.2.0", "__getattr__": _missing}
    ours |= {"asnumpy": _asnumpy, "get_array_module": _get_array_module, "is_available": lambda: True}
    nothing = dict.fromkeys(("used_bytes", "free_bytes", "total_bytes"), lambda: 0)
    pool = types.SimpleNamespace(free_all_blocks=lambda: None, **nothing)
    ours["get_default_memory_pool"] = lambda: pool

    error = type("CUDARuntimeError", (RuntimeError,), {})
    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=error)
    stream = types.SimpleNamespace(null=types.SimpleNamespace(synchronize=Device().synchronize))
    cuda = {"Device": Device, "Stream": stream, "runtime": runtime, "is_available": lambda: True}
    linalg = {name: _function(name, getattr(np.linalg, name), LINALG[name]) for name in LINALG}
    parts = {"random": {"default_rng": Generator, "Generator": Generator}, "linalg": linalg, "cuda": cuda}
    return _module("cupy", ours | {name: _module(f"cupy.{name}", part) for name, part in parts.items()})


cupy = _build()
cupyx = _module("cupyx", {"scatter_add": lambda a, slices, value: cupy.add.at(a, slices, value)})


@contextmanager
def installed():
    """Within it `import cupy` finds the stand-in; after it, what was found before."""

    def take_away():
        found = [name for name in sys.modules if name.partition(".")[0] in {"cupy", "cupyx"}]
        return {name: sys.modules.pop(name) for name in found}

    before = take_away()
    for module in (cupy, cupyx, cupy.cuda, cupy.linalg, cupy.random):
        sys.modules[module.__name__] = module
    try:
        yield cupy
    finally:
        take_away()
        sys.modules |= before
