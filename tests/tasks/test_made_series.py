"""A time series that makes itself: its seasons are there, and a model can do better than the naive forecast."""

import numpy as np
import pytest

from numseq.errors import ArgumentError
from numseq.tasks.made.series import DAY, WEEK, make_series, make_windows, mean_absolute_error, naive_seasonal


def test_the_same_seed_makes_the_same_series():
    series = make_series(300, 1, values=2)
    assert series.shape == (300, 2) and series.dtype == np.float32
    np.testing.assert_allclose(series, make_series(300, 1, values=2), rtol=1e-6)
    assert np.abs(series - make_series(300, 2, values=2)).max() > 0.1


def test_windows_follow_one_another_and_no_step_is_in_two_lists():
    made = make_windows(5, 0, 3, 0, past=10, future=4)
    series = make_series(5 + 3 + 2 * 13, 0)
    assert [len(made.train), len(made.valid), len(made.test)] == [5, 0, 3]
    for part, first in ((made.train, 0), (made.test, 18)):
        for k, (past, future) in enumerate(part, first):
            np.testing.assert_array_equal(np.concatenate([past, future]), series[k : k + 14])
            assert future.shape == (4, 3)


def test_a_season_is_repeated():
    past = np.arange(20).reshape(10, 2)
    assert naive_seasonal(past, 5, 3)[:, 0].tolist() == [14, 16, 18, 14, 16]
    assert mean_absolute_error(np.array([1.0, 2.0]), np.array([2.0, 0.0])) == 1.5
    with pytest.raises(ArgumentError, match="past has 10 steps: a season has 56"):
        naive_seasonal(past, 5)
    with pytest.raises(ArgumentError, match=r"forecast has shape \(2,\), and future \(3,\)"):
        mean_absolute_error(np.ones(2), np.ones(3))


def test_a_week_says_more_than_a_day_that_more_than_the_last_step_and_a_linear_model_most():
    made = make_windows(600, 0, 100, 0)
    sides = [zip(*part, strict=True) for part in (made.train, made.test)]
    (x, y), (past, future) = ([np.stack(side, 1) for side in part] for part in sides)
    flat = [a.swapaxes(0, 1).reshape(a.shape[1], -1) for a in (x, y, past)]
    mean = flat[0].mean(0)
    centred, other = flat[0] - mean, flat[2] - mean
    W = np.linalg.solve(centred.T @ centred + 3 * np.eye(len(mean)), centred.T @ flat[1])
    linear = (other @ W + flat[1].mean(0)).reshape(100, DAY, 3).swapaxes(0, 1)
    forecasts = [linear, naive_seasonal(past, DAY), naive_seasonal(past, DAY, DAY), past[[-1] * DAY]]
    errors = [mean_absolute_error(forecast, future) for forecast in forecasts]
    assert errors[0] < 0.95 * errors[1] and errors[1] < 0.9 * errors[2] and errors[2] < 0.9 * errors[3]
    assert past.shape == (WEEK, 100, 3)
