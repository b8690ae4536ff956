"""Numbers and dates in English words, to Chinese numerals: words become characters, and the year comes first.

"three thousand and forty two" -> 三千零四十二        "the fifth of march nineteen eighty seven" -> 一九八七年三月五日
"""

from numpy.random import Generator

from numseq.tasks.made.draw import Made, choose, draw

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
FIRST = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"]
DAYS = [
    *FIRST,
    *[
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
    ],
    *["twentieth", *(f"twenty {day}" for day in FIRST), "thirtieth", "thirty first"],
]
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DIGITS, PLACES = "零一二三四五六七八九", ("", "十", "百", "千")


def english(n: int) -> str:
    """A number below 10,000 in words: english(3042) is "three thousand and forty two"."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + (f" {ONES[n % 10]}" if n % 10 else "")
    size, name = (1000, "thousand") if n >= 1000 else (100, "hundred")
    rest = n % size
    joined = f" and {english(rest)}" if rest < 100 else f" {english(rest)}"
    return f"{english(n // size)} {name}" + (joined if rest else "")


def chinese(n: int) -> str:
    """A number below 10,000 in Chinese numerals: chinese(3042) is 三千零四十二."""
    if n == 0:
        return DIGITS[0]
    said, skipped = "", False
    for place in range(len(str(n)) - 1, -1, -1):
        digit = n // 10**place % 10
        if digit:
            said += (DIGITS[0] if skipped and said else "") + DIGITS[digit] + PLACES[place]
        skipped = not digit
    return said.removeprefix("一") if 10 <= n < 20 else said  # ten is 十, and not 一十


def _date(rng):
    month = int(rng.integers(12))
    day, year = int(rng.integers(LENGTHS[month])), int(rng.integers(1901, 2030))
    last = year % 100
    if year >= 2000:
        spoken = english(year)
    else:
        spoken = f"nineteen oh {ONES[last]}" if last < 10 else f"nineteen {english(last)}"
    date = choose(rng, (f"the {DAYS[day]} of {MONTHS[month]} {spoken}", f"{MONTHS[month]} the {DAYS[day]} {spoken}"))
    digits = "".join("〇" if d == "0" else DIGITS[int(d)] for d in str(year))
    return date, f"{digits}年{chinese(month + 1)}月{chinese(day + 1)}日"


def _example(rng: Generator) -> tuple[str, str]:
    if rng.random() < 0.5:
        return _date(rng)
    n = int(rng.integers(10 ** int(rng.integers(1, 5))))
    return english(n), chinese(n)


def make_chinese(n_train: int, n_valid: int, n_test: int, seed: int) -> Made:
    """Pairs of a number below 10,000, or of a date, in English words and in Chinese. Raises: ArgumentError."""
    return draw(_example, (n_train, n_valid, n_test), seed)
