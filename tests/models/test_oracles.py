"""numseq gives PyTorch's numbers; see oracles/make_oracles.py and make_models.py, which wrote them."""

import numpy as np
import pytest
from helpers import KINDS, assert_close
from helpers import oracle as load

from numseq import layers
from numseq import params as trees
from numseq.data import Batch
from numseq.layers import BidirectionalParams, CellState, EmbeddingParams, LSTMParams, log_softmax
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.models.heads.vocabulary import VocabularyNoise
from numseq.models.noise import Noise, RecurrentNoise
from numseq.training import SGD, Adam, clip_by_global_norm


def one_way(torch, suffix, d=""):
    """LSTMParams of PyTorch's: (4H, D) there, both in the order i, f, g, o; it has two biases, which are added."""
    b = [torch[f"{d}bias_{which}_{suffix}"] for which in ("ih", "hh")]
    return LSTMParams(
        W_x=torch[f"{d}weight_ih_{suffix}"].T.copy(),
        W_h=torch[f"{d}weight_hh_{suffix}"].T.copy(),
        b=b[0] if d else b[0] + b[1],  # the gradient of a sum's parts is the same for both
    )


def two_ways(torch, k, d=""):
    return BidirectionalParams(ahead=one_way(torch, f"l{k}", d), back=one_way(torch, f"l{k}_reverse", d))


@pytest.mark.parametrize("name", ["one", "ragged"])
def test_lstm(name):
    torch = load("lstm", f"{name}/")
    mask = torch["mask"].astype(bool) if name == "ragged" else np.ones(torch["h"].shape[:2], bool)
    trace = layers.lstm(torch["x"], (torch["h0"][0], torch["c0"][0]), one_way(torch, "l0"), mask=mask)
    grad = trace.backward(torch["dh"] * mask[..., None], (torch["dh_T"][0], torch["dc_T"][0]))
    assert_close(trace.h[mask], torch["h"][mask])  # behind a row's end PyTorch writes 0 and numseq carries the state
    assert_close([trace.final.h, trace.final.c], [torch["h_T"][0], torch["c_T"][0]])
    assert_close([grad.dx, grad.dstate.h, grad.dstate.c], [torch["dx"], torch["dh0"][0], torch["dc0"][0]])
    assert_close(grad.params, one_way(torch, "l0", "d"))


def test_bidirectional():
    torch = load("lstm", "bi/")
    trace = layers.bidirectional(torch["x"], (torch["h0"], torch["c0"]), two_ways(torch, 0))
    grad = trace.backward(torch["dh"], (torch["dh_T"], torch["dc_T"]))
    assert_close([trace.h, trace.final.h, trace.final.c], [torch["h"], torch["h_T"], torch["c_T"]])
    assert_close([grad.dx, grad.dstate.h, grad.dstate.c], [torch["dx"], torch["dh0"], torch["dc0"]])
    assert_close(grad.params, two_ways(torch, 0, "d"))


@pytest.mark.parametrize("name", ["bi2", "ragged_bi2"])
def test_stack_of_two_bidirectionals(name):
    torch = load("lstm", f"{name}/")
    mask = torch["mask"].astype(bool) if "ragged" in name else np.ones(torch["h"].shape[:2], bool)
    # (layers * directions, B, H) there
    state = lambda h, c: [CellState(torch[h][k : k + 2], torch[c][k : k + 2]) for k in (0, 2)]  # noqa: E731
    params = [two_ways(torch, k) for k in range(2)]
    trace = layers.stack(torch["x"], state("h0", "c0"), params, mask=mask)
    grad = trace.backward(torch["dh"] * mask[..., None], state("dh_T", "dc_T"))
    assert_close(trace.h[mask], torch["h"][mask])
    assert_close(trace.final, state("h_T", "c_T"))
    assert_close([grad.dx, grad.dstate], [torch["dx"], state("dh0", "dc0")])
    assert_close(grad.params, [two_ways(torch, k, "d") for k in range(2)])


def test_embedding():
    torch = load("layers", "embedding/")
    trace = layers.embedding(torch["ids"].astype(int), EmbeddingParams(torch["W"]), padding_id=0)
    assert_close(trace.y, torch["y"])
    assert_close(trace.backward(torch["dy"]).params.W, torch["dW"])


def test_cross_entropy():
    torch = load("layers", "loss/")
    trace = layers.cross_entropy(torch["logits"], torch["targets"].astype(int), torch["mask"].astype(bool))
    assert_close([trace.loss, trace.nll], [torch["loss"], torch["nll"]])
    assert_close(trace.backward().dlogits, torch["dlogits"])


FILE = {  # what begins a parameter's name here, and in the files
    "source.": "encoder.embedding.",
    "encoder.": "encoder.rnn.",
    "target.": "decoder.embedding.",
    "head.": "decoder.readout.",
}


def name_in_file(name, torch):
    for here, there in FILE.items():
        if name.startswith(here):
            return there + name.removeprefix(here)
    if name == "decoder.W_extra":
        return next(there for there in ("decoder.W_context", "decoder.W_feed") if there in torch)
    if name.startswith("decoder.rnn.") and name not in torch:  # the order of Bahdanau: the lowest layer, and the others
        _, _, layer, part = name.split(".")
        return f"decoder.rnn.{part}" if layer == "0" else f"decoder.upper.{int(layer) - 1}.{part}"
    return name


def given_model(torch, **options):
    """(model, the names of its parameters in the file, batch) of the arrays of a file."""
    model = Seq2Seq.create(Seq2SeqConfig(**(SIZES | options)), dtype=np.float64)
    names = {name: name_in_file(name, torch) for name, _ in trees.walk(model.params)}
    model.params = trees.replace(model.params, {name: torch[there] for name, there in names.items()})
    ids = {name: torch[name].astype(int) for name in ("source", "target_in", "target_out")}
    masks = {name: torch[name].astype(bool) for name in ("source_mask", "target_mask")}
    return model, list(names.values()), Batch(**ids, **masks, weight=int(masks["target_mask"].sum()))


SIZES = {"source_vocabulary": 9, "target_vocabulary": 10, "embedding": 3, "hidden": 4, "attention_size": 5}


def assert_as_in_the_file(trace, names, torch):
    """Probabilities, loss, attention, and the gradient of every parameter."""
    assert_close([trace.logp, trace.loss], [log_softmax(torch["logits"]), torch["loss"]])
    if "alpha" in torch:
        assert_close(trace.alpha, torch["alpha"])
    grad = trees.leaves(trace.backward().params)
    assert_close(grad, [torch[f"d{name}"] for name in names])


@pytest.mark.parametrize("kind", ["plain", "attention"])
@pytest.mark.parametrize("depth", [1, 2])
def test_encoder_decoder(kind, depth):
    torch = load(f"{kind}_{depth}")
    model, names, batch = given_model(torch, layers=depth, **KINDS[kind])
    masks = {name.removeprefix("mask/"): array for name, array in torch.items() if name.startswith("mask/")}
    assert bool(masks) == (depth == 2)
    noise = None
    if masks:
        noise = Noise(
            masks.pop("source"), RecurrentNoise([masks.pop("encoder.0")]), masks.pop("target"),
            RecurrentNoise([masks.pop("decoder.0")]), VocabularyNoise(masks.pop("readout")),
        )  # fmt: skip
        assert not masks
    trace = model.forward(batch, noise)
    assert_close(trace.objective.head.logits, torch["logits"])
    assert_as_in_the_file(trace, names, torch)


MODELS = {  # of make_models.py
    "plain_gru": {"attention": "none", "cell": "gru"},
    "feeding": {"decoder": "luong-feeding", "attention": "general", "layers": 2},
    "maxout": {"cell": "gru", "readout": "maxout", "readout_embedding": True},
    "all_tied": {
        "cell": "rnn", "decoder": "luong", "attention": "coverage", "tied": "all", "source_vocabulary": 10,
        "label_smoothing": 0.1, "coverage_loss": 0.5,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_other_encoder_decoders(name):
    torch = load("models", f"{name}/")
    model, names, batch = given_model(torch, **MODELS[name])
    assert {name for name in torch if f"d{name}" in torch} == set(names)
    trace = model.forward(batch, model.draw_noise(batch, 0))  # in training, where the losses are added; nothing random
    assert ("alpha" in torch) == (trace.alpha is not None)
    assert_as_in_the_file(trace, names, torch)


@pytest.mark.parametrize(
    "name, make",
    [
        ("adam", lambda params: Adam(params, lr=0.05, beta1=0.8, beta2=0.95, eps=1e-3)),
        ("sgd", lambda params: SGD(params, lr=0.05, momentum=0.8)),
    ],
)
def test_optimizer_after_five_steps(name, make):
    torch = load("optimizers")
    tree = lambda prefix: [torch[f"{prefix}/W"].copy(), torch[f"{prefix}/b"].copy()]  # noqa: E731
    params = tree("start")
    optimizer = make(params)
    for k in range(5):
        optimizer.update(params, tree(f"grad{k}"))
    assert_close(params, tree(name))


def test_clipping():
    torch = load("optimizers")
    grads, largest = [torch["grad0/W"].copy(), torch["grad0/b"].copy()], 0.7
    norm = clip_by_global_norm(grads, largest)
    assert_close(norm, torch["norm"])
    # PyTorch multiplies by largest / (norm + 1e-6); its result is scaled to what largest / norm gives
    exact = (norm + 1e-6) / norm
    assert_close(grads, [torch["clipped/W"] * exact, torch["clipped/b"] * exact])
    assert_close(float(trees.global_norm(grads)), largest)
