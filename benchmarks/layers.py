"""Layers alone, forward and backward, against PyTorch's own (and the embedding's gradient against `np.add.at`).

python -m benchmarks.layers [--json F]
"""

import numpy as np
import torch
from torch import nn

from benchmarks.timing import arguments, describe, in_turn, row, write
from numseq.backend import keep_freed_memory, scatter_add_rows
from numseq.layers import additive_attention, cross_entropy, ctc_loss, init_attention, init_lstm, lstm

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def close(ours, theirs, tolerance=2e-4):
    """float32 sums over thousands of terms in another order agree to a few 1e-5 of the largest."""
    theirs = theirs.detach().numpy()
    assert np.abs(ours - theirs).max() < tolerance * np.abs(theirs).max()


def lstm_sides(T, B, D, H):
    params = init_lstm(rng, D, H, np.float32)
    x, dh = normal(T, B, D), normal(T, B, H)
    peer = nn.LSTM(D, H)
    with torch.no_grad():
        peer.weight_ih_l0.copy_(torch.tensor(params.W_x.T))
        peer.weight_hh_l0.copy_(torch.tensor(params.W_h.T))
        peer.bias_ih_l0.copy_(torch.tensor(params.b))
        peer.bias_hh_l0.zero_()
    x_, dh_ = torch.tensor(x, requires_grad=True), torch.tensor(dh)

    def ours():
        return lstm(x, None, params).backward(dh)

    def theirs():
        peer.zero_grad()
        x_.grad = None
        peer(x_)[0].backward(dh_)

    theirs()
    grad = ours()
    close(grad.dx, x_.grad)
    close(grad.params.W_h, peer.weight_hh_l0.grad.T)
    return {"numseq": ours, "torch": theirs}


def embedding_sides(V, D, N):
    ids, dy = rng.integers(0, V, size=N), normal(N, D)

    def add_at():
        out = np.zeros((V, D), np.float32)
        np.add.at(out, ids, dy)
        return out

    weight = torch.zeros(V, D, requires_grad=True)
    ids_, dy_ = torch.tensor(ids), torch.tensor(dy)

    def theirs():
        weight.grad = None
        nn.functional.embedding(ids_, weight).backward(dy_)

    assert np.allclose(scatter_add_rows(V, ids, dy), add_at(), atol=1e-5)
    return {"numseq": lambda: scatter_add_rows(V, ids, dy), "np.add.at": add_at, "torch": theirs}


def cross_entropy_sides(N, V):
    logits, targets = normal(N, V), rng.integers(0, V, size=N)
    logits_, targets_ = torch.tensor(logits, requires_grad=True), torch.tensor(targets)

    def theirs():
        logits_.grad = None
        nn.functional.cross_entropy(logits_, targets_).backward()

    theirs()
    close(cross_entropy(logits, targets).backward().dlogits, logits_.grad)
    return {"numseq": lambda: cross_entropy(logits, targets).backward(), "torch": theirs}


def attention_sides(T, S, B, H):
    params = init_attention(rng, H, H, H, np.float32)
    query, values, dcontext = normal(T, B, H), normal(S, B, H), normal(T, B, H)
    p = {name: torch.tensor(getattr(params, name), requires_grad=True) for name in ("W_q", "W_k", "b", "w")}
    query_, values_ = (torch.tensor(x, requires_grad=True) for x in (query, values))
    dcontext_ = torch.tensor(dcontext)

    def theirs():
        for leaf in (*p.values(), query_, values_):
            leaf.grad = None
        keys = values_ @ p["W_k"] + p["b"]
        steps = []
        for q in query_:  # a decoder's queries come one by one, for numseq likewise
            e = (torch.tanh(q @ p["W_q"] + keys) @ p["w"]).T
            steps.append(torch.bmm(e.softmax(-1)[:, None], values_.transpose(0, 1))[:, 0])
        torch.stack(steps).backward(dcontext_)

    def ours():
        return additive_attention(query, values, values, params).backward(dcontext)

    theirs()
    grad = ours()
    close(grad.dkeys + grad.dvalues, values_.grad)
    close(grad.params.W_q, p["W_q"].grad)
    return {"numseq": ours, "torch": theirs}


def ctc_sides(S, B, T, V):
    logits, targets = normal(S, B, V), rng.integers(1, V, size=(T, B))
    frames, lengths = np.linspace(0.7 * S, S, B).astype(int), np.linspace(T, 0.7 * T, B).astype(int)
    mask, target_mask = np.arange(S)[:, None] < frames, np.arange(T)[:, None] < lengths
    logits_ = torch.tensor(logits, requires_grad=True)
    given = torch.tensor(targets.T.copy()), torch.tensor(frames), torch.tensor(lengths)

    def ours():
        return ctc_loss(logits, targets, target_mask, mask=mask).backward()

    def theirs():
        logits_.grad = None
        logp = nn.functional.log_softmax(logits_, dim=-1)
        nll = nn.functional.ctc_loss(logp, *given, reduction="sum", zero_infinity=True)
        (nll / lengths.sum()).backward()

    theirs()
    close(ours().dlogits, logits_.grad, tolerance=1e-2)  # in float32 PyTorch's is off by so much
    return {"numseq": ours, "torch": theirs}


CASES = [
    ("LSTM", "T 30 B 64 D 128 H 256", lstm_sides, (30, 64, 128, 256)),
    ("LSTM", "T 30 B 64 D 64 H 64", lstm_sides, (30, 64, 64, 64)),
    ("embedding gradient", "V 20000 D 256 ids 1920", embedding_sides, (20_000, 256, 1920)),
    ("cross-entropy", "N 960 V 8000", cross_entropy_sides, (960, 8000)),
    ("CTC", "S 400 B 32 T 60 V 30", ctc_sides, (400, 32, 60, 30)),
    ("CTC", "S 100 B 16 T 30 V 30", ctc_sides, (100, 16, 30, 30)),
    ("additive attention", "T 15 S 15 B 64 H 256", attention_sides, (15, 15, 64, 256)),
]


def main():
    options = arguments(__doc__.splitlines()[0])
    describe()
    keep_freed_memory()
    rows = []
    for name, shape, sides, sizes in CASES:
        both = sides(*sizes)
        times = in_turn(both, options.rounds)
        rows += [row(name, shape, peer, times) for peer in both if peer != "numseq"]
    write(options.json, rows)


if __name__ == "__main__":
    main()
