"""Files of tasks: dialogues and stories become pairs, and what is wrong in them is said with file and line."""

import pytest

from numseq.data import DataError
from numseq.errors import ConfigError
from numseq.tasks import TASKS
from numseq.tasks.dialogue import Conversation, Dialogues
from numseq.tasks.questions import Questions
from numseq.training import DataOptions
from numseq.training.text import hold_out, survey

DIALOGUE = "1 prezzo R_area west\n2 hi\thello\n3 <SILENCE>\t where ?\n\n1 bye <bot>\tbye\n1 hi\t you\n"
STORY = "1 Mary went to the garden.\n2 Where is Mary? \tgarden\t1\n3 Omar left.\n4 Who left?\tOmar\n1 A.\n2 B?\tc\t1\n"


def read(kind, folder, text):
    (folder / "f.txt").write_text(text, encoding="utf-8")
    return kind(folder / "f.txt")


def test_each_answer_of_a_dialogue_is_a_pair_with_all_that_was_said_before(tmp_path):
    corpus = read(Dialogues, tmp_path, DIALOGUE)
    assert (
        list(corpus)
        == list(corpus)
        == [
            ("<fact> prezzo R_area west <user> hi", "hello"),
            ("<fact> prezzo R_area west <user> hi <bot> hello <user> <SILENCE>", "where ?"),
            ("<user> bye < bot>", "bye"),
            ("<user> hi", "you"),
        ]
    )
    assert corpus.groups() == [0, 0, 1, 2] and corpus.tags == ("<user>", "<bot>", "<fact>")


def test_speakers_have_tags_of_their_own(tmp_path):
    corpus = read(Dialogues, tmp_path, "1 hi\t<bo> yo\n2 <bo> ?\t<anna> yes\n1 hi\thello\n")
    assert corpus.tags == ("<user>", "<bot>", "<fact>", "<anna>", "<bo>")
    assert list(corpus) == [
        ("<user> hi <bo>", "yo"),
        ("<user> hi <bo> yo <user> < bo> ? <anna>", "yes"),
        ("<user> hi", "hello"),
    ]
    said = Conversation(corpus.tags)
    said.add("<user>", "hi")
    assert said.source("<bo>") == "<user> hi <bo>"


def test_each_question_is_a_pair_with_the_story_so_far_and_sentences_can_be_told_apart(tmp_path):
    corpus = read(Questions, tmp_path, STORY)
    assert list(corpus) == [
        ("<s> Mary went to the garden <s> Where is Mary", "garden"),
        ("<s> Mary went to the garden <s> Omar left <s> Who left", "Omar"),
        ("<s> A <s> B", "c"),
    ]
    assert corpus.groups() == [0, 0, 1]


def test_lists_are_read_as_files_are():
    assert list(Questions.of([["A.", "B?\tc\t1"]], "mine")) == [("<s> A <s> B", "c")]
    with pytest.raises(DataError, match=r"mine\[1\], line 1: the story ends without a question"):
        list(Questions.of([["A.", "B?\tc"], ["A."]], "mine"))


WRONG = {
    "no number": (Dialogues, "hi\thello\n", "line 1: it begins with 'hi"),
    "a number is missing": (Dialogues, "1 a\tb\n3 a\tb\n", "line 2: its number is 3, and it must be 2, or 1"),
    "begins with 2": (Questions, "2 A.\n", "line 1: its number is 2, and it must be 1"),
    "goes on behind an empty line": (Dialogues, "1 a\tb\n\n2 a\tb\n", "line 3: its number is 2, and it must be 1"),
    "an endless number": (Questions, f"{'9' * 5000} A.\n", "line 1: it begins with '999"),
    "bot before user": (Dialogues, "1 \thello\n", "line 1: a turn of the bot before any of the user"),
    "empty user": (Dialogues, "1 a\tb\n2 \tb\n", "line 2: an empty turn, of the user"),
    "empty bot": (Dialogues, "1 a\t\n", "line 1: an empty turn, of the bot"),
    "empty fact": (Dialogues, "1 \n2 a\tb\n", "line 1: an empty turn"),
    "two tabs": (Dialogues, "1 a\tb\tc\n", "line 1: 2 tabs, where one was expected"),
    "no answer": (Dialogues, "1 a fact\n\n1 a\tb\n", "line 1: the dialogue ends without an answer"),
    "a reserved speaker": (Dialogues, "1 a\t<user> b\n", "line 1: the answer begins with <user>"),
    "no question": (Questions, "1 A.\n2 B?\tc\n1 A.\n2 C.\n", "line 4: the story ends without a question"),
    "no story": (Questions, "1 B?\tc\n", "line 1: a question without a story"),
    "no answer to it": (Questions, "1 A.\n2 B?\t\t1\n", "line 2: a question is question, tab, answer"),
    "empty question": (Questions, "1 A.\n2 \tc\n", "line 2: an empty question"),
    "empty sentence": (Questions, "1 \n2 B?\tc\n", "line 1: an empty sentence"),
    "said by no sentence": (Questions, "1 A.\n2 B?\tc\t2\n", "line 2: the answer is said by line '2'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_file_is_said_in_a_line(tmp_path, case):
    kind, text, said = WRONG[case]
    with pytest.raises(DataError) as error:
        list(read(kind, tmp_path, text))
    assert str(error.value).startswith(f"{tmp_path / 'f.txt'}, {said}") and "\n" not in str(error.value)
    assert len(str(error.value)) < 250


def test_dialogues_are_held_out_as_wholes(tmp_path):
    corpus = read(Dialogues, tmp_path, "1 a\tb\n2 c\td\n3 e\tf\n" * 40)
    text = survey(corpus, None, 0, print)
    assert (text.n_train, text.n_valid) == (114, 6)
    assert hold_out(3, 0, [0, 0, 1]).tolist() in ([True, True, False], [False, False, True])
    with pytest.raises(DataError, match="one dialogue or story cannot be split"):
        hold_out(3, 0, [0, 0, 0])


def test_options_of_turns_are_of_tasks_with_turns():
    assert DataOptions(task="dialogue", long="turns", context=9, max_length=20).longest == (9, 20)
    with pytest.raises(ConfigError, match="long is turns, and task is translation"):
        DataOptions(long="turns")
    with pytest.raises(ConfigError, match="context is 9: it goes with long turns"):
        DataOptions(task="dialogue", context=9)
    for name, task in TASKS.items():
        DataOptions(task=name, **task.data)


def test_shares_of_right_answers_and_of_dialogues_that_are_all_right():
    said, wanted = ["a", "b  c", "x", "y"], [["a"], ["z", "b c"], ["x"], ["z"]]
    measures = TASKS["dialogue"].measures
    assert measures(said, wanted, [0, 0, 1, 1]) == {"per_response": 0.75, "per_dialogue": 0.5}
    assert measures(said, wanted, None) == {"per_response": 0.75}
    assert TASKS["questions"].measures(said, wanted, None) == {"answer_accuracy": 0.75}
