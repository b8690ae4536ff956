"""Drawing different examples of a small world, and parting them."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator, default_rng

from numseq import arguments
from numseq.errors import ArgumentError

TRIES = 1000  # examples in a row that were there already, before there are taken to be no more


@dataclass(frozen=True, slots=True)
class Made:
    """Three lists of examples, none of which is in two: pairs (source, target); dialogues and stories, lists of the
    lines of a file without their numbers; or what is heard or seen, with its text."""

    train: list
    valid: list
    test: list


def draw(
    example: Callable[[Generator], Any],
    counts: tuple[int, int, int],
    seed: int,
    key: Callable[[Any], Hashable] = lambda pair: pair[0],
) -> Made:
    """Draw so many examples for training, validation and test, no two with the same key.

    Args: example, makes one with a random generator. counts, the three numbers. seed, the same gives the same examples.
        key, of an example; the source of a pair.
    Raises: ArgumentError, when there are not so many.
    """
    names = ("n_train", "n_valid", "n_test")
    numbers = [arguments.whole(n, name, least=0) for n, name in zip(counts, names, strict=True)]
    rng = default_rng(arguments.whole(seed, "seed", least=0))
    found: dict[Hashable, Any] = {}
    tries = 0
    while len(found) < sum(numbers):
        one = example(rng)
        tries = tries + 1 if key(one) in found else 0
        if tries == TRIES:
            raise ArgumentError(f"{sum(numbers):,} different examples are asked for, and {len(found):,} were found")
        found.setdefault(key(one), one)
    examples, (n_train, n_valid, _) = [*found.values()], numbers
    return Made(examples[:n_train], examples[n_train : n_train + n_valid], examples[n_train + n_valid :])


def choose(rng: Generator, among: Any) -> Any:
    """One of a list or a tuple."""
    return among[int(rng.integers(len(among)))]
