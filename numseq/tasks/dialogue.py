"""Dialogues: each answer is a pair, of all that was said before and of the answer.

A file has numbered lines, "N user<tab>bot", and "N text" without a tab for what is known, as the rows of a table; the
numbers begin anew with each dialogue, and a line between may be empty. The source of a pair is one line,

    <fact> ... <user> ... <bot> ... <user> ...

An answer may begin with the tag of who gives it, as in "1 where do you live<tab><anna> in paris": a persona. Then that
tag stands where <bot> would, and once more at the end of the source, so that the model knows who is to speak.

Source: Bordes et al. 2017; Li et al. 2016.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from numseq.data.kinds import SPECIAL, plain
from numseq.data.reading import DataError
from numseq.metrics.dialogue import response_accuracy
from numseq.tasks.numbered import Block, Numbered
from numseq.tasks.task import Task

USER, BOT, FACT = TAGS = "<user>", "<bot>", "<fact>"
SPOKEN = re.compile(r"(<[^<>\s]+>)\s+(.*)")


class Conversation:
    """What was said so far, as a model reads it. Args: tags, all that the model knows."""

    def __init__(self, tags: Sequence[str] = TAGS):
        self.tags = tags
        self.turns: list[str] = []

    def add(self, tag: str, text: str) -> None:
        """Add a turn, or a fact. What looks like a tag in the text is taken apart: it is text."""
        self.turns.append(f"{tag} {plain(text, self.tags)}")

    def source(self, speaker: str | None = None) -> str:
        """All of it, on one line. Args: speaker, the tag of who is to answer, if there are several."""
        return " ".join([*self.turns, speaker] if speaker else self.turns)


class Dialogues(Numbered):
    """The pairs of dialogue files."""

    @cached_property
    def tags(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of every dialogue, and the speakers."""
        answers = (text.split("\t")[1] for block in self.blocks() for _, text in block if text.count("\t") == 1)
        return *TAGS, *sorted({found[0] for answer in answers if (found := spoken(answer))})

    def pairs_of(self, block: Block) -> Iterator[tuple[str, str]]:
        said, answered = Conversation(self.tags), 0
        for where, text in block:
            user, *more = (part.strip() for part in text.split("\t"))
            if not more:
                if not user:
                    raise DataError(f"{where}: an empty turn")
                said.add(FACT, user)
                continue
            if len(more) > 1:
                raise DataError(f"{where}: {len(more)} tabs, where one was expected, between user and bot")
            if not user and not answered:
                raise DataError(f"{where}: a turn of the bot before any of the user")
            if not (user and more[0]):
                raise DataError(f"{where}: an empty turn, of the {'bot' if user else 'user'}")
            speaker, answer = spoken(more[0]) or (None, more[0])
            if speaker in (*TAGS, *SPECIAL):
                raise DataError(f"{where}: the answer begins with {speaker}, which can be the tag of no speaker")
            said.add(USER, user)
            yield said.source(speaker), answer
            said.add(speaker or BOT, answer)
            answered += 1
        if not answered:
            raise DataError(f"{block[-1][0]}: the dialogue ends without an answer")


def spoken(answer: str) -> tuple[str, str] | None:
    """(tag of the speaker, what is said) of an answer that has a tag, else None."""
    found = SPOKEN.fullmatch(answer.strip())
    return (found[1], found[2]) if found else None


def _measures(hypotheses, references, groups):
    found = response_accuracy(hypotheses, references, range(len(hypotheses)) if groups is None else groups)
    return {name: found[name] for name in ("per_response", "per_dialogue")[: 1 if groups is None else 2]}


TASK = Task(
    "conversation: the next answer",
    text=Dialogues,
    tags=TAGS,
    data={"long": "turns", "min_count": 1},
    metrics=("bleu", "ppl"),
    measures=_measures,
)
