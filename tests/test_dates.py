"""The date task: seeded, unambiguous, with days of the three sets apart."""

from datetime import date, timedelta
from functools import cache

import pytest
from babel import Locale
from babel.dates import format_date, parse_pattern

from numseq.data import dates
from numseq.data.dates import LOCALES, make_dates, patterns

DAY = date(2011, 5, 10)


@cache
def written(day, locale):
    known = Locale.parse(locale)
    return [" ".join(format_date(day, p, known).split()) for p in patterns(locale)]


@pytest.fixture(scope="module")
def made():
    return make_dates(6000, 500, 150, seed=1)


def test_counts_and_seed(made):
    assert [len(made.train), len(made.valid), len(made.test)] == [6000, 500, 150]
    assert make_dates(6000, 500, 150, seed=1) == made
    assert make_dates(6000, 500, 150, seed=2) != made
    empty = make_dates(0, 0, 0, seed=1)
    assert empty.train == empty.valid == empty.test == []


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
    monkeypatch.setattr(dates, "patterns", lambda name: (f"'{name}' y MMMM d",))
    pairs = make_dates(6000, 0, 0, seed=3).train
    for locale in LOCALES:
        share = sum(source.lower().startswith(locale.lower() + " ") for source, _ in pairs) / 6000
        assert abs(share - 1 / len(LOCALES)) < 0.02, locale  # five standard deviations


def test_white_space_is_plain(monkeypatch):
    monkeypatch.setattr(dates, "patterns", lambda name: ("d\u202fMMMM\u00a0y",))
    assert make_dates(1, 0, 0, 1, ["fr"], DAY, DAY).train == [("10 mai 2011", "2011-05-10")]


def test_no_text_stands_for_two_days():
    days = [date(2011, 1, 1) + timedelta(days=i) for i in range(365)]  # the year is always written in full
    day_of = {}
    for name in LOCALES:
        locale = Locale.parse(name)
        for pattern in patterns(name):
            parsed = parse_pattern(pattern)
            for day in days:
                text = " ".join(parsed.apply(day, locale).lower().split())
                assert day_of.setdefault(text, day) == day, (text, name, pattern)


def test_locales_that_clash_are_kept_apart(monkeypatch):
    clash = ["naq", "teo"]  # "5 Mar 2011" is 5 March in the first and 5 May in the second
    march, may = date(2011, 3, 5), date(2011, 5, 5)
    assert set(written(march, "naq")) & set(written(may, "teo"))
    monkeypatch.setattr(dates, "patterns", lambda name: ("d MMM y",))
    for seed in range(3):
        pairs = make_dates(365, 0, 0, seed, clash, date(2011, 1, 1), date(2011, 12, 31)).train
        assert len(dict(pairs)) == 365


def test_known_dates():
    assert "mardi 10 mai 2011" in written(DAY, "fr")
    assert "10 May 2011" in written(DAY, "en_GB")
    assert "Tuesday, May 10, 2011" in written(DAY, "en_US")
    assert "martes, 10 de mayo de 2011" in written(DAY, "es")
    assert "2011. május 10., kedd" in written(DAY, "hu")
    assert "Τρίτη 10 Μαΐου 2011" in written(DAY, "el")


def test_ambiguous_patterns_are_left_out():
    assert patterns("fr") == ("EEEE d MMMM y", "d MMMM y", "d MMM y", "E d MMM y")
    assert "y-MM-dd" in patterns("sv")
    assert "d.M.y" not in patterns("de")
    for name in LOCALES:
        for text in written(date(2011, 5, 4), name):
            assert "2011" in text
            assert any(c.isalpha() for c in text) or text.startswith("2011")
            assert "5/4" not in text and "4/5" not in text and "04/05" not in text and "04.05" not in text


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("EEEE, d MMMM y", True),
        ("cccc d. LLLL y", True),
        ("y-MM-dd", True),
        ("E, y-MM-dd", True),
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
    assert dates._names_one_day(pattern) is kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_test": -1}, "n_test is -1: give 0 or more"),
        ({"first": DAY, "last": DAY}, "3 pairs need 3 days but 2011-05-10 to 2011-05-10 holds 1: widen"),
        ({"first": DAY, "last": date(2000, 1, 1)}, "holds 0"),
        ({"first": date(999, 1, 1)}, "first is 0999-01-01: choose a day from the year 1000"),
        ({"locales": []}, "locales is empty"),
        ({"locales": ["fr", "xx"]}, "unknown locale 'xx': give a CLDR name"),
        ({"locales": ["not a locale"]}, "unknown locale 'not a locale'"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_dates(**({"n_train": 1, "n_valid": 1, "n_test": 1, "seed": 0} | arguments))
    assert "\n" not in str(caught.value)
