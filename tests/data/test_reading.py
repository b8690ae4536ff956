"""Bytes of files and pipes: what is packed, what is damaged, what comes a piece at a time."""

import bz2
import gzip
import io
import lzma
import os
import threading

import pytest

from numseq.data import DataError, Tokens, load_vectors, read_lines, read_parallel, read_tsv, reading
from numseq.data.lines import lines_as_they_come

PACKED = {"gzip": lambda data: gzip.compress(data, mtime=0), "bzip2": bz2.compress, "xz": lzma.compress}
PACKINGS = {"plain": bytes} | PACKED
TEXT = "ein Café\nzwei\n\nvier" * 3000  # more than a piece, and a last line without an end


@pytest.fixture
def pipe():
    """(path of the reading end, writing end)."""
    reading_end, writing_end = os.pipe()
    with open(writing_end, "wb", buffering=0) as end:
        yield f"/dev/fd/{reading_end}", end
    os.close(reading_end)


def piped(data):
    """The path of a pipe that holds some bytes and is closed; the caller closes what `os.open` would."""
    reading_end, writing_end = os.pipe()
    with open(writing_end, "wb") as file:
        file.write(data)
    return f"/dev/fd/{reading_end}"


def put(folder, data, name="any name"):
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_packed_is_known_by_its_content(tmp_path, packing):
    assert read_lines(put(tmp_path, PACKINGS[packing](TEXT.encode()))) == TEXT.split("\n")
    for lines in ("", "\n", "BZ\n", "BZh9\n", "B", "\ufeffa\r\n"):
        expected = [line.strip("\ufeff\r") for line in lines.split("\n")]
        assert (
            read_lines(put(tmp_path, PACKINGS[packing](lines.encode())))
            == expected[: len(expected) - (not expected[-1])]
        )


@pytest.mark.parametrize("packing", PACKED)
def test_several_members_are_one_text(tmp_path, packing):
    one, other = PACKED[packing](b"a\nb"), PACKED[packing](b"c\nd\n")
    for padding in (b"", bytes(8)):
        assert read_lines(put(tmp_path, one + padding + other + padding)) == ["a", "bc", "d"]


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("kind", ["cut short", "changed", "followed by something else"])
def test_what_is_damaged_is_one_clear_line(tmp_path, packing, kind):
    data = PACKED[packing](TEXT.encode())
    middle = len(data) // 2
    data = {
        "cut short": data[:-5],
        "changed": data[:middle] + bytes(255 - byte for byte in data[middle : middle + 9]) + data[middle + 9 :],
        "followed by something else": data + b"and more",
    }[kind]
    path = put(tmp_path, data)
    other = put(tmp_path, TEXT.encode(), "other")
    tokens = Tokens.train(["a"], "word")
    for read in (
        lambda: read_lines(path),
        lambda: read_tsv(path),
        lambda: read_parallel(other, path),
        lambda: list(lines_as_they_come(path, 9)),
        lambda: list(reading.byte_lines(path)),
        lambda: load_vectors(path, tokens, 1) if packing == "gzip" and kind == "cut short" else read_lines(path),
    ):
        with pytest.raises(DataError) as caught:
            read()
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    with pytest.raises(DataError, match="damaged or cut short: fetch it again"):
        read_lines(path)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_pipe_may_bring_a_byte_at_a_time(pipe, packing):
    path, end = pipe

    def write():
        with end:
            for byte in PACKINGS[packing](TEXT[:40].encode()):
                end.write(bytes([byte]))

    writer = threading.Thread(target=write)
    writer.start()
    assert read_lines(path) == TEXT[:40].split("\n")
    writer.join()


def test_a_pipe_that_does_not_wait_is_waited_for(pipe, monkeypatch):
    """Its reads say "nothing yet", which is no end."""
    path, end = pipe
    fd = int(path.rpartition("/")[2])
    os.set_blocking(fd, False)
    asked = reading._readable
    rest = [b"a\n", b"b\n"]

    def write_then_ask(file, seconds=None):
        if rest:
            end.write(rest.pop(0))
        else:
            end.close()
        return asked(file, seconds)

    monkeypatch.setattr(reading, "_readable", write_then_ask)
    with open(fd, "rb", buffering=0, closefd=False) as file:
        assert b"".join(reading._pieces(file)) == b"a\nb\n"


def test_lines_of_a_pipe_come_when_they_are_written(pipe, monkeypatch):
    monkeypatch.setattr(reading, "PAUSE", 0)
    path, end = pipe
    came = lines_as_they_come(path, 100)
    for written, expected in (("eins\n", ["eins"]), ("é\r\nb\nbe", ["é", "b"]), ("gun\n", ["begun"]), ("\n", [""])):
        end.write(written.encode())
        assert next(came) == expected
    end.write(b"last")
    end.close()
    assert list(came) == [["last"]]


def test_lines_of_a_pipe_that_are_there_come_together(monkeypatch):
    lines = [str(k) for k in range(9000)]
    path = piped("".join(f"{line}\n" for line in lines).encode())
    came = list(lines_as_they_come(path, 20_000))
    assert [len(some) for some in came] == [9000] and came[0] == lines


def test_lines_of_a_file_come_in_one_list_after_all_was_read(tmp_path):
    path = put(tmp_path, TEXT.encode())
    assert list(lines_as_they_come(path, 2)) == [TEXT.split("\n")]
    assert list(lines_as_they_come(put(tmp_path, b""), 2)) == []
    with pytest.raises(DataError, match="line 5002: not UTF-8"):
        next(lines_as_they_come(put(tmp_path, b"a\n" * 5001 + b"\xff\n"), 2))


def test_a_line_that_is_not_utf8_is_counted_from_the_first(pipe, monkeypatch):
    monkeypatch.setattr(reading, "PAUSE", 0)
    path, end = pipe
    came = lines_as_they_come(path, 9)
    end.write("\ufeffa\nb\n".encode())
    assert next(came) == ["a", "b"]
    end.write("\ufeffc\n".encode() + b"\xff\n")
    with pytest.raises(DataError, match=rf"{path}, line 4: not UTF-8 \(byte 0xff\)"):
        next(came)
    end.close()


# columns


def test_a_third_column_is_left_out_and_said(tmp_path):
    said = []
    path = put(tmp_path, b"a\tb\tCC-BY\n\nc \t d\tCC0\n\te\tCC0\n")
    assert read_tsv(path, say=said.append) == ([("a", "b"), ("c", "d")], 2)
    assert said == [f"{path} has 3 columns: the first is the source, the second the target, the third is left out"]
    assert read_tsv(put(tmp_path, b"a\tb\n"), say=said.append) == ([("a", "b")], 0) and len(said) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\nc\td\te\n", "line 2: 3 columns where 2"),
        ("a\tb\te\n\nc\td\n", "line 3: 2 columns where 3"),
        ("1\ta\t2\tb\n", "line 1: 4 columns where 2"),
    ],
)
def test_other_columns_are_refused_with_what_to_do(tmp_path, text, message):
    with pytest.raises(DataError, match=f"{message} were expected, with a tab between; to choose two: cut -f 1,2"):
        read_tsv(put(tmp_path, text.encode()), say=pytest.fail)


def test_standard_input_is_whatever_stands_there(monkeypatch, tmp_path):
    with open(put(tmp_path, gzip.compress(b"a\nb\n"))) as file:
        monkeypatch.setattr("sys.stdin", file)
        assert list(lines_as_they_come(None, 9)) == [["a", "b"]]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n\xff\n")))
    with pytest.raises(DataError, match="standard input, line 2: not UTF-8"):
        list(lines_as_they_come(None, 9))
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="standard input is closed"):
        list(lines_as_they_come(None, 9))
