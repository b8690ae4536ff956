"""What people meet who bring code of their own: inputs, kinks, rounding, and what is said of a mistake."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import strict_cupy
from helpers import normal

from numseq import layers
from numseq import params as trees
from numseq.gradcheck import assert_gradients, check, grade, probe
from numseq.layers import RNN, relu_step
from numseq.mistakes.fixtures import REAL
from numseq.mistakes.table import cases_of_layers

lstm = sys.modules["numseq.layers.cells.lstm"]
TABLE = cases_of_layers()
METHODS = ("complex-step", "central", "richardson")
X, W = normal(5, 3, seed=1), normal(3, 2, seed=2)


def linear(x, W):
    return SimpleNamespace(y=x @ W, outputs=("y",), backward=lambda dy: {"dx": dy @ W.T, "dW": x.T @ dy})


# inputs


def test_a_mask_among_the_inputs_has_no_gradient():
    inputs = TABLE["lstm"].inputs | {"mask": REAL}
    result = check(layers.lstm, inputs)
    assert result.ok and not any("mask" in name for name in result.errors)


def test_ids_among_the_inputs_have_no_gradient():
    inputs = {"ids": np.array([[1, 2], [1, 3]]), "params": layers.EmbeddingParams(W=normal(7, 3))}
    assert list(check(layers.embedding, inputs).errors) == ["params.W"]


def test_integers_that_get_a_gradient_are_named():
    with pytest.raises(TypeError, match=r"^x is int64, which has no gradient, but backward gives dx.*astype\(float\)$"):
        check(linear, {"x": np.arange(15).reshape(5, 3), "W": W})


BAD = {  # the inputs: what is said
    "float32": ({"x": X.astype(np.float32), "W": W.astype(np.float32)}, r"^x is float32: .*float64"),
    "mixed": ({"x": X, "W": W.astype(np.float32)}, r"x is float64, W is float32: cast"),
    "NaN": ({"x": np.where(X > 0, np.nan, X), "W": W}, r"^x holds numbers that are not finite"),
    "numbers": ({"x": X.tolist(), "W": W}, r"^x is a list of Python numbers: make it an array, np.array\(x\)$"),
    "misspelt": ({"X": X, "W": W}, r"do not fit: .*'x'; linear takes x, W$"),
    "none": ({"x": X.astype(int), "W": W.astype(int)}, r"^no input has a gradient \(x is int64, W is int64\)"),
    "a namespace": ({"x": X, "W": SimpleNamespace(W=W)}, r"^W is a SimpleNamespace: bring parameters as a dict"),
}


@pytest.mark.parametrize("what", BAD)
def test_an_input_that_is_of_no_use_is_named_in_a_line(what):
    inputs, said = BAD[what]
    with pytest.raises((TypeError, ValueError), match=said) as info:
        check(linear, inputs)
    assert "\n" not in str(info.value)


class Tensor:  # as another library's
    shape, dtype = (5, 3), SimpleNamespace(name="float64")


def test_another_librarys_tensor_is_named():
    with pytest.raises(TypeError, match=r"^x is a test_own_code.Tensor: arrays are NumPy's or CuPy's"):
        check(linear, {"x": Tensor(), "W": W})


# traces and results


def test_outputs_are_taken_from_the_arguments_of_backward_or_from_one_name():
    def back(dloss):
        return {"dx": 2 * dloss * (X @ W) @ W.T, "dW": 2 * dloss * X.T @ (X @ W)}

    def made(x, W, extra):
        return SimpleNamespace(loss=((x @ W) ** 2).sum(), backward=back, **extra)

    for extra in ({}, {"outputs": ("loss")}, {"outputs": ["loss"]}):
        assert check(made, {"x": X, "W": W, "extra": extra}).ok


def test_a_trace_whose_outputs_nobody_can_know_is_told_what_would_do():
    with pytest.raises(TypeError, match=r"does not say which.*takes g: give it outputs = \(\"y\",\)"):
        check(lambda x: SimpleNamespace(y=x, backward=lambda g: {"dx": g}), {"x": X})


def test_further_results_are_a_note():
    def back(dy, cache):
        x, W = cache
        return {"dx": dy @ W.T, "dW": x.T @ dy, "dh": dy, "dct": dy}

    result = check(lambda x, W: (x @ W, (x, W)), {"x": X, "W": W}, backward=back)
    assert result.ok and result.warnings == ["backward gives dh, dct as well, the gradient of no input: not looked at"]


def test_a_misspelt_result_is_asked_for():
    said = grade("lstm_step", lambda s, dh, dc: {"da": s.backward(dh, dc).da, "dcprev": s.backward(dh, dc).dc_prev})
    assert said.problems == ["backward gives no dc_prev, but dcprev: did you mean dc_prev?"]


def test_without_records_every_wrong_result_is_named_and_none_is_said_to_be_first():
    def back(dy, cache):
        x, W = cache
        return 2 * dy @ W.T, x.T @ dy[::-1]

    said = str(check(lambda x, W: (x @ W, (x, W)), (X, W), backward=back))
    assert "wrong: dx (it is 2 times what it should be)" in said and "wrong: dW" in said and "first" not in said


def test_an_assertion_says_in_its_first_line_what_is_wrong():
    assert assert_gradients(linear, {"x": X, "W": W}).ok
    with pytest.raises(AssertionError) as info:
        assert_gradients(lambda x: (3 * x, lambda dy: 2 * dy), X, name="triple")
    first, *rest = str(info.value).splitlines()
    assert first == "triple: WRONG: dx (it is 0.666667 times what it should be)" and rest


def test_what_overwrites_its_own_results_is_told_so():
    kept = np.empty(X.shape)

    def back(dy):
        kept[:] = 2 * dy
        return kept

    result = check(lambda x: (2 * x, back), X)
    assert result.ok and result.warnings == ["dx is overwritten by the next call of backward: return new arrays"]


def test_what_overwrites_its_own_output_is_told_so():
    def forward(x):
        y = np.tanh(x)

        def back(dy):
            y[:] = 1 - y**2
            return y * dy

        return y, back

    said = check(forward, X).problems
    assert said == ["backward changed y, which forward had returned: it must write to arrays of its own"]


def test_a_clip_that_these_weights_do_not_reach_is_found():
    result = check(lambda x: (2 * x, lambda dy: np.clip(2 * dy, -1e3, 1e3)), X)
    assert not result.ok and "does it clip" in result.problems[0]


# what is right is not called wrong


def standardised(z):
    mean = z.mean(axis=-1, keepdims=True)
    std = np.sqrt(((z - mean) ** 2).mean(axis=-1, keepdims=True))
    y = (z - mean) / std

    def back(dy):
        return (dy - dy.mean(axis=-1, keepdims=True) - y * (dy * y).mean(axis=-1, keepdims=True)) / std

    return y, back


def softmax(z):
    y = np.exp(z - z.real.max(axis=-1, keepdims=True))
    y = y / y.sum(axis=-1, keepdims=True)
    return y, lambda dy: y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def before(function):
    """x W + a number for each row, and then a function that does not see the number."""

    def forward(x, W, c):
        y, back = function(x @ W + c)

        def backward(dy):
            dz = back(dy)
            return dz @ W.T, x.T @ dz, dz.sum(axis=-1, keepdims=True)

        return y, backward

    return forward


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("function", [standardised, softmax])
@pytest.mark.parametrize("scale", [0.1, 1, 3])
def test_what_cannot_be_seen_has_a_gradient_of_rounding_and_that_is_right(function, scale, method):
    inputs = [normal(6, 3, seed=3), scale * normal(3, 4, seed=4), scale * normal(6, 1, seed=5)]
    for seed in range(5):
        assert check(before(function), inputs, method=method, seed=seed).ok


@pytest.mark.parametrize("method", METHODS)
def test_a_small_gradient_that_is_there_each_time_is_no_rounding(method):
    def forward(x, c):
        y, back = softmax(x)
        return y + 1e-6 * c, lambda dy: (back(dy), np.zeros_like(c))

    assert not check(forward, [normal(6, 4), normal(6, 4)], method=method).ok


def relu_rnn(x, state, params):
    return layers.rnn(x, state, params, cell=RNN(relu_step))


@pytest.mark.parametrize("method", [None, *METHODS])
def test_on_a_kink_there_is_no_verdict_but_beside_it(method):
    params = layers.init_rnn(np.random.default_rng(0), inputs=4, hidden=3, dtype=float)
    x, h0 = normal(5, 2, 4), np.zeros((2, 3))
    x[0] = 0
    result = check(relu_rnn, {"x": x, "state": h0, "params": params}, method=method)
    assert result.ok and "on a kink" in result.warnings[0], str(result)


def test_a_mistake_is_found_beside_a_kink():
    x = np.maximum(X, 0)
    assert not check(lambda x: (np.maximum(x, 0), lambda dy: 1.01 * dy * (x > 0)), x).ok


def test_a_kink_that_is_not_left_is_no_verdict(monkeypatch):
    monkeypatch.setattr(sys.modules["numseq.gradcheck.core"], "move_off", lambda inputs, seed: inputs)
    result = check(lambda x: (np.maximum(x, 0), lambda dy: dy * (x > 0)), np.maximum(X, 0))
    assert not result.ok and result.problems[0].startswith("no verdict: the inputs are on a kink in x")


def masked_scores(q, k):
    bias = np.where(np.arange(len(k)) < 3, 0.0, -1e9)
    s = q @ k.T + bias
    p, back = softmax(s)

    def backward(dscores, dp):
        ds = back(dp) + dscores
        return {"dq": ds @ k, "dk": ds.T @ q}

    return SimpleNamespace(scores=s, p=p, outputs=("scores", "p"), backward=backward)


@pytest.mark.parametrize("method", METHODS)
def test_scores_of_minus_a_billion_are_analytic_and_right(method):
    assert check(masked_scores, {"q": normal(3, 4), "k": normal(5, 4)}, method=method).ok


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["stack, gru", "gru, ragged", "gru_before, ragged, reversed", "rnn, ragged, reversed"])
def test_saturation_is_no_mistake(name, seed):
    case, rng = TABLE[name], np.random.default_rng(seed)
    inputs = {n: trees.map(lambda a: 5 * rng.standard_normal(a.shape), tree) for n, tree in case.inputs.items()}
    result = check(case.function, inputs)
    assert result.ok and "is not the derivative" not in str(result)


@pytest.mark.parametrize("name", ["additive_attention", "coverage_attention"])
@pytest.mark.parametrize("method", ["central", "richardson"])
def test_saturation_is_no_mistake_by_differences(name, method):
    case, rng = TABLE[name], np.random.default_rng(1)
    inputs = {n: trees.map(lambda a: 5 * rng.standard_normal(a.shape), tree) for n, tree in case.inputs.items()}
    assert check(case.function, inputs, method=method).ok


def test_the_line_that_is_not_analytic_is_named_and_differences_are_taken():
    def forward(x):
        size = np.linalg.norm(x, axis=1, keepdims=True)
        y = x / size
        return y, lambda dy: (dy - y * (dy * y).sum(axis=1, keepdims=True)) / size

    result = check(forward, X)
    assert result.ok and result.method == "richardson" and "size = np.linalg.norm" in result.warnings[0]


# inside


def test_probes_are_looked_at_and_cost_nothing_outside():
    def forward(x):
        a = probe("a", x * x)
        b = probe("b", np.tanh(a))

        def back(dy):
            db = probe("db", 3 * dy)
            da = probe("da", db * (1 - b))  # the square is missing
            return 2 * x * da

        return 3 * b, back

    result = check(forward, X)
    assert result.first_wrong == ("da", None) and [q.label for q in result.quantities] == ["db", "da"]
    value = object()
    assert probe("a", value) is value


def test_probes_in_a_loop_have_a_time_each():
    def forward(x):
        h, kept = np.zeros(3), []
        for row in x:
            h = probe("h", np.tanh(h + row))
            kept.append(h)

        def back(dy):
            dx, dh = np.zeros_like(x), dy
            for t in reversed(range(len(x))):
                dh = probe("dh", dh if t != 2 else 2 * dh)
                dx[t] = dh = dh * (1 - kept[t] ** 2)
            return dx

        return h, back

    result = check(forward, X)
    assert result.first_wrong == ("dh", 2) and [q.place.t for q in result.quantities] == [4, 3, 2, 1, 0]


def test_what_a_cache_names_is_looked_at_last_made_first():
    def forward(x):
        cache = {"a": x * x}
        cache["b"] = np.tanh(cache["a"])
        cache["c"] = np.sin(cache["b"]) + cache["a"]
        return 3 * cache["c"], cache | {"x": x}

    def back(dy, cache):
        grads = {"dc": 3 * dy}
        grads["db"] = grads["dc"] * np.cos(cache["b"])
        grads["da"] = grads["db"] * (1 - cache["b"] ** 2)  # c = sin(b) + a
        return {"dx": 2 * cache["x"] * grads["da"], "da": grads["da"], "db": grads["db"], "dc": grads["dc"]}

    result = check(forward, {"x": X}, backward=back)
    assert result.first_wrong == ("da", None) and [q.label for q in result.quantities] == ["dc", "db", "da"]


def coupled(a, c_prev):
    """An LSTM whose input gate is what the forget gate leaves."""
    s = layers.LSTMStep()
    s.c_prev, s.a = c_prev, a
    s.gates = lstm.gates(s.a)
    _, s.f, s.g, s.o = lstm.blocks(s.gates)
    s.i = 1 - s.f
    s.c = s.f * s.c_prev + s.i * s.g
    s.tanh_c = np.tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


def undo_coupled(s, dh, dc, df):
    grad = lstm.LSTMStepGrad()
    grad.dh, grad.do = dh, dh * s.tanh_c
    grad.dc = dc + dh * s.o * (1 - s.tanh_c**2)
    grad.df = df(s, grad.dc)
    grad.dg, grad.dc_prev = grad.dc * s.i, grad.dc * s.f
    parts = [0 * s.i, grad.df * s.f * (1 - s.f), grad.dg * (1 - s.g**2), grad.do * s.o * (1 - s.o)]
    grad.da = np.concatenate(parts, axis=-1)
    return grad


@pytest.mark.parametrize("right", [True, False])
def test_the_equations_of_another_step_are_not_held_against_ones_own(right):
    class Step(layers.LSTMStep):
        def backward(self, dh, dc):
            return undo_coupled(self, dh, dc, lambda s, dc: dc * (s.c_prev - s.g if right else s.c_prev))

    def step(a, c_prev):
        made = coupled(a, c_prev)
        own = Step()
        for name in ("c_prev", "a", "gates", "f", "g", "o", "i", "c", "tanh_c", "h"):
            setattr(own, name, getattr(made, name))
        own.i = 1 - own.f
        own.c = own.f * own.c_prev + own.i * own.g
        own.tanh_c = np.tanh(own.c)
        own.h = own.o * own.tanh_c
        return own

    result = check(step, TABLE["lstm_step"].inputs)
    assert result.ok == right and "should be" not in str(result) and not result.diagnosis
    if not right:
        assert result.first_wrong == ("df", None)


class Hasty(layers.LSTMStep):
    def backward(self, dh, dc):
        right, grad = layers.LSTMStep.backward(self, dh, dc), lstm.LSTMStepGrad()
        grad.df = dc * self.c_prev  # before dc has what comes by h
        grad.dh, grad.do, grad.dc, grad.di, grad.dg = right.dh, right.do, right.dc, right.di, right.dg
        grad.dc_prev = right.dc_prev
        i, f, g, o = self.i, self.f, self.g, self.o
        parts = [grad.di * i * (1 - i), grad.df * f * (1 - f), grad.dg * (1 - g**2), grad.do * o * (1 - o)]
        grad.da = np.concatenate(parts, axis=-1)
        return grad


def hasty(a, c_prev):
    s = Hasty()
    s.c_prev, s.a = c_prev, a
    s.gates = lstm.gates(s.a)
    s.i, s.f, s.g, s.o = lstm.blocks(s.gates)
    s.c = s.f * s.c_prev + s.i * s.g
    s.tanh_c = np.tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


def test_a_gradient_taken_before_what_it_is_made_of_is_whole_is_told_so():
    first = check(hasty, TABLE["lstm_step"].inputs).first
    assert first.name == "df" and first.equation.startswith("dc * c_prev")
    assert "dc is said only after it: what it is made of is not yet whole" in first.shows


def test_backpropagation_through_time_by_hand_is_told_where_in_time_it_begins():
    def by_hand(trace, dh, dfinal):
        """Each h_t gets its own gradient, the last that of the final state too, and nothing that comes back."""
        dx, dh = np.zeros_like(trace.x), dh.copy()
        dh[-1] += dfinal.h
        for t in reversed(range(len(dx))):
            da = trace.steps[t].backward(dh[t], dfinal.c if t == len(dx) - 1 else 0 * dfinal.c).da
            dx[t] = da @ trace.params.W_x.T
        right = trace.backward(dh, dfinal)
        return {"dx": dx, "dstate": right.dstate, "params": right.params}

    check_of_case = check(unpadded, TABLE["lstm"].inputs | {"undo": by_hand})
    assert check_of_case.shows["dx"][0] == "it is right at t = 5 and wrong from t = 4 back"


def unpadded(x, state, params, undo):
    """An LSTM over all steps, with somebody's backward."""
    trace = layers.lstm(x, state, params)
    outputs = {"h": trace.h, "final": trace.final}
    return SimpleNamespace(**outputs, steps=trace.steps, backward=lambda dh, dfinal: undo(trace, dh, dfinal))


def test_rows_that_are_padding_are_not_said_to_be_the_others(monkeypatch):
    right = layers.LSTMStep.backward

    def wrong(self, dh, dc):
        grad = right(self, dh, dc)
        grad.df = grad.dc * self.c
        f = slice(self.f.shape[-1], 2 * self.f.shape[-1])
        grad.da = grad.da.copy()
        grad.da[..., f] = grad.df * self.f * (1 - self.f)
        return grad

    monkeypatch.setattr(layers.LSTMStep, "backward", wrong)
    case = TABLE["lstm, ragged"]  # at t = 5 one row alone is real
    result = check(case.function, case.inputs)
    assert result.first_wrong == ("df", 5) and not any("row" in said for said in result.first.shows)


# on a GPU


@pytest.mark.parametrize("method", [None, "central", "directional"])
def test_a_whole_check_runs_on_the_device(method):
    with strict_cupy.installed() as cupy:
        put = cupy.asarray
        inputs = {name: trees.map(put, tree) for name, tree in TABLE["lstm"].inputs.items()}
        result = check(lambda **given: layers.lstm(**given, mask=put(REAL)), inputs, method=method)
        assert result.ok and (method == "directional" or len(result.quantities) == 48)

        def back(dy, cache):
            x, W, y = cache
            da = dy * (1 - y**2)
            return {"dx": da @ W.T, "dW": x.T @ dy}  # da

        def forward(x, W):
            y = cupy.tanh(x @ W)
            return y, (x, W, y)

        wrong = check(forward, {"x": put(X), "W": put(W)}, backward=back, method=method)
        assert wrong.errors["dx"] <= wrong.tolerance < wrong.errors["dW"]
