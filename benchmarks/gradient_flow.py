"""Gradient flow of RNN, GRU and LSTM on the copy-memory task: the pictures and figures of docs/gradient-flow.md.

python -m benchmarks.gradient_flow [--to docs/images] [--updates 300]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from numseq import plots
from numseq.layers import GRU, LSTM, RNN, sequence
from numseq.studies.copy_memory import CopyMemory, chrono_biases, copy_memory, init_copy, train_copy
from numseq.studies.flow import gate_saturation, kept_share, norms
from numseq.training.optimizers import SGD, Adam

TASK, STANDARD = CopyMemory(blanks=100, length=1), CopyMemory(blanks=100, length=10)
HIDDEN, ROWS = 64, 32
CELLS = {"RNN": RNN(), "GRU": GRU(), "LSTM": LSTM()}
MODELS = {  # label to cell, and how its first values differ from numseq's own
    "RNN, radius 0.9": ("RNN", 0.9),
    "RNN, radius 1": ("RNN", 1.0),
    "RNN, radius 1.5": ("RNN", 1.5),
    "GRU": ("GRU", None),
    "GRU, chrono": ("GRU", "chrono"),
    "LSTM, forget bias 1": ("LSTM", None),
    "LSTM, forget bias 3": ("LSTM", 3.0),
    "LSTM, chrono": ("LSTM", "chrono"),
}
CLIPS = {"no clipping": None, "clipped at norm 1": 1.0}
SHOWN = ("RNN, radius 1", "GRU, chrono", "LSTM, forget bias 3", "LSTM, chrono")  # whose gates are drawn


def start(task, kind, how, seed=1):
    """First parameters: numseq's own, but the recurrent matrix of an RNN times its radius, the bias of an LSTM's forget
    gate, or chrono biases for times up to the task's length."""
    rng = np.random.default_rng(seed)
    params = init_copy(rng, task, CELLS[kind], HIDDEN)
    if how == "chrono":
        params.rnn = chrono_biases(params.rnn, task.steps, rng)
    elif kind == "RNN":
        params.rnn.W_h *= np.float32(how)
    elif how is not None:
        params.rnn.b[HIDDEN : 2 * HIDDEN] = how  # f of i, f, g, o
    return params


def flow(task, kind, how, params, radius=None):
    """Norms at distance 0, 1, ... from the first loss, relative to that at 0: {"h": lines, "c": lines}, with lines as
    `plots.gradient_flow` takes them. radius: of an RNN's matrix, when that is orthogonal but for it."""
    trace = copy_memory(task.batch(np.random.default_rng(2), ROWS), params, CELLS[kind])
    states, at = trace.state_gradients(), task.recall
    measured = {"h": states.dh} if states.dc is None else {"h": states.dh, "c": states.dc}
    theory = dict.fromkeys(measured, (None, None))
    if kind == "RNN" and radius:
        k, slope = np.arange(at + 1.0), np.sqrt(np.mean((1 - trace.rnn.h[1 : at + 1] ** 2) ** 2))
        theory["h"] = (radius**k, (radius * slope) ** k)
    elif kind == "GRU":
        theory["h"] = (back(states.dh[at] * kept_share(trace.rnn.z, at), at), None)
    elif kind == "LSTM":
        theory["c"] = (back(states.dc[at] * kept_share(trace.rnn.f, at), at), None)
    lines = {name: (back(gradient, at), *theory[name]) for name, gradient in measured.items()}
    return lines, gate_saturation(trace.rnn)


def flow_at_start(task, kind, how):
    """The same, of first parameters."""
    return flow(task, kind, how, start(task, kind, how), radius=how if kind == "RNN" else None)


def back(gradient, at):
    """The norms from step `at` backwards, relative to the first of them."""
    values = norms(gradient)[at::-1]
    return values / values[0]


def by_block(how):
    """What of the gradient by an LSTM's cell at distance 100 is left when one block of W_h is made 0."""
    for block, k in (("none", None), *zip("ifgo", range(4), strict=True)):
        params = start(TASK, "LSTM", how)
        if k is not None:
            params.rnn.W_h[:, k * HIDDEN : (k + 1) * HIDDEN] = 0
        measured, carousel, _ = flow(TASK, "LSTM", how, params)[0]["c"]
        print(f"  without block {block:<5} dL/dc at 100: {measured[100]:.1e}   carousel: {carousel[100]:.1e}")


def latched(kind, params, early=10, late=60):
    """Is the memory a place that states fall back to, or what they happen to be?

    Returns: how far apart two symbols' states h are at step `late`, and how far a state is there from where it would
    have been, had c, or h in a cell without c, not been moved by a distance of 0.1 at step `early`. Means of both.
    """
    rng, cell = np.random.default_rng(2), CELLS[kind]
    batch = TASK.batch(rng, ROWS)
    trace = copy_memory(batch, params, cell).rnn
    symbols = np.unique(batch.source[0], return_index=True)[1]  # one row of each: nothing else is drawn
    of_symbol = trace.h[late, symbols]
    apart = np.linalg.norm(of_symbol[:, None] - of_symbol, axis=-1)[np.triu_indices(len(symbols), 1)].mean()
    *parts, moved = (getattr(trace, part)[early] for part in cell.State._fields)
    way = rng.standard_normal(moved.shape).astype(moved.dtype)
    moved = moved + 0.1 * way / np.linalg.norm(way, axis=-1, keepdims=True)
    again = sequence(trace.x[early + 1 : late + 1], (*parts, moved), params.rnn, cell=cell)
    return apart, np.linalg.norm(again.final.h - trace.h[late], axis=-1).mean()


def clipping(optimizer, radius, lr, clip, updates):
    """Three runs of an RNN that differ in their seed."""
    return [
        train_copy(TASK, CELLS["RNN"], start(TASK, "RNN", radius, seed), updates, 16, lr, clip, optimizer, seed)
        for seed in (1, 2, 3)
    ]


def panels(flows):
    """Lines by cell and state, as `plots.gradient_flow` takes them."""
    found = {"RNN: dL/dh": {}, "GRU: dL/dh": {}, "LSTM: dL/dh": {}, "LSTM: dL/dc": {}}
    for label, lines in flows.items():
        for name, line in lines.items():
            found[f"{MODELS[label][0]}: dL/d{name}"][label] = line
    return found


def report(heading, flows):
    print(f"\n{heading}: norm relative to distance 0, and theory")
    for label, lines in flows.items():
        for name, (measured, *theories) in lines.items():
            said = "".join(f"   theory at 100: {theory[100]:.1e}" for theory in theories if theory is not None)
            figures = " ".join(f"{k}: {measured[k]:.1e}" for k in (1, 10, 50, 100))
            print(f"  {label:<20} dL/d{name}  {figures}{said}", flush=True)


def pictures(folder, updates):
    """Measure, print and draw everything."""
    began = time.perf_counter()
    first, trained, saturated = {}, {}, ({}, {})
    report(
        "ten symbols, at initialisation",
        {label: flow_at_start(STANDARD, *model)[0] for label, model in MODELS.items()},
    )
    radii = {f"RNN, radius {r}": ("RNN", r) for r in (1.1, 1.2, 1.3, 2.0)}
    report("one symbol, more radii", {label: flow_at_start(TASK, *m)[0] for label, m in radii.items()})
    for how in (None, 3.0):
        print(f"\nLSTM, forget bias {how or 1}, one symbol")
        by_block(how)
    print(f"\none symbol, {updates} updates with Adam, clipped at norm 1")
    for label, (kind, how) in MODELS.items():
        first[label], before = flow_at_start(TASK, kind, how)
        run = train_copy(TASK, CELLS[kind], start(TASK, kind, how), updates, rows=16, lr=5e-3, clip=1.0)
        trained[label], after = flow(TASK, kind, how, run.params)
        if label in SHOWN:
            saturated[0][label], saturated[1][label] = before, after
        apart, left = latched(kind, run.params)
        print(
            f"  {label:<20} loss {run.loss[0]:.2f}, then {run.loss[-20:].mean():.3f} (chance {TASK.chance:.2f}); "
            f"at step 60 symbols are {apart:.1e} apart, of a push of 0.1 there is {left:.1e} left",
            flush=True,
        )
    report("one symbol, at initialisation", first)
    report(f"one symbol, after {updates} updates", trained)
    rows = {"at initialisation": panels(first), f"after {updates} updates": panels(trained)}
    theories = ("λᵏ; product of z; product of f", "(λ s)ᵏ, s: mean slope of tanh")
    plots.save(plots.gradient_flow(rows, theories=theories), folder / "gradient-flow.png")
    rows = dict(zip(rows, saturated, strict=True))
    plots.save(plots.saturation(rows), folder / "gradient-flow-gates.png")

    clipped = {}
    for optimizer, radius, lr in ((SGD, 1.2, 0.03), (SGD, 1.5, 0.1), (Adam, 1.2, 0.003)):
        name = f"{optimizer.__name__}, λ = {radius}, step {lr}"
        with np.errstate(over="ignore", invalid="ignore"):  # a run that explodes is what is to be seen
            clipped[name] = {label: clipping(optimizer, radius, lr, clip, updates) for label, clip in CLIPS.items()}
        for label, runs in clipped[name].items():
            print(f"{name}, {label}: loss of the last 20 updates, largest norm, updates made")
            for run in runs:
                made = int(np.isfinite(run.norm).sum())
                print(f"  {run.loss[:made][-20:].mean():.2f}  {run.norm[:made].max():.1e}  {made}", flush=True)
    plots.save(plots.updates(clipped, chance=TASK.chance), folder / "gradient-flow-clipping.png")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=Path("docs/images"), help="the folder of the pictures")
    parser.add_argument("--updates", type=int, default=300, help="of each training run")
    arguments = parser.parse_args()
    pictures(arguments.to, arguments.updates)
