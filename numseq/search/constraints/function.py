"""A function of your own says which tokens may come next."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.data.tokens import Tokens
from numseq.errors import ArgumentError, shown
from numseq.search.constraints.constraint import Constraint


class ByFunction(Constraint):
    """The tokens that a function gives.

    Args: tokens, the vocabulary of what is said. function, of the tokens that were said so far, a tuple of texts, and
        of the source line, to the texts of all tokens that may come next, "<eos>" among them where the output may end;
        or to None, which allows all. What the vocabulary does not have cannot be said.
    Raises: ArgumentError, here for what is no function, and in a search when it gives no texts.
    """

    def __init__(self, tokens: Tokens, function: Callable[[tuple[str, ...], str], Iterable[str] | None]):
        super().__init__(tokens)
        self.function = arguments.function(function, "function")
        self._all = np.ones(len(self.words), dtype=bool)

    def start(self, line: str) -> Any:
        return (), line

    def after(self, state: Any, token: str) -> Any:
        said, line = state
        return (*said, token), line

    def allowed(self, state: Any, room: int) -> Array:
        given = self._given(state)
        if given is None:
            return self._all
        return np.array([self.ids[token] for token in given if token in self.ids], dtype=np.int64)

    def allows(self, state: Any, token: str, room: int) -> bool:
        given = self._given(state)
        return given is None or token in given

    def _given(self, state):
        given = self.function(*state)
        if given is None:
            return None
        given = set(given) if isinstance(given, set | frozenset) else arguments.listed(given, "function(...)", "texts")
        if wrong := [token for token in given if not isinstance(token, str)]:
            raise ArgumentError(f"function(...) has {shown(wrong[0])} in it: it must give texts of tokens, or None")
        return given
