"""Recurrent layers give PyTorch's numbers; see oracles/make_cells.py, which wrote them."""

from dataclasses import fields

import numpy as np
import pytest
from helpers import CELLS, assert_close, oracle

from numseq import layers
from numseq.layers import BidirectionalParams, GRUParams, LayerNormParams, LSTMParams, RNNParams
from numseq.params import leaves

KINDS = {"rnn": RNNParams, "relu_rnn": RNNParams, "gru": GRUParams, "lstm": LSTMParams}
each_kind = pytest.mark.parametrize("kind", KINDS)


def one_way(kind, torch, suffix, d=""):
    """Parameters of PyTorch's, which has (4H, D) where numseq has (D, 4H), and two biases."""
    weights = [torch[f"{d}weight_{which}{suffix}"].T.copy() for which in ("ih", "hh")]
    biases = {name: torch[f"{d}bias_{which}{suffix}"] for name, which in (("b", "ih"), ("b_h", "hh"))}
    return KINDS[kind](*weights, **biases)


def two_ways(kind, torch, k, d=""):
    return BidirectionalParams(*(one_way(kind, torch, f"_l{k}{end}", d) for end in ("", "_reverse")))


def held_to(torch, run, params, dparams, shape=None):
    """run(x, state, params, mask) gives the outputs, final states and gradients of an oracle.

    shape: of the axes of a state before (B, H), where PyTorch has (layers * directions, B, H).
    """
    mask = torch["mask"].astype(bool) if "mask" in torch else None
    real = np.ones(torch["h"].shape[:2], bool) if mask is None else mask

    def state(*names):
        """Of PyTorch's arrays the state as numseq has it: for a stack, a list."""
        parts = [torch[name].reshape(*shape, *torch[name].shape[-2:]) for name in names if name in torch]
        return list(zip(*parts, strict=True)) if isinstance(params, list) else tuple(parts)

    trace = run(torch["x"], state("h0", "c0"), params, mask)
    grad = trace.backward(torch["dh"] * real[..., None], state("dh_T", "dc_T"))
    assert_close(trace.h[real], torch["h"][real])  # behind a row's end PyTorch writes 0 and numseq carries the state
    assert_close(leaves(trace.final), leaves(state("h_T", "c_T")))
    assert_close([grad.dx, *leaves(grad.dstate)], [torch["dx"], *leaves(state("dh0", "dc0"))])
    assert_close(grad.params, dparams)


@each_kind
def test_one_step(kind):
    torch, cell = oracle("cells", f"{kind}/step/"), CELLS[kind]
    parts = cell.State._fields
    trace = layers.sequence(torch["x"][None], [torch[f"{p}0"] for p in parts], one_way(kind, torch, ""), cell=cell)
    grad = trace.backward(None, [torch[f"d{p}"] for p in parts])
    assert_close(list(trace.final), [torch[p] for p in parts])
    assert_close([grad.dx[0], *grad.dstate], [torch["dx"], *(torch[f"d{p}0"] for p in parts)])
    assert_close(grad.params, one_way(kind, torch, "", "d"))


@pytest.mark.parametrize("name", ["one", "ragged"])
@each_kind
def test_sequence(kind, name):
    torch, cell = oracle("cells", f"{kind}/{name}/"), CELLS[kind]
    run = lambda x, state, params, mask: layers.sequence(x, state, params, cell=cell, mask=mask)  # noqa: E731
    held_to(torch, run, one_way(kind, torch, "_l0"), one_way(kind, torch, "_l0", "d"), ())


@each_kind
def test_bidirectional(kind):
    torch, cell = oracle("cells", f"{kind}/bi/"), CELLS[kind]
    run = lambda x, state, params, mask: layers.bidirectional(x, state, params, cell=cell, mask=mask)  # noqa: E731
    held_to(torch, run, two_ways(kind, torch, 0), two_ways(kind, torch, 0, "d"), (2,))


@pytest.mark.parametrize("name", ["bi2", "ragged_bi2"])
@each_kind
def test_stack_of_two_bidirectionals(kind, name):
    torch, cell = oracle("cells", f"{kind}/{name}/"), CELLS[kind]
    run = lambda x, state, params, mask: layers.stack(x, state, params, cell=cell, mask=mask)  # noqa: E731
    params, dparams = ([two_ways(kind, torch, k, d) for k in range(2)] for d in ("", "d"))
    held_to(torch, run, params, dparams, (2, 2))


BY_HAND = {  # cells that PyTorch does not have: (name in CELLS, further arguments of `sequence` made of the oracle)
    "gru_before": ("gru_before", lambda torch: {}),
    "peephole": ("peephole", lambda torch: {}),
    "layernorm_lstm": ("layernorm_lstm", lambda torch: {}),
    "zoneout": ("lstm", lambda torch: {"zoneout": (torch["zoneout_0"], torch["zoneout_1"])}),
    "zoneout_evaluation": ("lstm", lambda torch: {"zoneout": (0.7, 0.4)}),
    "weight_drop": ("lstm", lambda torch: {"weight_mask": torch["weight_mask"]}),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_pytorch_has_no_module_for(name):
    torch, (kind, options) = oracle("cells", f"{name}/"), BY_HAND[name]
    cell = CELLS[kind]
    wanted = [field.name for field in fields(cell.init(np.random.default_rng(0), 1, 1, float)) if field.name in torch]
    record = type(cell.init(np.random.default_rng(0), 1, 1, float))
    params, dparams = (record(**{name: torch[d + name] for name in wanted}, **without_b_h(record)) for d in ("", "d"))
    run = lambda x, state, p, mask: layers.sequence(x, state, p, cell=cell, mask=mask, **options(torch))  # noqa: E731
    held_to(torch, run, params, dparams, ())


def without_b_h(record):
    return {"b_h": None} if "b_h" in {field.name for field in fields(record)} else {}


def test_layer_norm():
    torch = oracle("cells", "layer_norm/")
    trace = layers.layer_norm(torch["x"], LayerNormParams(torch["g"], torch["b"]))
    grad = trace.backward(torch["dy"])
    assert_close(trace.y, torch["y"])
    assert_close([grad.dx, grad.params], [torch["dx"], LayerNormParams(torch["dg"], torch["db"])])
