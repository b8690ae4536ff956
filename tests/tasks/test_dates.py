"""The date task: seeded, unambiguous, with days of the three sets apart."""

import hashlib
import re
from datetime import date, timedelta

import pytest
from oracles.make_cldr import format_string, names_one_day

from numseq.tasks import dates
from numseq.tasks.cldr import NAMES, PATTERNS
from numseq.tasks.dates import LOCALES, make_dates, write_date

DAY = date(2011, 5, 10)


def written(day, locale):
    return [write_date(day, pattern, locale) for pattern in PATTERNS[locale]]


@pytest.fixture(scope="module")
def made():
    return make_dates(6000, 500, 150, seed=1)


def test_counts_and_seed(made):
    assert [len(made.train), len(made.valid), len(made.test)] == [6000, 500, 150]
    assert make_dates(6000, 500, 150, seed=1) == made
    assert make_dates(6000, 500, 150, seed=2) != made
    empty = make_dates(0, 0, 0, seed=1)
    assert empty.train == empty.valid == empty.test == []


def test_the_task_is_the_same_everywhere():
    """Whoever means to change the task measures anew what docs and notebooks say of it, and changes this line."""
    text = repr(make_dates(100, 10, 10, seed=0))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "80295b91b31169e9"


def test_no_day_and_no_source_occurs_twice(made):
    pairs = made.train + made.valid + made.test
    assert len({target for _, target in pairs}) == len(pairs)
    assert len({source for source, _ in pairs}) == len(pairs)


def test_every_pair_is_a_pattern_of_a_locale_applied_to_its_day(made):
    found = set()
    lowered = 0
    for source, target in made.test:
        day = date.fromisoformat(target)
        assert target == day.isoformat()
        exact = {locale for locale in LOCALES if source in written(day, locale)}
        if not exact:
            exact = {locale for locale in LOCALES if source in [t.lower() for t in written(day, locale)]}
            lowered += 1
        assert exact, source
        found |= exact
    assert found == set(LOCALES)
    assert 0 < lowered < 38  # of 150: lower-casing changes nothing in languages that write dates so anyway


def test_locale_is_drawn_uniformly(monkeypatch):
    monkeypatch.setattr(dates, "PATTERNS", {name: (f"{name} {{y}} {{MMMM}} {{d}}",) for name in LOCALES})
    pairs = make_dates(6000, 0, 0, seed=3).train
    for locale in LOCALES:
        share = sum(source.lower().startswith(locale.lower() + " ") for source, _ in pairs) / 6000
        assert abs(share - 1 / len(LOCALES)) < 0.02, locale  # five standard deviations


def test_known_dates():
    assert "mardi 10 mai 2011" in written(DAY, "fr")
    assert "10 May 2011" in written(DAY, "en_GB")
    assert "Tuesday, May 10, 2011" in written(DAY, "en_US")
    assert "martes, 10 de mayo de 2011" in written(DAY, "es")
    assert "2011. május 10., kedd" in written(DAY, "hu")
    assert "Τρίτη 10 Μαΐου 2011" in written(DAY, "el")


# what a table of patterns and names must be, whatever the CLDR has next


def test_every_locale_has_several_patterns_and_its_names():
    assert PATTERNS.keys() == NAMES.keys() and len(PATTERNS) == 12
    for locale, patterns in PATTERNS.items():
        assert len(set(patterns)) == len(patterns) >= 4
        for field, names in NAMES[locale].items():
            assert len(set(names)) == len(names) == (12 if field[0] in "ML" else 7), (locale, field)


def test_day_has_one_or_two_digits_the_year_four_and_no_other_number_is_there():
    for locale in LOCALES:
        for day in (date(2011, 5, 4), date(1950, 12, 31), date(2049, 10, 28)):
            for text in written(day, locale):
                numbers = re.findall("[0-9]+", text)
                in_words, iso = {str(day.year), str(day.day)}, day.isoformat().split("-")
                assert set(numbers) == in_words or numbers == iso, (locale, text)


def test_white_space_is_plain():
    for locale in LOCALES:
        for text in written(DAY, locale):
            assert text == " ".join(text.split()), (locale, text)


def test_no_text_stands_for_two_days():
    days = [date(2011, 1, 1) + timedelta(days=i) for i in range(731)]  # a leap year too; the year is always in full
    day_of = {}
    for locale in LOCALES:
        for day in days:
            for text in written(day, locale):
                assert day_of.setdefault(text.lower(), day) == day, (text, locale)


def test_no_month_is_only_a_number_but_in_the_order_of_iso():
    for locale in LOCALES:
        for text in written(date(2011, 5, 4), locale):
            words = re.findall(r"[^\W\d]+", text)
            assert any(len(word) > 2 for word in words) or text.startswith("2011"), (locale, text)


# what makes the table


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("EEEE, d MMMM y", True),
        ("cccc d. LLLL y", True),
        ("y-MM-dd", True),
        ("E, y-MM-dd", True),
        ("d 'de' MMM 'de' y", True),
        ("E, MMM ddd, y", False),
        ("d MMMMM y", False),
        ("c d MMM y", False),
        ("dd/MM/y", False),
        ("E, M/d/y", False),
        ("y-dd-MM", False),
        ("d MMM yy", False),
        ("d MMM y G", False),
        ("d MMM y, HH:mm", False),
        ("MMMM y", False),
        ("'week' w 'of' Y", False),
        ("QQQ y", False),
    ],
)
def test_the_rule(pattern, kept):
    assert names_one_day(pattern) is kept


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("EEEE d MMMM y", "{EEEE} {d} {MMMM} {y}"),
        ("EEE, d\u202fMMM\u00a0yyyy", "{E}, {d} {MMM} {y}"),
        ("d 'de' MMMM 'd''avril' y 'г'.", "{d} de {MMMM} d'avril {y} г."),
        ("y-MM-dd ''", "{y}-{MM}-{dd} '"),
    ],
)
def test_pattern_becomes_a_format_string(pattern, expected):
    assert format_string(pattern) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_test": -1}, "n_test is -1: it must be a whole number of at least 0"),
        ({"first": DAY, "last": DAY}, "3 pairs need 3 days but 2011-05-10 to 2011-05-10 holds 1: widen"),
        ({"first": DAY, "last": date(2000, 1, 1)}, "holds 0"),
        ({"first": date(999, 1, 1)}, "first is 0999-01-01: choose a day from the year 1000"),
        ({"locales": []}, "locales is empty"),
        ({"locales": ["fr", "xx"]}, "unknown locale 'xx': choose of en_US, "),
        ({"locales": "fr"}, "locales is 'fr': it must be texts"),
        ({"locales": ["fr", None]}, r"locales\[1\] is None"),
        ({"n_train": 2.5}, "n_train is 2.5: it must be a whole number"),
        ({"seed": "0"}, "seed is '0'"),
        ({"first": "2011-05-10"}, "first is '2011-05-10': it must be of date"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_dates(**({"n_train": 1, "n_valid": 1, "n_test": 1, "seed": 0} | arguments))
    assert "\n" not in str(caught.value)
