"""Write models.npz: what test_oracles.py holds whole models to, beside the standard ones of make_oracles.py.

    python tests/oracles/make_models.py

One model for each kind of decoder: the equations of numseq's docstrings in plain torch operations, gradients by
autograd. Needs PyTorch 2.13 (CPU); nothing of numseq is imported.
"""

import torch
from make_oracles import (
    BOS,
    EOS,
    PAD,
    SOURCE_LENGTHS,
    TARGET_LENGTHS,
    lengths_to_mask,
    lstm_step,
    part,
    prefixed,
    write,
)
from torch.nn import functional as F

S, T, B = 5, 6, 4
SOURCE, TARGET, E, H, A = 9, 10, 3, 4, 5  # vocabularies; embedding, hidden units, hidden units of a score
G = {"lstm": 4, "gru": 3, "rnn": 1}  # blocks of pre-activations


def step(cell, a, state, p):
    """One step of a cell; a has everything but what the state gives."""
    u = state[0] @ p["W_h"]
    if cell == "lstm":
        return lstm_step(a + u, *state)
    if cell == "rnn":
        return (torch.tanh(a + u),)
    (h,) = state  # a GRU that resets after the product
    (a_r, a_z, a_n), (u_r, u_z, u_n) = a.chunk(3, dim=-1), (u + p["b_h"]).chunk(3, dim=-1)
    r, z = torch.sigmoid(a_r + u_r), torch.sigmoid(a_z + u_z)
    return ((1 - z) * torch.tanh(a_n + r * u_n) + z * h,)


def zeros(cell, width):
    return (torch.zeros(B, width),) * (2 if cell == "lstm" else 1)


def read(cell, x, state, p, mask, reverse=False):
    """A cell over x; the state of a padded position is carried. Outputs and final state."""
    outputs = [None] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        new = step(cell, x[t] @ p["W_x"] + p["b"], state, p)
        state = tuple(torch.where(mask[t][:, None], now, old) for now, old in zip(new, state, strict=True))
        outputs[t] = state[0]
    return torch.stack(outputs), state


def encode(cell, layers, p, x, mask, plain):
    """Outputs of the top layer, and the final states of each."""
    ends = []
    for k in range(layers):
        layer = part(p, f"encoder.rnn.{k}.")
        if plain:
            x, end = read(cell, x, zeros(cell, H), layer, mask, reverse=True)
        else:
            ahead, end_ahead = read(cell, x, zeros(cell, H // 2), part(layer, "ahead."), mask)
            back, end_back = read(cell, x, zeros(cell, H // 2), part(layer, "back."), mask, reverse=True)
            x = torch.cat([ahead, back], dim=-1)
            end = tuple(torch.cat(both, dim=-1) for both in zip(end_ahead, end_back, strict=True))
        ends.append(end)
    return x, ends


def bridge(p, ends):
    first = []
    for k, end in enumerate(ends):
        b = part(p, f"decoder.bridge.{k}.")
        h = torch.tanh(end[0] @ b["h.W"] + b["h.b"])
        first.append((h, end[1] @ b["c.W"] + b["c.b"]) if len(end) == 2 else (h,))
    return first


def look(kind, query, keys, mask, p, seen):
    """Context (B, H) and weights (S, B). seen, (S, B), is how much was looked at each position so far."""
    if kind == "general":
        e = ((keys @ p["W"]) * query).sum(dim=-1)
    else:
        z = query @ p["W_q"] + keys @ p["W_k"] + p["b"]
        if kind == "coverage":
            z = z + seen[:, :, None] * p["w_c"]
        e = torch.tanh(z) @ p["w"]
    alpha = torch.softmax(e.masked_fill(~mask, -torch.inf), dim=0)
    return (alpha[:, :, None] * keys).sum(dim=0), alpha


def hidden_layer(kind, x, p):
    a = x @ p["W"] + p["b"]
    return torch.tanh(a) if kind == "tanh" else torch.maximum(a[..., 0::2], a[..., 1::2])


def plain_gru(p, batch):
    """GRU encoder-decoder with a fixed vector between them."""
    x = F.embedding(batch["source"], p["encoder.embedding.W"], padding_idx=PAD)
    y = F.embedding(batch["target_in"], p["decoder.embedding.W"], padding_idx=PAD)
    _, [end] = encode("gru", 1, p, x, batch["source_mask"], plain=True)
    h, _ = read("gru", y, end, part(p, "decoder.rnn.0."), torch.ones(T, B, dtype=bool))
    logits = h @ p["decoder.readout.W"] + p["decoder.readout.b"]
    return logits, None, cross_entropy(logits, batch)


def feeding(p, batch):
    """Luong: two LSTM layers, general attention after the step, input feeding."""
    x = F.embedding(batch["source"], p["encoder.embedding.W"], padding_idx=PAD)
    y = F.embedding(batch["target_in"], p["decoder.embedding.W"], padding_idx=PAD)
    keys, ends = encode("lstm", 2, p, x, batch["source_mask"], plain=False)
    low, high = bridge(p, ends)
    p_low, p_high, r = part(p, "decoder.rnn.0."), part(p, "decoder.rnn.1."), torch.zeros(B, H)
    said, alphas = [], []
    for t in range(T):
        low = step("lstm", y[t] @ p_low["W_x"] + r @ p["decoder.W_feed"] + p_low["b"], low, p_low)
        high = step("lstm", low[0] @ p_high["W_x"] + p_high["b"], high, p_high)
        context, alpha = look("general", high[0], keys, batch["source_mask"], part(p, "decoder.attention."), None)
        r = hidden_layer("tanh", torch.cat([high[0], context], dim=-1), part(p, "decoder.combine."))
        said.append(r)
        alphas.append(alpha.T)
    logits = torch.stack(said) @ p["decoder.readout.W"] + p["decoder.readout.b"]
    return logits, torch.stack(alphas), cross_entropy(logits, batch)


def maxout(p, batch):
    """Bahdanau's own: GRU, additive attention before the step, maxout of state, context and previous token."""
    x = F.embedding(batch["source"], p["encoder.embedding.W"], padding_idx=PAD)
    y = F.embedding(batch["target_in"], p["decoder.embedding.W"], padding_idx=PAD)
    keys, ends = encode("gru", 1, p, x, batch["source_mask"], plain=False)
    [state], cell = bridge(p, ends), part(p, "decoder.rnn.")
    logits, alphas = [], []
    for t in range(T):
        context, alpha = look("additive", state[0], keys, batch["source_mask"], part(p, "decoder.attention."), None)
        state = step("gru", y[t] @ cell["W_x"] + context @ p["decoder.W_context"] + cell["b"], state, cell)
        r = hidden_layer("maxout", torch.cat([state[0], context, y[t]], dim=-1), part(p, "decoder.combine."))
        logits.append(r @ p["decoder.readout.W"] + p["decoder.readout.b"])
        alphas.append(alpha.T)
    logits = torch.stack(logits)
    return logits, torch.stack(alphas), cross_entropy(logits, batch)


def all_tied(p, batch):
    """RNN with coverage after the step and its loss, label smoothing, and one matrix for everything."""
    W = p["decoder.embedding.W"]
    x, y = (F.embedding(batch[side], W, padding_idx=PAD) for side in ("source", "target_in"))
    keys, ends = encode("rnn", 1, p, x, batch["source_mask"], plain=False)
    [first], seen, said, alphas = bridge(p, ends), torch.zeros(S, B), [], []
    h, _ = read("rnn", y, first, part(p, "decoder.rnn.0."), torch.ones(T, B, dtype=bool))
    again = []
    for t in range(T):
        context, alpha = look("coverage", h[t], keys, batch["source_mask"], part(p, "decoder.attention."), seen)
        again.append(torch.minimum(alpha, seen).sum(dim=0))
        seen = seen + alpha
        said.append(hidden_layer("tanh", torch.cat([h[t], context], dim=-1), part(p, "decoder.combine.")))
        alphas.append(alpha.T)
    logits = torch.stack(said) @ W.T + p["decoder.readout.b"]
    loss = cross_entropy(logits, batch, label_smoothing=0.1) + 0.5 * torch.stack(again)[batch["target_mask"]].mean()
    return logits, torch.stack(alphas), loss


def cross_entropy(logits, batch, **options):
    """Mean over real tokens."""
    targets = torch.where(batch["target_mask"], batch["target_out"], -1)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-1, **options)


def cell_shapes(cell, prefix, inputs, hidden):
    width = G[cell] * hidden
    shapes = {f"{prefix}W_x": (inputs, width), f"{prefix}W_h": (hidden, width), f"{prefix}b": (width,)}
    return shapes | ({f"{prefix}b_h": (width,)} if cell == "gru" else {})


def linear_shapes(prefix, inputs, outputs):
    return {f"{prefix}W": (inputs, outputs), f"{prefix}b": (outputs,)}


def encoder_shapes(cell, layers, plain=False):
    shapes = {}
    for k in range(layers):
        for way, width in [("", H)] if plain else [("ahead.", H // 2), ("back.", H // 2)]:
            shapes |= cell_shapes(cell, f"encoder.rnn.{k}.{way}", H if k else E, width)
        if not plain:
            shapes |= linear_shapes(f"decoder.bridge.{k}.h.", H, H)
            shapes |= linear_shapes(f"decoder.bridge.{k}.c.", H, H) if cell == "lstm" else {}
    return shapes


EMBEDDINGS = {"encoder.embedding.W": (SOURCE, E), "decoder.embedding.W": (TARGET, E)}
ADDITIVE = {"W_q": (H, A), "W_k": (H, A), "b": (A,), "w": (A,)}
SHAPES = {
    plain_gru: EMBEDDINGS
    | encoder_shapes("gru", 1, plain=True)
    | cell_shapes("gru", "decoder.rnn.0.", E, H)
    | linear_shapes("decoder.readout.", H, TARGET),
    feeding: EMBEDDINGS
    | encoder_shapes("lstm", 2)
    | cell_shapes("lstm", "decoder.rnn.0.", E, H)
    | cell_shapes("lstm", "decoder.rnn.1.", H, H)
    | {"decoder.W_feed": (H, 4 * H), "decoder.attention.W": (H, H)}
    | linear_shapes("decoder.combine.", 2 * H, H)
    | linear_shapes("decoder.readout.", H, TARGET),
    maxout: EMBEDDINGS
    | encoder_shapes("gru", 1)
    | cell_shapes("gru", "decoder.rnn.", E, H)
    | {"decoder.W_context": (H, 3 * H), **{f"decoder.attention.{name}": shape for name, shape in ADDITIVE.items()}}
    | linear_shapes("decoder.combine.", 2 * H + E, 2 * H)
    | linear_shapes("decoder.readout.", H, TARGET),
    all_tied: {"decoder.embedding.W": (TARGET, E)}
    | encoder_shapes("rnn", 1)
    | cell_shapes("rnn", "decoder.rnn.0.", E, H)
    | {f"decoder.attention.{name}": shape for name, shape in (ADDITIVE | {"w_c": (A,)}).items()}
    | linear_shapes("decoder.combine.", 2 * H, E)
    | {"decoder.readout.b": (TARGET,)},
}


def ragged_batch():
    source_mask, real = lengths_to_mask(SOURCE_LENGTHS, S), lengths_to_mask(TARGET_LENGTHS, T)
    tokens = torch.where(real, torch.randint(4, TARGET, (T, B)), PAD)
    last = real & ~torch.cat([real[1:], torch.zeros(1, B, dtype=bool)])
    return {
        "source": torch.where(source_mask, torch.randint(4, SOURCE, (S, B)), PAD),
        "source_mask": source_mask,
        "target_in": torch.cat([torch.full((1, B), BOS), tokens[:-1]]).where(real, torch.tensor(PAD)),
        "target_out": torch.where(last, EOS, tokens),
        "target_mask": real,
    }


def model(function):
    p = {name: torch.randn(*shape).requires_grad_() for name, shape in SHAPES[function].items()}
    batch = ragged_batch()
    logits, alpha, loss = function(p, batch)
    loss.backward()
    arrays = p | {f"d{name}": array.grad for name, array in p.items()} | batch | {"logits": logits, "loss": loss}
    return arrays | ({} if alpha is None else {"alpha": alpha})


if __name__ == "__main__":
    torch.manual_seed(1)
    arrays = {}
    for function in SHAPES:
        arrays |= prefixed(function.__name__, model(function))
    write("models", arrays)
