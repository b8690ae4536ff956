"""Tasks on the command line: their files, what is shortened alike everywhere, what is measured; and talking."""

import json

import pytest
from helpers_run import TINY, numseq_cli

from numseq.search import Translator
from numseq.tasks.made import make_dialogues, make_questions
from numseq.tasks.talk import Talk
from numseq.training.checkpoint import load_config, load_model, load_tokens

ONE = ("--epochs", 1, *TINY)


def write_numbered(path, examples):
    path.write_text("".join(f"{k} {line}\n" for one in examples for k, line in enumerate(one, 1)), encoding="utf-8")


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Files of all tasks, and runs on them: dialogue, speakers, questions, summary."""
    folder = tmp_path_factory.mktemp("tasks")
    write_numbered(folder / "talk.txt", make_dialogues(20, 0, 0, 0).train)
    write_numbered(folder / "speakers.txt", make_dialogues(20, 0, 0, 0, speakers=True).train)
    write_numbered(folder / "stories.txt", make_questions(20, 0, 0, 0).train)
    rows = [{"id": k, "text": " ".join("abcdefgh"[: 3 + k % 6]), "head": "abc"[k % 3]} for k in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ("--source-column", "text", "--target-column", "head")
    for run, given in {
        "dialogue": ("dialogue", "--text", folder / "talk.txt", "--context", 20),
        "speakers": ("dialogue", "--text", folder / "speakers.txt"),
        "questions": ("questions", "--text", folder / "stories.txt", "--source-tokens", "char", "--max-length", 90),
        "summary": ("summary", "--jsonl", folder / "rows.jsonl", *columns, "--max-length", 5, "--metric", "exact"),
    }.items():
        result = numseq_cli("train", "--out", folder / run, "--task", *given, *ONE)
        assert (result.code, result.err) == (0, ""), result
        (folder / f"{run}.said").write_text(result.out)
    return folder


def test_a_task_is_kept_with_what_suits_it_and_can_be_repeated(room, tmp_path):
    data = load_config(room / "dialogue")[1]["data"]
    assert (data["task"], data["long"], data["context"], data["min_count"]) == ("dialogue", "turns", 20, 1)
    assert load_tokens(room / "dialogue")[0].tags == ("<user>", "<bot>", "<fact>")
    again = numseq_cli("train", room / "dialogue" / "experiment.toml", "--out", tmp_path / "again")
    assert again.code == 0
    one, other = ((run / "model.safetensors").read_bytes() for run in (room / "dialogue", tmp_path / "again"))
    assert one == other
    assert numseq_cli("train", "--out", tmp_path / "again", "--resume", "--epochs", 2).code == 0
    said = numseq_cli("info", room / "dialogue").out
    assert "--task dialogue" in said and "--context 20" in said


def test_what_is_said_goes_before_what_suits_a_task(room, tmp_path):
    file = tmp_path / "e.toml"
    file.write_text(f'[files]\ntext = "{room}/stories.txt"\n[data]\ntask = "questions"\nlong = "drop"\n')
    assert numseq_cli("train", file, "--out", tmp_path / "run", *ONE, "--min-count", 2).code == 0
    data = load_config(tmp_path / "run")[1]["data"]
    assert (data["task"], data["long"], data["min_count"]) == ("questions", "drop", 2)


def test_long_sources_are_cut_in_training_in_validation_and_afterwards(room, tmp_path):
    said = (room / "summary.said").read_text()
    assert "training pairs of more than 5 tokens" in said and "are not translated" not in said
    (tmp_path / "in").write_text("a b c d e\na b c d e f g h\n")
    found = numseq_cli("translate", room / "summary", "--input", tmp_path / "in", "--attention", tmp_path / "a.json")
    lines = found.out.splitlines()
    assert lines[0] == lines[1] and "line 2: more than 5 tokens, so the end is not read, as in training" in found.err
    assert [len(one["source"]) for one in json.loads((tmp_path / "a.json").read_text())] == [5, 5]
    scores = numseq_cli("evaluate", room / "summary", "--jsonl", room / "rows.jsonl", "--metric", "exact,ppl")
    assert "sentences       40" in scores.out and "left_out" not in scores.out
    assert "19 sources: more than 5 tokens, so the end is not read, as in training" in scores.err
    assert numseq_cli("attention", room / "summary", "a b c d e f g", "--out", tmp_path / "a.png").code == 0
    assert "the end is not read" in numseq_cli("errors", room / "summary").err


@pytest.mark.parametrize(
    ("run", "file", "measures"),
    [
        ("dialogue", "talk.txt", {"per_response", "per_dialogue", "bleu", "perplexity"}),
        ("questions", "stories.txt", {"answer_accuracy", "perplexity"}),
    ],
)
def test_a_task_has_measures_of_its_own(room, tmp_path, run, file, measures):
    result = numseq_cli("evaluate", room / run, "--text", room / file, "--json", tmp_path / "s.json")
    assert result.code == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    assert measures <= scores.keys() and "left_out" not in scores
    (tmp_path / "names").write_text("rome\n\nthai food\n")
    named = numseq_cli(
        "evaluate", room / run, "--text", room / file, "--entities", tmp_path / "names", "--metric", "ppl"
    )
    assert named.code == 0 and "entity_f1 " in named.out
    assert ("the oldest turns are not read" in result.err) == (run == "dialogue" or "more than" in result.err)


WRONG = {
    "no such file": ("train --task dialogue --text {room}/none.txt", "no such file"),
    "another way": ("train --task dialogue --tsv {room}/rows.jsonl", "files of --task dialogue are given by --text"),
    "text of translation": ("train --text {room}/talk.txt", "files of --task translation are given by --source"),
    "no file": ("train --task questions", "give --text"),
    "turns of what has none": ("train --jsonl {room}/rows.jsonl --long turns", "long is turns, and task is trans"),
    "a field is missing": (
        "train --task summary --jsonl {room}/rows.jsonl --source-column text --target-column title",
        "rows.jsonl, line 1: no title in it",
    ),
    "no such task": ("train --task poetry --text {room}/talk.txt", "poetry"),
    "stories of dialogues": ("train --task dialogue --text {room}/stories.txt", "stories.txt, line 4: 2 tabs"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_trained_is_said_in_a_line(room, tmp_path, case):
    command, said = WRONG[case]
    result = numseq_cli(*command.format(room=room).split(), "--out", tmp_path / "run")
    assert result.code in (1, 2) and said in " ".join(result.err.split()), result
    assert not (tmp_path / "run" / "config.json").exists()


def test_text_of_a_run_without_a_task_is_refused(room):
    result = numseq_cli("evaluate", room / "summary", "--text", room / "talk.txt")
    assert result.code == 2 and "was trained with --task summary" in " ".join(result.err.split())
    result = numseq_cli("evaluate", room / "dialogue", "--text", room / "talk.txt", "--tsv", room / "talk.txt")
    assert result.code == 2 and "or --text" in " ".join(result.err.split())


# talking


def chat(monkeypatch, run, text, *options):
    import os

    read, write = os.pipe()
    os.write(write, text if isinstance(text, bytes) else text.encode())
    os.close(write)
    with open(read, "rb") as file:
        stdin = type("Input", (), {"buffer": file, "isatty": lambda self: False})
        monkeypatch.setattr("sys.stdin", stdin())
        monkeypatch.setattr("numseq.data.reading.is_on_disk", lambda path: False)
        return numseq_cli("chat", run, *options)


def test_each_line_of_a_pipe_has_one_line_of_output(room, tmp_path, monkeypatch):
    text = "hello\n/why\n/fact a b\n\n/why\n/no\n 😀 שלום 中文 <user>\n/help\n/quit\nnever read\n"
    result = chat(monkeypatch, room / "dialogue", text, "--attention", tmp_path / "a.png")
    lines = result.out.split("\n")
    assert result.code == 0 and len(lines) == 9 + 1
    assert str(tmp_path / "a.png") in lines[1] and (tmp_path / "a.png").stat().st_size
    assert [lines[k] for k in (2, 3, 5, 8)] == [""] * 4 and lines[4] == "nothing was answered yet"
    assert "/reset" in lines[7]
    assert "line 6: there is no '/no'" in result.err and "'中文'" in result.err


def test_an_answer_is_given_what_was_said_before_and_reset_forgets_it(room, monkeypatch):
    def said(text):
        return chat(monkeypatch, room / "dialogue", text).out.split("\n")

    assert said("hello\nin rome\n\nhello\n")[3] == said("hello\n")[0] == said("in oslo\n/reset\nhello\n")[2]
    talk = Talk(Translator(*load_model(room / "dialogue")), max_length=20, long="turns")
    first = talk.say("hello")
    talk.know("x y")
    second = talk.say("in <bot> rome " * 30)
    assert talk.conversation.turns[:3] == ["<user> hello", f"<bot> {first.text}", "<fact> x y"]
    assert second.shortened and len(second.source) == 20 and "<bot>" not in second.source


def test_a_speaker_is_chosen_where_there_are_several(room, monkeypatch):
    assert chat(monkeypatch, room / "speakers", "hello\n", "--speaker", "anna").code == 0
    for options, said in (((), "choose one of anna, bo"), (("--speaker", "eve"), "'eve': choose one of anna, bo")):
        result = chat(monkeypatch, room / "speakers", "hello\n", *options)
        assert result.code == 2 and said in " ".join(result.err.split())
    result = chat(monkeypatch, room / "dialogue", "hello\n", "--speaker", "anna")
    assert result.code == 2 and "the model has no speakers" in " ".join(result.err.split())


def test_chat_is_of_dialogues_and_of_text(room, monkeypatch):
    result = chat(monkeypatch, room / "questions", "hello\n")
    assert result.code == 2 and "was trained with --task questions" in " ".join(result.err.split())
    result = chat(monkeypatch, room / "dialogue", b"\xff\n")
    assert result.code == 1 and "not UTF-8" in result.err
