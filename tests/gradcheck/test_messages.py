"""The page on layers of one's own explains the messages of a check: each of them is said of something."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import normal

from numseq.gradcheck import check

PAGE = Path(__file__).parents[2] / "docs" / "check-your-own-layer.md"
ROWS = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8").split("## What the report says")[1], re.MULTILINE)
MESSAGES = [message for row in ROWS for message in row[1:-1].split("`, `")]
RNG = np.random.default_rng(0)
X, W, V, B = normal(5, 3), normal(3, 4, seed=1), normal(3, 4, seed=2), normal(4, seed=3)
SQUARE = normal(4, 4)


class Layer:
    """A layer that says nothing of the gradient of its bias."""

    def __init__(self):
        self.W, self.b = W, B

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        return dy @ self.W.T


def linear(x, W, b):
    return x @ W + b


def with_gradients(change):
    """A linear layer, and a change of its right gradients."""

    def backward(dy, x, W, b):
        found = {"dx": dy @ W.T, "dW": x.T @ dy, "db": dy.sum(axis=0)}
        change(found)
        return found

    return check(linear, {"x": X, "W": W, "b": B}, backward=backward)


def twice(found):
    found["dx"] = 2 * found["dx"]


def changed(x):
    x += 1
    return x, lambda dy: dy


def two_steps(x, params):
    """A recurrent network whose bias gets the last step alone."""
    from numseq.layers import RNN, sequence

    class LastStep(RNN):
        def weight_gradients(self, x, saved, h_prev, steps, da, params):
            dx, dparams = super().weight_gradients(x, saved, h_prev, steps, da, params)
            dparams.b = da[-1].sum(axis=0)
            return dx, dparams

    return sequence(x, None, params, cell=LastStep())


def params_of_rnn():
    from numseq.layers import init_rnn

    return init_rnn(np.random.default_rng(0), 3, 2, float)


PROVOKED = [
    lambda: check(lambda x: (abs(x), lambda dy: dy * np.sign(x)), X),
    lambda: check(lambda x: (np.maximum(x, 0), lambda dy: dy * (x > 0)), X * (X > 0)),
    lambda: check(lambda x: (x**2, lambda dy: dy * ((x + 1e9) ** 2 - x**2 - 1e18) / 1e9), X),  # large terms cancel
    lambda: check(lambda x, t: x / t, {"x": X, "t": 0.7}, backward=lambda dy, t: dy / t),
    lambda: check(Layer(), X),
    lambda: with_gradients(lambda found: found.update(dz=X)),
    lambda: check(lambda x: (x, 2 * x), X, backward=lambda dy: dy),
    lambda: check(lambda x: (x * x, lambda dy: 2 * x * dy), X[:1]),
    lambda: with_gradients(lambda found: found.update(dx=-found["dx"])),
    lambda: with_gradients(twice),
    lambda: with_gradients(lambda found: found.update(db=found["db"] / 5)),
    lambda: check(lambda W: (2 * W, lambda dy: 2 * dy.T), SQUARE),
    lambda: with_gradients(lambda found: found["dx"].__setitem__(2, 0)),
    lambda: with_gradients(lambda found: found["dW"].__setitem__((slice(None), slice(2)), 1)),
    lambda: check(lambda a, b: (a * b, lambda dy: (a * dy, b * dy)), {"a": W, "b": V}),
    lambda: check(two_steps, {"x": normal(3, 2, 3), "params": params_of_rnn()}),
    lambda: check(lambda x: (x, lambda dy: dy), X.astype(np.float32)),
    lambda: check(
        lambda c_prev, x: c_prev * x,
        {"c_prev": X, "x": X},
        backward=lambda dy, c_prev, x: {"dcprev": dy * x, "dx": dy * c_prev},
    ),
    lambda: with_gradients(lambda found: found.pop("db")),
    lambda: check(lambda x: x * RNG.integers(1, 9), X, backward=lambda dy, x: dy),
    lambda: check(changed, X.copy()),
    lambda: check(lambda x: (x, lambda dy: np.clip(dy, -1, 1)), X),
]


@pytest.fixture(scope="module")
def said():
    found = []
    for provoke in PROVOKED:
        try:
            found.append(str(provoke()))
        except (TypeError, ValueError) as error:
            found.append(str(error))
    return "\n".join(found)


@pytest.mark.parametrize("message", MESSAGES)
def test_what_the_page_explains_is_said(message, said):
    assert re.search(".*".join(map(re.escape, message.split("..."))), said), said


def test_the_page_explains_twenty():
    assert len(MESSAGES) >= 20
