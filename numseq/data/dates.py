"""The built-in task: dates as people write them, in several languages, to ISO 8601.

"mardi 10 mai 2011" -> "2011-05-10". A model must find the day, the month and the year wherever they
stand, spell a month name as a number and pad the day with a zero, so its attention is easy to read. The
formats and names come from the Unicode CLDR through Babel: real languages and no download.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

LOCALES = ("en_US", "en_GB", "fr", "de", "es", "it", "pt", "sv", "pl", "hu", "ru", "el")
"""The locales drawn from by default: Latin, Cyrillic and Greek script; year first in Hungarian."""

LOWER_SHARE = 0.25  # people often write dates without capitals

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DatePairs:
    """Three lists of (source, target) strings; no calendar day occurs twice, within a list or across them."""

    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]


def patterns(locale: str) -> tuple[str, ...]:
    """Return the CLDR date patterns of a locale that name one day without doubt, such as "EEEE d MMMM y".

    A pattern is kept if it holds year, month and day, perhaps a weekday and nothing else, with the year in
    full, and either a month name or the order year, month, day: 05/10/2011 is October in Paris and May in
    New York, so such formats are left out.

    Arguments: locale, a CLDR name such as "fr" or "en_GB". The order of the result is fixed.
    Raises: ValueError if the locale is unknown.
    Source: Unicode CLDR, through `babel.Locale.date_formats` and `datetime_skeletons`.
    """
    from babel import Locale, UnknownLocaleError

    try:
        known = Locale.parse(locale)
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"unknown locale {locale!r}: give a CLDR name, such as 'fr' or 'en_GB'") from None
    formats = [known.date_formats[length] for length in ("full", "long", "medium")]
    formats += [known.datetime_skeletons[skeleton] for skeleton in sorted(known.datetime_skeletons)]
    return tuple(dict.fromkeys(f.pattern for f in formats if _names_one_day(f.pattern)))


def _names_one_day(pattern: str) -> bool:
    from babel.dates import tokenize_pattern

    fields = [value for kind, value in tokenize_pattern(pattern) if kind == "field"]
    # CLDR letters: L and c are the stand-alone forms of the month M and the weekday E.
    widths = {("M" if letter == "L" else letter): width for letter, width in fields if letter not in "Ec"}
    if sorted(widths) != ["M", "d", "y"] or widths["y"] == 2:
        return False
    return widths["M"] >= 3 or list(widths) == ["y", "M", "d"]  # from three letters on, a month is a name


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
    `numpy.random.default_rng`; locales, CLDR names; first and last, the range of days, both included.
    Raises: ValueError if a count is negative, if the range holds fewer days than pairs or begins before the
    year 1000 (years must have four digits), or if a locale is unknown or none is given.
    Source: Unicode CLDR, through Babel; `patterns` says which formats.
    """
    from babel import Locale
    from babel.dates import parse_pattern

    counts = {"n_train": n_train, "n_valid": n_valid, "n_test": n_test}
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} is {count}: give 0 or more")
    if first.year < 1000:
        raise ValueError(f"first is {first}: choose a day from the year 1000 on (four digits)")
    if not locales:
        raise ValueError("locales is empty: name at least one, such as 'fr'")
    total = sum(counts.values())
    n_days = max(0, (last - first).days + 1)
    if total > n_days:
        held = f"{first} to {last} holds {n_days}"
        raise ValueError(f"{total} pairs need {total} days but {held}: widen the range or ask for fewer")
    styles = [([parse_pattern(p) for p in patterns(name)], Locale.parse(name)) for name in locales]
    rng = np.random.default_rng(seed)
    day_of: dict[str, date] = {}  # names can clash across locales: "Mar" is May in Teso, March in English
    pairs: list[Pair] = []
    for offset in rng.permutation(n_days)[:total].tolist():
        day = date.fromordinal(first.toordinal() + offset)
        while True:
            formats, locale = styles[rng.integers(len(styles))]
            text = formats[rng.integers(len(formats))].apply(day, locale)
            text = " ".join(text.split())  # CLDR has no-break and thin spaces, which no one types
            if rng.random() < LOWER_SHARE:
                text = text.lower()
            if day_of.setdefault(text, day) == day:
                break
        pairs.append((text, day.isoformat()))
    end_train, end_valid = n_train, n_train + n_valid
    return DatePairs(pairs[:end_train], pairs[end_train:end_valid], pairs[end_valid:])
