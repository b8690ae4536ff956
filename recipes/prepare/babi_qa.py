"""Questions about stories: the 20 bAbI tasks (Weston et al. 2015).

    python recipes/prepare/babi_qa.py IN OUT [QUESTIONS]

IN has qa1_single-supporting-fact_train.txt, ..._test.txt and so on, packed by gzip or not. A task without one of them
is left out, which is said. QUESTIONS, 1000 where it is not given, is how many questions of each training file are
taken, the first ones; "all" takes all. Of their stories the last, with at least a tenth of the questions, are for
development.

OUT gets qa1/train.txt, dev.txt and test.txt, in the same format: "N sentence", or "N question<TAB>answer<TAB>lines that
support it". Numbers begin again with each story, and a blank line ends it. A story ends after its last question that is
taken.
"""

import re
import sys
from pathlib import Path

from shared import file_of, main, numbered, renumbered, spaced

from numseq.data.reading import DataError


def prepare(folder: Path, questions: str = "1000") -> dict[str, list[str]]:
    if questions != "all" and not (questions.isdecimal() and int(questions) >= 10):
        raise DataError(f"QUESTIONS is {questions!r}: it must be a number from 10, or all")
    tasks = {}
    for path in sorted(folder.iterdir()):
        if name := re.fullmatch(r"qa(\d+)_([\w-]+)_(train|test)\.txt(\.gz)?", path.name):
            tasks[int(name[1])] = f"qa{name[1]}_{name[2]}"
    files = {}
    for number, name in sorted(tasks.items()):
        train, test = (file_of(folder, f"{name}_{side}.txt") for side in ("train", "test"))
        if train is None or test is None:
            print(f"{name}: no {'test' if train else 'training'} file, so left out", file=sys.stderr)
            continue
        known = first(stories(train), None if questions == "all" else int(questions))
        at = held_out(known)
        parts = {"train": known[:at], "dev": known[at:], "test": stories(test)}
        files |= {f"qa{number}/{side}.txt": renumbered(part) for side, part in parts.items()}
    if not files:
        raise DataError(f"{folder}: no qa1_..._train.txt and qa1_..._test.txt in it, and none of the others")
    return files


def stories(path: Path) -> list[list[str]]:
    """The lines of each story, without their numbers."""
    found = []
    for part in numbered(path):
        found.append([])
        for number, text in part:
            columns = [spaced(column) for column in text.split("\t")]
            support = columns[-1].split()
            if (
                len(columns) not in (1, 3)
                or not all(columns[:2])
                or (len(columns) == 3 and not fits(support, found[-1]))
            ):
                wanted = "a sentence, or question<TAB>answer<TAB>numbers of lines before it"
                raise DataError(f"{path}, line {number:,}: it must be {wanted}")
            found[-1].append("\t".join(columns))
        if not any("\t" in line for line in found[-1]):
            raise DataError(f"{path}, line {part[0][0]:,}: a story without a question")
    return found


def fits(support, before):
    return all(number.isdecimal() and 1 <= int(number) <= len(before) for number in support)


def first(parts: list[list[str]], questions: int | None) -> list[list[str]]:
    """The stories of the first questions; the last one ends after the last of them."""
    taken, left = [], questions
    for story in parts:
        at = [k for k, line in enumerate(story) if "\t" in line]
        if left is None or len(at) <= left:
            taken.append(story)
            left = None if left is None else left - len(at)
        elif left:
            taken.append(story[: at[left - 1] + 1])
            left = 0
    return taken


def held_out(parts: list[list[str]]) -> int:
    """The story from which on a tenth of the questions are asked, or a little more. There is one before it."""
    counts = [sum("\t" in line for line in story) for story in parts]
    at, held = len(parts), 0
    while at > 1 and held < sum(counts) / 10:
        at -= 1
        held += counts[at]
    return at


if __name__ == "__main__":
    main(__doc__, prepare, more=1)
