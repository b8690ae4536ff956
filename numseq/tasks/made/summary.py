"""A short report of what happened, to its headline: three facts of it, wherever they stand.

"it had rained for days . a flood reached varno on monday . the mayor spoke on the radio . nobody was hurt ." ->
flood in varno , nobody hurt
"""

from numpy.random import Generator

from numseq.tasks.made.draw import Made, choose, draw

EVENTS = {
    "flood": "a flood reached {} on {} .",
    "fire": "on {1} a fire broke out in {0} .",
    "storm": "a storm crossed {} on {} night .",
    "strike": "the workers of {} went on strike on {} .",
    "snow": "on {1} heavy snow fell on {0} .",
}
TOWNS = [first + last for first in ("var", "bel", "mon", "tor", "lis", "gar") for last in ("no", "ta", "dun", "mira")]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]
HURT = {
    "nobody hurt": ("nobody was hurt .", "no one came to harm ."),
    "two hurt": ("two people were hurt .", "there were two wounded ."),
    "many hurt": ("dozens of people were hurt .", "many had to see a doctor ."),
}
BESIDE = (
    "the mayor spoke on the radio .",
    "schools stay closed for a week .",
    "trains were late all day .",
    "neighbours from {} brought bread and blankets .",
    "the road to {} is open again .",
    "a new bridge was planned last year .",
)


def _example(rng: Generator) -> tuple[str, str]:
    event, town, hurt = choose(rng, tuple(EVENTS)), choose(rng, TOWNS), choose(rng, tuple(HURT))
    others = [BESIDE[k].format(choose(rng, TOWNS)) for k in rng.permutation(len(BESIDE))[:2].tolist()]
    told = [EVENTS[event].format(town, choose(rng, DAYS)), choose(rng, HURT[hurt]), *others]
    report = " ".join(told[k] for k in rng.permutation(len(told)).tolist())
    return report, f"{event} in {town} , {hurt}"


def make_summaries(n_train: int, n_valid: int, n_test: int, seed: int) -> Made:
    """Pairs of a report and its headline. Raises: ArgumentError."""
    return draw(_example, (n_train, n_valid, n_test), seed)
