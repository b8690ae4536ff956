r"""Rules of a context-free grammar, as plain text.

    # what stands behind a # is a remark
    sum   = sum "+" term | term           the first rule is the whole; | stands between alternatives
    term  = "(" sum ")"
          | number                        a rule goes on until the next one begins
    number = "0" | "1" | '"'              what is said stands in "..." or '...', as it is: \ is a \
    sign  = | "-"                         an alternative may be empty
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from numseq.errors import ArgumentError, shown

PART = re.compile(
    r"""(?P<space>\s+|\#.*) | "(?P<double>[^"\n]*)" | '(?P<single>[^'\n]*)' | (?P<name>[^\W\d][\w-]*) | (?P<bar>\|)""",
    re.VERBOSE,
)
BEGINS = re.compile(r"\s*([^\W\d][\w-]*)\s*(?:::)?=")


@dataclass(frozen=True, slots=True)
class Literal:
    """What is said, beside the names of rules in an alternative."""

    text: str


Alternative = list[str | Literal]


@dataclass(slots=True)
class Rules:
    """{name: alternatives} in their order, the first being the whole; and {name: line number} where each begins."""

    alternatives: dict[str, list[Alternative]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        return next(iter(self.alternatives))


def read_rules(text: str, called: str = "grammar") -> Rules:
    """The Rules of a text; `called` is what an error calls it.

    Raises: ArgumentError, with its line: what is no rule; a rule that is there twice, that another needs and is not
        there, that nothing needs, or that never ends.
    """
    rules, name = Rules(), None
    for number, line in enumerate(text.split("\n"), start=1):
        where, place = f"{called}, line {number:,}", 0
        if begins := BEGINS.match(line):
            name, place = begins[1], begins.end()
            if name in rules.lines:
                raise ArgumentError(f"{where}: rule {name} is there already, in line {rules.lines[name]:,}")
            rules.lines[name], rules.alternatives[name] = number, [[]]
        while place < len(line):
            if not (part := PART.match(line, place)):
                raise ArgumentError(f"{where}: {shown(line[place:])} is no name, no text in quotes and no |")
            place, kind = part.end(), part.lastgroup
            if kind != "space" and name is None:
                raise ArgumentError(f"{where}: {shown(part[0])} belongs to no rule, which begins as: name =")
            if kind == "bar":
                rules.alternatives[name].append([])
            elif kind != "space":
                rules.alternatives[name][-1].append(part[0] if kind == "name" else Literal(part[kind]))
    if not rules.alternatives:
        raise ArgumentError(f"{called} has no rule in it, as: name = other \"text\" | 'text'")
    _check(rules, called)
    return rules


def _check(rules, called):
    used, todo = {rules.whole}, [rules.whole]
    for name in todo:  # which grows
        for part in [part for alternative in rules.alternatives[name] for part in alternative]:
            if isinstance(part, Literal) or part in used:
                continue
            if part not in rules.alternatives:
                raise ArgumentError(
                    f"{called}: rule {name} (line {rules.lines[name]:,}) needs {part}, which is no rule"
                )
            used.add(part)
            todo.append(part)
    for name, line in rules.lines.items():
        if name not in used:
            raise ArgumentError(f"{called}, line {line:,}: rule {name} is needed by nothing that {rules.whole} needs")
    ends = lengths(rules, lambda literal: 1)
    for name, line in rules.lines.items():
        if name not in ends:
            raise ArgumentError(f"{called}, line {line:,}: rule {name} never ends: each alternative needs it again")


def lengths(rules: Rules, of_literal: Callable[[Literal], int | None]) -> dict[str, int]:
    """The length of the shortest text of each rule that ends; of_literal, the length of a Literal, None for none."""
    found: dict[str, int] = {}
    changed = True
    while changed:
        changed = False
        for name, alternatives in rules.alternatives.items():
            for alternative in alternatives:
                each = [of_literal(part) if isinstance(part, Literal) else found.get(part) for part in alternative]
                if None not in each and (name not in found or sum(each) < found[name]):
                    found[name] = sum(each)
                    changed = True
    return found
