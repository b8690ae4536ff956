"""Earley's recogniser: which terminals may follow a beginning, whatever the context-free grammar.

    item    A -> alpha . beta, o       alpha has been read since place o
    scan    a terminal a is read        A -> alpha . a beta, o     gives    A -> alpha a . beta, o    at the next place
    predict before a rule B             A -> alpha . B beta, o     gives    B -> . gamma, here
    complete at the end of a rule       B -> gamma . , o           gives    A -> alpha B . beta, o'   for each item
                                                                            A -> alpha . B beta, o'   of place o

A rule that may be empty is stepped over where it is predicted (Aycock & Horspool 2002), so left recursion and empty
rules are nothing special. A place is what its items are: beginnings after which all is alike share one.

What each place costs is how many tokens are needed at least until the whole is complete:

    cost(A -> alpha . beta, o) = length(beta) + need_o(A)
    need_o(A) = min of length(beta') + need_o'(A') over the items  A' -> alpha' . A beta', o'  of place o

Source: Earley 1970; Aycock & Horspool 2002.
"""

from collections.abc import Callable
from typing import Any

from numseq.search.constraints.rules import Literal, Rules, lengths

Rule = tuple[str | Literal, ...]
MANY = 10_000  # places that are kept
WHOLE = ""  # the rule above the first: no name is empty


class Place:
    """What can be read next: costs, {terminal: fewest tokens after it}; done, whether the whole may end here.

    notes: for who uses it to keep what follows from these.
    """

    __slots__ = ("costs", "done", "following", "need", "notes", "scans", "waiting")

    def __init__(self) -> None:
        self.costs: dict[str, int] = {}
        self.done = False
        self.scans: dict[str, list] = {}  # items that wait for a terminal
        self.waiting: dict[str, list] = {}  # and for a rule
        self.need: dict[str, int] = {}
        self.following: dict[str, Place] = {}
        self.notes: dict[Any, Any] = {}


class Recogniser:
    """The places of a grammar.

    Args: rules, Rules, whose Literals are the terminals. length, how many tokens a terminal is; None where it cannot be
        said: no alternative with it is taken. The whole must be possible then.
    """

    def __init__(self, rules: Rules, length: Callable[[Literal], int | None]):
        shortest = lengths(rules, length)
        self.alternatives: dict[str, list[Rule]] = {WHOLE: [(rules.whole,)]}
        self.tails: dict[Rule, list[int]] = {}  # of each, the fewest tokens of what stands from each dot on
        self.alternatives |= {name: [*map(tuple, several)] for name, several in rules.alternatives.items()}
        for rule in [rule for several in self.alternatives.values() for rule in several]:
            each = [length(part) if isinstance(part, Literal) else shortest.get(part) for part in rule]
            if None not in each:
                self.tails[rule] = [sum(each[dot:]) for dot in range(len(each) + 1)]
        for name, several in self.alternatives.items():
            self.alternatives[name] = [rule for rule in several if rule in self.tails]
        self.empty = _empty(self.alternatives)
        self.places: dict[frozenset, Place] = {}
        self.first = self._first()

    def start(self) -> Place:
        """The place before anything was read."""
        if len(self.places) > MANY:  # what rows still need they have
            self.places, self.first = {}, self._first()
        return self.first

    def after(self, place: Place, terminal: str) -> Place:
        """The place after one of `place.costs`."""
        if terminal not in place.following:
            kernel = frozenset((name, rule, dot + 1, o) for name, rule, dot, o in place.scans[terminal])
            if kernel not in self.places:
                self.places[kernel] = self._filled(Place(), kernel)
            place.following[terminal] = self.places[kernel]
        return place.following[terminal]

    def _first(self):
        place = Place()
        place.need[WHOLE] = 0
        return self._filled(place, [(WHOLE, self.alternatives[WHOLE][0], 0, place)])

    def _filled(self, place, kernel):
        items, seen = list(kernel), set(kernel)
        for name, rule, dot, origin in items:  # which grow
            new = []
            if dot == len(rule):
                place.done |= name == WHOLE
                new = [(n, r, d + 1, o) for n, r, d, o in origin.waiting.get(name, ())]
            elif isinstance(rule[dot], Literal):
                place.scans.setdefault(rule[dot].text, []).append((name, rule, dot, origin))
            else:
                place.waiting.setdefault(rule[dot], []).append((name, rule, dot, origin))
                new = [(rule[dot], other, 0, place) for other in self.alternatives[rule[dot]]]
                if rule[dot] in self.empty:
                    new.append((name, rule, dot + 1, origin))
            for item in new:
                if item not in seen:
                    seen.add(item)
                    items.append(item)
        self._needs(place)
        for terminal, several in place.scans.items():
            place.costs[terminal] = min(self._rest(*item) for item in several)
        return place

    def _rest(self, name, rule, dot, origin):
        """The fewest tokens from behind what an item waits for to the end of the whole."""
        return self.tails[rule][dot + 1] + origin.need[name]

    def _needs(self, place):
        changed = True
        while changed:  # rules that are predicted here may need one another
            changed = False
            for name, several in place.waiting.items():
                known = [self._rest(*item) for item in several if item[0] in item[3].need]
                if known and min(known) < place.need.get(name, min(known) + 1):
                    place.need[name] = min(known)
                    changed = True


def _empty(alternatives):
    """The rules that may be empty."""
    found: set[str] = set()
    while (
        more := {name for name, rules in alternatives.items() if any(found.issuperset(rule) for rule in rules)} - found
    ):
        found |= more
    return found
