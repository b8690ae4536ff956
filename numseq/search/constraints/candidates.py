"""Candidates: an output is one of a list, exactly. What may come next is read from the tree of their beginnings.

allowed(y_1 .. y_t) = {c_{t+1} : c is a candidate that begins with y_1 .. y_t}        <eos> where one ends there

Source: De Cao et al. 2021, "Autoregressive entity retrieval".
"""

from collections.abc import Iterable
from os import PathLike
from typing import Any, Self

from numseq import arguments
from numseq.backend import Array
from numseq.data.tokens import EOS, Tokens
from numseq.errors import ArgumentError, shown
from numseq.search.constraints.constraint import ENDLESS, Choice, Constraint


class Node:
    """A beginning of candidates: what follows it, by text; whether one ends here; how many tokens the shortest has
    still."""

    __slots__ = ("choice", "ends", "fewest", "following")

    def __init__(self) -> None:
        self.following: dict[str, Node] = {}
        self.ends, self.fewest = False, ENDLESS
        self.choice: Choice | None = None


class Candidates(Constraint):
    """One of a list.

    Args: tokens, the vocabulary of what is said, of any kind. candidates, texts. names, how an error calls each of
        them; candidates[0] and so on if not given.
    Raises: ArgumentError, when there is none, or one is empty or has a token that the vocabulary has not.
    """

    def __init__(self, tokens: Tokens, candidates: Iterable[str], names: Iterable[str] | None = None):
        super().__init__(tokens)
        texts = arguments.texts(candidates, "candidates")
        self.names = [f"candidates[{k}]" for k in range(len(texts))] if names is None else list(names)
        coded, unknown = tokens.read(texts)
        if not texts:
            raise ArgumentError("candidates has none: nothing could be said")
        _refuse(self.names, [not ids for ids in coded], "is empty: an output has one token at least")
        if any(unknown):
            first = next(found[0][1] for found in unknown if found)
            _refuse(self.names, map(bool, unknown), f"has {shown(first)}, which the vocabulary has not")
        self.said = [[self.words[k] for k in ids] for ids in coded]  # tokens of each
        self.root = Node()
        for said in self.said:
            self._plant(said)

    @classmethod
    def read(cls, tokens: Tokens, path: str | PathLike) -> Self:
        """Those of a file, one a line; empty lines are left out. Raises: ArgumentError, naming lines; DataError."""
        from numseq.data.lines import read_lines

        lines = [(k, line.strip()) for k, line in enumerate(read_lines(path), start=1) if line.strip()]
        if not lines:
            raise ArgumentError(f"{path} has no line with a candidate in it")
        return cls(tokens, [line for _, line in lines], [f"{path}, line {k:,}" for k, _ in lines])

    def _plant(self, said):
        node = self.root
        for t, token in enumerate([*said, None]):
            node.fewest = min(node.fewest, len(said) - t)
            if token is None:
                node.ends = True
            else:
                node = node.following.setdefault(token, Node())

    def start(self, line: str) -> Node:
        return self.root

    def after(self, state: Node, token: str) -> Node:
        return state.following[token]

    def allowed(self, state: Node, room: int) -> Array:
        if state.choice is None:
            needs = {self.ids[token]: 1 + node.fewest for token, node in state.following.items()}
            state.choice = Choice(needs | ({EOS: 0} if state.ends else {}))
        return state.choice.within(room)

    def fewest(self, state: Node) -> int:
        return state.fewest

    def check(self, other: Constraint, what: str) -> None:
        """Raise ArgumentError where another constraint, which reads no source, could not be kept by a candidate."""
        _refuse(self.names, [not other.accepts(said) for said in self.said], what)


def _refuse(names: list[str], wrong: Iterable[Any], what: str) -> None:
    """Raise ArgumentError of those that are wrong, if any: the first, and how many more."""
    found = [name for name, one in zip(names, wrong, strict=True) if one]
    if found:
        more = f" (and {len(found) - 1:,} more like it, of {len(names):,})" if len(found) > 1 else ""
        raise ArgumentError(f"{found[0]} {what}{more}")
