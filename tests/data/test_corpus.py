"""Corpora: columns, JSON lines, several files, what can be read once only; text goes by in constant memory."""

import gzip
import io
import json
import os
import tracemalloc

import numpy as np
import pytest

from numseq.data import DataError
from numseq.data.columns import Columns
from numseq.data.corpus import JsonFiles, ParallelFiles, Part, Rows, TsvFiles
from numseq.errors import ArgumentError, ConfigError
from numseq.training import DataOptions

PAIRS = [("a b", "x"), ("c", "y z"), ("é", "ž")]


def put(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(rows):
    return "".join("\t".join(row) + "\n" for row in rows)


def twice(corpus):
    """What two passes give, which must be the same."""
    first = list(corpus)
    assert list(corpus) == first
    return first


def test_several_files_come_one_after_the_other_packed_or_not(tmp_path):
    one, more = put(tmp_path, "1", table(PAIRS[:2])), put(tmp_path, "2", gzip.compress(table(PAIRS[2:]).encode()))
    assert twice(TsvFiles([one, more])) == PAIRS
    sides = [[put(tmp_path, f"{k}{side}", f"{pair[side]}\n") for k, pair in enumerate(PAIRS)] for side in (0, 1)]
    assert twice(ParallelFiles(*sides)) == PAIRS
    with pytest.raises(ConfigError, match="2 source files and 1 target files: they must pair up"):
        ParallelFiles([one, more], [one])


@pytest.mark.parametrize(("source", "target"), [("2", "4"), ("en", "fr"), ("en", "4"), ("2", "fr")])
def test_columns_are_chosen_by_number_or_by_name(tmp_path, source, target):
    rows = [["1", s, "?", t] for s, t in PAIRS]
    head = [] if (source + target).isdecimal() else [["id", "en", "de", "fr"]]
    assert twice(TsvFiles(put(tmp_path, "t", table(head + rows)), source, target)) == PAIRS
    if not head:
        objects = put(tmp_path, "j", "".join(json.dumps(row) + "\n" for row in rows))
        assert twice(JsonFiles(objects, source, target)) == PAIRS
        assert twice(Rows(rows, "train", source, target)) == PAIRS


@pytest.mark.parametrize("text", ['[{"s": "a", "t": "b"}, {"s": "c", "t": "d"}]', "[\n {\n", '[\n["a", "b"],\n'])
def test_json_of_one_array_is_told_what_makes_lines_of_it(tmp_path, text):
    with pytest.raises(DataError, match=r"line [12]: .*one array.*jq -c '\.\[\]'"):
        list(JsonFiles(put(tmp_path, "j", text)))


def test_a_line_of_one_column_is_not_told_to_choose_two(tmp_path):
    with pytest.raises(DataError, match="line 2: 1 column where 2 were expected, with a tab between$"):
        list(TsvFiles(put(tmp_path, "t", "a\tb\nc\n")))


@pytest.mark.parametrize(("text", "columns", "says"), [
    ("a\tb\n", ("1", "x"), "t, line 1: no column is called 'x'; there are a, b"),
    ("a\tb\n\nc\n", ("1", "2"), "t, line 3: 1 column, and column 2 is asked for"),
    ("a\tb\tc\td\n", (None, None), "t, line 1: 4 columns where 2 were expected.*--source-column 1"),
    ("\n\t\n", ("1", "2"), None)])  # fmt: skip
def test_a_table_without_the_columns_is_refused(tmp_path, text, columns, says):
    corpus = TsvFiles(put(tmp_path, "t", text), *columns)
    if says is None:
        assert twice(corpus) == [] and corpus.skipped == 2
    else:
        with pytest.raises(DataError, match=says):
            list(corpus)


def test_a_number_of_a_column_may_be_a_number():
    found = DataOptions(source_column=2, target_column=1)
    assert (found.source_column, found.target_column) == ("2", "1")
    for wrong in (True, 1.0, 0):
        with pytest.raises(ConfigError, match="source_column is"):
            DataOptions(source_column=wrong, target_column=1)


@pytest.mark.parametrize("columns", [("1", None), (None, "a"), ("0", "1"), ("", "1")])
def test_columns_that_cannot_be_are_refused(columns):
    with pytest.raises(ConfigError, match="source_column"):
        Columns(*columns)


def lines(*rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


@pytest.mark.parametrize(("rows", "columns"), [
    ([{"en": s, "fr": t} for s, t in PAIRS], ()),
    ([{"id": k, "translation": {"en": s, "fr": t}} for k, (s, t) in enumerate(PAIRS)], ()),
    ([{"id": "7", "translation": {"en": s, "fr": t}} for s, t in PAIRS], ("translation.en", "translation.fr")),
    ([{"a.b": s, "1": t, "c": "?"} for s, t in PAIRS], ("a.b", "1")),
    ([list(pair) for pair in PAIRS], ())])  # fmt: skip
def test_rows_of_a_data_set_are_pairs(tmp_path, rows, columns):
    assert twice(JsonFiles(put(tmp_path, "j", lines(*rows)), *columns)) == PAIRS
    assert twice(Rows(rows, "train", *columns)) == PAIRS
    assert twice(Rows(iter(rows), "train", *columns)) == PAIRS


def test_an_object_that_changes_its_order_does_not_change_sides(tmp_path):
    rows = lines({"en": "a", "fr": "x"}, {"fr": "y", "en": "b"})
    assert list(JsonFiles(put(tmp_path, "j", rows))) == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(("rows", "columns", "says"), [
    (["{"], (), "j, line 1: not JSON"), (["[" * 100_000], (), "line 1: not JSON that can be read"),
    ([["a", "b"], "3"], (), "j, line 2 is 3: it must be an object or an array"),
    ([["a", "b", "c"]], (), "line 1: 3 columns where 2 were expected; of more, choose two by --source-column"),
    ([{"en": "a", "fr": "b", "de": "c", "n": 1}], (),
     r"line 1: 3 texts in it .* \(en \(text\), fr \(text\), de \(text\), n \(number\)\); choose two"),
    ([{"t": {"en": "a"}}], (), r"line 1: 1 texts in it .* \(t.en \(text\)\)"),
    ([{}], (), r"line 1: 0 texts in it .* \(nothing\)"),
    ([{"t": {"en": "a", "fr": "b"}}], ("t.en", "t.de"), "line 1: no t.de in it; there are t.en, t.fr"),
    ([["a", "b"]], ("en", "fr"), "line 1: a list has no column called 'en': choose by number"),
    ([["a", 5]], (), "line 1: the target is 5: it must be a text"),
    ([["a", "\ud800"]], (), "line 1: the target is no text: it has a lone surrogate")])  # fmt: skip
def test_json_that_is_no_pair_is_refused_in_a_line(tmp_path, rows, columns, says):
    with pytest.raises(DataError, match=says):
        list(JsonFiles(put(tmp_path, "j", lines(*rows)), *columns))


def test_an_empty_side_is_skipped_and_counted_whatever_the_corpus(tmp_path):
    rows = [("a", "x"), ("", "y"), ("c", ""), ("d", "z")]
    with_none = [{"s": s, "t": t or None} for s, t in rows]
    for corpus in (
        TsvFiles(put(tmp_path, "t", table(rows))),
        ParallelFiles(*(put(tmp_path, str(k), "".join(f"{row[k]}\n" for row in rows)) for k in (0, 1))),
        JsonFiles(put(tmp_path, "j", lines(*with_none, ""))),
        Rows(rows, "train"),
        Rows(with_none, "train"),
    ):
        assert twice(corpus) == [("a", "x"), ("d", "z")]
        assert corpus.skipped == 2 + isinstance(corpus, JsonFiles)


def test_what_comes_once_is_gone_over_again(tmp_path, monkeypatch):
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(gzip.compress(table(PAIRS).encode()))
    piped = TsvFiles(f"/dev/fd/{reading}")
    both = iter(piped), iter(piped)
    assert [(next(both[0]), next(both[1])) for _ in PAIRS] == [(pair, pair) for pair in PAIRS]
    os.close(reading)
    assert twice(piped) == PAIRS
    (tmp_path / "in").write_bytes(table(PAIRS).encode())
    with open(tmp_path / "in") as file:
        monkeypatch.setattr("sys.stdin", file)
        given = TsvFiles("-")
        assert given.name == "standard input" and twice(given) == PAIRS


class Split:
    """As a split of a data set: rows that are made one by one, and can be gone over again."""

    def __init__(self, n):
        self.n, self.passes = n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, k):
        return {"translation": {"en": f"{k}", "fr": f"{-k}"}}

    def __iter__(self):
        self.passes += 1
        return map(self.__getitem__, range(self.n))


def test_a_split_of_a_data_set_works_as_it_is_and_is_gone_over_once():
    split = Split(5)
    assert twice(Rows(split, "train")) == [(str(k), str(-k)) for k in range(5)] and split.passes == 1


def test_a_corpus_takes_no_more_memory_when_it_is_longer():
    def peak(n):
        corpus = Rows(((f"{k} " * 9, f"{k}") for k in range(n)), "train")
        tracemalloc.start()
        try:
            assert sum(1 for _ in corpus) == sum(1 for _ in corpus) == n
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(8000) < peak(1000) + 200_000


def test_a_full_disk_is_said_where_a_pipe_is_kept(monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(DataError, match=r"train comes once only, and cannot be kept in .* \(No space left on device\)"):
        list(Rows(iter(PAIRS), "train"))


def test_a_part_has_the_rows_that_are_kept():
    assert twice(Part(Rows(PAIRS, "train"), np.array([True, False, True]))) == [PAIRS[0], PAIRS[2]]


def test_rows_that_are_no_pairs_are_named():
    for rows, says in (
        ([("a",)], r"train\[0\] is \('a',\)"),
        ("ab", "train is 'ab'"),
        ([("a", "b"), 3], r"train\[1\]"),
    ):
        with pytest.raises(ArgumentError, match=says):
            list(Rows(rows, "train"))
    with pytest.raises(DataError, match=r"train\[1\]: no en in it; there are de"):
        list(Rows([{"en": "a", "fr": "b"}, {"de": "c"}], "train"))
