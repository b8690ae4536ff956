"""What goes into the commands and comes out: pipes, packed files, a row for each line, notes beside the rows."""

import bz2
import gc
import gzip
import json
import lzma
import math
import os
import shutil
import tracemalloc
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from helpers_run import TINY, edit_config, numseq_cli, numseq_process, words, write_parallel

from numseq import cli
from numseq.data import Pairs
from numseq.search import score
from numseq.training import DataOptions, Trainer, TrainingOptions, progress, train_run
from numseq.training.checkpoint import load_config, load_model
from numseq.training.run import resumed_options

ACCENTED = [("café noir", "black coffee"), ("thé vert", "green tea"), ("été noir", "black summer")]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Two runs, of which one saw short lines only, and files."""
    folder = tmp_path_factory.mktemp("text")
    source, target = write_parallel(folder, words(80))
    write_parallel(folder, words(6, seed=3), "test-")
    (folder / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in words(80)))
    (folder / "words.vec").write_text("1 0.5 1.5 1 1 1 1\n")
    (folder / "words.tsv").write_text("xyzzy\tplugh\n")
    for name, more in (("run", ()), ("short", ("--max-length", 4)), ("plain", ("--attention", "none"))):
        sides = ("--source", source, "--target", target)
        result = numseq_cli("train", *TINY, "--epochs", 1, "--out", folder / name, *sides, *more)
        assert (result.code, result.err) == (0, ""), result
    return folder


@pytest.fixture
def pipes():
    """A function from bytes to the path of a pipe that holds them, as <(...) gives: what is read twice is empty."""
    ends = []

    def made(data):
        reading, writing = os.pipe()
        ends.append(reading)
        with open(writing, "wb") as file:
            file.write(data)
        return f"/dev/fd/{reading}"

    yield made
    for end in ends:
        os.close(end)


def put(folder, text, name="in.txt"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def done(*arguments):
    result = numseq_cli(*arguments)
    assert result.code == 0, result
    return result


# sources that are read once

SIDES = "--source {source.txt} --target {target.txt}"
TRAIN = "train --out OUT --hidden 4 --embedding 6 --batch 16 --epochs 1"
EVALUATE = "evaluate RUN --source {test-source.txt} --reference {test-target.txt}"
READERS = {  # {name} stands for a file of the room, or for a pipe of what is in it
    "train": f"{TRAIN} {SIDES}",
    "train, validation": f"{TRAIN} {SIDES} --val-source {{test-source.txt}} --val-target {{test-target.txt}}",
    "train, columns": f"{TRAIN} --tsv {{pairs.tsv}} --val-tsv {{pairs.tsv}} --source-vectors {{words.vec}}",
    "translate": "translate RUN --input {test-source.txt} --replace-unk --dictionary {words.tsv}",
    "score": "score RUN --source {test-source.txt} --target {test-target.txt}",
    "evaluate": EVALUATE,
    "evaluate, two": f"{EVALUATE} --reference {{test-source.txt}}",
}


def command_of(case, room, out, file):
    for word in READERS[case].split():
        yield file(room / word[1:-1]) if word.startswith("{") else {"RUN": room / "run", "OUT": out}.get(word, word)


def said_of(result):
    """All but seconds, memory and names of files."""
    lines = [line for line in result.out.splitlines() if not {"epoch", "memory:"} & {*line.split()} and "/" not in line]
    return result.code, lines


@pytest.mark.parametrize("case", READERS)
def test_a_pipe_or_a_packed_file_stands_where_a_file_does(room, tmp_path, pipes, case):
    expected = said_of(done(*command_of(case, room, tmp_path / "plain", str)))
    packings = iter([gzip.compress, bz2.compress, lzma.compress] * 2)

    def packed(path):
        return put_bytes(tmp_path, path.name + ".x", next(packings)(path.read_bytes()))

    ways = {
        "piped": lambda path: pipes(path.read_bytes()),
        "packed": packed,
        "both": lambda path: pipes(gzip.compress(path.read_bytes())),
    }
    for name, file in ways.items():
        result = numseq_cli(*command_of(case, room, tmp_path / name, file))
        assert said_of(result) == expected, (name, result)
        if case == "train":
            model, other = (tmp_path / run / "model.safetensors" for run in ("plain", name))
            assert model.read_bytes() == other.read_bytes()


def put_bytes(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def test_a_run_from_pipes_asks_for_its_files_when_it_is_resumed(room, tmp_path, pipes):
    data = [(room / name).read_bytes() for name in ("source.txt", "target.txt")]
    source, target = map(pipes, data)
    done("train", "--out", tmp_path / "run", *TINY, "--epochs", 1, "--source", source, "--target", target)
    assert load_config(tmp_path / "run")[1]["origin"]["source"] == source
    on = ("train", "--out", tmp_path / "run", "--resume", "--epochs", 2)
    for given, wanted in (((), "--source"), (("--source", pipes(data[0])), "--target")):
        refused = numseq_cli(*on, *given)
        said = " ".join(refused.err.split())
        assert refused.code == 2 and "is no file now" in said and f"say {wanted} again" in said
    done(*on, "--source", pipes(data[0]), "--target", room / "target.txt")


def test_a_run_whose_file_has_gone_asks_for_it(room, tmp_path):
    moved = put(tmp_path, (room / "pairs.tsv").read_text(), "p.tsv")
    done("train", "--out", tmp_path / "run", *TINY, "--epochs", 1, "--tsv", moved)
    moved.rename(tmp_path / "q.tsv")
    refused = numseq_cli("train", "--out", tmp_path / "run", "--resume")
    assert refused.code == 2 and f"{moved}, which the run" in refused.err and "--tsv again" in refused.err


@pytest.mark.parametrize("case", ["train", "translate", "score", "evaluate"])
def test_a_damaged_file_is_one_line(room, tmp_path, case):
    def cut(path):
        return put_bytes(tmp_path, path.name, gzip.compress(path.read_bytes() * 9)[:-9])

    result = numseq_cli(*command_of(case, room, tmp_path / "out", cut))
    assert result.code == 1 and len(result.err.splitlines()) == 1
    assert "damaged or cut short" in result.err and not (tmp_path / "out").exists()


def test_a_third_column_is_said_when_training_and_translating(room, tmp_path):
    three = "".join(f"{line}\tCC-BY\n" for line in (room / "pairs.tsv").read_text().splitlines())
    tsv = put(tmp_path, three, "three.tsv")
    result = done("train", "--out", tmp_path / "run", *TINY, "--epochs", 1, "--tsv", tsv, "--val-tsv", tsv)
    assert result.out.count(f"{tsv} has 3 columns: the first is the source") == 2
    result = done("translate", room / "run", "--input", room / "test-source.txt", "--replace-unk", "--dictionary", tsv)
    assert f"warning: {tsv} has 3 columns" in result.err and "3 columns" not in result.out


# rows

WAYS = {
    "greedy": ("", 1), "beam": ("--beam 3 --nbest 3", 3), "groups": ("--beam 4 --groups 4 --nbest 4", 4),
    "few": ("--beam 16 --nbest 16 --max-ratio 0 --extra 1", 16),
    "samples": ("--sample --nbest 2 --top-k 1", 2),
}  # fmt: skip
LINES = ["1 2", "", "9 " * 1001, "3", " \t ", "4 5 6", ""]  # empty, and too long, in the middle and at the end


@pytest.mark.parametrize("run", ["run", "plain"])
@pytest.mark.parametrize("way", WAYS)
def test_every_line_has_as_many_rows_and_every_row_its_columns(room, tmp_path, way, run):
    options, n = WAYS[way]
    given = ("translate", room / run, "--input", put(tmp_path, "\n".join(LINES) + "\n"), *options.split())
    plain, scored = done(*given).out.split("\n"), done(*given, "--scores").out.split("\n")
    assert plain.pop() == scored.pop() == "" and len(plain) == len(scored) == n * len(LINES)
    rows = [row.split("\t") for row in scored]
    assert [row[2] for row in rows] == plain and {len(row) for row in rows} == {3}
    for k, line in enumerate(LINES):
        of_line = rows[n * k : n * (k + 1)]
        found = [row for row in of_line if row != ["nan", "nan", ""]]
        assert of_line[: len(found)] == found and bool(found) == bool(line.strip() and len(line) < 100)
        assert all(math.isfinite(float(x)) for row in found for x in row[:2])
    if way == "few":
        assert ["nan", "nan", ""] in rows[:n] != [["nan", "nan", ""]] * n, "the search must find fewer for once"


def test_lines_that_are_all_empty_have_rows_and_no_line_has_none(room, tmp_path):
    empty = put(tmp_path, "\n\n")
    assert done("translate", room / "run", "--input", empty, "--beam", 2, "--nbest", 2).out == "\n" * 4
    assert done("translate", room / "run", "--input", put(tmp_path, "")).out == ""


def test_a_line_feed_within_a_translation_ends_no_row(tmp_path):
    pairs = [("ab", "c\nd\n")] * 30
    options = TrainingOptions(epochs=6, batch=10, lr=0.1)
    characters = DataOptions(source_tokens="char", target_tokens="char")
    translator, _ = train_run(tmp_path / "run", pairs, pairs, {"embedding": 4, "hidden": 8, "attention_size": 4},
                              characters, options, say=lambda line: None)  # fmt: skip
    assert "\n" in translator.translate(["ab"])[0].text, "the model must say one for this test to say anything"
    assert done("translate", tmp_path / "run", "--input", put(tmp_path, "ab\nab\n")).out.count("\n") == 2


def test_every_pair_has_its_row_of_scores(room, tmp_path):
    source = put(tmp_path, "\n".join(["1 2", "", "3", "9 " * 1001, "4", ""]) + "\n", "s")
    target = put(tmp_path, "\n".join(["2 1", "1", "", "1", "4", ""]) + "\n", "t")
    result = done("score", room / "run", "--source", source, "--target", target, "--json", tmp_path / "s.json")
    model, *tokens = load_model(room / "run")
    expected = score(model, Pairs.encode([("1 2", "2 1"), ("4", "4")], *tokens))
    rows = [[float(x) for x in row.split("\t")] for row in result.out.splitlines()]
    assert len(rows) == 6
    for k, one in ((0, expected[0]), (4, expected[1])):
        assert rows[k] == pytest.approx([one.total, one.perplexity], rel=1e-4)
    assert all(math.isnan(x) for k in (1, 2, 3, 5) for x in rows[k])
    found = json.loads((tmp_path / "s.json").read_text())
    nothing = {"logp": None, "rank": None, "entropy": None}
    assert [one == nothing for one in found] == [False, True, True, True, False, True]
    assert "warning: line 2 and 2 more: a side is empty" in result.err
    assert "warning: line 4: more than 1,000 tokens, so not scored (see --max-length)" in result.err
    again = done("score", room / "run", "--source", source, "--target", target, "--max-length", 1).out.splitlines()
    assert [row.startswith("nan") for row in again] == [True, True, True, True, False, True]


def test_scores_come_pool_by_pool(room):
    files = ("--source", room / "source.txt", "--target", room / "target.txt")
    whole = done("score", room / "run", *files).out
    with mock.patch("numseq.search.translate.POOL", 2):
        parts = done("score", room / "run", *files, "--batch", 3).out
    numbers = [[float(x) for row in out.splitlines() for x in row.split("\t")] for out in (whole, parts)]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-4) and len(numbers[0]) == 160


def test_a_table_is_evaluated_as_two_files_are_and_its_lines_are_counted(room, tmp_path):
    lines = ["a b\tb a", "", "b c\t", "c a\ta c"]
    (tmp_path / "pairs.tsv").write_text("".join(f"{line}\n" for line in lines))
    columns = zip(*(line.split("\t") if line else ("", "") for line in lines), strict=True)
    for name, column in zip(("source", "target"), columns, strict=True):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in column))
    two = numseq_cli("evaluate", room / "run", "--source", tmp_path / "source", "--reference", tmp_path / "target")
    one = numseq_cli("evaluate", room / "run", "--tsv", tmp_path / "pairs.tsv")
    assert (one.code, one.out, one.err) == (0, two.out, two.err)
    assert "line 2 and 1 more: a side is empty" in one.err and ["left_out", "2"] in [
        x.split() for x in one.out.splitlines()
    ]
    for given in ((), ("--source", tmp_path / "source"), ("--reference", tmp_path / "target")):
        assert numseq_cli("evaluate", room / "run", *given).code == 2
    (tmp_path / "none.tsv").write_text("")
    nothing = numseq_cli("evaluate", room / "run", "--tsv", tmp_path / "none.tsv")
    assert nothing.code == 1 and "no sentence pair in it" in nothing.err


def test_evaluation_uses_the_references_that_a_line_has_and_says_what_it_leaves_out(room, tmp_path):
    run = (room / "run", "--min-length", 1)
    texts = done("translate", *run, "--input", put(tmp_path, "1 2\n3 4\n5 6\n")).out.splitlines()
    source = put(tmp_path, "\n".join(["1 2", "", "3 4", "5 6", "9 " * 1001, "7"]) + "\n", "s")
    first = put(tmp_path, "\n".join(["x", "x", "", texts[2], "x", ""]) + "\n", "a")
    second = put(tmp_path, "\n".join(["", "x", texts[1], "", "x", " "]) + "\n", "b")
    evaluate = ("evaluate", *run, "--source", source, "--reference", first, "--reference", second)
    result = done(*evaluate, "--json", tmp_path / "e.json")
    found = json.loads((tmp_path / "e.json").read_text())
    assert (found["sentences"], found["left_out"]) == (3, 3) and "left_out" in result.out
    assert found["exact_match"] == pytest.approx(2 / 3), "an empty reference is none"
    assert "warning: line 2 and 1 more: a side is empty, so left out" in result.err
    assert "warning: line 5: more than 1,000 tokens, so left out (see --max-length)" in result.err
    both = done(*evaluate, "--compare", room / "run", "--metric", "bleu", "--tokenize", "none")
    assert ["compare_bleu_difference", "0.0000"] in [line.split() for line in both.out.splitlines()]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_files_that_do_not_pair_up_are_both_named(room, tmp_path, which):
    files = [room / "test-source.txt", room / "test-target.txt", room / "test-target.txt"]
    files[which] = put(tmp_path, "1\n")
    source, *references = files
    result = numseq_cli(
        "evaluate", room / "run", "--source", source, *(x for r in references for x in ("--reference", r))
    )
    assert result.code == 1 and "in.txt" in result.err and "must pair up" in result.err


# long lines


def test_the_longest_line_is_an_option_and_at_least_what_was_trained_on(room, tmp_path):
    source = put(tmp_path, "1 2 3\n" + "1 " * 1001 + "\n1\n")
    assert done("translate", room / "run", "--input", source).err.startswith(
        "warning: line 2: more than 1,000 tokens, so"
    )
    result = done("translate", room / "run", "--input", source, "--max-length", 2)
    assert "warning: line 1 and 1 more: more than 2 tokens, so not translated (see --max-length)" in result.err
    assert [bool(row) for row in result.out.splitlines()] == [False, False, True] and "longer than" not in result.err
    sides = ("--source", room / "source.txt", "--target", room / "target.txt")
    done("train", *TINY, "--epochs", 1, "--out", tmp_path / "run", *sides, "--max-length", 1001)
    assert done("translate", tmp_path / "run", "--input", source, "--max-ratio", 0).err == ""


def test_a_sentence_that_is_too_long_is_not_drawn(room, tmp_path):
    result = numseq_cli("attention", room / "run", "1 " * 1001, "--out", tmp_path / "a.png")
    assert result.code == 2 and "1,001 tokens" in result.err and not list(tmp_path.iterdir())


def test_strict_refuses_before_anything_is_translated(room, tmp_path):
    source = put(tmp_path, "1\n" + "1 2 3 4 5\n" * 3)
    result = numseq_cli("translate", room / "short", "--input", source, "--strict")
    assert (result.code, result.out) == (1, "")
    assert result.err == "numseq: line 2 and 2 more: longer than the 4 tokens that the model was trained on\n"


# unknown tokens


def test_unknown_tokens_are_said_by_every_command(room, tmp_path):
    source, target = put(tmp_path, "1 xyzzy\nxyzzy 2\u00a0foo\n", "s"), put(tmp_path, "1 2\nbar 1\n", "t")
    of_source = "source tokens that the model does not know: 3 of 5 (60.0%), most often 'xyzzy' 2, 'foo' 1\n"
    files = ("--source", source, "--target", target)
    assert done("translate", room / "run", "--input", source).err == f"warning: {of_source}"
    for result, side in (
        (done("score", room / "run", *files), "target"),
        (done("evaluate", room / "run", "--source", source, "--reference", target, "--metric", "exact"), "reference"),
    ):
        said = f"warning: {side} tokens that the model does not know: 1 of 4 (25.0%), most often 'bar' 1\n"
        assert result.err == f"warning: {of_source}{said}"
    result = done("attention", room / "run", "1 xyzzy", "--out", tmp_path / "a.png")
    assert result.err == "warning: source tokens that the model does not know: 1 of 2 (50.0%), most often 'xyzzy' 1\n"
    valid = ("--val-source", source, "--val-target", target)
    train = put(tmp_path, "1 2\n2 rare\n" * 2 + "1 once\n", "ts"), put(tmp_path, "1 2\n2 1\n" * 2 + "1 2\n", "tt")
    out = done(
        "train", "--out", tmp_path / "run", *TINY, "--epochs", 1, "--source", train[0], "--target", train[1], *valid
    ).out
    assert "training pairs, source tokens that are unknown: 1 of 10 (10.0%), most often 'once' 1\n" in out
    assert "validation pairs, source tokens that are unknown: 3 of 5" in out
    assert "validation pairs, target tokens that are unknown: 1 of 4" in out
    assert "training pairs, target" not in out


# Unicode forms


@pytest.fixture(scope="module")
def accented(tmp_path_factory):
    """{normalization: a run} on text with accents."""
    folder = tmp_path_factory.mktemp("accented")
    tsv = put(folder, "".join(f"{s}\t{t}\n" for s, t in ACCENTED * 8), "p.tsv")
    for name in ("nfc", "nfkc", "none"):
        more = () if name == "nfc" else ("--normalization", name)
        done("train", "--out", folder / name, *TINY, "--epochs", 6, "--tsv", tsv, *more)
    return folder


def test_the_form_of_letters_changes_nothing_in_a_new_run(accented, tmp_path):
    lines = "".join(f"{s}\n" for s, _ in ACCENTED)
    files = [put(tmp_path, unicodedata.normalize(form, lines), form) for form in ("NFC", "NFD")]
    for name in ("nfc", "nfkc"):
        one, other = (done("translate", accented / name, "--input", file, "--scores") for file in files)
        assert one == other and one.err == ""
    one, other = (done("translate", accented / "none", "--input", file) for file in files)
    assert one.err == "" and "do not know" not in one.err
    assert (
        other.err.startswith("warning: source tokens that the model does not know: 3 of 6") and "(U+0301)" in other.err
    )


def test_old_vocabularies_take_text_as_it_is(accented):
    texts = [(accented / name / "source.tokens.json").read_bytes() for name in ("nfc", "none")]
    assert [json.loads(text)["normalizer"] for text in texts] == [{"type": "NFC"}, None]
    assert load_config(accented / "nfc")[1]["data"]["normalization"] == "nfc"


def test_a_run_from_before_the_choice_takes_text_as_it_is(accented, tmp_path):
    run = shutil.copytree(accented / "none", tmp_path / "run")
    edit_config(run, lambda said: said["training"]["data"].pop("normalization"))
    assert resumed_options(run)[1] == DataOptions(normalization="none")
    refused = numseq_cli("train", "--out", run, "--resume", "--normalization", "nfc")
    assert refused.code == 2 and "began with none" in " ".join(refused.err.split())


def test_references_are_composed_to_compare_and_it_is_said(accented, tmp_path):
    pairs = [(t, s) for s, t in ACCENTED]
    tsv = put(tmp_path, "".join(f"{s}\t{t}\n" for s, t in pairs * 8), "p.tsv")
    done("train", "--out", tmp_path / "run", *TINY, "--epochs", 12, "--tsv", tsv)
    source, target = write_parallel(tmp_path, pairs)
    decomposed = put(tmp_path, unicodedata.normalize("NFD", target.read_text(encoding="utf-8")), "nfd")
    one, other = (
        done("evaluate", tmp_path / "run", "--source", source, "--reference", r) for r in (target, decomposed)
    )
    assert one.out == other.out and "exact_match     0.0000" not in one.out
    assert one.err == "" and other.err.startswith("warning: 3 lines of the references have accents as code points")


# while it is made


def test_a_line_is_answered_before_the_next_is_written(room):
    process = numseq_process("translate", room / "run", stdin=-1, bufsize=0)
    with process:
        for line in (b"1 2\n", b"\n", b"3\n"):
            process.stdin.write(line)
            assert process.stdout.readline().endswith(b"\n")
        process.stdin.write(b"4 5\n6")
        process.stdin.close()
        assert process.stdout.read().count(b"\n") == 2 and process.wait() == 0


def test_samples_of_a_pipe_are_those_of_a_file(room, pipes):
    data = (room / "source.txt").read_bytes()
    options = ("--sample", "--seed", 3, "--batch", 2)
    whole = done("translate", room / "run", "--input", room / "source.txt", *options).out
    with mock.patch("numseq.data.reading.CHUNK", 50):
        assert done("translate", room / "run", "--input", pipes(data), *options).out == whole


def test_the_line_of_an_epoch_is_in_the_log_when_it_is_done(room, tmp_path):
    """Standard output is a file of its own here, as the shell's > makes one."""
    validate, log = Trainer._validate, tmp_path / "log"
    seen = []

    def end(self, clock, padding):
        seen.append(log.read_text().count("\nepoch"))
        validate(self, clock, padding)

    arguments = ["numseq", "train", "--out", str(tmp_path / "run"), *map(str, TINY), "--epochs", "3", "--tsv",
                 str(room / "pairs.tsv")]  # fmt: skip
    with (
        open(log, "w") as out,
        mock.patch("sys.stdout", out),
        mock.patch("sys.argv", arguments),
        mock.patch.object(Trainer, "_validate", end),
        pytest.raises(SystemExit),
    ):
        cli.main()
    assert seen == [0, 1, 2]


COMMANDS = {name: READERS[name] for name in ("train", "translate", "score", "evaluate")}


@pytest.mark.parametrize("case", COMMANDS)
def test_long_work_says_where_it_is_though_nobody_watches(room, tmp_path, case, monkeypatch):
    monkeypatch.setattr(progress, "SELDOM", 0)
    with mock.patch("helpers_run.math.inf", 0):  # as if each step took half a minute
        result = done(*command_of(case, room, tmp_path / "out", str))
    lines = [line for line in result.err.splitlines() if " of " in line and not line.startswith("tokens of")]
    assert lines[0].startswith("epoch 1/1, update 1 of 5, loss " if case == "train" else "line 1 of 6, ")
    assert lines[-1].startswith("epoch 1/1, update 5 of 5" if case == "train" else "line 6 of 6, ")
    assert done(*command_of(case, room, tmp_path / "more", str)).err == ""


# much of it


@pytest.mark.slow
def test_attention_of_many_lines_does_not_stay_in_memory(room, tmp_path):
    def peak(times):
        source = put(tmp_path, (room / "source.txt").read_text() * times)
        gc.collect()
        gc.freeze()  # among many objects of other tests rubbish would be collected seldom
        tracemalloc.start()
        try:
            done(
                "translate",
                room / "run",
                "--input",
                source,
                "--attention",
                tmp_path / "a.json",
                "--output",
                tmp_path / "o",
            )
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.unfreeze()

    with mock.patch("numseq.search.translate.POOL", 1):
        peak(1)
        one, many = peak(2), peak(12)
    size = (tmp_path / "a.json").stat().st_size
    assert len(json.loads((tmp_path / "a.json").read_text())) == 960
    assert many - one < 2 * size, "lists of numbers would be 20 times as much"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "in.txt", "o"]


def test_an_error_on_the_way_leaves_the_file_of_attention_as_it_was(room, tmp_path, pipes):
    kept = put(tmp_path, "as it was", "a.json")
    given = ("--input", pipes(b"1 2\n3 4\n\xff\n"), "--batch", 1, "--attention", kept)
    with mock.patch("numseq.data.reading.CHUNK", 4), mock.patch("numseq.search.translate.POOL", 1):
        result = numseq_cli("translate", room / "run", *given)
    assert result.code == 1 and "line 3: not UTF-8" in result.err and result.out.count("\n") == 2
    assert kept.read_text() == "as it was" and [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_no_attention_is_a_list_of_nothing(room, tmp_path):
    done("translate", room / "run", "--input", put(tmp_path, ""), "--attention", tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == []


# names of files


def test_a_name_that_is_not_utf8_is_kept_and_found_again(room, tmp_path):
    """As an archive made elsewhere brings them."""
    tsv = tmp_path / os.fsdecode(b"caf\xe9.tsv")
    shutil.copy(room / "pairs.tsv", tsv)
    out = tmp_path / os.fsdecode(b"r\xe9sultat")
    done("train", "--out", out, *TINY, "--epochs", 1, "--tsv", tsv)
    assert load_config(out)[1]["origin"]["tsv"] == str(tsv)
    done("train", "--out", out, "--resume", "--epochs", 2)
    done("translate", out, "--input", room / "test-source.txt", "--output", tmp_path / os.fsdecode(b"\xe9"))


@pytest.mark.parametrize("same", ["o", "./o", "link"])
def test_two_results_do_not_go_to_one_file(room, tmp_path, same):
    kept = put(tmp_path, "as it was", "o")
    (tmp_path / "link").symlink_to("o")
    to = ("--output", kept, "--attention", f"{tmp_path}/{same}")
    result = numseq_cli("translate", room / "run", "--input", room / "test-source.txt", *to)
    assert result.code == 2 and "--output and --attention are one file" in " ".join(result.err.split())
    assert kept.read_text() == "as it was"


def test_two_results_may_go_to_one_device(room):
    done("translate", room / "run", "--input", room / "test-source.txt", "--output", os.devnull,
         "--attention", os.devnull)  # fmt: skip


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_an_input_may_lose_its_name_while_it_is_read(room, tmp_path, kind):
    """As a shell's script removes what was for the time being."""
    path, lines = tmp_path / "in", b"1 2\n3 4\n5 6\n"
    if kind == "file":
        path.write_bytes(lines)
    else:
        os.mkfifo(path)
    real, opened = os.stat, []

    def stat(name, *args, **kwargs):
        if name == path:
            opened.append(name)
            if len(opened) > 1:
                raise FileNotFoundError(2, "No such file or directory", str(path))
        return real(name, *args, **kwargs)

    with ThreadPoolExecutor(1) as other, mock.patch.object(os, "stat", stat):
        if kind == "pipe":
            other.submit(path.write_bytes, lines)
        assert done("translate", room / "run", "--input", path).out.count("\n") == 3


def test_a_run_from_two_columns_goes_on_from_two_files_and_back(room, tmp_path):
    sides = ("--source", room / "source.txt", "--target", room / "target.txt")
    tests = ("--val-source", room / "test-source.txt", "--val-target", room / "test-target.txt")
    pairs = zip(*((room / f"test-{side}.txt").read_text().splitlines() for side in ("source", "target")), strict=True)
    val = put(tmp_path, "".join(f"{s}\t{t}\n" for s, t in pairs), "val.tsv")
    done("train", "--out", tmp_path / "run", *TINY, "--epochs", 1, "--tsv", room / "pairs.tsv", *tests)
    on = ("train", "--out", tmp_path / "run", "--resume", "--epochs")
    done(*on, 2, *sides, "--val-tsv", val)
    done(*on, 3)
    done(*on, 4, "--tsv", room / "pairs.tsv")
    refused = numseq_cli(*on, 5, "--tsv", room / "pairs.tsv", *sides)
    assert refused.code == 2 and "--source and --target, or --tsv" in refused.err


@pytest.mark.parametrize(
    ("name", "encoding"), [("utf-16", "utf-16"), ("utf-16", "utf-16-be"), ("the name of its encoding", "latin-1")]
)
def test_text_in_another_encoding_is_refused_with_what_to_do(room, tmp_path, name, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    tsv = tmp_path / "pairs.tsv"
    tsv.write_bytes((mark + "café noir\tblack coffee\n" * 30).encode(encoding))
    result = numseq_cli("train", "--out", tmp_path / "run", "--tsv", tsv)
    assert result.code == 1 and f"{tsv}, line 1: not UTF-8 (byte 0x" in result.err
    assert ("iconv -f utf-16 -t utf-8" if name == "utf-16" else "convert it to UTF-8") in result.err
