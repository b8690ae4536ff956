"""Words that can be copied: what each place of a source says, as an id of the target.

    a word that the target's vocabulary has      its id there
    another one                                  V + k, if it is the k-th such word of its source

So a target word that the vocabulary lacks has an id too, if its source has it. Words are compared in the form of the
target's vocabulary (`Tokens.normalize`), and come out as they were written in the source.

Source: See, Liu & Manning 2017, section 2.2 (the extended vocabulary).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from numseq.data.kinds import PAD, UNK
from numseq.data.tokens import Tokens
from numseq.errors import ConfigError


@dataclass(slots=True)
class Copyable:
    """One source: ids, what each place says; written, each place as it is written; new, {word: id} of those that the
    vocabulary lacks."""

    ids: list[int]
    written: list[str]
    new: dict[str, int]

    def word(self, k: int) -> str:
        """The word with id k, as it is written where it first stands."""
        return self.written[self.ids.index(k)]


class Copier:
    """What can be copied from texts of one vocabulary into texts of another.

    Raises: ConfigError, when the two cut text into tokens of different kinds.
    """

    def __init__(self, source: Tokens, target: Tokens):
        if source.kind != target.kind:
            raise ConfigError(
                f"a head that copies puts tokens of the source into the target, but source tokens are {source.kind} "
                f"and target tokens {target.kind}: choose the same for both"
            )
        self.source, self.target, self.V = source, target, len(target)

    def read(self, line: str, part: slice = slice(None)) -> Copyable:
        """A source. part: which of its tokens are read."""
        return self.of(self.written(line)[part])

    def written(self, line: str) -> list[str]:
        """The tokens of a source: words as they are written, what is cut more finely in the form of the vocabulary."""
        tokens = self.source.split(line)
        words = line.split() if self.source.kind == "word" else tokens
        return words if len(words) == len(tokens) else tokens  # a form of Unicode may make two words of one

    def of(self, written: list[str]) -> Copyable:
        """A source of tokens that are given."""
        new: dict[str, int] = {}
        return Copyable([self._id(self.target.normalize(token), new) for token in written], written, new)

    def _id(self, token, new):
        k = self.target.id(token)
        return new.setdefault(token, self.V + len(new)) if k is None else k

    def targets(self, coded: list[int], unknown: Iterable[tuple[int, str]], copyable: Copyable) -> list[int]:
        """The ids of a target with those of words that its source has, in place of unknown ones.

        Args: coded and unknown, as `Tokens.read` gives them.
        """
        coded = list(coded)
        for place, token in unknown:
            coded[place] = copyable.new.get(token, UNK)
        return coded


@dataclass(slots=True)
class Sources:
    """The sources of a batch, to copy from: copies (S, B), as of a Batch, and each as Copyable."""

    copies: np.ndarray
    each: list[Copyable]

    @classmethod
    def of(cls, each: list[Copyable]) -> Self:
        """Of each source, in their order."""
        copies = np.full((max(len(one.ids) for one in each), len(each)), PAD)
        for b, one in enumerate(each):
            copies[: len(one.ids), b] = one.ids
        return cls(copies, each)
