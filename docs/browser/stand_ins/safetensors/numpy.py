"""The file format: the length of a header in 8 bytes, the header as JSON (for each array its dtype, shape and place),
then the arrays one after the other."""

import json

import numpy as np

from safetensors import SafetensorError

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
          "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?"}  # fmt: skip


def save(arrays, metadata=None):
    header, parts, begin = {"__metadata__": metadata} if metadata else {}, [], 0
    for name, array in arrays.items():
        [dtype] = [key for key, value in DTYPES.items() if np.dtype(value) == array.dtype]
        parts.append(np.ascontiguousarray(array).tobytes())
        end = begin + len(parts[-1])
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    return b"".join([len(told).to_bytes(8, "little"), told, *parts])


def load(data):
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        arrays = {}
        for name, its in header.items():
            begin, end = its["data_offsets"]
            part = np.frombuffer(data[8 + size + begin : 8 + size + end], DTYPES[its["dtype"]])
            arrays[name] = part.reshape(its["shape"]).copy()
        return arrays
    except (ValueError, KeyError, TypeError) as error:
        raise SafetensorError(str(error)) from None
