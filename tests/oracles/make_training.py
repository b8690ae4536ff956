"""Write the values that test_losses_oracles.py holds numseq to. Needs PyTorch 2.13 (CPU); the tests themselves do not.

    python tests/oracles/make_training.py

Regularised losses, the sampled softmax, activations and optimisers; see make_oracles.py for how.
"""

import torch
from make_oracles import TARGET_LENGTHS, B, T, leaf, lengths_to_mask, prefixed, random, write
from torch.nn import functional as F

V, H, K = 7, 5, 4
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, weight_decay=0.3),
    "sgd_without_momentum": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.3),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
    "adamw_by_default": lambda p: torch.optim.AdamW(p),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3),
    "rmsprop_with_decay": lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3, weight_decay=0.3),
    "rmsprop_by_default": lambda p: torch.optim.RMSprop(p),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, eps=1e-3),
    "adagrad_with_decay": lambda p: torch.optim.Adagrad(p, lr=0.05, eps=1e-3, weight_decay=0.3),
    "adagrad_by_default": lambda p: torch.optim.Adagrad(p),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.3),
    "adadelta_by_default": lambda p: torch.optim.Adadelta(p),
}


def losses():
    """Of logits (T, B, V): smoothing by F.cross_entropy, the penalty by its equation, both together."""
    values, targets, mask = 2 * random(T, B, V), torch.randint(0, V, (T, B)), lengths_to_mask(TARGET_LENGTHS, T)
    kept = torch.where(mask, targets, -1).reshape(-1)
    arrays = {"logits": values, "targets": targets, "mask": mask}
    for name, eps, beta in (("smoothing", 0.1, 0), ("penalty", 0, 0.7), ("both", 0.3, 0.2)):
        logits = values.clone().requires_grad_()
        loss = F.cross_entropy(logits.reshape(-1, V), kept, ignore_index=-1, label_smoothing=eps)
        log_p = torch.log_softmax(logits, dim=-1)
        entropy = -(log_p.exp() * log_p).sum(dim=-1)
        loss = loss - beta * entropy[mask].mean()
        loss.backward()
        arrays |= prefixed(name, {"loss": loss, "entropy": entropy * mask, "dlogits": logits.grad})
    nll = F.cross_entropy(values.reshape(-1, V), kept, ignore_index=-1, reduction="none")
    return arrays | {"nll": nll.reshape(T, B)}


def sampled():
    """The equations of numseq.layers.losses.sampled, a row at a time."""
    inputs = {"x": leaf(T, B, H), "W": leaf(H, V), "b": leaf(V)}
    x, W, b = inputs.values()
    targets, mask = torch.randint(0, V, (T, B)), lengths_to_mask(TARGET_LENGTHS, T)
    samples, log_q = torch.tensor([2, 5, 2, 0]), random(V)
    losses = []
    for t, row in mask.nonzero().tolist():
        target = targets[t, row].item()
        ids = [target, *(k for k in samples.tolist() if k != target)]
        logits = x[t, row] @ W[:, ids] + b[ids] - log_q[ids]
        losses.append(F.cross_entropy(logits, torch.tensor(0)))
    loss = torch.stack(losses).mean()
    loss.backward()
    grads = {f"d{name}": array.grad for name, array in inputs.items()}
    return inputs | grads | {"targets": targets, "mask": mask, "samples": samples, "log_q": log_q, "loss": loss}


def activations():
    arrays = {}
    for name, function in (("relu", torch.relu), ("maxout", lambda x: x.unflatten(-1, (3, 2)).amax(dim=-1))):
        x = leaf(T, B, 6)
        y = function(x)
        dy = random(y.shape)
        (dy * y).sum().backward()
        arrays |= prefixed(name, {"x": x, "y": y, "dy": dy, "dx": x.grad})
    return arrays


def optimizers():
    """Five steps on given gradients, of each optimiser."""
    shapes = {"W": (3, 4), "b": (4,)}
    start = {name: random(shape) for name, shape in shapes.items()}
    grads = [{name: random(shape) for name, shape in shapes.items()} for _ in range(5)]
    arrays = prefixed("start", start)
    for k, grad in enumerate(grads):
        arrays |= prefixed(f"grad{k}", grad)
    for name, make in OPTIMIZERS.items():
        params = {key: array.clone().requires_grad_() for key, array in start.items()}
        optimizer = make(params.values())
        for grad in grads:
            for key, array in params.items():
                array.grad = grad[key].clone()
            optimizer.step()
        arrays |= prefixed(name, params)
    return arrays


if __name__ == "__main__":
    write(
        "training",
        prefixed("loss", losses())
        | prefixed("sampled", sampled())
        | activations()
        | prefixed("optimizer", optimizers()),
    )
