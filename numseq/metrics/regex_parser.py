"""Regular expressions as text: the notation of NL-RX, which is that of the automata library of Møller (2010).

union  = both ("|" both)*                 one or the other
both   = row ("&" row)*                   strings that both have
row    = times+                           one after the other
times  = not ("*" | "+" | "?" | "{" n "}" | "{" n ",}" | "{" n "," m "}")*
not    = "~" not | one                    all other strings
one    = "(" union ")" | "()" | "." | "[" "^"? characters "]" | character | "\\" character

Spaces stand between tokens and mean nothing. <VOW>, <NUM>, <LET>, <CAP> and <LOW> are the characters of a bracket, <M0>
to <M3> the strings that a text of NL-RX has in their place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numseq.errors import NumseqError

NAMES = {"<VOW>": "AEIOUaeiou", "<NUM>": "0-9", "<LET>": "A-Za-z", "<CAP>": "A-Z", "<LOW>": "a-z"}
NAMES |= {"<M0>": "dog", "<M1>": "truck", "<M2>": "ring", "<M3>": "lake"}
LAST = chr(0x10FFFF)
MOST_TIMES, MOST_DEPTH = 1000, 100


class RegexError(NumseqError):
    """Text that is no regular expression; the message says where, in characters without spaces."""


@dataclass(frozen=True)
class Node:
    """A part of an expression: kind, and of what.

    chars: pairs (first, last) of characters. row, union, both: nodes. not: a node. times: a node, least, most (None
    where there is no limit).
    """

    kind: str
    parts: tuple[Any, ...]


def parse(text: str) -> Node:
    """The tree of a regular expression. Raises: RegexError."""
    for name, characters in NAMES.items():
        text = text.replace(name, characters)
    return _Parser("".join(text.split())).whole()


def classes(node: Node) -> Iterator[tuple[tuple[str, str], ...]]:
    """Every set of characters that an expression names, as pairs (first, last)."""
    if node.kind == "chars":
        yield node.parts
    for part in node.parts:
        if isinstance(part, Node):
            yield from classes(part)


class _Parser:
    """Reads from left to right; a method for each rule of the grammar."""

    def __init__(self, text):
        self.text, self.place, self.depth = text, 0, 0

    def whole(self):
        if unknown := re.search(r"<\w*>?", self.text):
            raise RegexError(f"{unknown.group()} is unknown: there are {', '.join(NAMES)}")
        if not self.text:
            raise RegexError("there is nothing")
        found = self.union()
        if self.place < len(self.text):
            self.fail("there is no ( to close")
        return found

    def fail(self, why):
        where = f"before {self.here()!r}, character {self.place + 1}" if self.here() else "at the end"
        raise RegexError(f"{why}, {where}")

    def here(self):
        return self.text[self.place : self.place + 1]

    def take(self, character):
        found = self.here() == character
        self.place += found
        return found

    def union(self):
        found = [self.both()]
        while self.take("|"):
            found.append(self.both())
        return found[0] if len(found) == 1 else Node("union", tuple(found))

    def both(self):
        found = [self.row()]
        while self.take("&"):
            found.append(self.row())
        return found[0] if len(found) == 1 else Node("both", tuple(found))

    def row(self):
        found = [self.times()]
        while self.here() and self.here() not in ")|&":
            found.append(self.times())
        return found[0] if len(found) == 1 else Node("row", tuple(found))

    def times(self):
        found = self.complement()
        while (sign := self.here()) and sign in "*+?{":
            if sign == "{":
                least, most = self.bounds()
            else:
                self.place += 1
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
            found = Node("times", (found, least, most))
        return found

    def bounds(self):
        found = re.compile(r"\{(\d+)(,?)(\d*)\}").match(self.text, self.place)
        if not found or (found[3] and not found[2]):
            self.fail("{n}, {n,} or {n,m} is expected")
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if max(least, most or 0) > MOST_TIMES or (most is not None and most < least):
            self.fail(f"{found[0]} has to be at most {MOST_TIMES:,} times, the least first")
        self.place = found.end()
        return least, most

    def complement(self):
        self.depth += 1
        if self.depth > MOST_DEPTH:
            self.fail(f"more than {MOST_DEPTH} are inside one another")
        found = Node("not", (self.complement(),)) if self.take("~") else self.one()
        self.depth -= 1
        return found

    def one(self):
        if self.take("("):
            found = Node("row", ()) if self.here() == ")" else self.union()
            if not self.take(")"):
                self.fail("a ) is missing")
            return found
        if self.take("["):
            return self.bracket()
        if self.take("."):
            return Node("chars", (("\0", LAST),))
        if not self.here() or self.here() in "|&)*+?{}]":
            self.fail("something to match is missing")
        character = self.character()
        return Node("chars", ((character, character),))

    def bracket(self):
        others, found = self.take("^"), []
        while not self.take("]"):
            first = self.character()
            last = first
            if self.here() == "-" and self.text[self.place + 1 : self.place + 2] not in ("", "]"):
                self.place += 1
                last = self.character()
            if last < first:
                self.fail(f"the range {first}-{last} ends before it begins")
            found.append((first, last))
        if not found:
            self.fail("brackets hold no character")
        return Node("chars", tuple(_others(found) if others else found))

    def character(self):
        self.take("\\")
        if not self.here():
            self.fail("a character is missing")
        self.place += 1
        return self.text[self.place - 1]


def _others(ranges):
    """What is in none of these ranges, as ranges."""
    found, next_free = [], 0
    for first, last in sorted(ranges):
        if ord(first) > next_free:
            found.append((chr(next_free), chr(ord(first) - 1)))
        next_free = max(next_free, ord(last) + 1)
    return found + ([(chr(next_free), LAST)] if next_free <= ord(LAST) else [])
