"""Mistake or rounding, kink or none: what is right is called right where numbers alone would not tell."""

import numpy as np
import pytest
from helpers import normal

from numseq.gradcheck import check

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


def noted(result, what):
    return [note for note in result.warnings if what in note]
