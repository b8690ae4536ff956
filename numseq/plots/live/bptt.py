"""The film of backpropagation through time: a gradient on its way back through the cells, in an RNN and in an LSTM."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.backend import asarray, to_numpy
from numseq.errors import ArgumentError
from numseq.layers import LSTM, RNN, sequence
from numseq.layers.init import Initializer
from numseq.plots.figure import COLOURS, figure_class, positive
from numseq.plots.fonts import drawable
from numseq.plots.live.picture import LivePicture
from numseq.studies.flow import norms, state_gradients

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 200  # steps that a drawing has room for


def bptt(
    lengths: Sequence[int] = (10, 20, 40),
    forget_biases: Sequence[float] = (-2, 0, 1, 3, 6),
    *,
    inputs: int = 4,
    hidden: int = 16,
    rows: int = 8,
    seed: int = 0,
    title: str | None = None,
) -> LivePicture:
    """The film of backpropagation through time. The loss reads the last state alone; from there the gradient goes back
    through the unrolled cells, and arrows are as wide as its norm, on a logarithmic scale: in an RNN that of h_t, in an
    LSTM of the same sizes those of h_t and c_t.

    Equations: those of `numseq.studies.flow`; all norms are relative to |dL/dh_{T-1}|, the mean over rows of the batch.
    The forget bias is what the LSTM's b_f begins with: the gate is near sigma of it, and dc_{t-1} = dc_t * f_t plus
    what comes by h.

    Everything is computed here: for each length, and of the LSTM for each forget bias, one forward and one backward
    pass on first values (`RNN.init`, `LSTM.init`) and on the same random input.

    Args: lengths, of sequences. forget_biases. inputs, hidden, rows: D, H and B. seed: of the input and the first
        values. title.
    Returns: a LivePicture.
    Raises: ArgumentError, for a length below 2 or above 200, or where there is no length or no bias.
    Source: Hochreiter 1991; Pascanu et al. 2013, section 2; Gers et al. 2000 (the forget gate); Jozefowicz et al. 2015
        (its bias).
    """
    lengths = [arguments.whole(T, "a length", least=2, most=LONGEST) for T in arguments.listed(lengths, "lengths", "")]
    biases = [arguments.number(b, "a forget bias") for b in arguments.listed(forget_biases, "forget_biases", "")]
    if not lengths or not biases:
        raise ArgumentError("lengths and forget_biases must have at least one number each")
    sizes = {name: arguments.whole(n, name, least=1) for name, n in (("inputs", inputs), ("hidden", hidden))}
    rows, seed = arguments.whole(rows, "rows", least=1), arguments.whole(seed, "seed", least=0)
    title = arguments.text(title or "Backpropagation through time: an RNN beside an LSTM", "title")

    draw = np.random.default_rng(seed)
    x = asarray(draw.standard_normal((max(lengths), rows, sizes["inputs"])))
    last = draw.standard_normal((rows, sizes["hidden"]))
    dlast = asarray(last / np.linalg.norm(last, axis=1, keepdims=True))  # dL/dh at the last step, of norm 1

    def way_back(cell, T, bias=1.0):
        params = cell.init(
            np.random.default_rng([seed, 1]), **sizes, dtype="float64", initializer=Initializer(forget_bias=bias)
        )
        trace = sequence(x[:T], None, params, cell=cell)
        dh = 0 * trace.h
        dh[-1] = dlast
        return trace, state_gradients(trace, dh)

    data: dict[str, Any] = {"title": title, "lengths": lengths, "biases": biases, "sizes": [*sizes.values(), rows]}
    data["rnn"], data["lstm"] = [], []
    for T in lengths:
        _, back = way_back(RNN(), T)
        data["rnn"].append({"dh": norms(back.dh)})
        data["lstm"].append([])
        for bias in biases:
            trace, back = way_back(LSTM(), T, bias)
            f = to_numpy(trace.f.mean(axis=(1, 2)))
            data["lstm"][-1].append({"dh": norms(back.dh), "dc": norms(back.dc), "f": f})
    data = {name: _on_host(part) for name, part in data.items()}
    return LivePicture("bptt", data, lambda: _still(data), title)


def _on_host(part):
    if isinstance(part, dict):
        return {name: to_numpy(values) for name, values in part.items()}
    return [_on_host(one) for one in part] if isinstance(part, list) else part


def _still(data) -> "Figure":
    """The norms of the longest sequence, over steps."""
    k = int(np.argmax(data["lengths"]))
    figure = figure_class()(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.semilogy(positive(data["rnn"][k]["dh"]), color="black", linestyle="--", label="RNN, dh")
    for bias, one, colour in zip(data["biases"], data["lstm"][k], COLOURS * len(data["biases"]), strict=False):
        axes.semilogy(positive(one["dc"]), color=colour, label=f"LSTM, dc, forget bias {bias:g}")
    axes.set_xlabel("time step t; the loss reads the last one")
    axes.set_ylabel("norm, relative to dh at the last step")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    [(heading, family)] = drawable([data["title"]])
    axes.set_title(heading[0], family=family, parse_math=False, fontsize=11)
    return figure
