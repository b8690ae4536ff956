"""Cases of the recurrent cells: one step, a sequence, both directions, a stack; and of layer normalisation."""

from functools import partial

import numpy as np

from numseq import layers
from numseq import params as trees
from numseq.gradcheck.cases.case import REAL, A, B, Case, D, H, T, rescaled
from numseq.layers.gru import RESET_BEFORE
from numseq.layers.rnn import RELU

CELLS = {  # by the names of their equations: (cell, hidden units, what is covered)
    "lstm": (layers.LSTM(), H, ("lstm",)),
    "rnn": (layers.RNN(), H, ("rnn", "RNN")),
    "relu_rnn": (RELU, H, ("rnn",)),
    "gru": (layers.GRU(), H, ("gru", "GRU")),
    "gru_before": (RESET_BEFORE, H, ("gru",)),
    "peephole": (layers.PeepholeLSTM(), H, ("peephole_lstm", "PeepholeLSTM")),
    # two numbers with their mean taken out have but one thing to say, so here there are twice as many
    "layernorm_lstm": (layers.LayerNormLSTM(), 2 * H, ("layernorm_lstm", "LayerNormLSTM")),
}
RUN = {"relu_rnn": layers.rnn, "gru_before": layers.gru, "peephole": layers.peephole_lstm}  # others: as their names
CLEAR = 1e-3  # a hundred times the step of a central difference


class WithWeights:
    """The record of a step whose backward asks for weights, with these at hand."""

    def __init__(self, equations, trace, **weights):
        self.equations, self.trace, self.weights = equations, trace, weights
        self.outputs = trace.outputs

    def __getattr__(self, name):
        return vars(self)["weights"].get(name) if name in vars(self)["weights"] else getattr(self.trace, name)

    def backward(self, **upstream):
        return self.trace.backward(**upstream, **self.weights)


def cases(rng):
    table = {}
    _steps(table, rng.standard_normal)
    for name in CELLS:
        _sequences(table, name, rng)
    _noise(table, rng)
    for name in CELLS:
        _both_ways(table, name, rng)
        _stacks(table, name, rng)
    table["layer_norm"] = Case(
        layers.layer_norm,
        {"x": rng.standard_normal((T, B, A)), "params": rescaled(rng, layers.init_layer_norm(rng, A, float))},
        ("layer_norm",),
    )
    return table


def _steps(table, normal):
    def step(name, sizes, covers, function=None):
        inputs = {argument: normal((B, size)) for argument, size in sizes.items()}
        table[name] = Case(function or getattr(layers, name), inputs, (name, *covers))

    step("lstm_step", {"a": 4 * H, "c_prev": H}, ("LSTMStep", "LSTM"))
    step("rnn_step", {"a": H}, ("RNNStep",))
    step("relu_step", {"a": H}, ("ReLUStep",))
    step("gru_step", {"a": 3 * H, "u": H, "h_prev": H}, ("GRUStep",))
    U_n = normal((H, H))
    step(
        "gru_before_step",
        {"a": 3 * H, "h_prev": H},
        ("GRUBeforeStep",),
        lambda a, h_prev: WithWeights("gru_before_step", layers.gru_before_step(a, h_prev, U_n), U_n=U_n),
    )
    peepholes = layers.PeepholeParams(None, None, None, normal(H), normal(H), normal(H))
    step(
        "peephole_step",
        {"a": 4 * H, "c_prev": H},
        ("PeepholeStep",),
        lambda a, c_prev: WithWeights("peephole_step", layers.peephole_step(a, c_prev, peepholes), peepholes=peepholes),
    )
    wide = 2 * H
    gains = layers.LayerNormLSTMParams(None, None, None, None, normal(4 * wide), normal(wide), None)
    step(
        "layernorm_lstm_step",
        {"a": 5 * wide, "q": 4 * wide, "c_prev": wide},
        ("LayerNormLSTMStep",),
        lambda a, q, c_prev: WithWeights(
            "layernorm_lstm_step", layers.layernorm_lstm_step(a, q, c_prev, gains), gains=gains
        ),
    )


def _sequences(table, name, rng):
    cell, hidden, covers = CELLS[name]
    function = RUN.get(name) or getattr(layers, name)
    params = rescaled(rng, cell.init(rng, D, hidden, float))
    inputs = {"x": rng.standard_normal((T, B, D)), **_states(cell, (B, hidden), rng), "params": params}
    options = {"": {}, ", ragged": {"mask": REAL}, ", ragged, reversed": {"mask": REAL, "reverse": True}}
    for what, given in options.items():
        table[name + what] = _clear_of_kinks(
            rng, _call(function, cell=cell, **given), inputs, (*covers, "RecurrentTrace")
        )


def _noise(table, rng):
    """Zoneout, in training and in evaluation, and weight-drop, each alone."""
    cell = layers.LSTM()
    params = rescaled(rng, layers.init_lstm(rng, D, H, float))
    inputs = {"x": rng.standard_normal((T, B, D)), **_states(cell, (B, H), rng), "params": params}
    for name, options in (
        ("zoneout", {"zoneout": _zoneout(rng, cell, (T, B, H))}),
        ("zoneout, evaluation", {"zoneout": (0.7, 0.4)}),
        ("weight_drop", {"weight_mask": _drop(rng, (H, 4 * H))}),
    ):
        table[name] = Case(_call(layers.sequence, cell=cell, mask=REAL, **options), inputs, ("sequence",))


def _both_ways(table, name, rng):
    cell, hidden, _ = CELLS[name]
    inputs = {
        "x": rng.standard_normal((T, B, D)),
        **_states(cell, (2, B, hidden), rng),
        "params": rescaled(rng, layers.init_bidirectional(rng, D, hidden, float, cell)),
    }
    function = _call(layers.bidirectional, **_without(cell), mask=REAL, cell=cell)
    own = "" if name == "lstm" else f", {name}"
    table[f"bidirectional{own}"] = _clear_of_kinks(rng, function, inputs, ("bidirectional",))


def _stacks(table, name, rng):
    """Two layers of both directions; with everything that a stack can have, over fewer steps and rows, since each of
    many parameters costs a run, and where the layers are wide one direction will do."""
    cell, hidden, _ = CELLS[name]
    if name == "lstm":
        between = [layers.dropout_mask(rng, (T, B, 2 * H), 0.4, float)]
        table["stack"] = Case(
            _call(layers.stack, mask=REAL, dropout_masks=between), _deep(cell, (T, B), (2,), H, rng), ("stack",)
        )
    ways, real = (2,) if hidden == H else (), REAL[: T - 2, : B - 3]
    inputs = _deep(cell, real.shape, ways, hidden, rng)
    drawn = trees.leaves(inputs["params"][1])[1]  # a W_h
    function = _call(
        layers.stack,
        **_without(cell),
        mask=real,
        dropout_masks=[layers.dropout_mask(rng, (*real.shape, 2 * H), 0.4, float)],  # either way as wide
        cell=cell,
        residual=True,
        zoneout=[_zoneout(rng, cell, (len(real), *ways, real.shape[1], hidden)), None],
        weight_masks=[None, _drop(rng, (*ways, *drawn.shape))],
    )
    table[f"stack, {name}"] = _clear_of_kinks(rng, function, inputs, ("stack",))


def _deep(cell, shape, ways, hidden, rng):
    """Inputs of two layers over x of a shape (T, B), with ways (2,) for both directions or () for one."""
    first = _states(cell, (2, *ways, shape[1], hidden), rng)
    init = partial(layers.init_bidirectional, cell=cell) if ways else cell.init
    params = [rescaled(rng, init(rng, size, hidden, float)) for size in (D, 2 * H)]
    return {"x": rng.standard_normal((*shape, D)), **first, "params": params}


def _call(function, **options):
    """The function with these options, waiting for its inputs."""
    return lambda **inputs: function(**inputs, **options)


def _states(cell, shape, rng):
    """The first states that a cell has, under their names as inputs."""
    return {f"{state}0": rng.standard_normal(shape) for state in cell.states}


def _without(cell):
    """What else the functions that take any cell want to be told."""
    return {} if "c" in cell.states else {"c0": None}


def _zoneout(rng, cell, shape):
    """For each state, 1 where a unit takes its new value and 0 where it keeps the old one."""
    return tuple((rng.random(shape) < 0.6).astype(float) for _ in cell.states)


def _drop(rng, shape):
    """A mask of recurrent matrices that leaves something of each."""
    while not (mask := layers.dropout_mask(rng, shape, 0.4, float)).any(axis=(-2, -1)).all():
        pass
    return mask


def _clear_of_kinks(rng, function, inputs, covers):
    """A case with no pre-activation of a relu so close to 0 that a central difference would reach over its kink, with
    no gradient that is 0 because all of the units are off, and with no vector so even that normalising it is steep."""
    while _nearest_kink(trace := function(**inputs)) < CLEAR or _off(trace):
        inputs = {name: rescaled(rng, tree) for name, tree in inputs.items()}
    again = np.random.default_rng(0)
    while _smallest_std(function(**inputs)) < 0.3:
        inputs = {name: rescaled(again, tree) for name, tree in inputs.items()}
    return Case(function, inputs, covers)


def _nearest_kink(trace):
    return min((np.abs(run.a).min() for run in _relus(trace)), default=np.inf)


def _off(trace):
    return bool(_relus(trace)) and not all(leaf.any() for leaf in trees.leaves(trace.backward(trace.h).params))


def _smallest_std(trace):
    steps = [run.steps for run in _runs(trace) if isinstance(run.cell, layers.LayerNormLSTM)]
    return min((min(s.c_std.min(), s.q_std.min()) for s in steps), default=np.inf)


def _relus(trace):
    return [run for run in _runs(trace) if run.cell is RELU]


def _runs(trace):
    return [layer.run for layer in getattr(trace, "layers", [trace])]
