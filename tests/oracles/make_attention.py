"""Write the values that test_attention_oracles.py holds numseq to. Needs PyTorch 2.13 (CPU); the tests do not.

    python tests/oracles/make_attention.py

PyTorch's own attention where it has one; else the papers' equations in plain torch operations, query by query, row by
row and position by position, with the gradients by autograd. Nothing of numseq is imported. The file is as those of
make_oracles.py.
"""

import torch
from make_oracles import SOURCE_LENGTHS, TARGET_LENGTHS, B, S, T, leaf, lengths_to_mask, prefixed, write
from torch import nn
from torch.nn import functional as F

Q, K, C, A = 7, 3, 8, 9  # query, keys, values, attention
MASK = lengths_to_mask(SOURCE_LENGTHS, S)


def finished(inputs, outputs, mask=MASK):
    """Everything that the test reads: gradients are those of a random weighting of all outputs."""
    weights = {f"d{name}": torch.randn(output.shape) for name, output in outputs.items()}
    sum((weights[f"d{name}"] * output).sum() for name, output in outputs.items()).backward()
    grads = {f"d{name}": array.grad for name, array in inputs.items()}
    return inputs | outputs | weights | grads | ({} if mask is None else {"mask": mask})


def multihead(packed, bias=True):
    """nn.MultiheadAttention: packed weights for inputs of one width, or keys and values of widths of their own."""
    size, heads = 6, 3
    widths = {} if packed else {"kdim": K, "vdim": C}
    module = nn.MultiheadAttention(size, heads, bias=bias, **widths)
    for weight in module.parameters():
        nn.init.normal_(weight)
    inputs = {"query": leaf(T, B, size)}
    inputs |= {"keys": leaf(S, B, size if packed else K), "values": leaf(S, B, size if packed else C)}
    context, alpha = module(*inputs.values(), key_padding_mask=~MASK.T)
    outputs = {"context": context, "alpha": alpha.transpose(0, 1)}
    return finished(inputs | dict(module.named_parameters()), outputs)


def dot(scaled):
    """F.scaled_dot_product_attention, which gives no weights: those are one more softmax."""
    inputs = {"query": leaf(T, B, K), "keys": leaf(S, B, K), "values": leaf(S, B, C)}
    query, keys, values = (array.transpose(0, 1) for array in inputs.values())  # rows first
    scale = K**-0.5 if scaled else 1.0
    context = F.scaled_dot_product_attention(query, keys, values, attn_mask=MASK.T[:, None], scale=scale)
    scores = (scale * query @ keys.transpose(1, 2)).masked_fill(~MASK.T[:, None], -torch.inf)
    outputs = {"context": context.transpose(0, 1), "alpha": torch.softmax(scores, dim=-1).transpose(0, 1)}
    return finished(inputs, outputs)


def by_hand(look, params, queries=Q):
    """An attention given as look(q, keys, values, p, carried), of one query and one row's real positions alone: weights
    and what is carried."""
    inputs = {"query": leaf(T, B, queries), "keys": leaf(S, B, K), "values": leaf(S, B, C)}
    p = {name: leaf(*shape) for name, shape in params.items()}
    contexts, alphas = [], []
    for b, length in enumerate(SOURCE_LENGTHS):
        keys, values = inputs["keys"][:length, b], inputs["values"][:length, b]
        carried, context_b, alpha_b = torch.zeros(length), [], []
        for t in range(T):
            alpha, carried = look(inputs["query"][t, b], keys, p, carried)
            context_b.append(sum(alpha[j] * values[j] for j in range(length)))
            alpha_b.append(torch.cat([alpha, torch.zeros(S - length)]))
        contexts.append(torch.stack(context_b))
        alphas.append(torch.stack(alpha_b))
    outputs = {"context": torch.stack(contexts, dim=1), "alpha": torch.stack(alphas, dim=1)}
    return finished(inputs | p, outputs)


def additive(q, keys, p, added=None):
    """The scores of one query."""
    return torch.stack(
        [
            torch.tanh(q @ p["W_q"] + key @ p["W_k"] + p.get("b", 0) + (0 if added is None else added[j])) @ p["w"]
            for j, key in enumerate(keys)
        ]
    )


def bahdanau(q, keys, p, carried):
    """Bahdanau et al. 2015, with a bias."""
    return torch.softmax(additive(q, keys, p), dim=0), carried


def concat(q, keys, p, carried):
    """Luong et al. 2015: v . tanh(W [q; k])."""
    W = torch.cat([p["W_q"], p["W_k"]])
    return torch.softmax(torch.stack([torch.tanh(torch.cat([q, k]) @ W) @ p["w"] for k in keys]), dim=0), carried


def general(q, keys, p, carried):
    """Luong et al. 2015: q . W k."""
    return torch.softmax(torch.stack([q @ (key @ p["W"]) for key in keys]), dim=0), carried


def local(D):
    """Luong et al. 2015, section 3.2: local-p."""

    def look(q, keys, p, carried):
        length = len(keys)
        place = length * torch.sigmoid(p["v"] @ torch.tanh(q @ p["W_p"]))
        window = [j for j in range(length) if place - D <= j <= place + D]
        align = torch.softmax(torch.stack([q @ (keys[j] @ p["W"]) for j in window]), dim=0)
        alpha = [torch.zeros(())] * length
        for k, j in enumerate(window):
            alpha[j] = align[k] * torch.exp(-((j - place) ** 2) / (2 * (D / 2) ** 2))
        return torch.stack(alpha), carried

    return look


def location(q, keys, p, carried):
    """Chorowski et al. 2015: PyTorch's own convolution over the last weights."""
    filters = p["F"].T[:, None, :]  # (n, 1, width)
    f = F.conv1d(carried[None, None], filters, padding="same")[0].T  # (length, n)
    alpha = torch.softmax(additive(q, keys, p, f @ p["U"]), dim=0)
    return alpha, alpha


def coverage(q, keys, p, carried):
    """See et al. 2017: carried is the coverage."""
    alpha = torch.softmax(additive(q, keys, p, carried[:, None] * p["w_c"]), dim=0)
    return alpha, carried + alpha


def coverage_loss():
    """See et al. 2017, over the real steps of each row."""
    alpha = torch.softmax(torch.randn(T, B, S), dim=-1).requires_grad_()
    total = 0
    for b, length in enumerate(TARGET_LENGTHS):
        for t in range(length):
            total = total + torch.minimum(alpha[t, b], alpha[:t, b].sum(dim=0)).sum()
    loss = total / sum(TARGET_LENGTHS)
    loss.backward()
    return {"alpha": alpha, "mask": lengths_to_mask(TARGET_LENGTHS, T), "loss": loss, "dalpha": alpha.grad}


ADDITIVE = {"W_q": (Q, A), "W_k": (K, A), "b": (A,), "w": (A,)}

if __name__ == "__main__":
    torch.manual_seed(1)
    parts = {
        "packed": multihead(packed=True),
        "unpacked": multihead(packed=False),
        "unbiased": multihead(packed=False, bias=False),
        "dot": dot(scaled=False),
        "scaled": dot(scaled=True),
        "additive": by_hand(bahdanau, ADDITIVE),
        "concat": by_hand(concat, {"W_q": (Q, A), "W_k": (K, A), "w": (A,)}),
        "general": by_hand(general, {"W": (K, Q)}),
        "local": by_hand(local(1.5), {"W": (K, Q), "W_p": (Q, A), "v": (A,)}),
        "location": by_hand(location, ADDITIVE | {"F": (3, 4), "U": (4, A)}),
        "coverage": by_hand(coverage, ADDITIVE | {"w_c": (A,)}),
        "coverage_loss": coverage_loss(),
    }
    write("attentions", {key: array for name, part in parts.items() for key, array in prefixed(name, part).items()})
