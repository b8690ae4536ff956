"""The scripts of recipes/prepare: small files of each format, what is made of them, and what is said of broken ones."""

import gzip
import io
import lzma
import runpy
import sys
import tarfile
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from numseq.data.corpus import JsonFiles, ParallelFiles, TsvFiles

SCRIPTS = Path(__file__).parent.parent / "recipes" / "prepare"


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Runs a script on tmp_path / IN: (exit code, standard output, standard error)."""
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def run(script, given=".", *more):
        argv = [f"{script}.py", str(tmp_path / given), str(tmp_path / "out"), *more]
        monkeypatch.setattr(sys, "argv", argv)
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                runpy.run_path(str(SCRIPTS / f"{script}.py"), run_name="__main__")
            except SystemExit as stop:
                code = stop.code or 0
        return code, out.getvalue(), err.getvalue()

    yield run
    sys.modules.pop("shared", None)


def put(path, text, pack=bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(text.encode()))


def lines(path):
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def refused(result, *words):
    code, out, err = result
    assert code == 1 and out == "" and err.count("\n") == 1, result
    assert all(word in err for word in words), err


# parallel files and tables


def test_deep_regex(prepare, tmp_path):
    for name, text in {
        "nl-rx-turk/src-train.txt": "lines with a  'dog'\nx", "nl-rx-turk/targ-train.txt": "( <M0> )\n[ <NUM> ]",
        "nl-rx-turk/src-val.txt": "y", "nl-rx-turk/targ-val.txt": ". *\n",
    }.items():  # fmt: skip
        put(tmp_path / name, text)
    code, out, err = prepare("deep_regex")
    assert (code, err) == (0, "") and "nl-rx-turk/train.source  2 lines" in out
    turk = tmp_path / "out" / "nl-rx-turk"
    assert list(ParallelFiles(turk / "train.source", turk / "train.target")) == [
        ("lines with a 'dog'", "( <M0> )"),
        ("x", "[ <NUM> ]"),
    ]
    assert lines(turk / "dev.target") == [". *"]
    put(tmp_path / "nl-rx-turk/targ-val.txt", ". *\n.\n")
    refused(prepare("deep_regex"), "src-val.txt has 1 lines", "must pair up")
    put(tmp_path / "nl-rx-turk/targ-val.txt", " \n")
    refused(prepare("deep_regex"), "line 1: a side is empty")
    (tmp_path / "nl-rx-turk/targ-val.txt").unlink()
    refused(prepare("deep_regex"), "no targ-val.txt in it")


def test_kb13_has_a_split_that_stays(prepare, tmp_path):
    english = [f"lines with  word{n // 2}" for n in range(200)]  # each is there twice
    put(tmp_path / "kb13/src.txt", "\n".join(english))
    put(tmp_path / "kb13/targ.txt", "\n".join(f"( word{n} )" for n in range(200)))
    assert prepare("deep_regex")[0] == 0
    sides = {}
    for side in ("train", "dev", "test"):
        sides[side] = [lines(tmp_path / "out" / "kb13" / f"{side}.{kind}") for kind in ("source", "target")]
    found = [pair for columns in sides.values() for pair in zip(*columns, strict=True)]
    expected = [(f"lines with word{n // 2}", f"( word{n} )") for n in range(200)]
    assert sorted(found) == sorted(expected)
    assert [len(set(source)) for source, _ in sides.values()] == [70, 8, 22]
    # the first bytes of their SHA-256 are 63, 71, 86 and 90
    for n, side in {4: "test", 0: "dev", 73: "dev", 43: "train"}.items():
        assert sides[side][0].count(f"lines with word{n}") == 2


def test_scan(prepare, tmp_path):
    put(tmp_path / "tasks_train_simple.txt.gz", "IN: jump twice OUT: I_JUMP I_JUMP\n" * 3, gzip.compress)
    put(tmp_path / "tasks_test_addprim_jump.txt", "IN: run OUT: I_RUN")
    code, out, err = prepare("scan")
    assert (code, err) == (0, "") and out.splitlines()[1].endswith("simple/train.tsv       3 lines")
    assert list(TsvFiles(tmp_path / "out/simple/train.tsv")) == [("jump twice", "I_JUMP I_JUMP")] * 3
    assert lines(tmp_path / "out/addprim_jump/test.tsv") == ["run\tI_RUN"]
    put(tmp_path / "tasks_test_length.txt", "IN: run OUT: I_RUN\nIN: run OUT:\n")
    refused(prepare("scan"), "tasks_test_length.txt, line 2: it must be IN: words OUT: actions")


def test_cmn_eng_tatoeba(prepare, tmp_path):
    rows = [(f"Say {n}.", f"说{n}。", "me") for n in range(200)]
    rows += [("Say 7!", "请说7。", "you"), ("Say 7.", "说7。", "again"), ("Say  7.", "说 7", "me")]
    put(tmp_path / "cmn.txt", "".join("\t".join(row) + "\n" for row in rows))
    code, out, err = prepare("cmn_eng_tatoeba", "cmn.txt")
    assert code == 0 and "left out: 1 pairs that are there twice" in err and "out/train.tsv" in out
    sides = {side: lines(tmp_path / "out" / f"{side}.tsv") for side in ("train", "dev", "test")}
    assert sum(map(len, sides.values())) == 202 and len(sides["train"]) > 150 and sides["dev"] and sides["test"]
    [where] = [side for side, found in sides.items() if "Say 7.\t说7。\tme" in found]
    assert "Say 7!\t请说7。\tyou" in sides[where], "punctuation does not part what is said alike"
    for side in ("dev", "test"):
        source = lines(tmp_path / "out" / f"{side}.source")
        assert len(source) == len({*source}) == len(lines(tmp_path / "out" / f"{side}.reference.01"))
    put(tmp_path / "bad.txt", "Hi.\t嗨。\n")
    refused(prepare("cmn_eng_tatoeba", "bad.txt"), "bad.txt, line 1: it must be English, Chinese and authors")


def test_chinese_that_is_in_dev_or_test_is_left_out_of_train(prepare, tmp_path):
    rows = [f"Number {n}.\t{'你好。' if n % 2 else f'号{n}'}\tme" for n in range(120)]
    put(tmp_path / "cmn.txt", "\n".join(rows))
    code, _, err = prepare("cmn_eng_tatoeba", "cmn.txt")
    held = sum(len(lines(tmp_path / "out" / f"{side}.tsv")) for side in ("dev", "test"))
    assert code == 0 and held
    assert not any("你好" in line for line in lines(tmp_path / "out" / "train.tsv"))
    assert 0 < int(err.split("and ")[1].split()[0]) < 60


# summaries


@pytest.mark.parametrize(
    "text, parts",
    [
        ("who makes it (cetirizine)?", "who makes it ( cetirizine ) ?"),
        ("“A  C++ library”, v1.0-2:", "“ A C++ library ” , v1.0-2 :"),
        ("... it's foo()", ". . . it's foo( )"),
        ("", ""),
    ],
)
def test_words_and_punctuation_are_cut_apart(text, parts):
    cut = runpy.run_path(str(SCRIPTS / "shared.py"))["cut"]
    assert cut(text) == parts


def test_debian_desc(prepare, tmp_path):
    rows = [f"p{n}\t{'games' if n % 2 else ''}\tsource{n}\tA game\tThis is “{n}”, a  game." for n in range(100)]
    put(tmp_path / "packages.tsv.xz", "\n".join(rows), lzma.compress)
    assert prepare("debian_desc", "packages.tsv.xz")[0] == 0
    found = {side: list(JsonFiles(tmp_path / "out" / f"{side}.jsonl")) for side in ("train", "dev", "test")}
    assert sum(map(len, found.values())) == 100 and all(found.values())
    for n, side in {0: "train", 71: "dev", 79: "test"}.items():  # the SHA-256 of source71 begins with 15, of 79 with 12
        assert (f"This is “ {n} ” , a game .", "A game") in found[side]
    put(tmp_path / "bad.tsv", "p\tgames\ts\t\tText.\n")
    refused(prepare("debian_desc", "bad.tsv"), "bad.tsv, line 1: it must be package, section, source, synopsis")


def spreadsheet(path, rows, inline=()):
    """A small .xlsx: texts of a table that is shared, but for the rows `inline`."""
    texts = [text for k, row in enumerate(rows) if k not in inline for text in row if text is not None]
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells, number = [], 0
    for k, row in enumerate(rows):
        found = []
        for column, text in zip("ABC", row, strict=True):
            if text is None:
                continue
            if k in inline:
                found.append(f'<c r="{column}{k + 1}" t="inlineStr"><is><t>{escape(text)}</t></is></c>')
            else:
                found.append(f'<c r="{column}{k + 1}" t="s"><v>{number}</v></c>')
                number += 1
        cells.append(f'<row r="{k + 1}">{"".join(found)}</row>')
    with zipfile.ZipFile(path, "w") as archive:
        shared = "".join(f"<si><r><t>{escape(text)}</t></r></si>" for text in texts)
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{shared}</sst>")
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet {space}>{''.join(cells)}</worksheet>")


def test_meqsum(prepare, tmp_path):
    rows = [("File", "CHQ", "Summary")] + [
        (f"{n}", f"SUBJECT: {n}\nMESSAGE: a & b", f"What is {n}?") for n in range(40)
    ]
    spreadsheet(tmp_path / "meqsum.xlsx", [*rows, ("", None, None)], inline={3})
    code, _, err = prepare("meqsum", "meqsum.xlsx")
    assert (code, err) == (0, "")
    found = [list(JsonFiles(tmp_path / "out" / f"{side}.jsonl")) for side in ("train", "dev", "test")]
    assert [len(pairs) for pairs in found] == [18, 2, 20]
    assert [pair for pairs in found for pair in pairs] == [
        (f"SUBJECT : {n} MESSAGE : a & b", f"What is {n} ?") for n in range(40)
    ]
    spreadsheet(tmp_path / "bad.xlsx", [*rows[:3], ("x", "question", None)])
    refused(prepare("meqsum", "bad.xlsx"), "bad.xlsx, row 4: no Summary")
    spreadsheet(tmp_path / "bad.xlsx", [("File", "Question", "Summary")])
    refused(prepare("meqsum", "bad.xlsx"), "no column CHQ; there are File, Question, Summary")
    put(tmp_path / "bad.xlsx", "CHQ,Summary")
    refused(prepare("meqsum", "bad.xlsx"), "no spreadsheet (.xlsx) that can be read")


# text from data

MEANING = '"name[Blue Spice], customer rating[5 out of 5]"'
TABLE = f'mr,ref\n{MEANING},"Blue Spice, rated 5."\n{MEANING},Good: Blue Spice.\n"name[A]",A is here.\n'
MARKED = "__start_name__ Blue Spice __end_name__ __start_customerrating__ 5 out of 5 __end_customerrating__"


def archive(path, source, text):
    with tarfile.open(path, "w:gz") as made:
        for name, content in (("src_train.txt", source), ("train.txt", text)):
            data = content.encode()
            member = tarfile.TarInfo(f"e2e_aligned/{name}")
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))


def test_e2e_nlg(prepare, tmp_path):
    put(tmp_path / "devset.csv", TABLE)
    put(tmp_path / "testset_w_refs.csv.gz", TABLE, gzip.compress)
    cut = "It 's family - friendly , £ 20 - 25 , at ' Blue Spice ' . <eos>|||0,2,0\n"
    archive(tmp_path / "e2e_aligned.tar.gz", MARKED + "\n", cut)
    code, out, err = prepare("e2e_nlg")
    assert (code, err) == (0, "") and "4 files of references" in out
    source, folder = "name[ Blue Spice ] customer_rating[ 5 out of 5 ]", tmp_path / "out"
    assert lines(folder / "train.tsv") == [f"{source}\tIt's family-friendly , £20-25 , at ' Blue Spice ' ."]
    assert lines(folder / "dev.tsv")[1:] == [f"{source}\tGood : Blue Spice .", "name[ A ]\tA is here ."]
    assert lines(folder / "test.source") == [source, "name[ A ]"]
    assert lines(folder / "test.reference.01") == ["Blue Spice, rated 5.", "A is here."]
    assert lines(folder / "test.reference.02") == ["Good: Blue Spice.", ""]
    refused(prepare("e2e_nlg", ".", "lower"), "is there and holds something else")
    refused(prepare("e2e_nlg", ".", "upper"), "it can be lower")
    (tmp_path / "out").rename(tmp_path / "before")
    put(tmp_path / "trainset.csv", TABLE)
    assert prepare("e2e_nlg", ".", "lower")[0] == 0
    assert lines(folder / "train.tsv")[2] == "name[ a ]\ta is here ."


def test_e2e_nlg_that_is_broken(prepare, tmp_path):
    put(tmp_path / "devset.csv", TABLE)
    put(tmp_path / "testset_w_refs.csv", TABLE)
    refused(prepare("e2e_nlg"), "neither trainset.csv nor e2e_aligned.tar.gz")
    for source, text, words in (
        (MARKED, "no end", "train.txt, line 1: no <eos>|||"),
        ("__start_name__ A", "a <eos>|||", "src_train.txt, line 1: no field begins at '__start_name__ A'"),
        (f"{MARKED}\n{MARKED}", "a <eos>|||", "has 2 lines and train.txt 1"),
    ):
        archive(tmp_path / "e2e_aligned.tar.gz", source, text)
        refused(prepare("e2e_nlg"), words)
    put(tmp_path / "e2e_aligned.tar.gz", "nothing")
    refused(prepare("e2e_nlg"), "no archive (.tar.gz) that can be read")
    put(tmp_path / "trainset.csv", "mr,ref\nname Blue,x\n")
    refused(prepare("e2e_nlg"), "trainset.csv, line 2: no field begins at 'name Blue'")
    put(tmp_path / "trainset.csv", "mr,text\n")
    refused(prepare("e2e_nlg"), "no column ref; there are mr, text")


# dialogues and questions

DIALOGUE = """1 hi\thello  there
2 \tapi_call italian
3 prezzo R_cuisine italian
4 <SILENCE>\t prezzo is nice

1 hi\thello
"""


def test_babi_dialog(prepare, tmp_path):
    put(tmp_path / "dialog-babi-task6trn.txt.gz", DIALOGUE, gzip.compress)
    put(tmp_path / "dialog-babi-task6tst.txt", "1 hi\thello\n1 you\tyes\n2 no result\n3 oh\tsorry\n")
    put(tmp_path / "dialog-babi-task6-dstc2-kb.txt", "1 prezzo R_cuisine italian\n1 prezzo R_location west\n")
    code, out, err = prepare("babi_dialog")
    assert (code, err) == (0, "") and "task6/train.txt      2 parts, 4 lines with a tab" in out
    assert lines(tmp_path / "out/task6/train.txt") == [
        "1 hi\thello there", "2 <SILENCE>\tapi_call italian", "3 prezzo R_cuisine italian",
        "4 <SILENCE>\tprezzo is nice", "", "1 hi\thello", "",
    ]  # fmt: skip
    assert lines(tmp_path / "out/task6/test.txt") == ["1 hi\thello", "", "1 you\tyes", "2 no result", "3 oh\tsorry", ""]
    assert lines(tmp_path / "out/task6/test.requests") == ["hi", "", "you", "/fact no result", "oh"]
    assert lines(tmp_path / "out/task6/test.answers") == ["hello", "", "yes", "", "sorry"]
    assert lines(tmp_path / "out/task6/entities.txt") == ["prezzo", "italian", "west"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("1 hi\thello\n3 you\tyes\n", "line 2: begins with '3' where 2 was expected"),
        ("hi\thello\n", "line 1: begins with 'hi"),
        ("2 hi\thello\n", "line 1: begins with '2' where 1 was expected"),
        ("1 a\tb\n2 hi\t\n", "line 2: it must be user<TAB>system"),
        ("1 a\tb\tc\n", "line 1: it must be user<TAB>system"),
        ("1 \n", "line 1: it must be user<TAB>system, or have a word"),
        ("1 a\tb\n\n1 prezzo R_cuisine italian\n", "line 3: a dialogue without a turn"),
        ("\n\n", "no line in it"),
    ],
)
def test_dialogues_that_are_broken(prepare, tmp_path, text, words):
    put(tmp_path / "dialog-babi-task1trn.txt", text)
    refused(prepare("babi_dialog"), "dialog-babi-task1trn.txt", words)


def story(n, questions=2):
    told = [f"{2 * k - 1} Mary went to room {n}." for k in range(1, questions + 1)]
    asked = [f"{2 * k} Where is Mary? \troom {n}\t{2 * k - 1}" for k in range(1, questions + 1)]
    return "\n".join(line for both in zip(told, asked, strict=True) for line in both)


def test_babi_qa(prepare, tmp_path):
    put(tmp_path / "qa1_one-fact_train.txt", "\n".join(map(story, range(20))) + "\n")
    put(tmp_path / "qa1_one-fact_test.txt.gz", story(50), gzip.compress)
    put(tmp_path / "qa3_three-facts_test.txt", story(50))
    code, out, err = prepare("babi_qa", ".", "21")
    assert code == 0 and err == "qa3_three-facts: no training file, so left out\n"
    assert "qa1/train.txt  9 parts, 18 lines with a tab" in out and "qa1/dev.txt    2 parts, 3 lines with a tab" in out
    first = ["1 Mary went to room 0.", "2 Where is Mary?\troom 0\t1"]
    assert lines(tmp_path / "out/qa1/train.txt")[:2] == first
    assert lines(tmp_path / "out/qa1/dev.txt")[-3:] == ["1 Mary went to room 10.", "2 Where is Mary?\troom 10\t1", ""]
    (tmp_path / "out").rename(tmp_path / "before")
    assert "18 parts, 36 lines" in prepare("babi_qa", ".", "all")[1]
    for wrong in ("9", "-1", "x"):
        refused(prepare("babi_qa", ".", wrong), f"QUESTIONS is '{wrong}'")


@pytest.mark.parametrize(
    "text, words",
    [
        ("1 Mary went home.\n", "line 1: a story without a question"),
        ("1 Mary went home.\n2 Where?\thome\t2\n", "line 2: it must be a sentence, or question<TAB>answer"),
        ("1 Mary went home.\n2 Where?\thome\n", "line 2: it must be"),
        ("1 Mary went home.\n2 Where?\t\t1\n", "line 2: it must be"),
        ("1 Mary went home.\n4 Where?\thome\t1\n", "line 2: begins with '4' where 2 was expected"),
    ],
)
def test_stories_that_are_broken(prepare, tmp_path, text, words):
    put(tmp_path / "qa1_one-fact_train.txt", text)
    put(tmp_path / "qa1_one-fact_test.txt", story(1))
    refused(prepare("babi_qa"), "qa1_one-fact_train.txt", words)


# all of them


@pytest.mark.parametrize("script", sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem != "shared"))
def test_every_script_says_how_it_is_called_and_what_is_missing(prepare, monkeypatch, capsys, script):
    refused(prepare(script, "nowhere"), "nowhere: no such file or folder")
    code, out, err = prepare(script, ".", "one", "two")
    assert code == 2 and out == "" and f"python recipes/prepare/{script}.py IN OUT" in err
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPTS / f"{script}.py"), run_name="__main__")
    assert not stop.value.code and f"python recipes/prepare/{script}.py IN OUT" in capsys.readouterr().out
    code, out, err = prepare(script)  # an empty folder
    assert code == 1 and out == "" and err.count("\n") == 1, err


def test_a_second_run_changes_nothing(prepare, tmp_path):
    put(tmp_path / "tasks_train_simple.txt", "IN: run OUT: I_RUN\n")
    assert prepare("scan") == prepare("scan")
    put(tmp_path / "out/simple/train.tsv", "mine")
    refused(prepare("scan"), "train.tsv is there and holds something else")
    assert (tmp_path / "out/simple/train.tsv").read_bytes() == b"mine"
