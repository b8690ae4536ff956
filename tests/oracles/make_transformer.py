"""Write transformer.npz: what test_self_attention.py holds blocks and a whole encoder-decoder to.

    python tests/oracles/make_transformer.py

PyTorch's own layers, nn.TransformerEncoderLayer and nn.TransformerDecoderLayer, with the norm before and after, and a
model of two of each; embeddings, positions and scores in plain torch operations. Gradients by autograd. Needs PyTorch
2.13 (CPU); nothing of numseq is imported.
"""

import torch
from make_models import cross_entropy, ragged_batch
from make_oracles import PAD, SOURCE_LENGTHS, B, S, T, leaf, lengths_to_mask, prefixed, write
from torch import nn
from torch.nn import functional as F

E, HEADS, INNER = 6, 2, 7
SOURCE, TARGET = 9, 10
LATER = torch.ones(T, T, dtype=torch.bool).triu(1)  # what nobody may look at
MASK = lengths_to_mask(SOURCE_LENGTHS, S)
OPTIONS = {"d_model": E, "nhead": HEADS, "dim_feedforward": INNER, "dropout": 0.0}


def drawn(module):
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.7)
    return module


def finished(inputs, module, outputs):
    """Arrays, outputs, and the gradients of a random weighting of all outputs."""
    arrays = inputs | dict(module.named_parameters())
    weights = {f"d{name}": torch.randn(output.shape) for name, output in outputs.items()}
    sum((weights[f"d{name}"] * output).sum() for name, output in outputs.items()).backward()
    return arrays | {f"d{name}": array.grad for name, array in arrays.items()} | outputs | weights


def encoder_block(norm_first):
    module = drawn(nn.TransformerEncoderLayer(**OPTIONS, norm_first=norm_first))
    inputs = {"x": leaf(S, B, E)}
    y = module(inputs["x"], src_key_padding_mask=~MASK.T)
    return finished(inputs, module, {"y": y * MASK[:, :, None]}) | {"mask": MASK}


def decoder_block(norm_first):
    module = drawn(nn.TransformerDecoderLayer(**OPTIONS, norm_first=norm_first))
    inputs = {"x": leaf(T, B, E), "memory": leaf(S, B, E)}
    y = module(*inputs.values(), tgt_mask=LATER, memory_key_padding_mask=~MASK.T)
    return finished(inputs, module, {"y": y}) | {"mask": MASK}


def positions(steps):
    """Vaswani et al. 2017, section 3.5, number by number."""
    p = torch.zeros(steps, E)
    for t in range(steps):
        for k in range(E // 2):
            angle = torch.tensor(t / 10000 ** (2 * k / E))
            p[t, 2 * k], p[t, 2 * k + 1] = torch.sin(angle), torch.cos(angle)
    return p[:, None]


def model(norm_first):
    """Two blocks on either side, and one more norm at the top where the norm comes first."""
    kinds = nn.TransformerEncoderLayer, nn.TransformerDecoderLayer
    layers = [kind(**OPTIONS, norm_first=norm_first) for kind in kinds]
    norms = [nn.LayerNorm(E) if norm_first else None for _ in range(2)]
    whole = nn.ModuleDict({
        "source": nn.Embedding(SOURCE, E, padding_idx=PAD),
        "target": nn.Embedding(TARGET, E, padding_idx=PAD),
        "encoder": nn.TransformerEncoder(layers[0], 2, norm=norms[0], enable_nested_tensor=False),
        "decoder": nn.TransformerDecoder(layers[1], 2, norm=norms[1]),
        "head": nn.Linear(E, TARGET),
    })  # fmt: skip
    drawn(whole)
    batch = ragged_batch()
    mask = batch["source_mask"]
    x = E**0.5 * F.embedding(batch["source"], whole["source"].weight, padding_idx=PAD) + positions(S)
    y = E**0.5 * F.embedding(batch["target_in"], whole["target"].weight, padding_idx=PAD) + positions(T)
    memory = whole["encoder"](x, src_key_padding_mask=~mask.T)
    h = whole["decoder"](y, memory, tgt_mask=LATER, memory_key_padding_mask=~mask.T)
    logits = whole["head"](h)
    loss = cross_entropy(logits, batch)
    loss.backward()
    arrays = dict(whole.named_parameters())
    return arrays | {f"d{name}": a.grad for name, a in arrays.items()} | batch | {"logits": logits, "loss": loss}


if __name__ == "__main__":
    torch.manual_seed(5)
    arrays = {}
    for norm, first in (("pre", True), ("post", False)):
        for make in (encoder_block, decoder_block, model):
            arrays |= prefixed(f"{make.__name__}/{norm}", make(first))
    write("transformer", arrays)
