"""A time series that makes itself, as of what several houses use of power, and the forecast that needs no model.

x_t = level + trend t + week_{day of t} season_{t mod DAY} + e_t        of each value, with numbers of its own
e_t = r e_{t-1} + noise                                                 what is off now will be off a while
"""

import numpy as np
from numpy.random import default_rng

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.tasks.made.draw import Made

DAY, WEEK = 8, 56  # steps, of three hours
STAYS = 0.7  # r
NOISE = 0.15
MEMORY = 40  # steps after which nothing is left of a noise: r^40 < 1e-6


def make_series(steps: int, seed: int, values: int = 3) -> np.ndarray:
    """A series with daily and weekly seasons, trend and noise, (steps, values) float32.

    The day goes up and down twice, in its own way for each value; on two days of seven it does so less, and lower.
    Raises: ArgumentError.
    """
    steps, values = arguments.whole(steps, "steps", least=1), arguments.whole(values, "values", least=1)
    rng = default_rng(arguments.whole(seed, "seed", least=0))
    t = np.arange(steps)[:, None]
    level, trend = rng.uniform(3, 6, values), rng.uniform(1e-4, 1e-3, values) * rng.choice((-1, 1), values)
    first, second = rng.uniform(0, 2 * np.pi, (2, values))
    season = np.sin(2 * np.pi * t / DAY + first) + 0.5 * np.sin(4 * np.pi * t / DAY + second)
    rest = t // DAY % 7 >= 5
    noise = rng.normal(0, NOISE, (steps + MEMORY, values))
    fading = STAYS ** np.arange(MEMORY + 1)
    kept = np.stack([np.convolve(of, fading, "valid") for of in noise.T], axis=1)
    return (level + trend * t + np.where(rest, 0.4 * season - 0.6, season) + kept).astype(np.float32)


def make_windows(
    n_train: int, n_valid: int, n_test: int, seed: int, past: int = WEEK, future: int = DAY, values: int = 3
) -> Made:
    """Pairs of what was and what comes, cut out of one series: training of its beginning, then validation, then test.

    Windows of a list overlap; no step of the series is in two lists.

    Args: n_train, n_valid, n_test, seed. past, future: steps of each. values: of a step.
    Returns: a Made, whose lists hold pairs (past, values), (future, values).
    Raises: ArgumentError.
    """
    sizes = (n_train, n_valid, n_test)
    counts = [
        arguments.whole(n, name, least=0) for n, name in zip(sizes, ("n_train", "n_valid", "n_test"), strict=True)
    ]
    past, future = arguments.whole(past, "past", least=1), arguments.whole(future, "future", least=1)
    more = past + future - 1  # steps of a stretch beyond its windows
    ends = np.cumsum([n + more * (n > 0) for n in counts])
    series = make_series(max(1, int(ends[-1])), seed, values)

    def cut(n: int, end: int) -> list:
        starts = range(end - more - n, end - more)
        return [(series[k : k + past], series[k + past : k + past + future]) for k in starts]

    return Made(*(cut(n, int(end)) for n, end in zip(counts, ends, strict=True)))


def naive_seasonal(past: np.ndarray, steps: int, season: int = WEEK) -> np.ndarray:
    """The naive seasonal forecast: what comes is what was a season ago, x_{t+h} = x_{t+h-season}.

    Args: past, (S, ...) with at least a season. steps, T that are forecast; beyond a season it is repeated.
    Returns: (T, ...).
    Raises: ArgumentError.
    Source: Hyndman & Athanasopoulos 2021, section 5.2.
    """
    steps, season = arguments.whole(steps, "steps", least=1), arguments.whole(season, "season", least=1)
    if len(past) < season:
        raise ArgumentError(f"past has {len(past):,} steps: a season has {season:,}")
    return past[len(past) - season + np.arange(steps) % season]


def mean_absolute_error(forecast: np.ndarray, future: np.ndarray) -> float:
    """mean |forecast - future|, in the units of the series. Args: of one shape. Raises: ArgumentError."""
    if forecast.shape != future.shape:
        raise ArgumentError(f"forecast has shape {forecast.shape}, and future {future.shape}")
    return float(np.abs(forecast - future).mean(dtype=np.float64))
