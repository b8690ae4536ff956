"""PyTorch's Transformer layers as numseq's parameters, for the tests that hold the one to the other."""

import numpy as np

from numseq.layers import BlockParams, FeedForwardParams, LayerNormParams, MultiHeadParams, SublayerParams


def looking(torch, d):
    """MultiHeadParams of PyTorch's, where three matrices are one, and all are (out, in)."""
    W_q, W_k, W_v = (W.T for W in np.split(torch[f"{d}in_proj_weight"], 3))
    biases = np.split(torch[f"{d}in_proj_bias"], 3)
    return MultiHeadParams(W_q, W_k, W_v, torch[f"{d}out_proj.weight"].T, *biases, torch[f"{d}out_proj.bias"])


def normed(torch, name, d):
    return LayerNormParams(torch[f"{d}{name}.weight"], torch[f"{d}{name}.bias"])


def of_block(torch, d="", within=""):
    """BlockParams of PyTorch's layer, or with d the gradients; within, the beginning of its names."""
    own = {f"{d}{name.removeprefix(d + within)}": a for name, a in torch.items() if name.startswith(d + within)}
    part = lambda name: {f"{d}{k.removeprefix(d + name)}": a for k, a in own.items() if k.startswith(d + name)}  # noqa: E731
    looks = [name for name in ("self_attn.", "multihead_attn.") if part(name)]
    norms = [normed(own, f"norm{k + 1}", d) for k in range(len(looks) + 1)]
    around = [SublayerParams(norm, looking(part(name), d)) for norm, name in zip(norms, looks, strict=False)]
    linear = [own[f"{d}linear{k}.{what}"].T for k in (1, 2) for what in ("weight", "bias")]
    feed = SublayerParams(norms[-1], FeedForwardParams(*linear))
    return BlockParams(around[0], around[1] if len(looks) == 2 else None, feed)


def without_b_k(params):
    """A bias of all keys moves no weight: its gradient is rounding there, and 0 here."""
    for part in (params.attention, params.cross):
        if part is not None:
            assert np.abs(part.part.b_k).max() < 1e-12
            part.part.b_k = None
    return params
