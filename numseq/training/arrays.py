"""Named arrays in a .safetensors file, with a checksum of every byte of it.

The header holds one JSON object beside the arrays, {"format": 4, "crc32": "1a2b3c4d", ...}. The checksum is the CRC-32
of the whole file with eight zeros in its own place. Nothing that is loaded can execute anything.
"""

import json
import re
import zlib
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import Array, asarray, to_numpy
from numseq.errors import NumseqError
from numseq.files import write_atomically

FORMAT = 4  # of all files of a run
CHECKSUM = re.compile(rb'\\"crc32\\": \\"([0-9a-f]{8})\\"')  # as it stands in the header, a JSON text in a JSON text
NONE = b"00000000"


class CheckpointError(NumseqError):
    """A run that cannot be read or must not be overwritten."""


def save_arrays(path: str | PathLike, arrays: Mapping[str, Array], metadata: dict[str, Any] | None = None) -> str:
    """Write named arrays, with a JSON-able `metadata` beside them. Returns: the checksum."""
    from safetensors.numpy import save

    host = {name: np.ascontiguousarray(to_numpy(array)) for name, array in arrays.items()}
    described = {"format": FORMAT, **(metadata or {}), "crc32": NONE.decode()}
    data = bytearray(save(host, {"numseq": json.dumps(described)}))
    crc = f"{zlib.crc32(data):08x}"
    start = _header(data, CHECKSUM).start(1)
    data[start : start + len(crc)] = crc.encode()
    write_atomically(path, data)
    return crc


def load_arrays(
    path: str | PathLike, formats: tuple[int, ...] = (FORMAT,)
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(named arrays, metadata) of a file that `save_arrays` wrote, in one of the formats.

    Raises: CheckpointError, also when a single bit is another one than was written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        with open(path, "rb") as file:
            data = file.read()
        metadata = json.loads(json.loads(_header(data)).get("__metadata__", {}).get("numseq", "null"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise CheckpointError(f"{path}: truncated or not a checkpoint") from None
    if not isinstance(metadata, dict) or metadata.get("format") not in formats:
        raise CheckpointError(f"{path}: not written by numseq, or by another version's format")
    if metadata["format"] == FORMAT and metadata.get("crc32") != _checksum(data):
        raise CheckpointError(f"{path}: truncated or damaged, its checksum does not fit: take it from a copy")
    try:
        return load(data), metadata
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: truncated or not a checkpoint ({error})") from None


def restore(path: str | PathLike, tree: trees.Tree, arrays: Mapping[str, Array], prefix: str = "") -> trees.Tree:
    """The tree with its leaves taken from the named arrays that begin with `prefix`, on the current backend.

    Raises: CheckpointError, when a name is missing or left over, a shape or the precision differs, or a number is none.
    """
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    try:
        restored = trees.map(asarray, trees.replace(tree, own))
        trees.common_dtype(own)
    except (trees.TreeError, TypeError) as error:
        raise CheckpointError(f"{path}: does not fit the configuration ({prefix}{error})") from None
    for name, array in own.items():
        if array.dtype.kind == "c" or not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {prefix}{name} holds numbers that are not real and finite")
    return restored


def _header(data, pattern=None):
    """The JSON text at the beginning of a .safetensors file; with a pattern, its match in the whole file."""
    end = min(len(data), 8 + int.from_bytes(data[:8], "little"))
    return pattern.search(data, 8, end) if pattern else bytes(data[8:end])


def _checksum(data):
    """What the checksum in the header should be; None where it has none."""
    found = _header(data, CHECKSUM)
    if found is None:
        return None
    view = memoryview(data)
    start, end = found.span(1)
    return f"{zlib.crc32(view[end:], zlib.crc32(NONE, zlib.crc32(view[:start]))):08x}"
