"""Pretrained vectors: which rows of a file are taken, by which rules, and what is said of a file that does not fit."""

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq.data import DataError, Tokens, load_vectors
from numseq.data.tokens import SPECIAL

quick = settings(max_examples=100, deadline=None)
letters = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\ufeff")
word = st.text(letters, min_size=1, max_size=4).filter(lambda w: w not in SPECIAL)
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


def put(folder, content, name="vectors.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def vocabulary(*words, kind="word"):
    return Tokens.train([" ".join(words) if kind == "word" else "".join(words)], kind)


def found(path, tokens, size):
    """{token: list of numbers} of what is read, after a look at shapes and types."""
    ids, vectors = load_vectors(path, tokens, size)
    assert ids.shape == (len(ids),) and vectors.shape == (len(ids), size)
    assert ids.dtype == np.int64 and vectors.dtype == np.float32
    assert len(set(ids.tolist())) == len(ids) and ids.min() >= len(SPECIAL)
    return {tokens.token(k): vector.tolist() for k, vector in zip(ids, vectors, strict=True)}


@st.composite
def files(draw):
    """(vocabulary, size, lines as (word, numbers)): wanted words, others, some with spaces, some repeated."""
    known = draw(st.lists(word, min_size=1, max_size=5, unique=True))
    size = draw(st.integers(2, 4))
    spaced = st.builds(" ".join, st.lists(st.sampled_from(known), min_size=2, max_size=3))
    rows = st.lists(numbers, min_size=size, max_size=size)
    lines = draw(st.lists(st.tuples(st.sampled_from(known) | word | spaced, rows), max_size=8))
    first = draw(st.tuples(st.sampled_from(known), rows))  # something in common
    return known, size, [first, *lines]


@quick
@given(
    made=files(),
    header=st.booleans(),
    end=st.sampled_from(["\n", " \n", "\r\n"]),
    bom=st.booleans(),
    packed=st.booleans(),
)
def test_the_first_line_of_every_word_of_the_vocabulary_is_taken(made, header, end, bom, packed, tmp_path_factory):
    known, size, lines = made
    text = "".join(f"{w} {' '.join(map(repr, row))}{end}" for w, row in lines)
    text = "\ufeff" * bom + f"{len(lines)} {size}{end}" * header + text
    data = gzip.compress(text.encode(), 1) if packed else text.encode()
    path = put(tmp_path_factory.getbasetemp(), data, "any name")
    expected = {}
    for w, row in lines:
        if w in known:
            expected.setdefault(w, row)
    assert found(path, vocabulary(*known), size) == expected


def test_ids_and_rows_are_in_the_order_of_the_file(tmp_path):
    tokens = vocabulary("a", "a", "b", "c")
    path = put(tmp_path, "c 5 6\nx 1 2\na 3 4\n")
    ids, vectors = load_vectors(path, tokens, 2)
    assert [tokens.token(k) for k in ids] == ["c", "a"] and vectors.tolist() == [[5, 6], [3, 4]]
    W = np.zeros((len(tokens), 2))
    W[ids] = vectors  # as the docstring says
    assert W[tokens.encode(["a b c"])[0]].tolist() == [[3, 4], [0, 0], [5, 6]]


def test_a_last_line_without_an_end_counts(tmp_path):
    assert found(put(tmp_path, "a 1 2\nb 3 4"), vocabulary("a", "b"), 2) == {"a": [1, 2], "b": [3, 4]}


def test_words_match_exactly(tmp_path):
    path = put(tmp_path, "The 1 2\nthe 3 4\ncafe\u0301 5 6\n")
    assert found(path, vocabulary("the", "caf\u00e9"), 2) == {"the": [3, 4]}


def test_special_tokens_are_not_taken(tmp_path):
    path = put(tmp_path, "".join(f"{special} 1 2\n" for special in SPECIAL) + "a 3 4\n")
    assert found(path, vocabulary("a", *SPECIAL), 2) == {"a": [3, 4]}


def test_words_may_hold_spaces(tmp_path):
    """As in glove.840B, where ". . ." stands beside "."; also at the head of the file, where the size is looked at."""
    path = put(tmp_path, ". . . 1 2\n. 3 4\nat x@y.z 5 6\nat 7 8\n")
    assert found(path, vocabulary(".", "at"), 2) == {".": [3, 4], "at": [7, 8]}


def test_characters_have_vectors_too_the_space_among_them(tmp_path):
    path = put(tmp_path, "3 2\na 1 2\n\n  3 4\né 5 6\n")
    assert found(path, vocabulary("a", " ", "é", kind="char"), 2) == {"a": [1, 2], " ": [3, 4], "é": [5, 6]}


def test_a_word_that_is_a_number_is_no_header(tmp_path):
    assert found(put(tmp_path, "1998 1 2\n7 3 4\n"), vocabulary("1998", "7"), 2) == {"1998": [1, 2], "7": [3, 4]}
    assert found(put(tmp_path, "7 1\n7 0.5\n"), vocabulary("7", "x"), 1) == {"7": [0.5]}  # here the first line is one


def test_numbers_nobody_wants_are_not_parsed(tmp_path):
    assert found(put(tmp_path, "a 1 2\nx y z\nx\n\nb 3 4\n"), vocabulary("a", "b"), 2) == {"a": [1, 2], "b": [3, 4]}


def test_nothing_is_read_after_the_last_word_that_is_wanted(tmp_path):
    path = put(tmp_path, b"a 1 2\n" + b"x 1 2\n" * 100 + b"b 3 4\n\xff\xff\n")
    assert found(path, vocabulary("a", "b"), 2) == {"a": [1, 2], "b": [3, 4]}
    with pytest.raises(DataError, match="line 103: not UTF-8"):
        load_vectors(path, vocabulary("a", "b", "c"), 2)


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_file_does_not_go_into_memory(tmp_path, packed):
    text = b"a 1" + b" 0.25" * 199 + b"\n" + (b"other" + b" 0.25" * 200 + b"\n") * 20_000  # 20 MB
    path = put(tmp_path, gzip.compress(text, 1, mtime=0) if packed else text)
    tokens = vocabulary("a", "b")
    tracemalloc.start()
    try:
        assert found(path, tokens, 200).keys() == {"a"}
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bad", ["a 1 x", "a 1", "a 1 nan", "a 1 inf", "a 1 1e39", "a 1  2 3", "a", "a\t1\t2"])
@pytest.mark.parametrize("header", ["", "9 2\n"])
def test_lines_that_lack_numbers_are_named_or_no_match(tmp_path, bad, header):
    path = put(tmp_path, f"{header}x 1 2\nx 3 4\n{bad}\n")
    number = 4 if header else 3
    message = f"vectors.txt, line {number}: after 'a' there must be 2 finite numbers$"
    if bad in ("a\t1\t2", "a 1  2 3"):  # other words, as far as single spaces tell
        message = "vectors.txt: no word of the vocabulary is in it"
    with pytest.raises(DataError, match=message) as caught:
        load_vectors(path, vocabulary("a"), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("header", ["", "1 2\n"])
def test_a_first_line_that_lacks_numbers_is_no_matter_of_size(tmp_path, header):
    with pytest.raises(DataError, match=f"line {1 + bool(header)}: after 'a' there must be 3 finite numbers"):
        load_vectors(put(tmp_path, f"{header}a 1 x 3\n"), vocabulary("a"), 3)


@quick
@given(has=st.integers(2, 9), asked=st.integers(1, 9), header=st.booleans(), words=st.sampled_from(["a", ". . .", "7"]))
def test_another_size_says_which_one_fits(has, asked, header, words, tmp_path_factory):
    row = " ".join(map(str, range(has)))
    path = put(tmp_path_factory.getbasetemp(), f"2 {has}\n" * header + f"{words} {row}\na {row}\n")
    if has == asked:
        assert found(path, vocabulary("a"), asked) == {"a": list(range(has))}
    elif asked != has + 2 or words != ". . .":  # there the fields are as many as a word and its numbers would be
        with pytest.raises(DataError) as caught:
            load_vectors(path, vocabulary("a"), asked)
        says = f"its vectors have {has} numbers and not {asked}: --embedding {has} fits these"
        assert str(caught.value) == f"{path}: {says}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": no vector in it"),
        (b"5 2\n", ": no vector in it"),
        (gzip.compress(b"", mtime=0), ": no vector in it"),
        (b"\na 1 2\n", ", line 1: not a word and its numbers as text"),
        (b"some prose, and more of it\n", ", line 1: not a word and its numbers as text"),
        (b"2 2\n</s> \x00\x80\x00\x3f\x00\x80\x00\x3f\n", ", line 2: not a word and its numbers as text"),
        ("a 1 2\n".encode("utf-16"), ", line 1: not"),
        (b"x 1 2\ncaf\xe9 1 2\na 3 4\n", r", line 2: not UTF-8 text \(byte 0xe9\): convert it first"),
        (b"x 1 2\nA 3 4\n", ": no word of the vocabulary is in it; both must be spelt alike, capitals too"),
        (gzip.compress(b"x 1 2\n" * 9, mtime=0)[:-8], ": damaged or cut short: fetch it again"),
        (gzip.compress(b"x 1 2\n" * 9, mtime=0)[:-8] + bytes(8), ": damaged or cut short: fetch it again"),
        (gzip.compress(b"x 1 2\n", mtime=0)[:10] + b"\xff" * 20, ": damaged or cut short: fetch it again"),
    ],
)
def test_files_that_do_not_fit_are_one_clear_line(tmp_path, content, message):
    with pytest.raises(DataError, match=f"vectors.txt{message}") as caught:
        load_vectors(put(tmp_path, content), vocabulary("a"), 2)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}/nothing.txt: no such file"):
        load_vectors(tmp_path / "nothing.txt", vocabulary("a"), 2)
    with pytest.raises(DataError, match=rf"{tmp_path}: cannot be read \(.*directory"):
        load_vectors(tmp_path, vocabulary("a"), 2)
