"""Stories of who went where, with questions that the last move of somebody answers.

1 mary went to the kitchen .     2 omar moved to the garden .     3 where is mary ?<tab>kitchen<tab>1
"""

from numpy.random import Generator

from numseq.tasks.made.draw import Made, choose, draw

PEOPLE = ("mary", "omar", "lena", "john")
PLACES = ("kitchen", "garden", "office", "hallway", "bathroom", "bedroom")
MOVES = ("{} went to the {} .", "{} moved to the {} .", "{} is in the {} now .")


def _story(rng: Generator) -> list[str]:
    lines: list[str] = []
    where: dict[str, tuple[str, int]] = {}
    for _ in range(2):
        for _ in range(int(rng.integers(1, 4))):
            who, place = choose(rng, PEOPLE), choose(rng, PLACES)
            lines.append(choose(rng, MOVES).format(who, place))
            where[who] = place, len(lines)
        who = choose(rng, [*where])
        place, number = where[who]
        lines.append(f"where is {who} ?\t{place}\t{number}")
    return lines


def make_questions(n_train: int, n_valid: int, n_test: int, seed: int) -> Made:
    """Stories, lists of lines without their numbers, each with two questions. Raises: ArgumentError."""
    return draw(_story, (n_train, n_valid, n_test), seed, key=tuple)
