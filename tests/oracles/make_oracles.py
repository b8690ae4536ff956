"""Write the values that test_oracles.py holds numseq to. Needs PyTorch 2.13 (CPU); the tests themselves do not.

    python tests/oracles/make_oracles.py

PyTorch's own modules where it has them; else the equations of numseq's docstrings in plain torch operations, with the
gradients by autograd. Nothing of numseq is imported. Each file holds two arrays: `names` ("name size size ...") and
`values`, all arrays one after the other in float64.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(0)
S, T, B, D, H = 5, 6, 4, 3, 2
SOURCE_LENGTHS, TARGET_LENGTHS = [3, 5, 1, 4], [6, 2, 4, 3]
PAD, BOS, EOS = 0, 2, 3
random = torch.randn


def write(name, arrays):
    arrays = {key: torch.as_tensor(array).detach().double().numpy() for key, array in arrays.items()}
    names = [" ".join([key, *map(str, array.shape)]) for key, array in arrays.items()]
    values = np.concatenate([array.reshape(-1) for array in arrays.values()])
    np.savez_compressed(Path(__file__).with_name(f"{name}.npz"), names=np.array(names), values=values)


def prefixed(prefix, arrays):
    return {f"{prefix}/{key}": array for key, array in arrays.items()}


def leaf(*shape):
    return random(*shape).requires_grad_()


def lengths_to_mask(lengths, steps):
    return torch.arange(steps)[:, None] < torch.tensor(lengths)


def lstm(layers, bidirectional, lengths=None):
    """nn.LSTM: outputs, final states, and gradients of a random weighting of all of them."""
    module = nn.LSTM(D, H, num_layers=layers, bidirectional=bidirectional)
    for weight in module.parameters():
        nn.init.normal_(weight)
    first = layers * (1 + bidirectional)
    inputs = {"x": leaf(T, B, D), "h0": leaf(first, B, H), "c0": leaf(first, B, H)}
    x = inputs["x"]
    if lengths is not None:
        x = pack_padded_sequence(x, lengths, enforce_sorted=False)
    h, (h_T, c_T) = module(x, (inputs["h0"], inputs["c0"]))
    if lengths is not None:
        h, _ = pad_packed_sequence(h, total_length=T)
    outputs = {"h": h, "h_T": h_T, "c_T": c_T}
    weights = {f"d{name}": random(output.shape) for name, output in outputs.items()}
    sum((weights[f"d{name}"] * output).sum() for name, output in outputs.items()).backward()
    parameters = dict(module.named_parameters())
    grads = {f"d{name}": array.grad for name, array in (inputs | parameters).items()}
    mask = {} if lengths is None else {"mask": lengths_to_mask(lengths, T)}
    return inputs | parameters | outputs | weights | grads | mask


def embedding():
    module = nn.Embedding(7, D, padding_idx=PAD)
    ids, dy = torch.randint(0, 5, (T, B)), random(T, B, D)
    y = module(ids)
    (dy * y).sum().backward()
    return {"W": module.weight, "ids": ids, "y": y, "dy": dy, "dW": module.weight.grad}


def cross_entropy():
    logits, targets, mask = leaf(T, B, 7), torch.randint(0, 7, (T, B)), lengths_to_mask(TARGET_LENGTHS, T)
    kept = torch.where(mask, targets, -1).reshape(-1)
    flat = logits.reshape(-1, 7)
    loss = F.cross_entropy(flat, kept, ignore_index=-1)
    loss.backward()
    nll = F.cross_entropy(flat, kept, ignore_index=-1, reduction="none").reshape(T, B)
    return {
        "logits": logits,
        "targets": targets,
        "mask": mask,
        "loss": loss,
        "nll": nll,
        "dlogits": logits.grad,
    }


def attend(query, values, mask, p):
    """query (B, Q), values (S, B, C): context (B, C) and weights (B, S)."""
    scores = torch.tanh(query @ p["W_q"] + values @ p["W_k"] + p["b"]) @ p["w"]
    alpha = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=0)
    return (alpha[:, :, None] * values).sum(dim=0), alpha.T


# the encoder-decoders


def part(params, prefix):
    return {name.removeprefix(prefix): array for name, array in params.items() if name.startswith(prefix)}


def lstm_step(a, h, c):
    i, f, g, o = a.chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def read(x, h, c, p, mask=None, reverse=False):
    """An LSTM over x (T, B, D) that carries the state of a padded position."""
    states = [None] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        new_h, new_c = lstm_step(x[t] @ p["W_x"] + h @ p["W_h"] + p["b"], h, c)
        real = torch.ones(x.shape[1], 1, dtype=bool) if mask is None else mask[t][:, None]
        h, c = torch.where(real, new_h, h), torch.where(real, new_c, c)
        states[t] = h
    return torch.stack(states), h, c


def forward(kind, layers, p, batch, masks):
    """The loss, from the equations of numseq.models.encoder, .plain and .attentive."""
    x = F.embedding(batch["source"], p["encoder.embedding.W"], padding_idx=PAD) * masks["source"]
    ends = []
    for k in range(layers):
        if k:
            x = x * masks[f"encoder.{k - 1}"]
        layer = part(p, f"encoder.rnn.{k}.")
        if kind == "plain":
            zero = torch.zeros(B, len(layer["W_h"]))
            x, h, c = read(x, zero, zero, layer, batch["source_mask"], reverse=True)
        else:
            zero = torch.zeros(B, len(layer["ahead.W_h"]))
            ahead, h_ahead, c_ahead = read(x, zero, zero, part(layer, "ahead."), batch["source_mask"])
            back, h_back, c_back = read(x, zero, zero, part(layer, "back."), batch["source_mask"], reverse=True)
            x, h, c = (torch.cat(both, dim=-1) for both in ((ahead, back), (h_ahead, h_back), (c_ahead, c_back)))
        ends.append((h, c))

    y = F.embedding(batch["target_in"], p["decoder.embedding.W"], padding_idx=PAD) * masks["target"]
    if kind == "plain":
        for k, (h, c) in enumerate(ends):
            y = y * masks[f"decoder.{k - 1}"] if k else y
            y = read(y, h, c, part(p, f"decoder.rnn.{k}."))[0]
        r = y
    else:
        first = []
        for k, (h, c) in enumerate(ends):
            b = part(p, f"decoder.bridge.{k}.")
            first.append((torch.tanh(h @ b["h.W"] + b["h.b"]), c @ b["c.W"] + b["c.b"]))
        cell, looking = part(p, "decoder.rnn."), part(p, "decoder.attention.")
        (h, c), states, contexts = first[0], [], []
        for step in y:
            context, _ = attend(h, x, batch["source_mask"], looking)
            a = step @ cell["W_x"] + context @ p["decoder.W_context"] + h @ cell["W_h"] + cell["b"]
            h, c = lstm_step(a, h, c)
            states.append(h)
            contexts.append(context)
        r = torch.stack(states)
        for k in range(1, layers):
            r = read(r * masks[f"decoder.{k - 1}"], *first[k], part(p, f"decoder.upper.{k - 1}."))[0]
        both = torch.cat([r, torch.stack(contexts)], dim=-1)
        r = torch.tanh(both @ p["decoder.combine.W"] + p["decoder.combine.b"])
    logits = (r * masks["readout"]) @ p["decoder.readout.W"] + p["decoder.readout.b"]
    targets = torch.where(batch["target_mask"], batch["target_out"], -1)
    return logits, F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-1)


def model_shapes(kind, layers, source, target, E, H, A):
    def cell(prefix, inputs, hidden):
        return {f"{prefix}W_x": (inputs, 4 * hidden), f"{prefix}W_h": (hidden, 4 * hidden), f"{prefix}b": (4 * hidden,)}

    def linear(prefix, inputs, outputs):
        return {f"{prefix}W": (inputs, outputs), f"{prefix}b": (outputs,)}

    shapes = {"encoder.embedding.W": (source, E), "decoder.embedding.W": (target, E)}
    for k in range(layers):
        below = H if k else E
        if kind == "plain":
            shapes |= cell(f"encoder.rnn.{k}.", below, H) | cell(f"decoder.rnn.{k}.", below, H)
        else:
            shapes |= cell(f"encoder.rnn.{k}.ahead.", below, H // 2) | cell(f"encoder.rnn.{k}.back.", below, H // 2)
            shapes |= linear(f"decoder.bridge.{k}.h.", H, H) | linear(f"decoder.bridge.{k}.c.", H, H)
            shapes |= cell(f"decoder.upper.{k - 1}." if k else "decoder.rnn.", below, H)
    if kind == "attention":
        a = "decoder.attention."
        shapes |= {f"{a}W_q": (H, A), f"{a}W_k": (H, A), f"{a}b": (A,), f"{a}w": (A,), "decoder.W_context": (H, 4 * H)}
        shapes |= linear("decoder.combine.", 2 * H, H)
    return shapes | linear("decoder.readout.", H, target)


def model(kind, layers):
    """Two layers with dropout, one without."""
    source, target, E, H, A = 9, 10, 3, 4, 5
    p = {name: leaf(*shape) for name, shape in model_shapes(kind, layers, source, target, E, H, A).items()}
    source_mask, real = lengths_to_mask(SOURCE_LENGTHS, S), lengths_to_mask(TARGET_LENGTHS, T)
    tokens = torch.where(real, torch.randint(4, target, (T, B)), PAD)
    last = real & ~torch.cat([real[1:], torch.zeros(1, B, dtype=bool)])
    batch = {
        "source": torch.where(source_mask, torch.randint(4, source, (S, B)), PAD),
        "source_mask": source_mask,
        "target_in": torch.cat([torch.full((1, B), BOS), tokens[:-1]]).where(real, torch.tensor(PAD)),
        "target_out": torch.where(last, EOS, tokens),
        "target_mask": real,
    }
    shapes = {"source": (S, B, E), "target": (T, B, E), "readout": (T, B, H)}
    shapes |= {f"encoder.{k}": (S, B, H) for k in range(layers - 1)}
    shapes |= {f"decoder.{k}": (T, B, H) for k in range(layers - 1)}
    masks = {
        name: 2.0 * torch.randint(0, 2, shape) if layers > 1 else torch.ones(shape) for name, shape in shapes.items()
    }
    logits, loss = forward(kind, layers, p, batch, masks)
    loss.backward()
    arrays = p | {f"d{name}": array.grad for name, array in p.items()} | batch
    arrays |= {f"mask/{name}": mask for name, mask in masks.items()} if layers > 1 else {}
    return arrays | {"logits": logits, "loss": loss}


def optimizers():
    """Five steps on given gradients, of each optimiser; then the clipping of the first gradients."""
    shapes = {"W": (3, 4), "b": (4,)}
    start = {name: random(shape) for name, shape in shapes.items()}
    grads = [{name: random(shape) for name, shape in shapes.items()} for _ in range(5)]
    arrays = prefixed("start", start)
    for k, grad in enumerate(grads):
        arrays |= prefixed(f"grad{k}", grad)
    makers = {
        "adam": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3),
        "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8),
    }
    for name, make in makers.items():
        params = {key: array.clone().requires_grad_() for key, array in start.items()}
        optimizer = make(params.values())
        for grad in grads:
            for key, array in params.items():
                array.grad = grad[key].clone()
            optimizer.step()
        arrays |= prefixed(name, params)
    for key, array in params.items():
        array.grad = grads[0][key].clone()
    norm = nn.utils.clip_grad_norm_(params.values(), 0.7)
    return arrays | {"norm": norm} | prefixed("clipped", {key: array.grad for key, array in params.items()})


if __name__ == "__main__":
    write(
        "lstm",
        prefixed("one", lstm(1, False))
        | prefixed("bi", lstm(1, True))
        | prefixed("bi2", lstm(2, True))
        | prefixed("ragged", lstm(1, False, SOURCE_LENGTHS[:3] + [T]))
        | prefixed("ragged_bi2", lstm(2, True, TARGET_LENGTHS)),
    )
    write("layers", prefixed("embedding", embedding()) | prefixed("loss", cross_entropy()))
    for kind in ("plain", "attention"):
        for layers in (1, 2):
            write(f"{kind}_{layers}", model(kind, layers))
    write("optimizers", optimizers())
