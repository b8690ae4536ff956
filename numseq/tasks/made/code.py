"""Sentences, to lines of Python: "let y be twice the sum of a and three" -> y = 2 * ( a + 3 )

Each phrase begins with a word that says how many others belong to it, so a sentence can be understood in one way only.
"""

from numpy.random import Generator

from numseq.tasks.made.draw import Made, choose, draw

NAMES = ("a", "b", "c", "n", "x", "y")
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
BINARY = {
    "the sum of {} and {}": "{} + {}",
    "the difference of {} and {}": "{} - {}",
    "the product of {} and {}": "{} * {}",
    "the larger of {} and {}": "max ( {} , {} )",
    "the smaller of {} and {}": "min ( {} , {} )",
}
UNARY = {
    "twice {}": "2 * {}",
    "half of {}": "{} / 2",
    "the square of {}": "{} ** 2",
    "the absolute value of {}": "abs ( {} )",
}
LINES = {"let {} be {}": "{} = {}", "add {1} to {0}": "{0} += {1}", "print {1}": "print ( {1} )"}


def _expression(rng, depth):
    """(phrase, expression) with at most so many phrases within one another."""
    if depth == 0 or rng.random() < 0.25:
        k = int(rng.integers(10))
        return choose(rng, ((NUMBERS[k], str(k)), *[(name, name) for name in NAMES]))
    phrase, expression = choose(rng, (*BINARY.items(), *UNARY.items()))
    parts = [_expression(rng, depth - 1) for _ in range(phrase.count("{}"))]
    called = "(" in expression  # commas part what stands between the brackets
    inner = [written if called or " " not in written else _bracketed(written) for _, written in parts]
    return phrase.format(*[said for said, _ in parts]), expression.format(*inner)


def _bracketed(written):
    """An expression as a part of another: a call needs no brackets."""
    return written if written.endswith(")") and written.startswith(("max", "min", "abs")) else f"( {written} )"


def _example(rng: Generator) -> tuple[str, str]:
    phrase, line = choose(rng, tuple(LINES.items()))
    (said, written), name = _expression(rng, 2), choose(rng, NAMES)
    return phrase.format(name, said), line.format(name, written)


def make_code(n_train: int, n_valid: int, n_test: int, seed: int) -> Made:
    """Pairs of a sentence and a line of Python, with spaces between its tokens. Raises: ArgumentError."""
    return draw(_example, (n_train, n_valid, n_test), seed)
