"""Questions about stories: the story's sentences and a question become an answer.

A file has numbered lines, "N sentence" and "N question<tab>answer<tab>numbers of the sentences that say it", of which
the last part may be missing; the numbers begin anew with each story. The source of a pair is one line, in which a tag
begins each sentence, and the question after the last, so that a reader of ids can part them again:

    <s> Mary moved to the bathroom <s> John went to the hallway <s> Where is Mary

The mark at the end of a sentence is left out.

Source: Weston et al. 2015.
"""

from collections.abc import Iterator

from numseq.data.kinds import plain
from numseq.data.reading import DataError
from numseq.metrics.answers import answer_errors
from numseq.tasks.numbered import Block, Numbered
from numseq.tasks.task import Task

SENTENCE = "<s>"


class Questions(Numbered):
    """The pairs of files of stories with questions."""

    tags = (SENTENCE,)

    def pairs_of(self, block: Block) -> Iterator[tuple[str, str]]:
        sentences: dict[int, str] = {}
        asked = 0
        for number, (where, text) in enumerate(block, 1):
            sentence, *more = (part.strip() for part in text.split("\t"))
            if not sentence:
                raise DataError(f"{where}: an empty {'question' if more else 'sentence'}")
            if not more:
                sentences[number] = self._tagged(sentence)
                continue
            if len(more) > 2 or not more[0]:
                raise DataError(f"{where}: a question is question, tab, answer, and perhaps tab and numbers of lines")
            for found in " ".join(more[1:]).split():
                if not (found.isdecimal() and int(found) in sentences):
                    raise DataError(f"{where}: the answer is said by line {found[:30]!r}, which is no sentence before")
            if not sentences:
                raise DataError(f"{where}: a question without a story")
            yield " ".join([*sentences.values(), self._tagged(sentence)]), more[0]
            asked += 1
        if not asked:
            raise DataError(f"{block[-1][0]}: the story ends without a question")

    def _tagged(self, sentence):
        bare = sentence[:-1].rstrip() if sentence[-1] in ".?!" else sentence
        return f"{SENTENCE} {plain(bare or sentence, self.tags)}"


def _measures(hypotheses, references, groups):
    return {"answer_accuracy": answer_errors(hypotheses, references, ["all"] * len(hypotheses))["accuracy"]}


TASK = Task(
    "questions about stories",
    text=Questions,
    tags=Questions.tags,
    data={"long": "turns", "min_count": 1},
    metrics=("ppl",),
    measures=_measures,
)
