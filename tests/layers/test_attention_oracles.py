"""The attentions give PyTorch's numbers; see oracles/make_attention.py, which wrote them."""

from functools import partial

import numpy as np
import pytest
from helpers import assert_close
from helpers import oracle as load

from numseq import layers
from numseq.layers import AdditiveParams, CoverageParams, GeneralParams, LocalParams, LocationParams, MultiHeadParams

HEADS = 3
LOOKED = ("query", "keys", "values")


def by_name(record):
    """The parameters, or (with d before the names) their gradients, from arrays of the same names."""
    return lambda torch, d="": record(**{name: torch.get(f"{d}{name}") for name in record.__dataclass_fields__})


ATTENTIONS = {
    "additive": (layers.additive_attention, by_name(AdditiveParams)),
    "concat": (
        lambda query, keys, values, params, mask: layers.attend(
            layers.ConcatAttention(keys, values, params, mask), query
        ),
        by_name(AdditiveParams),
    ),
    "dot": (layers.dot_attention, None),
    "scaled": (partial(layers.dot_attention, scaled=True), None),
    "general": (layers.general_attention, by_name(GeneralParams)),
    "local": (partial(layers.local_attention, window=1.5), by_name(LocalParams)),
    "location": (layers.location_attention, by_name(LocationParams)),
    "coverage": (layers.coverage_attention, by_name(CoverageParams)),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention(name):
    torch, (function, record) = load("attentions", f"{name}/"), ATTENTIONS[name]
    params = {"params": record(torch)} if record else {}
    trace = function(*(torch[part] for part in LOOKED), **params, mask=torch["mask"].astype(bool))
    grad = trace.backward(torch["dcontext"], torch["dalpha"])
    assert_close([trace.context, trace.alpha], [torch["context"], torch["alpha"]])
    assert_close([grad.dquery, grad.dkeys, grad.dvalues], [torch[f"d{part}"] for part in LOOKED])
    assert_close(grad.params, record(torch, "d") if record else None)


def of_torch(torch, d=""):
    """MultiHeadParams of PyTorch's: matrices are (out, in), and three may be one, as three biases always are."""
    packed = torch.get(f"{d}in_proj_weight")
    names = [f"{d}{name}_proj_weight" for name in "qkv"]
    W_q, W_k, W_v = np.split(packed, 3) if packed is not None else (torch[name] for name in names)
    biases = torch.get(f"{d}in_proj_bias")
    b_q, b_k, b_v = (None,) * 3 if biases is None else np.split(biases, 3)
    W_o, b_o = torch[f"{d}out_proj.weight"], torch.get(f"{d}out_proj.bias")
    return MultiHeadParams(*(W.T.copy() for W in (W_q, W_k, W_v, W_o)), b_q, b_k, b_v, b_o)


@pytest.mark.parametrize("name", ["packed", "unpacked", "unbiased"])
def test_multihead_attention(name):
    torch = load("attentions", f"{name}/")
    params, expected = of_torch(torch), of_torch(torch, "d")
    assert (params.b_q is None) == (name == "unbiased")
    trace = layers.multihead_attention(
        *(torch[part] for part in LOOKED), params, heads=HEADS, mask=torch["mask"].astype(bool)
    )
    grad = trace.backward(torch["dcontext"], torch["dalpha"])
    assert_close([trace.context, trace.alpha], [torch["context"], torch["alpha"]])
    assert_close([grad.dquery, grad.dkeys, grad.dvalues], [torch[f"d{part}"] for part in LOOKED])
    if params.b_k is not None:  # it moves no weight: PyTorch finds that out by rounding, numseq knows
        assert (grad.params.b_k == 0).all() and np.abs(expected.b_k).max() < 1e-13 * np.abs(expected.b_q).max()
        expected.b_k = grad.params.b_k
    assert_close(grad.params, expected)


def test_coverage_loss():
    torch = load("attentions", "coverage_loss/")
    trace = layers.coverage_loss(torch["alpha"], torch["mask"].astype(bool))
    assert_close(trace.loss, torch["loss"])
    assert_close(trace.backward().dalpha, torch["dalpha"])
