"""A constraint: which tokens may be said after a beginning, so that the output is well formed.

    s_0 = start(source)                       a state: what matters of the beginning, which is empty
    s_t = after(s_{t-1}, y_t)
    y_{t+1} is one of allowed(s_t, room)      <eos> is, where the output may end here

`room` is how many tokens may still be said before <eos>. Whatever could not be brought to an end in it is not allowed
either: so an output that comes near its limit closes what is open, and is well formed at the limit.

A constraint speaks of the text of tokens. So it can be asked of words that the vocabulary does not have, which are
copied from the source.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array, asarray
from numseq.data.tokens import EOS, PAD, SPECIAL, Tokens
from numseq.errors import ArgumentError

END = SPECIAL[EOS]
ENDLESS = 1 << 40  # room that is enough for everything
NOTHING = np.empty(0, dtype=np.int64)
EMPTY = object()  # the state of a beam that has no beginning


class Constraint:
    """What every kind is. One of your own has `start`, `after` and `allowed`, and `fewest` if it can be known.

    A state can be anything that is not changed afterwards: rows share it. `words` are the texts of all ids, and `ids`
    has the id of each.

    Args: tokens, the vocabulary of what is said. Raises: ArgumentError.
    """

    def __init__(self, tokens: Tokens):
        self.tokens = arguments.one_of(tokens, "tokens", Tokens)
        self.words = [tokens.token(k) for k in range(len(tokens))]
        self.ids = {word: k for k, word in enumerate(self.words)}

    def start(self, line: str) -> Any:
        """The state before anything is said, of a source line."""
        return None

    def after(self, state: Any, token: str) -> Any:
        """The state after a token that was allowed."""
        return state

    def allowed(self, state: Any, room: int) -> Array:
        """The tokens that may come next, <eos> among them where the output may end: ids, or (V,) booleans.

        It is not to be changed; an array that several states share should be one object, since it is then looked at
        once.
        """
        raise NotImplementedError

    def allows(self, state: Any, token: str, room: int) -> bool:
        """Whether this token may come next, which the vocabulary need not have."""
        mask = np.zeros(len(self.words), dtype=bool)
        mask[self.allowed(state, room)] = True
        return token in self.ids and bool(mask[self.ids[token]])

    def fewest(self, state: Any) -> int:
        """How many tokens must be said at least before the output may end."""
        return 0

    def accepts(self, tokens: Iterable[str], line: str = "") -> bool:
        """Whether an output of these tokens, without <eos>, for this source line is well formed."""
        return self.goes(self.start(line), tokens)

    def goes(self, state: Any, tokens: Iterable[str]) -> bool:
        """Whether these tokens may follow in a state, and the output end after them."""
        for token in tokens:
            if not self.allows(state, token, ENDLESS):
                return False
            state = self.after(state, token)
        return self.allows(state, END, ENDLESS)

    def rows(self, lines: Iterable[str], more: Iterable[list[str]] | None = None) -> "Rows":
        """What searches take: a row for each source line.

        Args: lines, the sources as text. more, for each line the words that ids from V on mean, where a model can say
            words that the vocabulary does not have.
        """
        lines = arguments.texts(lines, "lines")
        return Rows(self, [self.start(line) for line in lines], [[] for _ in lines] if more is None else list(more))


class Rows:
    """The states of N rows of a search; nothing is changed in place.

    Args: constraint, a Constraint. states, one of each row. more, of each row the words that ids from V on mean.
    """

    def __init__(self, constraint: Constraint, states: list, more: list[list[str]]):
        self.constraint, self.states, self.more = constraint, states, more

    def __len__(self) -> int:
        return len(self.states)

    @property
    def fewest(self) -> Array:
        """The fewest tokens that each row must still say, (N,)."""
        return np.array([self.constraint.fewest(state) for state in self.states], dtype=np.int64)

    def select(self, rows: Array) -> "Rows":
        """These rows, in this order; one can be there several times."""
        rows = rows.tolist()
        return Rows(self.constraint, [self.states[n] for n in rows], [self.more[n] for n in rows])

    def say(self, tokens: Array) -> "Rows":
        """Each row with one token more, (N,) ids; a beam that has no beginning says <pad>."""
        states = [
            EMPTY if token == PAD else self.constraint.after(state, self._text(n, token))
            for n, (state, token) in enumerate(zip(self.states, tokens.tolist(), strict=True))
        ]
        return Rows(self.constraint, states, self.more)

    def accepts(self, n: int, tokens: Array) -> bool:
        """Whether row n may say these tokens, ids, and end."""
        return self.constraint.goes(self.states[n], [self._text(n, token) for token in tokens.tolist()])

    def _text(self, n, token):
        V = len(self.constraint.words)
        return self.constraint.words[token] if token < V else self.more[n][token - V]

    def allowed(self, rooms: Array, width: int) -> Array:
        """What each row may say, (N, width) booleans, width being V or, with words that are copied, more.

        Args: rooms, (N,): how many tokens each may still say.
        """
        V, rooms = len(self.constraint.words), rooms.tolist()
        if width < V:
            raise ArgumentError(f"constraint has a vocabulary of {V:,} tokens, and the model one of {width:,}")
        numbers, distinct, which = {}, [], []  # arrays that several rows share are looked at once
        for state, room in zip(self.states, rooms, strict=True):
            found = NOTHING if state is EMPTY else self.constraint.allowed(state, room)
            if id(found) not in numbers:
                numbers[id(found)] = len(distinct)
                distinct.append(found)
            which.append(numbers[id(found)])
        masks = np.zeros((len(distinct), width), dtype=bool)
        for mask, found in zip(masks, distinct, strict=True):
            mask[:V][found] = True
        if width == V:
            return asarray(masks)[asarray(np.array(which))]
        whole = masks[which]
        for mask, state, room, more in zip(whole, self.states, rooms, self.more, strict=True):
            if state is not EMPTY:
                mask[V : V + len(more)] = [self.constraint.allows(state, word, room) for word in more]
        return asarray(whole)


class Together(Constraint):
    """Several constraints of one vocabulary: what all allow.

    Each of them can be kept to the end, but both together need not: where nothing is left, the output ends, and is not
    well formed.
    """

    def __init__(self, *constraints: Constraint):
        for k, one in enumerate(constraints):
            arguments.one_of(one, f"constraints[{k}]", Constraint)
        if not constraints:
            raise ArgumentError("constraints has none: nothing to be kept together")
        super().__init__(constraints[0].tokens)
        if any(one.words != self.words for one in constraints):
            raise ArgumentError("constraints are of different vocabularies")
        self.constraints = constraints

    def start(self, line: str) -> Any:
        return tuple(one.start(line) for one in self.constraints)

    def after(self, state: Any, token: str) -> Any:
        return tuple(one.after(of_one, token) for one, of_one in zip(self.constraints, state, strict=True))

    def allowed(self, state: Any, room: int) -> Array:
        masks = np.zeros((len(self.constraints), len(self.words)), dtype=bool)
        for mask, one, of_one in zip(masks, self.constraints, state, strict=True):
            mask[one.allowed(of_one, room)] = True
        return np.logical_and.reduce(masks)

    def allows(self, state: Any, token: str, room: int) -> bool:
        return all(one.allows(of_one, token, room) for one, of_one in zip(self.constraints, state, strict=True))

    def fewest(self, state: Any) -> int:
        return max(one.fewest(of_one) for one, of_one in zip(self.constraints, state, strict=True))


class Choice:
    """Some tokens, and how much room each of them takes with all that has to follow it; <eos> takes none.

    Args: needs, {id: room}.
    """

    def __init__(self, needs: dict[int, int]):
        self.ids, self.needs = np.array(list(needs), dtype=np.int64), np.array(list(needs.values()), dtype=np.int64)
        self.most, self.least = int(self.needs.max(initial=0)), int(self.needs.min(initial=ENDLESS))

    def within(self, room: int) -> Array:
        """The ids for which there is room."""
        return self.ids if room >= self.most else self.ids[self.needs <= room]
