"""State dicts in files: .safetensors and .npz, neither of which can execute anything when it is read."""

import io
import zipfile
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from numseq import arguments
from numseq.files import write_atomically
from numseq.interop.state import InteropError, checked, host

PICKLES = (".pt", ".pth", ".bin", ".ckpt")
NUMBERS = {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}  # that NumPy has


def read(path: str | PathLike) -> dict[str, np.ndarray]:
    """Read a state dict from a file.

    Args: path, a .safetensors or .npz file. Neither can execute anything when it is read.
    Returns: a dict, name to NumPy array.
    Raises: InteropError, when there is no such file, when it is another kind of file, damaged or cut short, or when it
        holds numbers that NumPy does not have (bfloat16).
    """
    kind = _suffix(path)
    try:
        state = _read_npz(path) if kind == ".npz" else _read_safetensors(path)
    except InteropError:
        raise
    except FileNotFoundError:
        raise InteropError(f"{path}: no such file") from None
    except Exception as error:  # of damaged files, zipfile, NumPy and safetensors raise a dozen kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InteropError(f"{path}: truncated or not a {kind} file of arrays ({reason})") from None
    return state


def _read_npz(path):
    with open(path, "rb") as raw:  # NumPy leaves a damaged file open that it opened itself
        file = np.load(raw, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("one .npy array, without a name")
        with file:
            state = {name: file[name] for name in file.files}
    if strange := [name for name, array in state.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"{strange[0]} in it is no array")
    return state


def _read_safetensors(path):
    from safetensors import safe_open

    state = {}
    with safe_open(path, framework="np") as file:
        for name in file.keys():  # noqa: SIM118 - not a dict
            dtype = file.get_slice(name).get_dtype()
            if dtype not in NUMBERS:
                dtype = "bfloat16" if dtype == "BF16" else dtype
                raise InteropError(f"{path}: {name} is {dtype}, which NumPy lacks; convert it in PyTorch with .float()")
            state[name] = file.get_tensor(name)
    return state


def write(path: str | PathLike, state: Mapping[str, Any]) -> None:
    """Write a state dict to a file, all of it or nothing.

    Args: path, a .safetensors or .npz file, replaced if it is there. state, a dict, name to array of either backend.
    Raises: InteropError, when the file has another suffix, an array does not hold plain numbers, or the file cannot be
        written.
    """
    kind, arrays = _suffix(path), {}
    for name, array in checked(state).items():
        array = arrays[name] = np.asarray(host(name, array), order="C")
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise InteropError(f"{name} holds {array.dtype}: only real numbers of at most 64 bits can be written")
    try:
        write_atomically(path, _npz(arrays) if kind == ".npz" else _safetensors(arrays))
    except OSError as error:
        raise InteropError(f"{path}: cannot be written ({error.strerror})") from None


def _npz(arrays):
    """The bytes of an .npz file. `np.savez` takes the names as arguments, so that a few (`file`) cannot be names."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, array in arrays.items():
            # ZipInfo has a fixed date: the same arrays give the same bytes
            with file.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return data.getvalue()


def _safetensors(arrays):
    from safetensors.numpy import save

    return save(arrays, {"format": "pt"})  # some readers, such as transformers, refuse a file that does not say so


def _suffix(path):
    suffix = arguments.path(path, "path").suffix.lower()
    if suffix in PICKLES:
        raise InteropError(
            f"{path}: torch.save writes a pickle, which can run any code when it is read; convert it in PyTorch: "
            'safetensors.torch.save_file(model.state_dict(), "model.safetensors")'
        )
    if suffix not in (".safetensors", ".npz"):
        raise InteropError(f"{path}: a file of weights ends in .safetensors or .npz")
    return suffix
