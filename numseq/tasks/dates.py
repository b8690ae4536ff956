"""The built-in task: dates as people write them, in several languages, to ISO 8601.

"mardi 10 mai 2011" -> "2011-05-10". A model must find the day, the month and the year wherever they
stand, spell a month name as a number and pad the day with a zero, so its attention is easy to read. The
patterns and names come from the Unicode CLDR and stand in cldr.py: real languages and no download.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError, shown
from numseq.tasks.cldr import NAMES, PATTERNS

LOCALES = tuple(PATTERNS)
"""The locales drawn from by default: Latin, Cyrillic and Greek script; year first in Hungarian."""

LOWER_SHARE = 0.25  # people often write dates without capitals

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DatePairs:
    """Three lists of (source, target) strings; no calendar day occurs twice, within a list or across them."""

    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]


def write_date(day: date, pattern: str, locale: str) -> str:
    """Return a day as one of the patterns of a locale has it: write_date(day, "{d} {MMMM} {y}", "fr") is "10 mai 2011".

    Arguments: pattern, a format string as cldr.py explains; locale, one of LOCALES.
    Raises: ArgumentError, when there is no such locale, or the pattern has a field that its names lack.
    """
    arguments.one_of(day, "day", date)
    if locale not in LOCALES:
        raise ArgumentError(f"unknown locale {locale!r}: choose of {', '.join(LOCALES)}")
    numbers = {"y": day.year, "M": day.month, "MM": f"{day.month:02}", "d": day.day, "dd": f"{day.day:02}"}
    names = {field: row[day.month - 1 if field[0] in "ML" else day.weekday()] for field, row in NAMES[locale].items()}
    try:
        return arguments.text(pattern, "pattern").format_map(numbers | names)
    except (KeyError, IndexError, ValueError) as error:
        raise ArgumentError(f"pattern is {shown(pattern)}, which is none of {locale}'s ({error})") from None


def make_dates(
    n_train: int,
    n_valid: int,
    n_test: int,
    seed: int,
    locales: Sequence[str] = LOCALES,
    first: date = date(1950, 1, 1),
    last: date = date(2049, 12, 31),
) -> DatePairs:
    """Draw pairs of a written date and its ISO form, each of a calendar day of its own.

    The days are drawn without replacement, so that no day of the test set was seen in training under any
    format. For each day a locale, then one of its patterns, is drawn uniformly; a quarter is lower-cased.
    A source text never stands for two days, and the same arguments give the same pairs.

    Arguments: n_train, n_valid, n_test, the number of pairs in each set; seed, for
    `numpy.random.default_rng`; locales, of LOCALES; first and last, the range of days, both included.
    Raises: ArgumentError if a count is no whole number from 0, if the range holds fewer days than pairs or begins
    before the year 1000 (years must have four digits), or if a locale is unknown or none is given.
    Source: Unicode CLDR; its patterns that name one day without doubt.
    """
    counts = {"n_train": n_train, "n_valid": n_valid, "n_test": n_test}
    n_train, n_valid, n_test = (arguments.whole(count, name, least=0) for name, count in counts.items())
    seed, locales = arguments.whole(seed, "seed", least=0), arguments.texts(locales, "locales")
    arguments.one_of(first, "first", date)
    arguments.one_of(last, "last", date)
    if first.year < 1000:
        raise ArgumentError(f"first is {first}: choose a day from the year 1000 on (four digits)")
    if not locales:
        raise ArgumentError("locales is empty: name at least one, such as 'fr'")
    for name in locales:
        if name not in PATTERNS:
            raise ArgumentError(f"unknown locale {name!r}: choose of {', '.join(LOCALES)}")
    total = n_train + n_valid + n_test
    n_days = max(0, (last - first).days + 1)
    if total > n_days:
        held = f"{first} to {last} holds {n_days}"
        raise ArgumentError(f"{total} pairs need {total} days but {held}: widen the range or ask for fewer")
    rng = np.random.default_rng(seed)
    pairs: list[Pair] = []
    for offset in rng.permutation(n_days)[:total].tolist():
        day = date.fromordinal(first.toordinal() + offset)
        locale = locales[int(rng.integers(len(locales)))]
        patterns = PATTERNS[locale]
        text = write_date(day, patterns[rng.integers(len(patterns))], locale)
        if rng.random() < LOWER_SHARE:
            text = text.lower()
        pairs.append((text, day.isoformat()))
    end_train, end_valid = n_train, n_train + n_valid
    return DatePairs(pairs[:end_train], pairs[end_train:end_valid], pairs[end_valid:])
