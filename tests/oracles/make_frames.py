"""Write frames.npz: what test_frames.py holds layers and losses of frames to.

    python tests/oracles/make_frames.py

PyTorch's own losses where it has them; the prenet, the pyramid and doubly stochastic attention from their papers'
equations in plain torch operations, row by row, with the gradients by autograd. Needs PyTorch 2.13 (CPU); nothing of
numseq is imported.
"""

import torch
from make_oracles import TARGET_LENGTHS, B, D, S, T, leaf, lengths_to_mask, prefixed, random, write
from torch.nn import functional as F

SOURCE_LENGTHS = [3, 5, 1, 4]
mask, source_mask = lengths_to_mask(TARGET_LENGTHS, T), lengths_to_mask(SOURCE_LENGTHS, S)


def errors():
    """Only the real frames are handed to PyTorch."""
    frames, target = leaf(T, B, D), random(T, B, D)
    arrays = {"frames": frames, "target": target, "mask": mask}
    for name, function in (("squared", F.mse_loss), ("absolute", F.l1_loss)):
        loss = function(frames[mask], target[mask])
        arrays |= prefixed(name, {"loss": loss, "dframes": torch.autograd.grad(loss, frames)[0]})
    return arrays


def stop():
    logits, last = leaf(T, B), torch.zeros(T, B)
    last[torch.tensor(TARGET_LENGTHS) - 1, torch.arange(B)] = 1
    arrays = {"logits": logits, "last": last, "mask": mask}
    for name, weight in (("plain", 1.0), ("weighed", 7.0)):
        kept = logits[mask], last[mask]
        loss = F.binary_cross_entropy_with_logits(*kept, pos_weight=torch.tensor(weight))
        arrays |= prefixed(name, {"loss": loss, "dlogits": torch.autograd.grad(loss, logits)[0]})
    return arrays


def doubly():
    """Each row alone, with its own steps and places."""
    alpha, rows = torch.softmax(random(T, B, S), dim=-1).requires_grad_(), []
    for b, (steps, places) in enumerate(zip(TARGET_LENGTHS, SOURCE_LENGTHS, strict=True)):
        rows.append(sum((1 - sum(alpha[t, b, s] for t in range(steps))) ** 2 for s in range(places)))
    loss = sum(rows) / B
    loss.backward()
    return {"alpha": alpha, "steps": mask, "mask": source_mask, "loss": loss, "dalpha": alpha.grad}


def stacked():
    """Row by row: zeros behind the last real frame, and n frames side by side."""
    x, arrays = leaf(S, B, D), {}
    for n in (1, 2, 3):
        places = -(-S // n)
        y = torch.zeros(places, B, n * D)
        for b, length in enumerate(SOURCE_LENGTHS):
            frames = F.pad(x[:length, b], (0, 0, 0, places * n - length))
            y[:, b] = frames.reshape(places, n * D)
        dy = random(y.shape)
        (dx,) = torch.autograd.grad((dy * y).sum(), x)
        arrays |= prefixed(f"{n}", {"y": y, "dy": dy, "dx": dx})
    return arrays | {"x": x, "mask": source_mask}


def prenet():
    inner, outer, rate = 7, 6, 0.5
    inputs = {
        "x": leaf(T, B, D), "W_1": leaf(D, inner), "b_1": leaf(inner), "W_2": leaf(inner, outer), "b_2": leaf(outer),
    }  # fmt: skip
    m_1, m_2 = ((torch.rand(T, B, n) >= rate) / (1 - rate) for n in (inner, outer))
    x, W_1, b_1, W_2, b_2 = inputs.values()
    y = F.relu((F.relu(x @ W_1 + b_1) * m_1) @ W_2 + b_2) * m_2
    dy = random(y.shape)
    (dy * y).sum().backward()
    grads = {f"d{name}": array.grad for name, array in inputs.items()}
    return inputs | grads | {"m_1": m_1, "m_2": m_2, "y": y, "dy": dy}


if __name__ == "__main__":
    torch.manual_seed(5)
    write(
        "frames",
        prefixed("errors", errors())
        | prefixed("stop", stop())
        | prefixed("doubly", doubly())
        | prefixed("stacked", stacked())
        | prefixed("prenet", prenet()),
    )
