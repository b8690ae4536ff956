"""A corpus of text: pairs (source, target) that can be gone over again, in memory that does not grow with them.

Parallel files, tables (TSV), JSON lines, and any Python iterable of pairs or dicts are corpora. What comes once only is
kept in a temporary file. What is wrong is said with file and line.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from os import PathLike
from typing import Any

import numpy as np

from numseq import arguments
from numseq.data.columns import Columns, as_text, at, counted
from numseq.data.lines import lines_of
from numseq.data.reading import Again, DataError, kept
from numseq.errors import ConfigError, shown

ONE_ARRAY = "where all pairs are in one array, jq -c '.[]' FILE makes a line of each"
Paths = str | PathLike | Sequence[str | PathLike]


class Corpus:
    """Pairs (source, target) of texts; those with an empty side are skipped.

    name: how messages call it. skipped, notes: how many pairs the last pass left out, and lines of what else is to be
    said of it, once it has come to its end. tags: what the sources have besides text, as "<user>"; all of them are
    known once a pass has come to its end.
    """

    name = ""
    tags: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.skipped = 0
        self.notes: list[str] = []

    def pairs(self) -> Iterator[tuple[str, str]]:
        """All pairs in their order, those with an empty side too. Raises: DataError."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[tuple[str, str]]:
        skipped, self.notes = 0, []
        for source, target in self.pairs():
            if source and target:
                yield source, target
            else:
                skipped += 1
        self.skipped = skipped

    def groups(self) -> list[int] | None:
        """Which dialogue or story each pair is of, as numbers from 0; None where each stands by itself."""
        return None

    def columns(self) -> tuple["Column", "Column"]:
        """The sources, and the targets, each to be gone over again."""
        return Column(self, 0), Column(self, 1)


class Column:
    """One side of a corpus."""

    def __init__(self, corpus: Iterable[tuple[str, str]], side: int):
        self.corpus, self.side = corpus, side

    def __iter__(self) -> Iterator[str]:
        return (pair[self.side] for pair in self.corpus)


class ParallelFiles(Corpus):
    """Line k of a source file with line k of its target file; several files of each one after the other."""

    def __init__(self, sources: Paths, targets: Paths):
        super().__init__()
        sources, targets = files_of(sources), files_of(targets)
        if len(sources) != len(targets):
            raise ConfigError(f"{len(sources)} source files and {len(targets)} target files: they must pair up")
        self.files = list(zip(sources, targets, strict=True))
        self.name = f"{listed(sources)} and {listed(targets)}"

    def pairs(self) -> Iterator[tuple[str, str]]:
        for both in self.files:
            counts = [0, 0]
            for lines in zip_longest(*map(lines_of, both)):
                counts = [n + (line is not None) for n, line in zip(counts, lines, strict=True)]
                if counts[0] == counts[1]:
                    yield lines[0].strip(), lines[1].strip()
            if counts[0] != counts[1]:
                (first, second), (n, m) = [file.name for file in both], counts
                raise DataError(f"{first} has {n:,} lines and {second} {m:,}: they must pair up")


class TsvFiles(Corpus):
    """Tables with tabs between the columns; the first line of each has their names, if one is chosen by name.

    With none chosen there are two columns, or three, as where each pair has its author, of which the third is left out.
    """

    def __init__(self, paths: Paths, source_column: str | None = None, target_column: str | None = None):
        super().__init__()
        self.files, self.chosen = files_of(paths), Columns(source_column, target_column)
        self.name = listed(self.files)

    def pairs(self) -> Iterator[tuple[str, str]]:
        for file in self.files:
            yield from self._chosen(file) if self.chosen.chosen else self._as_they_stand(file)

    def _chosen(self, file):
        places = None
        for number, line in enumerate(lines_of(file), 1):
            row, where = line.split("\t"), f"{file.name}, line {number:,}"
            if places is None:
                places = self.chosen.of_header([name.strip() for name in row], where)
                if self.chosen.named:
                    continue
            if line.strip():
                yield at(row, places[0], where).strip(), at(row, places[1], where).strip()
            else:
                yield "", ""

    def _as_they_stand(self, file):
        width = None
        for number, line in enumerate(lines_of(file), 1):
            if not line.strip():
                yield "", ""
                continue
            row = line.split("\t")
            width = width or (3 if len(row) == 3 else 2)
            if len(row) != width:
                more = "; to choose two: cut -f 1,2, or of numseq train --source-column 1 --target-column 2"
                raise DataError(
                    f"{file.name}, line {number:,}: {counted(len(row))} where {width} were expected, with a tab "
                    f"between{more if len(row) > 1 else ''}"
                )
            yield row[0].strip(), row[1].strip()
        if width == 3:
            self.notes.append(
                f"{file.name} has 3 columns: the first is the source, the second the target, the third is left out"
            )


class JsonFiles(Corpus):
    """JSON lines: an object or an array a line; of objects with none chosen two texts, in their order in the first."""

    def __init__(self, paths: Paths, source_column: str | None = None, target_column: str | None = None):
        super().__init__()
        self.files, self.given = files_of(paths), (source_column, target_column)
        Columns(*self.given)  # which says what is wrong with them
        self.name = listed(self.files)

    def pairs(self) -> Iterator[tuple[str, str]]:
        columns = Columns(*self.given)
        for file in self.files:
            for number, line in enumerate(lines_of(file), 1):
                if line.strip():
                    where = f"{file.name}, line {number:,}"
                    source, target = _pair_of(_json(line, where), columns, where)
                    yield source.strip(), target.strip()
                else:
                    yield "", ""


class Rows(Corpus):
    """Any iterable of pairs, lists or dicts, such as a split of a Hugging Face data set; what is no list or tuple is
    gone over once, and kept in a temporary file."""

    def __init__(self, rows: Iterable, name: str, source_column: str | None = None, target_column: str | None = None):
        super().__init__()
        self.rows, self.name, self.given = rows, name, (source_column, target_column)
        Columns(*self.given)
        self._kept: Any = None

    def pairs(self) -> Iterator[tuple[str, str]]:
        if isinstance(self.rows, list | tuple):
            yield from self._read()
            return
        if self._kept is None:
            self._kept = kept(self, (json.dumps(pair).encode() + b"\n" for pair in self._read()), self.name)
        place = 0
        while True:
            self._kept.seek(place)
            if not (lines := self._kept.readlines(1 << 16)):
                return
            place = self._kept.tell()
            for line in lines:
                source, target = json.loads(line)
                yield source, target

    def _read(self):
        columns = Columns(*self.given)
        rows = arguments.iterated(self.rows, self.name, "pairs (source, target) of texts")
        for k, row in enumerate(rows):
            where = f"{self.name}[{k}]"
            if isinstance(row, Mapping) or (columns.chosen and isinstance(row, tuple | list)):
                yield _pair_of(row, columns, where)
            else:
                source, target = arguments.pair(row, where, "a pair (source, target) of texts")
                yield arguments.text(source, f"{where}[0]"), arguments.text(target, f"{where}[1]")


class Part(Corpus):
    """The rows of a corpus where `keep`, an array of booleans, is True."""

    def __init__(self, corpus: Corpus, keep: np.ndarray):
        super().__init__()
        self.corpus, self.keep, self.name, self.tags = corpus, keep, corpus.name, corpus.tags

    def pairs(self) -> Iterator[tuple[str, str]]:
        for pair, keep in zip(self.corpus, self.keep.tolist(), strict=True):
            if keep:
                yield pair


def corpus_of(given: Iterable, name: str, source_column: str | None = None, target_column: str | None = None) -> Corpus:
    """A corpus as it is, or of an iterable of pairs, lists or dicts. Args: name, what a message calls it."""
    return given if isinstance(given, Corpus) else Rows(given, name, source_column, target_column)


def read_parallel(source: str | PathLike, target: str | PathLike) -> tuple[list[tuple[str, str]], int]:
    """Sentence pairs of two files, line k with line k.

    Returns: (pairs, skipped): a list of (source, target) strings, and how many pairs were left out because a side was
        empty.
    Raises: DataError, also when the line counts differ or nothing is left.
    """
    return _listed_pairs(ParallelFiles(source, target), print)


def read_tsv(path: str | PathLike, say: Callable[[str], Any] = print) -> tuple[list[tuple[str, str]], int]:
    """Pairs of a file whose first two columns are source and target, with a tab between; returns and raises as
    `read_parallel`.

    A third column, as where each pair has its author, is left out. Args: say, called with a line that says so.
    """
    return _listed_pairs(TsvFiles(path), say)


def _listed_pairs(corpus, say):
    pairs = list(corpus)
    for note in corpus.notes:
        say(note)
    if not pairs:
        raise DataError(f"{corpus.name}: no sentence pair in it")
    return pairs, corpus.skipped


def files_of(paths: Paths) -> list[Again]:
    """One path or several, as files that can be gone over again."""
    paths = [paths] if isinstance(paths, str | PathLike) else list(paths)
    return [Again(arguments.path(path, "path") if str(path) != "-" else path) for path in paths]


def listed(files: Sequence[Again]) -> str:
    """How messages call some files."""
    names = [str(file.name) for file in files]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _json(line, where):
    try:
        row = json.loads(line)
    except ValueError as error:
        hint = f"; {ONE_ARRAY}" if line.lstrip().startswith("[") or line.rstrip().endswith(",") else ""
        raise DataError(f"{where}: not JSON ({error}){hint}") from None
    except RecursionError:
        raise DataError(f"{where}: not JSON that can be read (nested too deeply)") from None
    if isinstance(row, list) and row and all(isinstance(one, dict | list) for one in row):
        raise DataError(f"{where}: an array of {'objects' if isinstance(row[0], dict) else 'arrays'}; {ONE_ARRAY}")
    return row


def _pair_of(row, columns, where):
    if isinstance(row, Mapping):
        source, target = columns.of_dict(row, where)
    elif isinstance(row, list | tuple):
        source, target = columns.of_list(row, where)
    else:
        raise DataError(f"{where} is {shown(row)}: it must be an object or an array")
    return as_text(source, where, "source"), as_text(target, where, "target")
