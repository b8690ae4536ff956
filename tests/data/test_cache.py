"""Ids on the disk: the same as in memory, made once, whole or not there."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers_run import words

from numseq.data import DataError, Tokens, cache
from numseq.data.cache import cached
from numseq.data.encoding import encode, id_types, in_memory

PAIRS = words(60)
TOKENS = Tokens.train([s for s, _ in PAIRS], "word"), Tokens.train([t for _, t in PAIRS], "char")
KINDS = id_types(TOKENS, 100, False)


def make(stores):
    return {"kept": encode(PAIRS, TOKENS, stores, (9, 9), "cut").kept}


def use(folder, make=make, key=None, say=None):
    def never(line):
        raise AssertionError(line)

    return cached(folder, key or {"a": 1}, KINDS, make, say or never)


def no_making(stores):
    raise AssertionError("it is there already")


def same(pairs, others):
    for ours, theirs in ((pairs.source, others.source), (pairs.target, others.target)):
        assert ours.flat.dtype == theirs.flat.dtype and ours.flat.tolist() == theirs.flat.tolist()
        assert ours.lengths.tolist() == theirs.lengths.tolist()


def test_ids_are_those_of_memory_and_made_once(tmp_path):
    expected, counts = in_memory(PAIRS, TOKENS, (9, 9), "cut")
    for how in (make, no_making):
        pairs, made = use(tmp_path / "new" / "cache", how)
        same(pairs, expected)
        assert made == {"kept": counts.kept}
        assert isinstance(pairs.source.flat.base, np.memmap) and pairs.source.flat.dtype == np.uint16
    batch, other = (one.batch(np.array([3, 59, 0])) for one in (pairs, expected))
    assert batch.source.tolist() == other.source.tolist() and batch.target_out.tolist() == other.target_out.tolist()
    assert batch.source.dtype == np.int64


def test_another_key_is_another_cache(tmp_path):
    use(tmp_path), use(tmp_path, key={"a": 2})
    assert len(list(tmp_path.iterdir())) == 2


def place(folder):
    [found] = folder.glob("[0-9a-f]*.v?")
    return found


def flip(path):
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "cut short": lambda there: os.truncate(there / "source.ids", 7),
    "a bit": lambda there: flip(there / "target.lengths"),
    "a file less": lambda there: (there / "target.ids").unlink(),
    "no description": lambda there: (there / "about.json").write_text("{"),
    "another format": lambda there: (there / "about.json").write_text(
        (there / "about.json").read_text().replace('"format": 1', '"format": 0')
    ),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_what_is_damaged_is_made_anew_and_that_is_said(tmp_path, how):
    use(tmp_path)
    DAMAGE[how](place(tmp_path))
    said = []
    again, _ = use(tmp_path, say=said.append)
    assert len(said) == 1 and said[0].startswith(f"{place(tmp_path)}: ") and said[0].endswith(": made anew")
    same(use(tmp_path, no_making)[0], again)
    assert [path.name for path in tmp_path.iterdir()] == [place(tmp_path).name]


def test_a_cache_of_another_version_is_left_and_that_is_said(tmp_path, monkeypatch):
    use(tmp_path)
    old = place(tmp_path).name
    monkeypatch.setattr(cache, "FORMAT", 2)
    said = []
    use(tmp_path, say=said.append)
    assert said == [f"{tmp_path / old}: a cache of another version of numseq: made anew beside it"]
    use(tmp_path, no_making)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, DataError])
def test_what_was_interrupted_leaves_nothing(tmp_path, stop):
    def interrupted(stores):
        make(stores)
        raise stop("now")

    with pytest.raises(stop):
        use(tmp_path, interrupted)
    assert list(tmp_path.iterdir()) == []
    use(tmp_path)


def test_what_a_killed_process_left_is_removed_and_what_lives_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (dead.pid, os.getppid()):
        left = tmp_path / f".key.v1.{cache._host()}.{process}.0123abcd.part"
        left.mkdir()
        (left / "source.ids").write_bytes(b"half")
    (tmp_path / f".key.v1.elsewhere.{dead.pid}.0123abcd.part").mkdir()
    (tmp_path / "mine").mkdir()
    use(tmp_path)
    names = {path.name for path in tmp_path.iterdir()} - {place(tmp_path).name}
    lives = f".key.v1.{cache._host()}.{os.getppid()}.0123abcd.part"
    assert names == {"mine", lives, f".key.v1.elsewhere.{dead.pid}.0123abcd.part"}


def test_two_at_once_both_have_it(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: use(tmp_path)[0], range(8)))
    for pairs in found:
        same(pairs, found[0])
    assert [path.name for path in tmp_path.iterdir()] == [place(tmp_path).name]


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=rf"{tmp_path}: cannot be used as a cache \(No space left on device\)"):
        use(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be used as a cache"):
        use(tmp_path / "file")


def test_large_vocabularies_have_larger_numbers(tmp_path):
    class Large:
        def __len__(self):
            return 70_000

    assert id_types((Large(), TOKENS[0]), 100, False) == [np.uint32, np.uint16]
    assert json.loads((place(tmp_path) / "about.json").read_text())["types"] == ["<u2", "<u2"] if use(tmp_path) else 0
