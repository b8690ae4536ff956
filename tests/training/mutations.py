"""Runs that are made wrong: bytes, JSON and arrays of their files changed at random, checksums made right again or not.

A mutation is a function (rng, path, others) that changes a file of a run; others: folders of other runs.
"""

import json
import zlib

import numpy as np
from helpers_run import edit_config

from numseq.training.arrays import load_arrays, save_arrays
from numseq.training.checkpoint import CHECKPOINTS, CONFIG, METRICS, MODEL, TOKENS, TRAINING, Description, checksum

KEPT = f"{CHECKPOINTS}/00000006.safetensors"  # of the second epoch
FILES = (CONFIG, *TOKENS, MODEL, TRAINING, METRICS, KEPT)
VALUES = (
    None, True, False, -1, 0, 1, 2, 3, 7, 1.5, -0.5, 1e-9, 1e308, 2**31, 2**63, 10**30, -(10**30), 10**400, "", "x",
    "none", "gru", "word", "char", "sgd", "\0", "\ud800", "é" * 5000, "../../etc/passwd", [], [[]], [1, "x"], {},
    {"x": None}, float("nan"), float("inf"),
)  # fmt: skip


DTYPES = ("float64", "float16", "int32", "uint8", "bool", "complex64")


def run_of(path):
    """The folder of the run that a file is of."""
    return path.parents[1] if path.parent.name == CHECKPOINTS else path.parent


# bytes


def some_bits(rng, path, others):
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 8])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def some_bytes(rng, path, others):
    data = bytearray(path.read_bytes())
    k = rng.randrange(len(data))
    part = rng.choice([rng.randbytes(rng.randint(1, 40)), b"\0" * 40, b'"', b"\xff", b"\n", b"{}", b"9" * 30])
    data[k : k + len(part)] = part
    path.write_bytes(data[: len(data) + rng.choice([0, 0, 1])])


def cut(rng, path, others):
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice([0, 1, 7, 8, 9, len(data) // 2, len(data) - 1, rng.randrange(len(data))])])


def longer(rng, path, others):
    data = path.read_bytes()
    path.write_bytes(data + rng.choice([b"\0", b"\n", b"x", b"{}\n", data, rng.randbytes(50), b"\0" * 100_000]))


def zeros(rng, path, others):
    path.write_bytes(bytes(len(path.read_bytes())))


def header_length(rng, path, others):
    """The first eight bytes, which in a .safetensors file say how long the header is."""
    n = rng.choice([0, 1, 100, 2**20, 2**31, 2**40, 2**63, 2**64 - 1])
    path.write_bytes(n.to_bytes(8, "little") + path.read_bytes()[8:])


def swapped_parts(rng, path, others):
    data = path.read_bytes()
    a, b, c, d = sorted(rng.randrange(len(data) + 1) for _ in range(4))
    path.write_bytes(data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:])


def of_another_run(rng, path, others):
    path.write_bytes((rng.choice(others) / path.relative_to(run_of(path))).read_bytes())


def another_file_of_it(rng, path, others):
    path.write_bytes((run_of(path) / rng.choice(FILES)).read_bytes())


def exchanged_files(rng, path, others):
    other = run_of(path) / rng.choice(FILES)
    data = path.read_bytes(), other.read_bytes()
    other.write_bytes(data[0])
    path.write_bytes(data[1])


def gone(rng, path, others):
    path.unlink()


def a_folder(rng, path, others):
    path.unlink()
    path.mkdir()


def a_link_to_itself(rng, path, others):
    path.unlink()
    path.symlink_to(path.name)


def nested(rng, path, others):
    deep = rng.choice([100, 990, 20_000, 1_000_000])
    path.write_text(rng.choice(["[", '{"format":', "[["]) * deep + rng.choice(["", "]" * deep]))


# JSON


def places(said, found=None):
    """[(container, key)] of all values in what a JSON text says."""
    found = [] if found is None else found
    for key in said if isinstance(said, dict) else range(len(said)):
        found.append((said, key))
        if isinstance(said[key], dict | list):
            places(said[key], found)
    return found


def change_json(rng, said):
    """Change one thing in what a JSON text says."""
    container, key = rng.choice(places(said))
    how = rng.random()
    if how < 0.65:
        container[key] = rng.choice(VALUES)
    elif how < 0.8:
        del container[key]
    elif how < 0.9 and isinstance(container, dict):
        container[rng.choice(["x", "", key + "_"])] = container.pop(key)
    else:
        other, there = rng.choice(places(said))
        container[key], other[there] = other[there], container[key]


def value(rng, path, others):
    """Of a JSON file a value, of metrics one in a line, of arrays one in the metadata."""
    if path.suffix == ".safetensors":
        arrays, said = load_arrays(path)
        change_json(rng, said)
        save_arrays(path, arrays, said)
    elif path.name == CONFIG:
        edit_config(run_of(path), lambda said: change_json(rng, said))
    elif path.name == METRICS:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        change_json(rng, lines)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        said = json.loads(path.read_text())
        change_json(rng, said)
        path.write_text(json.dumps(said))


def a_size(rng, path, others):
    """Of the model, most of them such as no machine has room for."""
    name = rng.choice(
        ["embedding", "hidden", "attention_size", "layers", "heads", "window", "source_vocabulary", "samples"]
    )
    size = rng.choice([0, 5, 1000, 2**20, 10**9, 2**31, 2**40, 2**62])
    edit_config(run_of(path), lambda said: said["model"].update({name: size}))


def twice_the_same_key(rng, path, others):
    text = path.read_text(errors="replace")
    k = text.find("{", rng.randrange(len(text)))
    path.write_text(f'{text[: k + 1]}"format": 4, "model": 3, "vocab": 2, {text[k + 1 :]}', errors="replace")


def permuted_vocabulary(rng, path, others):
    path = run_of(path) / rng.choice(TOKENS)
    said = json.loads(path.read_text())
    words = [word for word, k in said["model"]["vocab"].items() if k > rng.choice([-1, 3])]
    numbers = [said["model"]["vocab"][word] for word in words]
    rng.shuffle(numbers)
    said["model"]["vocab"] |= dict(zip(words, numbers, strict=True))
    path.write_text(json.dumps(said))


# arrays


def an_array(rng, path, others):
    """Of another dtype, shape or name, gone, or with other numbers in it."""
    path = run_of(path) / rng.choice([MODEL, TRAINING, KEPT])
    arrays, said = load_arrays(path)
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    other = rng.choice(sorted(arrays))
    numbers = [np.nan, np.inf, -np.inf, 1e38, 1e-45, 0.0, rng.random()]
    changed = array.copy()
    if array.size:
        changed.flat[rng.randrange(array.size)] = rng.choice(numbers)
    now = {
        "dtype": lambda: {name: array.astype(rng.choice(DTYPES))},
        "shape": lambda: {name: rng.choice([array[..., None], array.ravel(), array[:0], array[..., :-1], array.T])},
        "name": lambda: {rng.choice([name + ".x", "x", "", name.upper()]): arrays.pop(name)},
        "gone": lambda: arrays.pop(name) is None or {},
        "more": lambda: {rng.choice(["x", name + ".y"]): array},
        "number": lambda: {name: changed},
        "all": lambda: {name: np.full_like(array, rng.choice(numbers))},
        "exchanged": lambda: {name: arrays[other], other: array},
    }[rng.choice(["dtype", "shape", "name", "gone", "more", "number", "number", "all", "exchanged"])]()
    save_arrays(path, arrays | now, said)


RAW = (
    some_bits, some_bits, some_bytes, cut, longer, zeros, header_length, swapped_parts, of_another_run,
    another_file_of_it, exchanged_files, gone, a_folder, a_link_to_itself, nested, twice_the_same_key, value,
    permuted_vocabulary, an_array, a_size,
)  # fmt: skip
SEALED = (value, value, value, value, a_size, permuted_vocabulary, an_array, an_array, of_another_run, some_bits,
          some_bytes, swapped_parts, cut, longer)  # fmt: skip


def seal(folder):
    """Make the checksums and the run's digest right again in all files that can still be read."""
    sums = {name: checksum((folder / name).read_bytes()) for name in TOKENS}
    steps = (
        lambda: edit_config(folder, lambda said: said.update(tokens=sums)),
        lambda: _reseal(folder / MODEL, run=Description.load(folder).run),
        lambda: _reseal(folder / TRAINING, run=Description.load(folder).run),
        lambda: _reseal(folder / KEPT, run=Description.load(folder).run),
        lambda: _reseal(folder / TRAINING, model_crc32=load_arrays(folder / MODEL)[1]["crc32"]),
        lambda: _reseal(folder / TRAINING, **_of_metrics((folder / METRICS).read_bytes())),
    )
    for step in steps:
        try:
            step()
        except Exception:  # broken too far; then it stays as it is
            continue


def _reseal(path, **changed):
    arrays, said = load_arrays(path)
    save_arrays(path, arrays, said | changed)


def _of_metrics(data):
    return {"metrics_bytes": len(data), "metrics_crc32": zlib.crc32(data)}


def mutate(rng, folder, others):
    """Change a run. Returns: (what was done, whether checksums were made right again)."""
    sealed = rng.random() < 0.5
    change, name = rng.choice(SEALED if sealed else RAW), rng.choice(FILES + (MODEL, TRAINING))
    change(rng, folder / name, others)
    if sealed:
        seal(folder)
    shown = f"{change.__name__} in {name}{', sealed' if sealed else ''}"
    return shown, sealed or change in (value, permuted_vocabulary, an_array, a_size)  # these make the file's own right
