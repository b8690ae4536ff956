"""Do two regular expressions match the same strings? Their automata are gone through side by side.

A state is what is still to be matched, itself an expression: the derivative by the characters read so far.

d_c [class]  = empty string if c is in the class, else nothing
d_c (r s)    = (d_c r) s, or d_c s too where r matches the empty string
d_c (r | s)  = d_c r | d_c s              likewise for &
d_c (~ r)    = ~ d_c r
d_c r{n,m}   = (d_c r) r{n-1,m-1}

Two expressions are equal if no string leads to a pair of states of which one matches the empty string and the other
does not. Up to a few rules, such as r | r = r, there are finitely many states.

Source: Brzozowski 1964; equality as the measure: Kushman & Barzilay 2013; the notation: Locascio et al. 2016.
"""

import string
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from numseq import arguments
from numseq.errors import ConfigError, NumseqError
from numseq.metrics.regex_parser import Node, RegexError, classes, parse

MOST_STATES = 10_000
SHOWN = string.ascii_lowercase + string.ascii_uppercase + string.digits + string.punctuation + " "


class TooManyStates(NumseqError):
    """Two expressions whose automata are too large to compare."""


class Comparison(NamedTuple):
    """Are two expressions equal, and if not, why: what is no regular expression, or the shortest string that tells them
    apart."""

    equal: bool
    why: str = ""


def compare_regex(found: str, wanted: str, most_states: int = MOST_STATES) -> Comparison:
    """Do two regular expressions match the same strings?

    As in the published figures, \\b is not the edge of a word: the notation of the automata library that they were
    measured with takes a character behind a backslash as itself, so this is the letter b.

    Args: found, wanted, texts in the notation of NL-RX, see `numseq.metrics.regex_parser`. most_states, pairs of states
        to look at before giving up.
    Returns: a Comparison (equal, why): why they differ, "" where they do not. What is no regular expression differs.
    Raises: ArgumentError, when one is no text. TooManyStates.
    """
    arguments.text(found, "found")
    arguments.text(wanted, "wanted")
    most_states = arguments.whole(most_states, "most_states", least=1)
    trees = []
    for name, text in (("found", found), ("wanted", wanted)):
        try:
            trees.append(parse(text))
        except RegexError as error:
            return Comparison(False, f"{name} is no regular expression: {error}")
    if trees[0] == trees[1]:
        return Comparison(True)
    alphabet = _alphabet(trees)
    made = _Expressions(alphabet)
    start = made.of(trees[0]), made.of(trees[1])
    before: dict[tuple[_Expression, _Expression], tuple[Any, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        if state[0].empty != state[1].empty:
            return Comparison(False, _told_apart(before, state))
        for k, character in enumerate(alphabet):
            after = made.derivative(state[0], k), made.derivative(state[1], k)
            if after not in before and after[0] is not after[1]:
                before[after] = state, character
                waiting.append(after)
        if len(before) > most_states:
            raise TooManyStates(f"more than {most_states:,} states to compare: {found} and {wanted}")
    return Comparison(True)


def is_regex(text: str) -> bool:
    """Is a text a regular expression in this notation?"""
    try:
        parse(arguments.text(text, "text"))
    except RegexError:
        return False
    return True


def regex_scores(hypotheses: Iterable[str], references: Iterable[str | Iterable[str]]) -> dict[str, float]:
    """How many regular expressions match what they should.

    Returns: a dict: regex_equal, the share of lines that equal one of their references, see `compare_regex`.
        regex_valid, the share of lines that are regular expressions. regex_undecided, how many pairs have too many
        states; they count as different.
    Raises: ConfigError, when they do not pair up, or there is none.
    """
    hypotheses = arguments.texts(hypotheses, "hypotheses")
    references = arguments.listed(references, "references", "a list of texts, or of lists of them")
    if len(references) != len(hypotheses):
        counts = f"{len(references):,} lines, hypotheses {len(hypotheses):,}"
        raise ConfigError(f"references has {counts}: they must pair up")
    if not hypotheses:
        raise ConfigError("hypotheses has no line: there is nothing to score")
    equal = undecided = 0
    for line, wanted in zip(hypotheses, references, strict=True):
        undecided_before = undecided
        for reference in [wanted] if isinstance(wanted, str) else wanted:
            try:
                if compare_regex(line, reference).equal:
                    equal, undecided = equal + 1, undecided_before
                    break
            except TooManyStates:
                undecided += 1
    valid = sum(map(is_regex, hypotheses))
    return {
        "regex_equal": equal / len(hypotheses),
        "regex_valid": valid / len(hypotheses),
        "regex_undecided": undecided,
    }


def _told_apart(before, state):
    """The string that leads to a state, and which of the two expressions matches it."""
    matched = ("found", "wanted") if state[0].empty else ("wanted", "found")
    characters = []
    while before[state]:
        state, character = before[state]
        characters.append(character)
    text = repr("".join(reversed(characters))) if characters else "the empty string"
    return f"{matched[0]} matches {text}, {matched[1]} does not"


def _alphabet(trees):
    """One character for each group that no class of the expressions tells apart, such as can be read where there is
    one."""
    sets = sorted({ranges for tree in trees for ranges in classes(tree)})
    ends = {chr(min(ord(last) + 1, 0x10FFFF)) for ranges in sets for _, last in ranges}
    first_of = {}
    for character in [*SHOWN, *sorted({"\0", *ends, *(first for ranges in sets for first, _ in ranges)})]:
        first_of.setdefault(tuple(_has(ranges, character) for ranges in sets), character)
    return list(first_of.values())


def _has(ranges, character):
    return any(first <= character <= last for first, last in ranges)


class _Expression:
    """A kind, its parts, and whether the empty string is matched. Equal ones are one object."""

    __slots__ = ("derivatives", "empty", "kind", "parts")

    def __init__(self, kind, parts, empty):
        self.kind, self.parts, self.empty, self.derivatives = kind, parts, empty, {}


class _Expressions:
    """Makes expressions over an alphabet, so that those which some rules show to be equal are one."""

    def __init__(self, alphabet):
        self.alphabet, self.known = alphabet, {}
        self.nothing = self._one("chars", frozenset(), False)
        self.silence = self._one("row", (), True)
        self.all = self.complement(self.nothing)

    def _one(self, kind, parts, empty):
        found = self.known.get((kind, parts))
        if found is None:
            found = self.known[kind, parts] = _Expression(kind, parts, empty)
        return found

    def of(self, node: Node) -> _Expression:
        """The expression of a parsed tree."""
        if node.kind == "chars":
            return self.chars({k for k, character in enumerate(self.alphabet) if _has(node.parts, character)})
        parts = [self.of(part) if isinstance(part, Node) else part for part in node.parts]
        if node.kind == "row":
            found = self.silence
            for part in reversed(parts):
                found = self.row(part, found)
            return found
        if node.kind in ("union", "both"):
            return getattr(self, node.kind)(parts)
        return self.complement(*parts) if node.kind == "not" else self.times(*parts)

    def chars(self, numbers):
        return self._one("chars", frozenset(numbers), False)

    def row(self, first, then):
        if first is self.nothing or then is self.nothing:
            return self.nothing
        if first is self.silence:
            return then
        if then is self.silence:
            return first
        if first.kind == "row":  # (r s) t = r (s t)
            return self.row(first.parts[0], self.row(first.parts[1], then))
        if first is self.all and then is self.all:
            return self.all
        return self._one("row", (first, then), first.empty and then.empty)

    def union(self, several):
        parts, characters = self._flat("union", several), set()
        for part in [part for part in parts if part.kind == "chars"]:
            characters |= part.parts
            parts.discard(part)
        if characters:
            parts.add(self.chars(characters))
        if self.all in parts or any(part.kind == "not" and part.parts in parts for part in parts):
            return self.all
        return self._of_several("union", parts, self.nothing, any(part.empty for part in parts))

    def both(self, several):
        parts = self._flat("both", several) - {self.all}
        if self.nothing in parts or any(part.kind == "not" and part.parts in parts for part in parts):
            return self.nothing
        return self._of_several("both", parts, self.all, all(part.empty for part in parts))

    def _flat(self, kind, several):
        return {one for part in several for one in (part.parts if part.kind == kind else (part,))}

    def _of_several(self, kind, parts, none, empty):
        if len(parts) < 2:
            return next(iter(parts), none)
        return self._one(kind, frozenset(parts), empty)

    def complement(self, part):
        return part.parts if part.kind == "not" else self._one("not", part, not part.empty)

    def times(self, part, least, most):
        if most == 0 or part is self.silence:
            return self.silence
        if part is self.nothing:
            return self.silence if least == 0 else self.nothing
        if (least, most) == (1, 1):
            return part
        if part.empty:
            least = 0
        if most is None and least == 0:
            if part is self.all or (part.kind == "chars" and len(part.parts) == len(self.alphabet)):
                return self.all
            if part.kind == "times" and part.parts[1:] == (0, None):
                return part
        return self._one("times", (part, least, most), least == 0)

    def derivative(self, r, k):
        """What is left to be matched after the character of this number."""
        if k not in r.derivatives:
            r.derivatives[k] = self._derivative(r, k)
        return r.derivatives[k]

    def _derivative(self, r, k):
        if r.kind == "chars":
            return self.silence if k in r.parts else self.nothing
        if r.kind == "not":
            return self.complement(self.derivative(r.parts, k))
        if r.kind == "times":
            part, least, most = r.parts
            rest = self.times(part, max(least - 1, 0), None if most is None else most - 1)
            return self.row(self.derivative(part, k), rest)
        if r is self.silence:
            return self.nothing
        if r.kind == "row":
            first, then = r.parts
            found = self.row(self.derivative(first, k), then)
            return self.union([found, self.derivative(then, k)]) if first.empty else found
        return getattr(self, r.kind)([self.derivative(part, k) for part in r.parts])
