"""numseq's self-attentive encoder-decoder of PyTorch's own layers, nn.TransformerEncoder and nn.TransformerDecoder.

The same equations from the same parameters, with the norm before each part; PyTorch's queries, keys and values are
made by one matrix, and its keys have a bias, which moves no weight and is 0 here.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from numseq.layers.positions import positions

LONGEST = 1000  # positions that are computed beforehand


class Transformer(nn.Module):
    """params: numseq's, of a model with both boxes self-attentive and norm "pre"; heads, its."""

    def __init__(self, params, heads):
        super().__init__()
        (V_s, D), V_t, blocks = params.source.W.shape, len(params.target.W), params.encoder.blocks
        inner = blocks[0].feed.part.W_1.shape[1]
        options = {"d_model": D, "nhead": heads, "dim_feedforward": inner, "dropout": 0.0, "norm_first": True}
        self.source, self.target = nn.Embedding(V_s, D, padding_idx=0), nn.Embedding(V_t, D, padding_idx=0)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**options), len(blocks), nn.LayerNorm(D), enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**options), len(blocks), nn.LayerNorm(D))
        self.readout = nn.Linear(D, V_t)
        self.register_buffer("p", torch.tensor(positions(LONGEST, D, like=params.source.W))[:, None])
        with torch.no_grad():
            for weight, value in self.pairs(params):
                weight.copy_(torch.tensor(value))

    def pairs(self, params):
        """PyTorch's weights, each with the array of numseq's parameters, or gradients, that stands there."""
        yield from [(self.source.weight, params.source.W), (self.target.weight, params.target.W)]
        yield from _linear(self.readout, params.head.W, params.head.b)
        for stack, box in ((self.encoder, params.encoder), (self.decoder, params.decoder)):
            yield from _norm(stack.norm, box.norm)
            for layer, block in zip(stack.layers, box.blocks, strict=True):
                yield from _looks(layer.self_attn, block.attention.part)
                yield from _norm(layer.norm1, block.attention.norm)
                if block.cross is not None:
                    yield from _looks(layer.multihead_attn, block.cross.part)
                    yield from _norm(layer.norm2, block.cross.norm)
                feed = block.feed.part
                yield from _linear(layer.linear1, feed.W_1, feed.b_1)
                yield from _linear(layer.linear2, feed.W_2, feed.b_2)
                yield from _norm(layer.norm2 if block.cross is None else layer.norm3, block.feed.norm)

    def forward(self, source, target_in, target_out):
        """Loss of one batch without padding."""
        scale, T = self.p.shape[-1] ** 0.5, len(target_in)
        memory = self.encoder(scale * self.source(source) + self.p[: len(source)])
        later = nn.Transformer.generate_square_subsequent_mask(T, device=source.device)
        h = self.decoder(scale * self.target(target_in) + self.p[:T], memory, tgt_mask=later, tgt_is_causal=True)
        return cross_entropy(self.readout(h).flatten(0, 1), target_out.flatten())

    def assert_gradients(self, grads):
        """numseq's gradients of the same batch are these, to what float32 sums of thousands of terms allow."""
        for weight, ours in self.pairs(grads):
            theirs = weight.grad.numpy()
            assert np.abs(ours - theirs).max() < 2e-4 * np.abs(theirs).max()


def _linear(layer, W, b):
    return (layer.weight, W.T), (layer.bias, b)


def _norm(layer, params):
    return (layer.weight, params.g), (layer.bias, params.b)


def _looks(layer, params):
    no_b_k = np.zeros_like(params.b_q)
    yield layer.in_proj_weight, np.concatenate([params.W_q.T, params.W_k.T, params.W_v.T])
    yield layer.in_proj_bias, np.concatenate([params.b_q, no_b_k, params.b_v])
    yield from _linear(layer.out_proj, params.W_o, params.b_o)
