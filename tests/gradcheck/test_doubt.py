"""Mistake or rounding, kink or none: what is right is called right where numbers alone would not tell."""

import numpy as np
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


def noted(result, what):
    return [note for note in result.warnings if what in note]
