"""Dialogues with a restaurant system: the bAbI dialogue tasks 1 to 5 and task 6, DSTC2 (Bordes et al. 2017).

    python recipes/prepare/babi_dialog.py IN OUT

IN has dialog-babi-task1trn.txt, ...1dev.txt, ...1tst.txt, ...1tst-OOV.txt and so on, packed by gzip or not, and the
knowledge bases dialog-babi-kb-all.txt and dialog-babi-task6-dstc2-kb.txt. What is not there is left out.

OUT gets task1/train.txt, dev.txt, test.txt and test-oov.txt: the same format, with the numbering looked at, one space
where there were several, and <SILENCE>, as the data have it, where a user's turn was empty. A line is
"N user<TAB>system"; one without a tab is what the knowledge base answered; a blank line ends a dialogue. OUT also gets
each task's entities.txt, all names of its knowledge base, one a line; and test.requests and test.answers, what is said
in the first 20 test dialogues and what is answered, line by line, for

    numseq chat RUN < OUT/task2/test.requests | diff OUT/task2/test.answers -
"""

from pathlib import Path

from shared import TAB, file_of, main, numbered, renumbered, spaced

from numseq.data.lines import read_lines
from numseq.data.reading import DataError

CHATS = 20  # dialogues of test.requests
SIDES = {"train": "trn", "dev": "dev", "test": "tst", "test-oov": "tst-OOV"}


def prepare(folder: Path) -> dict[str, list[str]]:
    files = {}
    for task in range(1, 7):
        for side, name in SIDES.items():
            path = file_of(folder, f"dialog-babi-task{task}{name}.txt")
            if path is not None:
                files[f"task{task}/{side}.txt"] = renumbered(found := dialogues(path))
                if side == "test":
                    files[f"task{task}/test.requests"], files[f"task{task}/test.answers"] = chats(found[:CHATS])
        base = file_of(folder, "dialog-babi-task6-dstc2-kb.txt" if task == 6 else "dialog-babi-kb-all.txt")
        if base and f"task{task}/test.txt" in files:
            files[f"task{task}/entities.txt"] = names(base)
    if not files:
        raise DataError(f"{folder}: no dialog-babi-task1trn.txt in it, and none of the others")
    return files


def dialogues(path: Path) -> list[list[str]]:
    """The lines of each dialogue, without their numbers."""
    found = []
    for part in numbered(path):
        found.append([])
        for number, text in part:
            turns = [spaced(turn) for turn in text.split("\t")]
            if len(turns) > 2 or not turns[-1]:
                raise DataError(f"{path}, line {number:,}: it must be user<TAB>system, or have a word and no tab")
            turns[0] = turns[0] or "<SILENCE>"
            found[-1].append("\t".join(turns))
        if not any("\t" in line for line in found[-1]):
            raise DataError(f"{path}, line {part[0][0]:,}: a dialogue without a turn (user<TAB>system)")
    return found


def chats(dialogues: list[list[str]]) -> tuple[list[str], list[str]]:
    """(what is typed into `numseq chat`, what it answers), line by line; a blank line begins another dialogue."""
    typed, answered = [], []
    for number, dialogue in enumerate(dialogues):
        for line in ([""] if number else []) + dialogue:
            user, tab, system = line.partition(TAB)
            typed.append(f"/fact {user}" if user and not tab else user)
            answered.append(system)
    return typed, answered


def names(path: Path) -> list[str]:
    """All names of a knowledge base of lines "1 restaurant relation value": restaurants and values, each once."""
    restaurants, values = {}, {}
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if len(words) != 4:
            raise DataError(f"{path}, line {number:,}: {len(words)} words where '1 restaurant relation value' has 4")
        restaurants[words[1]] = values[words[3]] = None
    return list(restaurants | values)


if __name__ == "__main__":
    main(__doc__, prepare)
