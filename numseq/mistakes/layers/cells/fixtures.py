"""Fixtures of the recurrent cells: one step, a sequence, both directions, a stack, and noise."""

from functools import partial
from itertools import chain

from numseq import layers
from numseq import params as trees
from numseq.mistakes.fixtures import DRAWS, REAL, B, Case, D, H, T, call, fit, rescaled
from numseq.mistakes.kinks import is_off, least_std, nearest_kink

CLEAR = 2e-2  # twenty times the longest step of a difference, Richardson's, which may grow on its way


def step(rng, function, sizes, covers, **options):
    """A case of one step, from arrays of these sizes."""
    return Case(
        call(function, **options), {name: rng.standard_normal((B, size)) for name, size in sizes.items()}, covers
    )


def recurrent(rng, known):
    """The cases of a cell over a sequence, in both directions, and stacked. known, its `sequence.Recurrence`."""
    name = known.name
    both = "bidirectional" if name == "lstm" else f"bidirectional, {name}"
    stacks = {"stack": _two_layers(rng)} if name == "lstm" else {}
    return _sequences(rng, known) | {both: _both_ways(rng, known)} | stacks | {f"stack, {name}": _stack(rng, known)}


def _sequences(rng, known):
    params = rescaled(rng, known.cell.init(rng, D, known.hidden, float))
    inputs = {
        "x": rng.standard_normal((T, B, D)),
        "state": first_state(known.cell, (B, known.hidden), rng),
        "params": params,
    }
    options = {"": {}, ", ragged": {"mask": REAL}, ", ragged, reversed": {"mask": REAL, "reverse": True}}
    return {
        known.name + what: _clear_of_kinks(rng, call(known.function, cell=known.cell, **given), inputs, known.covers)
        for what, given in options.items()
    }


def noise(rng, cell):
    """Zoneout, in training and in evaluation, and weight-drop, each alone."""
    params = rescaled(rng, cell.init(rng, D, H, float))
    inputs = {"x": rng.standard_normal((T, B, D)), "state": first_state(cell, (B, H), rng), "params": params}
    options = {
        "zoneout": {"zoneout": zoned_out(rng, cell, (T, B, H))},
        "zoneout, evaluation": {"zoneout": (0.7, 0.4)},
        "weight_drop": {"weight_mask": dropped_weights(rng, params.W_h.shape)},
    }
    return {
        name: Case(call(layers.sequence, cell=cell, mask=REAL, **given), inputs, ("sequence",))
        for name, given in options.items()
    }


def _both_ways(rng, known):
    inputs = {
        "x": rng.standard_normal((T, B, D)),
        "state": first_state(known.cell, (2, B, known.hidden), rng),
        "params": rescaled(rng, layers.init_bidirectional(rng, D, known.hidden, float, known.cell)),
    }
    return _clear_of_kinks(rng, call(layers.bidirectional, mask=REAL, cell=known.cell), inputs, ("bidirectional",))


def _two_layers(rng):
    """Two layers of both directions of an LSTM, with dropout between them."""
    between = [layers.dropout_mask(rng, (T, B, 2 * H), 0.4, float)]
    inputs = _deep(layers.LSTM(), (T, B), (2,), H, rng)
    return Case(call(layers.stack, mask=REAL, dropout_masks=between), inputs, ("stack",))


def _stack(rng, known):
    """Two layers with everything that a stack can have, over fewer steps and rows, since each of many parameters costs
    a run; where the layers are wide one direction will do."""
    cell, hidden = known.cell, known.hidden
    ways, real = (2,) if hidden == H else (), REAL[: T - 2, : B - 3]
    inputs = _deep(cell, real.shape, ways, hidden, rng)
    drawn = trees.leaves(inputs["params"][1])[1]  # a W_h
    function = call(
        layers.stack,
        mask=real,
        dropout_masks=[layers.dropout_mask(rng, (*real.shape, 2 * H), 0.4, float)],  # either way as wide
        cell=cell,
        residual=True,
        zoneout=[zoned_out(rng, cell, (len(real), *ways, real.shape[1], hidden)), None],
        weight_masks=[None, dropped_weights(rng, (*ways, *drawn.shape))],
    )
    return _clear_of_kinks(rng, function, inputs, ("stack",))


def _deep(cell, shape, ways, hidden, rng):
    """Inputs of two layers over x of a shape (T, B), with ways (2,) for both directions or () for one."""
    state = [first_state(cell, (*ways, shape[1], hidden), rng) for _ in range(2)]
    init = partial(layers.init_bidirectional, cell=cell) if ways else cell.init
    params = [rescaled(rng, init(rng, size, hidden, float)) for size in (D, 2 * H)]
    return {"x": rng.standard_normal((*shape, D)), "state": state, "params": params}


def first_state(cell, shape, rng):
    """A first state of a cell, of a shape."""
    return cell.State(*(rng.standard_normal(shape) for _ in cell.State._fields))


def zoned_out(rng, cell, shape):
    """For each part of the state, 1 where a unit takes its new value and 0 where it keeps the old one."""
    return tuple((rng.random(shape) < 0.6).astype(float) for _ in cell.State._fields)


def dropped_weights(rng, shape):
    """A mask of recurrent matrices that leaves something of each."""
    for _ in range(DRAWS):
        mask = layers.dropout_mask(rng, shape, 0.4, float)
        if mask.any(axis=(-2, -1)).all():
            break
    return mask


def _clear_of_kinks(rng, function, inputs, covers):
    """A case with no pre-activation of a relu so close to 0 that a difference would reach over its kink, with no
    gradient that is 0 because all of the units are off, nor many so, and with no vector so even that normalising it is
    steep."""
    others = iter(lambda: {name: rescaled(rng, tree) for name, tree in inputs.items()}, None)
    drawn = chain([inputs], others)
    draw = lambda: Case(function, next(drawn), covers)  # noqa: E731
    return fit(draw, lambda trace: least_std(trace) > 0.3 and nearest_kink(trace) > CLEAR and not is_off(trace))
