"""Names of the source: tokens of some kind may be said only where the source line has them.

allowed = all tokens that are no names, and the names that are tokens of the source
"""

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.data.tokens import EOS, Tokens
from numseq.errors import ArgumentError, shown
from numseq.search.constraints.constraint import END, Constraint


@dataclass(frozen=True, eq=False)
class OfLine:
    """The names that a line has, and the tokens that may be said for it, (V,)."""

    names: frozenset[str]
    mask: Array


class SourceNames(Constraint):
    """Only names of the source.

    Args: tokens, the vocabulary of what is said, which is of words. names, a regular expression that a whole token
        matches if it is a name, or a list of names. The source line is cut into words as this vocabulary cuts text, and
        has its form: where it has small letters alone, so have names.
    Raises: ArgumentError, when the vocabulary is not of words, names is no regular expression, or no token is a name.
    """

    is_name: Callable[[str], Any]

    def __init__(self, tokens: Tokens, names: str | Iterable[str]):
        super().__init__(tokens)
        if tokens.kind != "word":
            raise ArgumentError(f"names are words: a vocabulary of kind {tokens.kind!r} has only parts of them")
        if isinstance(names, str):
            self.is_name = _expression(arguments.text(names, "names")).fullmatch
        else:
            self.is_name = {tokens.normalize(name) for name in arguments.texts(names, "names")}.__contains__
        self._others = np.array([k <= EOS or not self.is_name(word) for k, word in enumerate(self.words)])
        if self._others.all():
            raise ArgumentError(f"names is {shown(names)}: no token of the vocabulary is such a name")

    def start(self, line: str) -> OfLine:
        names = frozenset(word for word in self.tokens.split(line) if self.is_name(word))
        mask = self._others.copy()
        mask[[self.ids[name] for name in names if name in self.ids]] = True
        return OfLine(names, mask)

    def allowed(self, state: OfLine, room: int) -> Array:
        return state.mask

    def allows(self, state: OfLine, token: str, room: int) -> bool:
        return token == END or token in state.names or not self.is_name(token)


def _expression(text):
    try:
        with warnings.catch_warnings():  # of what another version of Python may read otherwise
            warnings.simplefilter("ignore")
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ArgumentError(f"names is {shown(text)}: no regular expression ({error})") from None
