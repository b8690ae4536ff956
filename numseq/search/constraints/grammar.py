"""A grammar: an output is a sentence of a context-free grammar, whose rules are plain text (`rules.py`).

A text in quotes of the grammar is one word or several, with any white space between, and a vocabulary of words says
each as one token. One of sub-words spells it:

    allowed = pieces that go on with the word that is begun,
              where it is complete too, pieces that begin a word that may follow it

For a vocabulary of characters the text is a row of characters, spaces among them: there the grammar is of the output as
it is written.
"""

from functools import cache
from os import PathLike
from typing import Any, Self

from numseq import arguments
from numseq.backend import Array
from numseq.data.kinds import MARK, SUBWORDS
from numseq.data.tokens import EOS, Tokens
from numseq.errors import ArgumentError, shown
from numseq.search.constraints.constraint import Choice, Constraint
from numseq.search.constraints.earley import Place, Recogniser
from numseq.search.constraints.regular_expressions import REGULAR_EXPRESSIONS
from numseq.search.constraints.rules import Literal, Rules, lengths, read_rules

READY = {"regex": REGULAR_EXPRESSIONS}  # grammars that come with numseq


class Grammar(Constraint):
    """A sentence of a grammar.

    Args: tokens, the vocabulary of what is said, of any kind. rules, their text, see `numseq.search.constraints.rules`.
        partial, leave out alternatives that have a text which the vocabulary cannot say; otherwise one is an error.
        called, what an error calls the rules.
    Raises: ArgumentError, see `read_rules`; and when the vocabulary lacks a text of the grammar, or with `partial`
        something that every sentence needs.
    """

    def __init__(self, tokens: Tokens, rules: str, *, partial: bool = False, called: str = "grammar"):
        super().__init__(tokens)
        self.spells = tokens.kind in SUBWORDS
        self.cuts = cache(self._cuts)
        read = self._in_terminals(read_rules(arguments.text(rules, "rules"), called), called, partial)
        if read.whole not in lengths(read, self._length):
            raise ArgumentError(f"{called}: the vocabulary lacks something that every {read.whole} needs")
        self.recogniser = Recogniser(read, self._length)

    @classmethod
    def read(cls, tokens: Tokens, name: str | PathLike) -> Self:
        """That of a file, or one that comes with numseq, by its name: "regex".

        Raises: ArgumentError; DataError, for a file that cannot be read.
        """
        from numseq.data.lines import read_lines

        if rules := READY.get(str(name)):
            return cls(tokens, rules, partial=True, called=f"grammar {name}")
        return cls(tokens, "\n".join(read_lines(name)), called=str(name))

    def _in_terminals(self, rules, called, partial):
        """The Rules with each literal cut into terminals: words, characters, or words that are spelt."""
        found, missing = Rules(lines=rules.lines), {}
        for name, several in rules.alternatives.items():
            found.alternatives[name] = [[one for part in rule for one in self._terminals(part)] for rule in several]
            for one in [one for alternative in found.alternatives[name] for one in alternative]:
                if isinstance(one, Literal) and self._length(one) is None:
                    missing.setdefault(one.text.removeprefix(MARK), name)
        if missing and not partial:
            text, name = next(iter(missing.items()))
            where = f"{called}: rule {name} (line {rules.lines[name]:,})"
            more = f" (and {len(missing) - 1:,} more like it)" if len(missing) > 1 else ""
            raise ArgumentError(f"{where} has {shown(text)}, which the vocabulary has not{more}")
        return found

    def _terminals(self, part):
        if not isinstance(part, Literal):
            return [part]
        if self.spells:
            return [Literal(MARK + word) for word in self.tokens.normalize(part.text).split()]
        return [Literal(token) for token in self.tokens.split(part.text)]

    def _length(self, literal):
        """How many tokens a terminal is at least; None where it cannot be said."""
        for begun in reversed(range(1, len(literal.text))):
            self.cuts(literal.text, begun)  # from the end on, so that none waits for another
        return min((tokens for _, tokens in self.cuts(literal.text, 0)), default=None)

    def _cuts(self, terminal, begun):
        """The tokens that can go on with a terminal of which so many letters are said: (text, fewest tokens to its end,
        this one included)."""
        if not self.spells:
            return [(terminal, 1)] if begun == 0 and self.tokens.id(terminal) is not None else []
        found = []
        for end in range(begun + 1, len(terminal) + 1):
            if self.tokens.id(terminal[begun:end]) is not None:
                rest = [0] if end == len(terminal) else [tokens for _, tokens in self.cuts(terminal, end)]
                found += [(terminal[begun:end], 1 + min(rest))] if rest else []
        return found

    def start(self, line: str) -> Any:
        return self.recogniser.start(), ""  # a place, and the terminal that has been begun since

    def after(self, state: Any, token: str) -> Any:
        place, begun = state
        if begun and (not self.spells or token.startswith(MARK)):
            return self.recogniser.after(place, begun), token
        return place, begun + token

    def allowed(self, state: Any, room: int) -> Array:
        return self._choice(state).within(room)

    def fewest(self, state: Any) -> int:
        return self._choice(state).least

    def _choice(self, state):
        place, begun = state
        if begun not in place.notes:
            place.notes[begun] = Choice(self._needs(place, begun))
        return place.notes[begun]

    def _needs(self, place: Place, begun: str) -> dict[int, int]:
        needs: dict[int, int] = {}

        def add(place, begun):
            for terminal, after in place.costs.items():
                if terminal.startswith(begun):
                    for text, tokens in self.cuts(terminal, len(begun)):
                        k = self.ids[text]
                        needs[k] = min(needs.get(k, tokens + after), tokens + after)

        if begun:
            add(place, begun)
        if not begun or begun in place.costs:
            place = self.recogniser.after(place, begun) if begun else place
            add(place, "")
            needs |= {EOS: 0} if place.done else {}
        return needs
