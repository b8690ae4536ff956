"""The corpora that make themselves: their rules, and that nothing of the test is in training."""

import ast

import pytest

from numseq.errors import ArgumentError
from numseq.tasks.dialogue import Dialogues
from numseq.tasks.made import make_chinese, make_code, make_dialogues, make_questions, make_summaries
from numseq.tasks.made.chinese import DAYS, chinese, english
from numseq.tasks.made.draw import draw
from numseq.tasks.questions import Questions

ALL = [make_chinese, make_code, make_dialogues, make_questions, make_summaries]


@pytest.mark.parametrize("make", ALL)
def test_the_same_seed_makes_the_same_and_no_example_is_in_two_lists(make):
    made = make(60, 20, 30, 1)
    assert made == make(60, 20, 30, 1) != make(60, 20, 30, 2)
    assert [len(made.train), len(made.valid), len(made.test)] == [60, 20, 30]
    keys = [tuple(one) if isinstance(one, list) else one[0] for one in [*made.train, *made.valid, *made.test]]
    assert len(set(keys)) == 110


def test_more_examples_than_there_are_is_refused():
    with pytest.raises(ArgumentError, match="4 different examples are asked for, and 3 were found"):
        draw(lambda rng: (str(rng.integers(3)), ""), (2, 1, 1), 0)
    with pytest.raises(ArgumentError, match="n_valid"):
        make_code(1, -1, 0, 0)


@pytest.mark.parametrize(
    ("n", "words", "characters"),
    [
        (0, "zero", "零"), (10, "ten", "十"), (15, "fifteen", "十五"), (20, "twenty", "二十"),
        (101, "one hundred and one", "一百零一"), (110, "one hundred and ten", "一百一十"),
        (1001, "one thousand and one", "一千零一"), (1010, "one thousand and ten", "一千零一十"),
        (1100, "one thousand one hundred", "一千一百"), (3042, "three thousand and forty two", "三千零四十二"),
        (9999, "nine thousand nine hundred and ninety nine", "九千九百九十九"),
    ],
)  # fmt: skip
def test_numbers_are_said_in_english_and_in_chinese(n, words, characters):
    assert (english(n), chinese(n)) == (words, characters)


def test_numbers_and_days_all_differ():
    assert len({chinese(n) for n in range(10_000)}) == len({english(n) for n in range(10_000)}) == 10_000
    assert len(set(DAYS)) == 31 and DAYS[20] == "twenty first"
    pairs = dict(make_chinese(3000, 0, 0, 0).train)
    assert any(said.endswith("nineteen oh five") and wanted.startswith("一九〇五年") for said, wanted in pairs.items())


def test_every_program_is_python_of_the_names_that_its_sentence_has():
    for sentence, program in make_code(500, 0, 0, 0).train:
        names = {node.id for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Name)}
        assert names - {"print", "max", "min", "abs"} <= set(sentence.split())


def test_the_last_move_of_somebody_answers_the_question():
    for source, answer in Questions.of(make_questions(200, 0, 0, 0).train, "stories"):
        *story, question = [sentence.split() for sentence in source.split("<s> ")[1:]]
        last = [sentence for sentence in story if sentence[0] == question[-1]][-1]
        assert answer in last


def test_what_is_booked_was_said_and_what_is_asked_was_not():
    for source, answer in Dialogues.of(make_dialogues(100, 0, 0, 0).train, "dialogues"):
        if answer.startswith("book "):
            assert set(answer.split()[1:]) <= set(source.split())
    corpus = Dialogues.of(make_dialogues(50, 0, 0, 0, speakers=True).train, "dialogues")
    assert corpus.tags[3:] == ("<anna>", "<bo>")
    assert all(("this is anna" in answer) <= source.endswith("<anna>") for source, answer in corpus)


def test_a_headline_names_a_town_and_an_event_of_its_report():
    for report, headline in make_summaries(100, 0, 0, 0).train:
        event, _, town, _, harm, _ = headline.split()
        assert town in report.split() and event in report and harm in ("nobody", "two", "many")
