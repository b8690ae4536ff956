"""Files of numbered lines, whose numbers begin anew with each dialogue or story."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from numseq import arguments
from numseq.data.corpus import Corpus, Paths, files_of, listed
from numseq.data.lines import lines_of
from numseq.data.reading import Again, DataError

Block = list[
    tuple[str, str]
]  # (where, text) of each line: its file and line, for messages, and what follows its number


class Numbered(Corpus):
    """Pairs that are made of the blocks of files. A kind says how, by `pairs_of`."""

    def __init__(self, paths: Paths):
        super().__init__()
        self.files = files_of(paths)
        self.name = listed(self.files)
        self.given: list[Block] = []

    @classmethod
    def of(cls, examples: Iterable[Sequence[str]], name: str) -> Self:
        """The same of dialogues or stories that are lists of lines, without their numbers.

        Args: examples. name, what a message calls them.
        """
        made = cls([])
        made.name = name
        for k, lines in enumerate(arguments.iterated(examples, name, "lists of lines")):
            lines = arguments.texts(lines, f"{name}[{k}]")
            made.given.append([(f"{name}[{k}], line {number}", line) for number, line in enumerate(lines, 1)])
        return made

    def pairs_of(self, block: Block) -> Iterator[tuple[str, str]]:
        """The pairs of a block, one at least. Raises: DataError."""
        raise NotImplementedError

    def blocks(self) -> Iterator[Block]:
        """All blocks."""
        yield from self.given
        for file in self.files:
            yield from blocks(file)

    def pairs(self) -> Iterator[tuple[str, str]]:
        for block in self.blocks():
            yield from self.pairs_of(block)

    def groups(self) -> list[int]:
        return [k for k, block in enumerate(self.blocks()) for _ in self.pairs_of(block)]


def blocks(file: Again) -> Iterator[Block]:
    """The blocks of a file: each begins with line 1, and ends before the next, or before an empty line.

    Raises: DataError, when a line has no number, or another than the next.
    """
    block: Block = []
    for k, line in enumerate(lines_of(file), 1):
        where = f"{file.name}, line {k:,}"
        if not line.strip():
            if block:
                yield block
            block = []
            continue
        digits, _, text = line.partition(" ")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
            raise DataError(f"{where}: it begins with {digits[:30]!r}, and not with its number and a space")
        number = int(digits)
        if number == 1 and block:
            yield block
            block = []
        if number != len(block) + 1:
            expected = "1, as a new one begins" if not block else f"{len(block) + 1}, or 1 where a new one begins"
            raise DataError(f"{where}: its number is {number:,}, and it must be {expected}")
        block.append((where, text))
    if block:
        yield block
