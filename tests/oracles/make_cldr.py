"""Write numseq/tasks/cldr.py: how dates are written in the languages of the dates task. Needs the extra `cldr` (Babel).

    python tests/oracles/make_cldr.py

The file was made with Babel 2.18, which has CLDR 47. Other versions have other patterns, and so make another task:
what docs and notebooks say of it must then be measured anew.
"""

import json
import re
import textwrap
from pathlib import Path

FILE = Path(__file__).parents[2] / "numseq" / "tasks" / "cldr.py"
LOCALES = ("en_US", "en_GB", "fr", "de", "es", "it", "pt", "sv", "pl", "hu", "ru", "el")
WIDTHS = {3: "abbreviated", 4: "wide"}  # of a name, by the number of letters in a pattern
CONTEXTS = {"M": "format", "L": "stand-alone", "E": "format", "c": "stand-alone"}
FIELD = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)")  # something quoted, or one letter once or more

HEADER = '''"""How dates are written in twelve languages: facts of CLDR {version}, by tests/oracles/make_cldr.py.

A pattern is a format string, whose fields have the letters of the CLDR: y is the year, d the day, M the month, E the
weekday (L and c the same where they stand alone). From three letters on a month is a name; so is every weekday.

Copyright © 2004-2025 Unicode, Inc. Under the Unicode License v3, which is the file LICENSE.unicode.
"""

# fmt: off
'''


def fields(pattern):
    """The fields of a CLDR pattern in order, such as ["EEEE", "d", "MMMM", "y"]."""
    return [letters for _, letters, _ in FIELD.findall(pattern) if letters]


def names_one_day(pattern):
    """Does it hold year, month and day, perhaps a weekday, and nothing else, and can no other day be read in it?

    The year is in full, and there is a month name or the order year, month, day: 05/10/2011 is October in Paris and
    May in New York. A day has one or two digits, and a name more than one letter (the narrow J is of three months).
    """
    found = [field for field in fields(pattern) if not re.fullmatch("E{1,4}|c{3,4}", field)]
    order = [{"L": "M"}.get(field[0], field[0]) for field in found]
    if sorted(order) != ["M", "d", "y"]:
        return False
    widths = dict(zip(order, map(len, found), strict=True))
    if widths["y"] == 2 or widths["d"] > 2 or widths["M"] > 4:
        return False
    return widths["M"] >= 3 or order == ["y", "M", "d"]


def spelled(field):
    """One spelling of those that mean the same: EEE and EE are E, yyyy is y."""
    return {"EE": "E", "EEE": "E", "yyyy": "y"}.get(field, field)


def plain(text):
    """The CLDR has no-break and thin spaces, which no one types."""
    return " ".join(text.split())


def format_string(pattern):
    """ "d 'de' MMMM" as "{d} de {MMMM}"."""

    def part(match):
        quoted, letters, _ = match.groups()
        return f"{{{spelled(letters)}}}" if letters else quoted.replace("''", "'") or "'"

    assert not set(pattern) & set("{}")
    return plain(FIELD.sub(part, pattern))


def names(locale, field):
    """The months from January or the weekdays from Monday on, as a field of a pattern writes them."""
    kind = {"M": locale.months, "L": locale.months, "E": locale.days, "c": locale.days}[field[0]]
    found = kind[CONTEXTS[field[0]]][WIDTHS[max(len(field), 3)]]
    return [plain(found[key]) for key in sorted(found)]


def facts(name):
    """Of one locale: (its patterns, {field: the names in its place})."""
    from babel import Locale

    locale = Locale.parse(name)
    candidates = [locale.date_formats[length] for length in ("full", "long", "medium")]
    candidates += [locale.datetime_skeletons[skeleton] for skeleton in sorted(locale.datetime_skeletons)]
    kept = [candidate.pattern for candidate in candidates if names_one_day(candidate.pattern)]
    used = {spelled(field) for pattern in kept for field in fields(pattern)}
    named = sorted(field for field in used if field[0] in "Ec" or (field[0] in "ML" and len(field) >= 3))
    return list(dict.fromkeys(map(format_string, kept))), {field: names(locale, field) for field in named}


def row(indent, name, texts):
    """`"name": ("text", "text"),` in as many lines as it takes."""
    quoted = [json.dumps(text, ensure_ascii=False).replace(" ", "\0") for text in texts]  # no line breaks at a \0
    lines = textwrap.wrap(", ".join(quoted), 100, break_on_hyphens=False)
    inside = f"\n{indent}    ".join(["", *lines] if len(lines) > 1 else lines).replace("\0", " ")
    return f'{indent}"{name}": ({inside}),'


def main():
    from babel.core import get_cldr_version

    found = {name: facts(name) for name in LOCALES}
    lines = ["PATTERNS = {", *(row("    ", name, patterns) for name, (patterns, _) in found.items()), "}", "NAMES = {"]
    for name, (_, named) in found.items():
        lines += [f'    "{name}": {{', *(row("        ", field, texts) for field, texts in named.items()), "    },"]
    FILE.write_text(HEADER.format(version=get_cldr_version()) + "\n".join([*lines, "}", ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
