"""Random calls of numseq's layers, and random models: (name, function, inputs, options of the check)."""

from types import SimpleNamespace

import numpy as np
from random_code import drawn_scale, some

from numseq import layers
from numseq import params as trees
from numseq.errors import ConfigError
from numseq.layers import activations
from numseq.models import Seq2Seq, Seq2SeqConfig, draw_noise, forward
from numseq.models.config import PARTS, READOUTS, TIED
from numseq.models.registry import ATTENTIONS, CELLS

BIASES = ("b", "b_h", "b_q", "b_k", "b_v", "b_o")


def size(rng, most=4):
    return int(rng.integers(1, most + 1))


def sometimes(rng, value, share=0.5):
    return value if rng.random() < share else None


def numbers(rng):
    """A function of a shape that draws numbers of one scale, or each array of a scale of its own."""
    scale, own = drawn_scale(rng), rng.random() < 0.5
    return lambda *shape: some(rng, shape, drawn_scale(rng) if own else scale)


def mask(rng, *shape):
    """None, real steps first, or holes, at times a row without anything."""
    kind = rng.random()
    if kind < 0.3:
        return None
    if kind < 0.6:
        return np.arange(shape[0])[:, None] < rng.integers(0 if kind < 0.4 else 1, shape[0] + 1, shape[1])
    return rng.random(shape) < 0.6


def redrawn(draw, tree):
    return trees.map(lambda leaf: draw(*leaf.shape), tree)


# recurrent layers


def cell_params(rng, cell, inputs, hidden):
    params = cell.init(rng, inputs, hidden, float)
    if hasattr(params, "b_h"):
        params.b_h = sometimes(rng, np.zeros(params.b.shape), 0.4)
        if rng.random() < 0.2:
            params.b = params.b_h = None
    return params


def state(draw, cell, zeros, *shape):
    return cell.State(*(0 * np.ones(shape) if zeros else draw(*shape) for _ in cell.State._fields))


def zoneout(rng, cell, *shape):
    parts = cell.State._fields
    kind = rng.random()
    if kind < 0.5:
        return None
    return tuple((rng.random(shape) < 0.6).astype(float) if kind < 0.8 else float(rng.random()) for _ in parts)


def recurrent(rng):
    """A stack of one to three layers, of one direction or both."""
    name = str(rng.choice(list(CELLS)))
    cell, draw = CELLS[name], numbers(rng)
    depth, T, B, H, D = int(rng.choice([1, 1, 2, 3])), size(rng, 5), size(rng, 3), size(rng, 3), size(rng, 3)
    if rng.random() < 0.1:
        depth, T = 1, 20  # so many steps that rounding can grow
    both, alike = rng.random() < 0.4, rng.random() < 0.5
    ways: tuple = (2,) if both else ()
    wide = H * (2 if both else 1)
    widths = [wide if alike else D] + [wide] * (depth - 1)
    params = [
        layers.BidirectionalParams(*(cell_params(rng, cell, width, H) for _ in range(2)))
        if both
        else cell_params(rng, cell, width, H)
        for width in widths
    ]
    if both:
        for each in params:  # both directions have the same biases
            if hasattr(each.ahead, "b_h"):
                each.back.b, each.back.b_h = (None if b is None else b.copy() for b in (each.ahead.b, each.ahead.b_h))
    matrices = [(*ways, *(each.ahead if both else each).W_h.shape) for each in params]
    inputs = {"x": draw(T, B, widths[0]), "params": redrawn(draw, params)}
    if rng.random() < 0.7:
        zeros = rng.random() < 0.2
        inputs["state"] = [state(draw, cell, zeros, *ways, B, H) for _ in params]
    given = {
        "mask": mask(rng, T, B),
        "zoneout": [zoneout(rng, cell, T, *ways, B, H) for _ in params],
        "weight_masks": [layers.dropout_mask(rng, shape, 0.4, float) for shape in matrices]
        if rng.random() < 0.3
        else None,
    }
    masks = [layers.dropout_mask(rng, (int(rng.choice([1, T])), B, wide), 0.4, float) for _ in params[1:]]
    given |= {"residual": bool(rng.random() < 0.5), "dropout_masks": sometimes(rng, masks)}
    given |= {} if both else {"reverse": bool(rng.random() < 0.4)}

    def stacked(x, params, state=None):
        return layers.stack(x, state, params, cell=cell, **given)

    return f"{name} x {depth}, {'both ways' if both else 'one way'}", stacked, inputs, {}


def step(rng):
    """One step of a cell, as a sequence of one."""
    name = str(rng.choice(list(CELLS)))
    cell, draw, B, H, D = CELLS[name], numbers(rng), size(rng, 3), size(rng), size(rng)
    params = redrawn(draw, cell_params(rng, cell, D, H))
    inputs = {"x": draw(1, B, D), "state": state(draw, cell, rng.random() < 0.2, B, H), "params": params}
    return f"{name}, a step", lambda x, state, params: layers.sequence(x, state, params, cell=cell), inputs, {}


# attentions


def attention(rng):
    name = str(rng.choice([name for name in ATTENTIONS if name != "none"]))
    kind, draw = ATTENTIONS[name], numbers(rng)
    T, S, B, D = size(rng), size(rng, 5), size(rng, 3), size(rng)
    heads = size(rng, 2)
    A = heads * size(rng, 2)
    params = kind.init(rng, D, D, A, float)
    for b in BIASES:
        if hasattr(params, b) and rng.random() < 0.4:
            width = D if b == "b_o" else A
            setattr(params, b, sometimes(rng, np.zeros(width)))
    made_with = {"heads": heads, "window": float(rng.choice([1, 1.5, 3]))}
    options = {option: made_with[option] for option in kind.options}
    real = mask(rng, S, B)
    inputs = {"query": draw(T, B, D), "keys": draw(S, B, D), "values": draw(S, B, D)}
    inputs |= {} if params is None else {"params": redrawn(draw, params)}

    def look(query, keys, values, params=None):
        return layers.attend(kind(keys, values, params, real, **options), query)

    return f"attention {name}", look, inputs, {"outputs": sometimes(rng, ("context",), 0.3)}


# the others


class Atom:
    """A trace of an activation."""

    outputs = ("y",)

    def __init__(self, y, back):
        self.y, self._back = y, back

    def backward(self, dy):
        return {"dx": self._back(dy, self.y)}


def activation(rng):
    name = str(rng.choice(["sigmoid", "tanh", "relu", "softmax", "log_softmax"]))
    function, back = getattr(activations, name), getattr(activations, f"{name}_backward")
    x = numbers(rng)(*(size(rng) for _ in range(size(rng, 3))))
    if rng.random() < 0.3:  # on kinks, and beside them
        x = x * (rng.random(x.shape) < 0.7) + 1e-6 * rng.standard_normal(x.shape) * (rng.random(x.shape) < 0.3)
    return name, lambda x: Atom(function(x), back), {"x": x}, {}


def weights(rng, draw, T, B):
    """Of the tokens in a loss: none given, a mask with something real, or numbers."""
    kind = rng.random()
    if kind < 0.3:
        return None
    if kind < 0.7:
        real = rng.random((T, B)) < 0.6
        real[0, 0] = True
        return real
    return draw(T, B)


def loss(rng):
    draw, T, B, V = numbers(rng), size(rng), size(rng, 3), size(rng, 6)
    kind, counts = rng.random(), weights(rng, draw, T, B)
    targets = rng.integers(0, V, (T, B))
    if kind < 0.4:
        smoothing, penalty = float(rng.choice([0, 0.3])), float(rng.choice([0, 0.7]))
        function = lambda logits: layers.cross_entropy(logits, targets, counts, smoothing, penalty)  # noqa: E731
        return f"cross_entropy {smoothing, penalty}", function, {"logits": draw(T, B, V)}, {}
    if kind < 0.7:
        V += 2
        samples, log_q = layers.log_uniform(rng, V, size(rng, V - 1), float)
        D = size(rng)
        params = layers.LinearParams(draw(D, V), sometimes(rng, draw(V)))
        function = lambda x, params: layers.sampled_cross_entropy(x, targets, params, samples, log_q, counts)  # noqa: E731
        return "sampled_cross_entropy", function, {"x": draw(T, B, D), "params": params}, {}
    alpha = layers.softmax(draw(T, B, V))
    return "coverage_loss", lambda alpha: layers.coverage_loss(alpha, counts), {"alpha": alpha}, {}


def other(rng):
    draw, shape = numbers(rng), tuple(size(rng) for _ in range(size(rng, 3)))
    D, K, kind = shape[-1], size(rng), int(rng.integers(5))
    if kind == 0:
        params = layers.LinearParams(draw(D, K), sometimes(rng, draw(K)))
        return "linear", layers.linear, {"x": draw(*shape), "params": params}, {}
    if kind == 1:
        return (
            "layer_norm",
            layers.layer_norm,
            {"x": draw(*shape), "params": layers.LayerNormParams(draw(D), draw(D))},
            {},
        )
    if kind == 2:
        return "maxout", layers.maxout, {"x": draw(*shape[:-1], 2 * D)}, {}
    if kind == 3:
        ids, padding = rng.integers(0, D, shape), sometimes(rng, 0, 0.3)
        if padding is not None and (ids == 0).any():
            padding = None  # its row has a gradient that is said to be 0: an option, and no derivative
        function = lambda params: layers.embedding(ids, params, padding_id=padding)  # noqa: E731
        return "embedding", function, {"params": layers.EmbeddingParams(draw(D, K))}, {}
    x = draw(size(rng), *shape[-2:], *([2] if len(shape) == 1 else []))
    of = (x.shape, (1, *x.shape[1:]), (*x.shape[:-1], 1))[rng.integers(3)]
    drop = layers.dropout_mask(rng, of, 0.4, float)
    return "dropout", lambda x: layers.dropout(x, drop), {"x": x}, {}


def layer(rng):
    """A random call of a layer."""
    made = (recurrent, recurrent, step, attention, attention, activation, loss, other)[rng.integers(8)]
    name, function, inputs, options = made(rng)
    smooth = not any(word in name for word in ("relu", "maxout", "local", "coverage_loss"))
    return f"layer {name}", function, inputs, options, True, smooth


# models


def config(rng):
    """A configuration that is allowed, of options drawn from all."""
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    while True:
        parts = {kind: str(rng.choice(list(found))) for kind, found in PARTS.items()}
        tied = str(rng.choice(TIED))
        heads, V = pick(1, 2), pick(6, 8)
        said = {
            "source_vocabulary": pick(V, 7), "target_vocabulary": V, "embedding": pick(1, 2, 3),
            "hidden": pick(1, 2, 4),
            "attention_size": heads * pick(1, 2), "heads": heads, "window": pick(1, 2), "layers": pick(1, 1, 2, 3),
            "residual": pick(False, True), "readout": pick(*READOUTS), "readout_context": pick(True, True, False),
            "readout_embedding": pick(False, True), "tied": tied, "dropout": pick(0.0, 0.3),
            "variational": pick(False, True), "word_dropout": pick(0.0, 0.2), "weight_drop": pick(0.0, 0.3),
            "zoneout": pick(0.0, 0.3), "samples": pick(0, 0, 3), "label_smoothing": pick(0.0, 0.1),
            "confidence_penalty": pick(0.0, 0.2), "coverage_loss": pick(0.0, 0.7),
        }  # fmt: skip
        try:
            return Seq2SeqConfig(**said | parts)
        except ConfigError:
            continue


def with_copies(rng, batch, V):
    """The same batch with words to copy, of which some are in the vocabulary; V is the other one, which targets have
    where their source has it."""
    copies = rng.integers(1, V + 1, batch.source.shape)
    there = ((copies == V) & batch.source_mask).any(axis=0)

    targets = {name: getattr(batch, name) for name in ("target_in", "target_out")}
    targets = {name: np.where((ids == V - 1) & there, V, ids) for name, ids in targets.items()}
    return SimpleNamespace(**vars(batch) | targets | {"copies": copies})


def model(rng):
    """A random model on a random batch with padding, in training or in evaluation."""
    made, S, T, B = config(rng), size(rng), size(rng), size(rng, 3)
    real = np.arange(S)[:, None] < rng.integers(1, S + 1, B)
    target = np.arange(T)[:, None] < rng.integers(1, T + 1, B)
    if rng.random() < 0.3:
        real, target = rng.random((S, B)) < 0.7, rng.random((T, B)) < 0.7
        target[0, 0] = True

    def ids(vocabulary, where):
        """Padding, 0, stands behind the last real one alone: what is read has an id of its own."""
        within = np.logical_or.accumulate(where[::-1])[::-1]
        return np.where(within, rng.integers(1, vocabulary, where.shape), 0)

    batch = SimpleNamespace(
        source=ids(made.source_vocabulary, real),
        source_mask=real,
        target_in=ids(made.target_vocabulary, target),
        target_out=ids(made.target_vocabulary, target),
        target_mask=target,
        copies=None,
    )
    if made.copies:
        batch = with_copies(rng, batch, made.target_vocabulary)
    params = redrawn(numbers(rng), Seq2Seq.create(made, dtype=np.float64).params)
    noise = draw_noise(made, params, batch, 0) if made.samples or rng.random() < 0.7 else None
    kinked = made.cell == "rnn-relu" or made.readout == "maxout" or "local" in made.attention or made.coverage_loss
    kinked = kinked or not all(made.recurrent)  # blocks of self-attention have a relu
    name = f"model {made.decoder}, {made.attention}, {made.cell} x {made.layers}, {made.readout}"
    return name, lambda params: forward(params, batch, made, noise), {"params": params}, {}, True, not kinked
