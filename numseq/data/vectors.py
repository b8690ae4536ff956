"""Pretrained word vectors: the rows of a text file that belong to the words of a vocabulary."""

from os import PathLike

import numpy as np

from numseq import arguments
from numseq.data.reading import DataError, byte_lines
from numseq.data.tokens import SPECIAL, Tokens

BOM = b"\xef\xbb\xbf"


def load_vectors(path: str | PathLike, tokens: Tokens, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the vectors of a vocabulary's words; `W[ids] = vectors` puts them into an embedding.

    A line is a word and its numbers, with single spaces between. A first line of two whole numbers, "count dimension",
    is a header and skipped. The last `size` fields are the numbers, so that a word may hold spaces, as some of GloVe's
    do. Words match exactly, capitals too, in the vocabulary's Unicode form; the special tokens get no vector, and of a
    word's lines the first counts.
    The file is read line by line, no further than the last word that is wanted, and only wanted numbers are parsed.

    Args: path, a UTF-8 text file, plain or packed. tokens, a Tokens. size, the numbers of a vector.
    Returns: (ids (n,) int64, vectors (n, size) float32), in the order of the file, each id once.
    Raises: DataError, when the file is missing, cannot be read, is not UTF-8 or lacks numbers where they are wanted
        (which line), when its vectors are not of this size, or when it has no word of the vocabulary.
    Source: the text formats of word2vec (its C program, `-binary 0`), fastText (.vec) and GloVe (Pennington et al.,
        2014).
    """
    arguments.one_of(tokens, "tokens", Tokens)
    path, size = arguments.path(path, "path"), arguments.whole(size, "size", least=1)
    wanted = {tokens.token(k).encode(): k for k in range(len(SPECIAL), len(tokens))}
    starts = {word.partition(b" ")[0] for word in wanted}
    ids, rows = [], []
    for number, line in _vector_lines(path, size):
        start = line.partition(b" ")[0]
        try:
            start = _spelt(start, tokens)
        except UnicodeDecodeError as error:
            byte = start[error.start]
            raise DataError(f"{path}, line {number}: not UTF-8 text (byte 0x{byte:02x}): convert it first") from None
        if start not in starts:  # nearly all lines end here, before the slow cut into fields
            continue
        word, *numbers = line.rstrip().rsplit(b" ", size)
        word = _spelt(word, tokens)
        if word in wanted:
            ids.append(wanted.pop(word))
            rows.append(_parse(numbers, size))
            if rows[-1] is None:
                raise DataError(f"{path}, line {number}: after {word.decode()!r} there must be {size} finite numbers")
        if not wanted:
            break
    if not ids:
        raise DataError(f"{path}: no word of the vocabulary is in it; both must be spelt alike, capitals too")
    return np.array(ids, dtype=np.int64), np.stack(rows)


def _spelt(word, tokens):
    """The bytes of a word in the vocabulary's Unicode form."""
    return word if word.isascii() else tokens.normalize(word.decode()).encode()


def _vector_lines(path, size):
    """(line number, line) of every vector, as bytes. Raises: DataError, also when the first is not of this size."""
    number = 0
    header = False
    for number, line in enumerate(byte_lines(path), 1):
        if number == 1:
            line = line.removeprefix(BOM)
            header = _is_header(line)
        if number == 1 + header:
            _check_size(path, number, line, size)
        if number > header:
            yield number, line
    if number == header:
        raise DataError(f"{path}: no vector in it")


def _is_header(line):
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def _check_size(path, number, line, size):
    """Raise DataError when this line has not `size` numbers after a word, which may hold spaces."""
    fields = line.split()
    if len(fields) == 1 + size:
        return
    found = 0
    while found < len(fields) - 1 and _parse([fields[-1 - found]], 1) is not None:
        found += 1
    if not found:
        raise DataError(f"{path}, line {number}: not a word and its numbers as text, with spaces between")
    if found != size:
        raise DataError(f"{path}: its vectors have {found} numbers and not {size}: --embedding {found} fits these")


def _parse(numbers, size):
    """The numbers as a float32 array; None unless there are `size` of them, all finite."""
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            row = np.array([float(number) for number in numbers], dtype=np.float32)
    except ValueError:
        return None
    return row if len(row) == size and np.isfinite(row).all() else None
