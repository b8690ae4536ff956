"""Brackets: every one that opens is closed by its own, in the order of nesting, before the output ends.

state         the brackets that are open, the last one last
a token       closes some of the last ones, and opens others: "(" and ")" do one, ")(" both, "f(x)" nothing
allowed       what closes the right ones, and leaves no more open than there is room to close one by one
"""

from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.data.tokens import EOS, Tokens
from numseq.errors import ArgumentError, shown
from numseq.search.constraints.constraint import END, Constraint


class Brackets(Constraint):
    """Brackets that close. They are looked for in the text of tokens, which may be words, characters or pieces.

    Args: tokens, the vocabulary of what is said. pairs, of an opening and a closing character each, with spaces
        between: "() [] {}".
    Raises: ArgumentError, for what are no pairs, where the vocabulary has none of them, or has one that opens and no
        token that closes it and does nothing else.
    """

    def __init__(self, tokens: Tokens, pairs: str = "() [] {}"):
        super().__init__(tokens)
        self.closed_by = _pairs(arguments.text(pairs, "brackets"))
        self.opened_by = {close: opening for opening, close in self.closed_by.items()}
        classes: dict[tuple[str, str] | None, int] = {}
        effects = [("", "")] * (EOS + 1) + [self._effect(word) for word in self.words[EOS + 1 :]]
        self._class = np.array([classes.setdefault(effect, len(classes)) for effect in effects])  # (V,)
        self.effects = list(classes)
        self._check()
        real = [effect for effect in self.effects if effect]
        self._deepest = max(len(closes) for closes, _ in real)
        self._widest = 1 + max(len(opens) - len(closes) for closes, opens in real)
        self._masks: dict[tuple[str, int], Array] = {}

    def _check(self):
        seen = {effect for effect in self.effects if effect}
        opened = {opening for _, opens in seen for opening in opens}
        if seen == {("", "")}:
            raise ArgumentError(f"brackets are {' '.join(map(''.join, self.closed_by.items()))}: no token has one")
        for opening in sorted(opened):
            if (opening, "") not in seen:
                raise ArgumentError(
                    f"brackets: the vocabulary has {shown(opening)}, and no token that closes it with "
                    f"{shown(self.closed_by[opening])} and does nothing else"
                )

    def _effect(self, word):
        """(which open brackets it closes, the outermost first; which it opens); None, where it closes a wrong one."""
        closes, opens = "", ""
        for letter in word:
            if letter in self.closed_by:
                opens += letter
            elif letter in self.opened_by:
                opening = self.opened_by[letter]
                if not opens:
                    closes = opening + closes
                elif opens[-1] == opening:
                    opens = opens[:-1]
                else:
                    return None
        return closes, opens

    def start(self, line: str) -> str:
        return ""

    def after(self, state: str, token: str) -> str:
        closes, opens = self._effect(token)
        return state[: len(state) - len(closes)] + opens

    def allowed(self, state: str, room: int) -> Array:
        spare = min(room - len(state), self._widest)  # how many more brackets than now might be closed
        key = state[-self._deepest :], spare
        if key not in self._masks:
            allows = np.array([self._fits(effect, state, spare) for effect in self.effects])
            mask = allows[self._class]
            mask[EOS] = not state
            self._masks[key] = mask
        return self._masks[key]

    def allows(self, state: str, token: str, room: int) -> bool:
        return not state if token == END else self._fits(self._effect(token), state, room - len(state))

    def _fits(self, effect: Any, state: str, spare: int) -> bool:
        if effect is None:
            return False
        closes, opens = effect
        return state.endswith(closes) and len(opens) - len(closes) + 1 <= spare

    def fewest(self, state: str) -> int:
        return len(state)


def _pairs(text):
    """{opening: closing}. Raises: ArgumentError."""
    found = text.split()
    letters = "".join(found)
    if not found or any(len(pair) != 2 for pair in found) or len(set(letters)) < len(letters):
        wanted = "pairs of an opening and a closing character, all different, as () [] {}"
        raise ArgumentError(f"brackets is {shown(text)}: it must be {wanted}")
    return dict(found)
