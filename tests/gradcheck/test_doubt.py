"""Mistake or rounding, kink or none: what is right is called right where numbers alone would not tell."""

import numpy as np
import pytest
from helpers import normal

from numseq.gradcheck import NotAnalyticError, check, core, doubt
from numseq.gradcheck.kinks import move_off, on_kink
from numseq.gradcheck.references import best_slope


@pytest.fixture(autouse=True, params=["more digits", "fewer digits"])
def other_precision(request, monkeypatch):
    """All is to be judged alike where longdouble has more digits than float64, and where it has not."""
    if request.param == "fewer digits":
        monkeypatch.setitem(doubt.PRECISIONS, np.dtype(np.float64), (np.float32,))


METHODS = ("complex-step", "central", "richardson", "directional")


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


class Scaled:
    """y = relu(x) exp(t), with t a number of NumPy's."""

    def __init__(self):
        self.t = np.float64(0.3)

    def forward(self, x):
        self.x, self.y = x, x * (x.real > 0) * np.exp(self.t)
        return self.y

    def backward(self, dy):
        self.dt = (dy * self.y).sum()
        return dy * (self.x > 0) * np.exp(self.t)


def test_a_parameter_of_an_object_may_be_a_number_of_numpys():
    assert check(Scaled(), {"x": normal(3, 2)}).ok


def test_an_object_is_checked_beside_a_kink_with_its_parameters():
    result = check(Scaled(), {"x": normal(3, 2) * [[1, 0]]})
    assert result.ok and "on a kink in x" in result.warnings[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1, 1.001, -1])
def test_steps_that_leave_what_a_function_is_defined_on_are_no_news(method, factor):
    """A logarithm near 0, which the larger steps go beyond; a warning would be an error here."""
    x = np.array([[2e-3, 0.5], [3e-3, 1.5]])

    def forward(x):
        return np.log(x), x

    def backward(dy, x):
        return factor * dy / x

    result = check(forward, {"x": x}, backward=backward, method=method)
    assert result.ok == (factor == 1), str(result)


# what a cache names


@pytest.mark.parametrize("look", [lambda a: a.real, lambda a: a[:]])
def test_a_quantity_is_what_made_it_and_not_a_look_at_it(look):
    def forward(x):
        a = 3 * x
        return np.where(look(a).real > 0, np.tanh(a), a), {"x": x, "a": a}

    def backward(dy, cache):
        da = dy * np.where(cache["a"] > 0, 1 - np.tanh(cache["a"]) ** 2, 1)
        return {"dx": 3 * da, "da": da}

    result = check(forward, {"x": normal(3, 4)}, backward=backward)
    assert result.ok and [q.label for q in result.quantities] == ["da"] and not result.warnings[1:]
    assert result.method == "complex-step"


def test_a_view_is_a_quantity_of_its_own():
    def forward(x):
        a = 3 * x
        last = a[::-1]
        return a * a, {"x": x, "a": a, "last": last}  # nobody reads `last`

    def backward(dy, cache):
        da = 2 * dy * cache["a"]
        return {"dx": 3 * da, "da": da, "dlast": 0 * da}

    result = check(forward, {"x": normal(3, 4)}, backward=backward)
    assert result.ok and not noted(result, "not the derivative")


# gradients that are 0 but for rounding


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shift", [40, 60])
def test_a_saturated_unit_has_no_slope(method, shift):
    def forward(x):
        y = sigmoid(x + shift)
        return y, y

    result = check(forward, {"x": normal(3, 4)}, backward=lambda dy, cache: dy * cache * (1 - cache), method=method)
    assert result.ok, str(result)


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_that_is_0_everywhere_has_no_size(method):
    def forward(x, W):  # a unit vector of one number is 1 or -1, so nothing has a slope
        a = x @ W
        return a / np.sqrt(a * a), (x, W)

    def backward(dy, cache):
        return 0 * cache[0], 0 * cache[1]

    for seed in range(10):
        inputs = [normal(3, 4, seed=seed), normal(4, 1, seed=seed + 1)]
        result = check(forward, inputs, backward=backward, method=method, seed=seed)
        assert result.ok, str(result)


@pytest.mark.parametrize("method", METHODS)
def test_a_tiny_gradient_that_is_wrong_is_not_taken_for_rounding(method):
    tiny = 1e-20 if method in ("complex-step", "directional") else 1e-8  # differences of 1e-20 may be of 1 and 1
    for factor, right in ((2, True), (3, False)):
        result = check(
            lambda x: (tiny * x**2, x),
            [normal(3, 4)],
            backward=lambda dy, cache, factor=factor: factor * tiny * dy * cache,
            method=method,
        )
        assert result.ok == right


# the complex step


def part(abs_):
    """y = x + 1e-6 |x|, of which the second term drops the imaginary part or does not."""
    return lambda x: (x + 1e-6 * abs_(x), x)


def test_a_line_that_drops_little_of_the_imaginary_part_is_found_before_a_result_is_called_wrong():
    backward = lambda dy, x: dy * (1 + 1e-6 * np.sign(x))  # noqa: E731
    result = check(part(np.abs), [normal(3, 4)], backward=backward)
    assert result.ok and result.method == "richardson" and "drops or turns the imaginary part" in result.warnings[0]
    with pytest.raises(NotAnalyticError):
        check(part(np.abs), [normal(3, 4)], backward=backward, method="complex-step")
    assert not check(part(np.abs), [normal(3, 4)], backward=lambda dy, x: dy * (1 + 2e-6 * np.sign(x))).ok


@pytest.mark.parametrize("method", (None, "directional"))
def test_what_the_complex_step_drops_and_backward_forgets_is_not_right(method):
    def forward(x, b):  # |x| does little beside 10 b
        return np.tanh(10 * b) + 1e-5 * np.abs(x), (x, b)

    def backward(dy, cache):
        x, b = cache
        return 0 * x, dy * 10 * (1 - np.tanh(10 * b) ** 2)

    inputs = [normal(3, 4), 0.1 * normal(3, 4, seed=1)]
    if method:
        with pytest.raises(NotAnalyticError):
            check(forward, inputs, backward=backward, method=method)
    else:
        assert not check(forward, inputs, backward=backward).ok


def test_a_steep_function_is_neither_bent_nor_without_a_series():
    def forward(x):  # within 1e-8 it goes from -1 to 1
        y = np.tanh(1e8 * (x - x.mean()))
        return y, y

    def backward(dy, y):
        d = 1e8 * dy * (1 - y * y)
        return d - d.mean()

    result = check(forward, [0.5 + 1e-9 * normal(4)], backward=backward)
    assert result.ok and not noted(result, "kink") and result.method == "complex-step"


# kinks


def test_a_kink_is_told_from_rounding_and_from_what_is_smooth():
    assert on_kink(lambda h: abs(h), 1.0) and on_kink(lambda h: h + 1e3 * h**2 + 0.1 * abs(h), 1.0)
    assert on_kink(lambda h: abs(h) + abs(h - 3e-6) + abs(h + 5e-6), 1.0)  # with others near it
    assert not on_kink(lambda h: np.sin(1e2 * h + 1), 1.0)
    for k in range(1, 40):  # with 1e9 added, x loses all but a few digits
        assert not on_kink(lambda h, k=k: (0.3 + k * h / 7 - 1e9) + 1e9, 1.0)


def test_the_slope_beside_a_kink_is_not_that_of_both_sides():
    for away in (0.0, 3e-7, 1e-5):
        slope, error = best_slope(lambda h, away=away: np.maximum(h - away, 0) + 2 * h)
        assert 2 - 10 * error <= slope <= 2 + 10 * error
        assert away == 0 or error < 1e-6


def test_differences_of_what_is_nearly_constant_know_nothing():
    slope, error = best_slope(lambda h: 1e-13 * np.round(10 * (1 + h)), size=5.0)
    assert slope == 0 and error > 1e-14


@pytest.mark.parametrize("method", ("complex-step", "central"))
def test_a_quantity_that_is_always_on_a_kink_is_not_called_wrong(method):
    def forward(x):
        a = x - x  # 0 wherever x is
        y = np.where(a.real >= 0, a, 0.1 * a) + x
        return y, {"x": x, "a": a}

    def backward(dy, cache):
        return {"dx": dy, "da": dy * (0.1 if method == "complex-step" else 1)}  # either side's will do

    result = check(forward, {"x": normal(3, 4)}, backward=backward, method=method)
    assert result.ok and not noted(result, "not the derivative")


def test_where_the_inputs_are_moved_to_there_may_be_nothing(monkeypatch):
    moved = []

    def first_to_zeros(inputs, seed):
        moved.append(seed)
        return move_off(inputs, seed) if len(moved) > 1 else {"x": 0 * inputs["x"]}

    def forward(x):
        if not x.any():
            raise ZeroDivisionError("zeros have no direction")
        return x * (x.real > 0), x

    monkeypatch.setattr(core, "move_off", first_to_zeros)
    assert check(forward, [normal(3, 2) * [[1, 0]]], backward=lambda dy, x: dy * (x > 0)).ok and len(moved) == 2


def noted(result, what):
    return [note for note in result.warnings if what in note]
