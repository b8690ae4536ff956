"""The five decoders with every cell and attention: steps and teacher forcing, rows, padding, noise, losses, ties."""

import dataclasses

import numpy as np
import pytest
import strict_cupy
from helpers import KINDS, TARGETS, assert_close, assert_gradients, assert_same, at_scale_one, batch, create, padded
from helpers_search import LIMITS, SOURCES, arrays, assert_hypotheses, everything, hypotheses, one_at_a_time

import numseq
from numseq import backend
from numseq import params as trees
from numseq.data import BOS, Pairs
from numseq.data.batches import Ragged
from numseq.layers import RNN, LinearParams, RNNStep
from numseq.layers.cells.rnn import RNNStepGrad
from numseq.models import ATTENTIONS, CELLS, Seq2Seq, Seq2SeqConfig
from numseq.models.heads.vocabulary import VocabularyNoise
from numseq.models.noise import Draws, Noise
from numseq.search import BeamOptions, SamplingOptions, beam_search, greedy, sample
from numseq.training import SGD, mean_loss

BLIND = ("plain", "vector")  # the decoders without attention
ATTENTIVE = [kind for kind in KINDS if kind not in BLIND]
TRAINING = Noise(head=VocabularyNoise())  # in training, but nothing is drawn
NOISE = {"dropout": 0.3, "word_dropout": 0.2, "weight_drop": 0.25, "zoneout": 0.4}
WIDE = {"embedding": 16}  # as the hidden units: so residual connections go around the lowest layer too
READOUTS = {
    "linear": {"readout": "linear"},
    "maxout": {"readout": "maxout", "readout_embedding": True},
    "tanh": {"readout": "tanh", "readout_embedding": True},
    "tied": {"tied": "target", "readout": "tanh"},
    "all tied": {"tied": "all", "readout": "maxout", "target_vocabulary": 11, "readout_embedding": True},
    "tied, linear": {"tied": "target", "readout": "linear", "embedding": 32},
}
CASES = {  # name: (kind, options)
    **{f"{kind}, {cell}": (kind, {"cell": cell}) for kind in KINDS for cell in CELLS},
    **{
        f"{kind}, {attention}": (kind, {"attention": attention, "attention_size": 12, "heads": 3, "window": 2})
        for kind in ATTENTIVE
        for attention in ATTENTIONS
        if attention != "none"
    },
    **{
        f"{kind}, 3 layers, {cell}": (kind, {"layers": 3, "cell": cell, "residual": True, "zoneout": 0.3, **more})
        for kind in KINDS
        for cell, more in (("lstm-peephole", WIDE), ("gru", {}), ("rnn", WIDE))
    },
    **{
        f"{kind}, {name}": (kind, options | ({"embedding": 16} if kind == "plain" and "embedding" in options else {}))
        for kind in KINDS
        for name, options in READOUTS.items()
    },
    "attention, no context": ("attention", {"readout_context": False, "readout_embedding": True}),
    "attention, nothing but h": ("attention", {"readout_context": False, "readout": "linear"}),
}
each_case = pytest.mark.parametrize("case", CASES)


def made(case, **more):
    kind, options = CASES[case]
    return create(kind, **(options | more))


def by_steps(model, memory, state, ids):
    """Log-probabilities (T, B, V) and attention (T, B, S) or None, step by step on given previous tokens."""
    logps, alphas = [], []
    for said in ids:
        logp, state, alpha = model.step(said, state, memory)
        logps.append(logp)
        alphas.append(alpha)
    return np.stack(logps), None if alphas[0] is None else np.stack(alphas)


# steps


def small_ids(given):
    """The batch with target ids that every vocabulary here has."""
    return dataclasses.replace(given, target_in=given.target_in % 11, target_out=given.target_out % 11)


@each_case
def test_steps_give_what_teacher_forcing_gives(case):
    model, given = made(case), small_ids(batch())
    trace = model.forward(given)
    logp, alpha = by_steps(model, *model.start(given.source, given.source_mask), given.target_in)
    assert_close(logp, trace.logp)
    assert (alpha is None) == (trace.alpha is None) == case.startswith(BLIND)
    if alpha is not None:
        assert_close(alpha, trace.alpha)


@each_case
def test_rows_that_are_picked_after_a_step_go_on_as_they_would_have(case):
    model, given = made(case), small_ids(batch())
    memory, state = model.start(given.source, given.source_mask)
    for ids in given.target_in[:2]:
        _, state, _ = model.step(ids, state, memory)
    logp, alpha = by_steps(model, memory, state, given.target_in[2:])
    rows = np.array([3, 0, 0, 2, 3])
    picked, picked_alpha = by_steps(model, *model.select_rows(memory, state, rows), given.target_in[2:, rows])
    assert_close(picked, logp[:, rows])
    if alpha is not None:
        assert_close(picked_alpha, alpha[:, rows])


@pytest.mark.parametrize("kind", ATTENTIVE)
@pytest.mark.parametrize("attention", ["coverage", "location"])
def test_what_is_carried_decides_where_to_look_next(kind, attention):
    model, given = create(kind, attention=attention), batch()
    memory, state = model.start(given.source, given.source_mask)
    _, state, _ = model.step(given.target_in[0], state, memory)
    _, _, alpha = model.step(given.target_in[1], state, memory)
    forgotten = state._replace(carried=trees.zeros_like(state.carried))
    _, _, other = model.step(given.target_in[1], forgotten, memory)
    assert (alpha[:3] != other[:3]).any(axis=-1).all()  # a source of one token is looked at whatever was


def test_what_was_said_is_fed_back():
    model, given = create("feeding"), batch()
    memory, state = model.start(given.source, given.source_mask)
    logp, after, _ = model.step(given.target_in[0], state, memory)
    other, _, _ = model.step(given.target_in[0], state._replace(r=state.r + 1), memory)
    assert (state.r == 0).all() and (after.r != 0).all() and (logp != other).any(axis=-1).all()
    assert create("luong").start(given.source, given.source_mask)[1].r is None


@pytest.mark.parametrize("attention", [name for name in ATTENTIONS if name != "none"])
def test_feeding_that_weighs_nothing_is_the_order_of_luong(attention):
    options = {"attention": attention, "attention_size": 12, "residual": True, "readout": "maxout", **NOISE}
    feeding, luong, given = create("feeding", 3, **options), create("luong", 3, **options), batch()
    feeding.params.decoder.W_extra[...] = 0
    params = dataclasses.replace(feeding.params.decoder, W_extra=None)
    luong.params = dataclasses.replace(feeding.params, decoder=params)
    for noise in (luong.draw_noise(given, 0), None):
        assert_close(feeding.forward(given, noise).logp, luong.forward(given, noise).logp)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("embedding, lowest", [(16, True), (7, False)])
def test_inputs_go_around_every_layer_of_their_width(kind, embedding, lowest):
    trace = create(kind, 3, residual=True, embedding=embedding).forward(batch())
    decoder = trace.decoder
    assert trace.encoder.rnn.residual == [lowest, True, True]
    if kind == "feeding":
        assert [layer.residual for layer in decoder.layers] == [lowest, True, True]
    elif kind == "attention":  # its lowest layer reads the context too, and has nothing that goes around it
        assert decoder.upper.residual == [True, True]
        assert_close(decoder.upper.h, sum(layer.h for layer in decoder.upper.layers) + decoder.lowest.run.after.h)
    else:
        lowest = lowest and kind != "vector"  # which reads the vector too
        assert decoder.rnn.residual == [lowest, True, True]
        around = trace.target.x if lowest else 0
        assert_close(decoder.rnn.h, sum(layer.h for layer in decoder.rnn.layers) + around)
    without = create(kind, 3, embedding=embedding).forward(batch())
    assert (without.logp != trace.logp).any(axis=-1).all()


@dataclasses.dataclass(slots=True)
class HalfStep(RNNStep):
    """h = tanh(a) / 2"""

    def backward(self, dh):
        grad = RNNStepGrad()
        grad.dh, grad.da = dh, dh / 2 * (1 - 4 * self.h**2)
        return grad


def half_step(a):
    s = HalfStep()
    s.a = a
    s.h = np.tanh(a) / 2
    return s


@pytest.mark.usefixtures("parts_are_forgotten")
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_step_is_trained_and_decoded_with(kind):
    given, before = batch(), create(kind, cell="rnn").forward(batch()).logp
    model = create(kind, cell=RNN(half_step))
    logp, _ = by_steps(model, *model.start(given.source, given.source_mask), given.target_in)
    assert_close(logp, model.forward(given).logp)
    assert (logp != before).any(axis=-1).all()
    assert_gradients(model, given)


# search

TINY = {"embedding": 4, "hidden": 6, "attention_size": 5}
SEARCHED = {
    "plain, gru": ("plain", {"cell": "gru"}),
    "plain, both ways": ("plain", {"encoder": "bidirectional", "layers": 2}),
    "vector, 2 layers": ("vector", {"layers": 2}),
    "attention, forward": ("attention", {"encoder": "forward"}),
    "luong": ("luong", {}),
    "luong, coverage": ("luong", {"attention": "coverage"}),
    "luong, multi-head": ("luong", {"attention": "multi-head", "heads": 2, "attention_size": 4}),
    "attention, coverage": ("attention", {"attention": "coverage", "cell": "gru"}),
    "attention, location, 2 layers": ("attention", {"attention": "location", "layers": 2}),
    "attention, local": ("attention", {"attention": "local-p", "window": 1}),
    "feeding, 2 layers": ("feeding", {"layers": 2, "residual": True}),
    "feeding, coverage": ("feeding", {"attention": "coverage", "cell": "lstm-peephole", "readout": "maxout"}),
    "feeding, location": ("feeding", {"attention": "location", "cell": "lstm-layernorm", "tied": "target"}),
}
each_searched = pytest.mark.parametrize("case", SEARCHED)


def tiny(case, seed=0):
    """A model of seven target tokens, four of which can be said before <eos>."""
    kind, options = SEARCHED[case]
    model = Seq2Seq.create(Seq2SeqConfig(11, 7, **(TINY | KINDS[kind] | options)), dtype=np.float64)
    model.params = at_scale_one(model.params, seed)
    return model


@each_searched
def test_a_beam_as_wide_as_everything_finds_everything(case):
    seen = 0.0 if "local" in case else 0.2  # a window leaves positions unseen, whose penalty has no end
    options = BeamOptions(beam=100, coverage_penalty=seen, length_penalty=0.7)
    found = beam_search(tiny(case), *arrays(SOURCES, LIMITS), options)
    for b, (source, limit) in enumerate(zip(SOURCES, LIMITS, strict=True)):
        assert_hypotheses(hypotheses(found, b), everything([tiny(case)], source, limit, options))


@each_searched
@pytest.mark.parametrize("seed", range(3))
def test_a_narrow_beam_keeps_what_hypotheses_run_alone_would(case, seed):
    model, options, limits = tiny(case, seed), BeamOptions(beam=3), (7, 6, 4, 8)
    found = beam_search(model, *arrays(SOURCES, limits, steps=2), options)
    for b, (source, limit) in enumerate(zip(SOURCES, limits, strict=True)):
        assert_hypotheses(hypotheses(found, b), one_at_a_time([model], source, limit, options))


@each_searched
def test_a_beam_of_one_and_samples_of_the_best_are_greedy(case):
    model, given = tiny(case), arrays(SOURCES, (7, 6, 4, 8))
    said = greedy(model, *given)
    found = beam_search(model, *given, BeamOptions(beam=1))
    drawn = sample(model, *given, SamplingOptions(samples=2, top_k=1))
    for other in (found.ids[:, :, :1], drawn.ids[:, :, :1], drawn.ids[:, :, 1:]):
        assert (other[: len(said.ids)] == said.ids).all()


def test_models_of_different_kinds_decode_together():
    models = [tiny("feeding, coverage"), tiny("plain, gru"), tiny("luong, coverage")]
    options = BeamOptions(beam=100)
    found = beam_search(models, *arrays(SOURCES, LIMITS), options)
    for b, (source, limit) in enumerate(zip(SOURCES, LIMITS, strict=True)):
        assert_hypotheses(hypotheses(found, b), everything(models, source, limit, options))


@pytest.fixture
def there():
    """The current backend is what stands in for CuPy."""
    backend._cupyx.cache_clear()
    with strict_cupy.installed(), numseq.use("cupy") as cupy:
        yield cupy
    backend._cupyx.cache_clear()


def on_device(model):
    return dataclasses.replace(model, params=trees.to_backend(model.params))


@each_searched
def test_a_beam_finds_the_same_on_a_gpu(there, case):
    with numseq.use("numpy"):
        model = tiny(case)
        expected = beam_search(model, *arrays(SOURCES, (7, 6, 4, 8)), BeamOptions(beam=3))
    found = beam_search(on_device(model), *arrays(SOURCES, (7, 6, 4, 8)), BeamOptions(beam=3))
    assert (found.ids == expected.ids).all()
    real = np.isfinite(expected.scores)
    assert_close(found.scores[real], expected.scores[real], 1e-9)


# padding


@each_case
def test_padding_changes_nothing_and_gets_no_gradient(case):
    vocabularies = {"source_vocabulary": 12, "target_vocabulary": 12 if "all tied" in case else 14}
    model, given = made(case, **vocabularies), small_ids(batch())
    wide = padded(given, steps=2, rows=1)
    last = vocabularies["source_vocabulary"] - 1, vocabularies["target_vocabulary"] - 1  # ids that padding alone has
    wide.source[~wide.source_mask], wide.target_in[~wide.target_mask] = last
    one, other = model.forward(given), model.forward(wide)
    T, B = given.target_in.shape
    assert_close(other.logp[:T, :B][given.target_mask], one.logp[given.target_mask])
    assert_close(other.loss, one.loss)
    if one.alpha is not None:
        S = len(given.source)
        assert_close(other.alpha[:T, :B, :S][given.target_mask], one.alpha[given.target_mask])
        assert (other.alpha[:, :B, S:] == 0).all()
    found, expected = other.backward().params, one.backward().params
    assert_close(found, expected)
    if model.config.tied == "none":
        assert (found.source.W[last[0]] == 0).all() and (found.target.W[last[1]] == 0).all()


@each_case
def test_a_batch_of_one_is_a_row_of_a_batch(case):
    model, given = made(case), small_ids(batch())
    logp = model.forward(given).logp
    for b in range(given.source.shape[1]):
        S, T = given.source_mask[:, b].sum(), given.target_mask[:, b].sum()
        row = dataclasses.replace(
            given, source=given.source[:S, [b]], source_mask=given.source_mask[:S, [b]], weight=int(T),
            **{name: getattr(given, name)[:T, [b]] for name in ("target_in", "target_out", "target_mask")},
        )  # fmt: skip
        assert_close(model.forward(row).logp[:, 0], logp[:T, b])


# noise


def noisy(kind, layers=2, **options):
    return create(kind, layers, **({"cell": "lstm"} | NOISE | options))


def large():
    """A batch of 300 rows."""
    return batch(*(list(side) * 75 for side in (SOURCES, TARGETS)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("variational", [False, True])
def test_noise_has_its_shapes(kind, cell, variational):
    model, given = noisy(kind, 3, cell=cell, variational=variational), batch()
    noise = model.draw_noise(given, 0)
    (S, B), T, E, H, L = given.source.shape, len(given.target_in), 7, 16, 3
    G = {"lstm": 4, "gru": 3}[cell]
    s, t = (1, 1) if variational else (S, T)
    two, width = ((), H) if kind in BLIND else ((2,), H // 2)
    states = 2 if cell == "lstm" else 1
    # with words dropped, there is one mask of the tokens for each step in any case
    R = 2 * H if kind == "vector" else H  # without a hidden layer the readout is [h; v]
    assert (noise.source.shape, noise.target.shape, noise.head.dropout.shape) == ((S, B, E), (T, B, E), (t, B, R))
    assert shapes(noise.encoder.dropout) == [(s, B, H)] * (L - 1)
    assert shapes(noise.decoder.dropout) == [(t, B, H)] * (L - 1)
    assert shapes(noise.encoder.weights) == [(*two, width, G * width)] * L
    assert shapes(noise.decoder.weights) == [(H, G * H)] * L
    assert shapes(noise.encoder.zoneout) == [((S, *two, B, width),) * states] * L
    assert shapes(noise.decoder.zoneout) == [((T, B, H),) * states] * L
    assert all(leaf.dtype == np.float64 for leaf in trees.leaves(noise))
    assert np.isfinite(model.forward(given, noise).loss)


def shapes(masks):
    return type(masks)(map(shapes, masks)) if isinstance(masks, list | tuple) else masks.shape


def test_variational_dropout_without_words_has_one_mask_for_all_steps():
    noise = create("attention", 2, dropout=0.5, variational=True).draw_noise(batch(), 0)
    assert [len(mask) for mask in trees.leaves(noise)] == [1] * 5


def within(found, rate):
    """Whether the share of zeros is the rate, but for four standard deviations."""
    return abs((found == 0).mean() - rate) < 4 * (rate * (1 - rate) / found.size) ** 0.5


def test_noise_drops_at_its_rates_and_keeps_the_mean():
    noise = noisy("attention", word_dropout=0.0).draw_noise(large(), 0)
    for mask in [noise.source, noise.target, noise.head.dropout, *noise.encoder.dropout, *noise.decoder.dropout]:
        assert within(mask, 0.3) and set(np.unique(mask)) == {0, 1 / 0.7}
    for mask in [*noise.encoder.weights, *noise.decoder.weights]:
        assert within(mask, 0.25) and set(np.unique(mask)) == {0, 1 / 0.75}
    for layer in [*noise.encoder.zoneout, *noise.decoder.zoneout]:
        for mask in layer:
            assert within(mask, 0.4) and set(np.unique(mask)) == {0, 1}
        assert (layer[0] != layer[1]).any()  # h and c are kept apart


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_words_are_dropped_whole(dropout):
    noise = noisy("attention", dropout=dropout).draw_noise(large(), 0)
    for mask in (noise.source, noise.target):
        whole = (mask != 0).any(axis=-1)
        assert within(whole, 0.2 if not dropout else 0.2 + 0.8 * 0.3**7)
        assert mask.max() == pytest.approx(1 / 0.8 / (1 - dropout))


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_seeded(kind):
    model, given = noisy(kind, samples=5), batch()
    first, again, other = (model.draw_noise(given, 5, k) for k in (1, 1, 2))
    assert_same(first, again)
    for (name, one), (_, two) in zip(trees.walk(first), trees.walk(other), strict=True):
        assert name == "head.samples.1" or not np.array_equal(one, two), name  # how likely a token is to be drawn
    losses = [float(model.forward(given, noise).loss) for noise in (first, again, other)]
    assert losses[0] == losses[1] != losses[2]


def test_what_is_drawn_on_the_host_is_never_drawn_twice():
    draws = Draws(create("plain").config, np.float64, 3, 1)
    first, second = draws.host.random(4), draws.host.random(4)
    assert (first != second).all()
    assert_same(Draws(create("plain").config, np.float64, 3, 1).host.random(4), first)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_of_the_noise_is_used(kind):
    model, given = noisy(kind), batch()
    noise = model.draw_noise(given, 0)
    leaves, expected = dict(trees.walk(noise)), model.forward(given, noise).loss
    for place, mask in leaves.items():
        changed = trees.replace(noise, leaves | {place: 0.5 * mask + 0.1})
        assert model.forward(given, changed).loss != expected, place


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_is_without_noise(kind):
    model, given = noisy(kind, zoneout=0.0), batch()
    quiet = create(kind, 2)
    assert model.forward(given).loss == model.forward(given).loss == quiet.forward(given).loss
    assert model.forward(given, model.draw_noise(given, 0)).loss != quiet.forward(given).loss
    nothing = quiet.draw_noise(given, 0)
    assert trees.leaves(nothing) == [] and quiet.forward(given, nothing).loss == quiet.forward(given).loss


@pytest.mark.parametrize("kind", KINDS)
def test_zoneout_in_evaluation_is_its_expectation(kind):
    model, given = create(kind, 2, zoneout=0.4), batch()
    noise = model.draw_noise(given, 0)
    assert {name.split(".")[1] for name, _ in trees.walk(noise)} == {"zoneout"}
    share = trees.map(lambda mask: np.full_like(mask, 0.6), noise)
    assert_close(model.forward(given).logp, model.forward(given, share).logp)
    assert model.forward(given).loss != create(kind, 2).forward(given).loss


def test_zoneout_of_everything_keeps_the_first_state():
    """Where no unit goes on, the decoder's states are its first ones."""
    model, given = create("luong", zoneout=0.4), batch()
    noise = model.draw_noise(given, 0)
    noise.decoder.zoneout = trees.zeros_like(noise.decoder.zoneout)
    decoder = model.forward(given, noise).decoder
    for h in decoder.h:
        assert_close(h, decoder.start.state.layers[0].h)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [0, 4])
def test_the_host_waits_for_nothing_in_a_noisy_step_on_a_gpu(there, kind, samples):
    with numseq.use("numpy"):
        model = noisy(kind, dtype=np.float32, samples=samples, tied="target", readout="maxout")
    model, given = on_device(model), batch()
    strict_cupy.syncs = 0
    noise = model.draw_noise(given, 0)
    grad = model.forward(given, noise).backward().params
    assert strict_cupy.syncs == 0
    assert all(isinstance(d, there.ndarray) and d.dtype == np.float32 for d in trees.leaves(grad))
    assert np.isfinite(float(trees.global_norm(grad)))


# losses


def nll(trace, given):
    logp = trace.logp[given.target_mask]
    return -logp[np.arange(len(logp)), given.target_out[given.target_mask]].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_training_adds_smoothing_penalty_and_coverage_and_evaluation_does_not(kind):
    more = {} if kind in BLIND else {"coverage_loss": 0.7}
    model, given = create(kind, label_smoothing=0.2, confidence_penalty=0.3, **more), batch()
    evaluation, training = model.forward(given), model.forward(given, TRAINING)
    assert_close(evaluation.loss, nll(evaluation, given))
    assert_same(evaluation.logp, training.logp)
    logp = training.logp[given.target_mask]
    expected = 0.8 * nll(training, given) - 0.2 * logp.mean() + 0.3 * (np.exp(logp) * logp).sum(axis=-1).mean()
    if more:
        alpha = training.alpha * given.target_mask[:, :, None]
        before = np.cumsum(alpha, axis=0) - alpha
        expected += 0.7 * np.minimum(alpha, before).sum(axis=-1)[given.target_mask].mean()
    assert_close(training.loss, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_loss_is_the_plain_mean_however_it_is_trained(kind):
    pairs = Pairs(Ragged(SOURCES), Ragged(TARGETS))
    plain = mean_loss(create(kind), pairs)
    for options in (
        {"label_smoothing": 0.2, "confidence_penalty": 0.3},
        {"samples": 4},
        {"word_dropout": 0.5, "weight_drop": 0.5, "dropout": 0.5},
        {} if kind in BLIND else {"coverage_loss": 2.0},
    ):
        assert mean_loss(create(kind, **options), pairs) == plain


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", ["none", "target"])
def test_sampled_softmax_trains_on_samples_and_evaluates_on_all(kind, tied):
    model, given = create(kind, samples=5, tied=tied, readout="tanh"), batch()
    noise = model.draw_noise(given, 0)
    samples, log_q = noise.head.samples
    assert samples.shape == (5,) and len(set(samples.tolist())) == 5 and log_q.shape == (13,)
    training, evaluation = model.forward(given, noise), model.forward(given)
    assert training.loss != evaluation.loss and training.objective.head.output is None
    assert_close(evaluation.loss, nll(evaluation, given))
    grad = training.backward().params
    W = grad.head.W if tied == "none" else grad.target.W.T
    seen = np.isin(np.arange(13), [*samples, *given.target_out[given.target_mask]])
    if tied == "none":
        assert (W[:, ~seen] == 0).all() and (W[:, seen] != 0).any(axis=0).all()
    assert np.isfinite(W).all()


# ties


def untied(model):
    """The same function with matrices of its own for everything."""
    params = dataclasses.replace(model.params, head=LinearParams(model.params.target.W.T.copy(), model.params.head.b))
    if model.config.tied == "all":
        params.source = trees.map(np.copy, params.target)
    return Seq2Seq(dataclasses.replace(model.config, tied="none"), params)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", ["target", "all"])
@pytest.mark.parametrize("samples", [0, 4])
def test_the_gradient_of_a_shared_matrix_is_the_sum_over_its_uses(kind, tied, samples):
    options = {"target_vocabulary": 11, "embedding": 16, "readout": "maxout", "samples": samples, "dropout": 0.3}
    model, given = create(kind, tied=tied, **options), small_ids(batch())
    apart, noise = untied(model), model.draw_noise(given, 0)
    one, other = model.forward(given, noise), apart.forward(given, noise)
    assert_close(one.loss, other.loss)
    found, expected = one.backward().params, other.backward().params
    total = expected.target.W + expected.head.W.T
    if tied == "all":
        total = total + expected.source.W
        assert found.source is None
    assert found.head.W is None
    assert_close(found.target.W, total)
    assert_close([found.head.b, found.encoder, found.decoder], [expected.head.b, expected.encoder, expected.decoder])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", ["target", "all"])
def test_one_update_moves_the_shared_matrix_everywhere(kind, tied):
    options = {"target_vocabulary": 11, "embedding": 16, "readout": "tanh"}
    model, given = create(kind, tied=tied, **options), small_ids(batch())
    names = [name for name, _ in trees.walk(model.params)]
    assert "head.W" not in names and ("source.W" in names) == (tied == "target")
    SGD(model.params, lr=0.1).update(model.params, model.forward(given).backward().params)
    assert_close(model.forward(given).logp, untied(model).forward(given).logp)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_tied_model_is_about_as_good_as_guessing(kind):
    for tied in ("target", "all"):
        config = dataclasses.replace(create(kind).config, tied=tied, readout="tanh", target_vocabulary=11)
        assert abs(Seq2Seq.create(config).forward(small_ids(batch())).loss - np.log(11)) < 0.3


# what a call leaves as it was


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attention", ["additive", "coverage"])
def test_backward_twice_agrees_and_nothing_is_changed(kind, attention):
    options = NOISE | ({} if kind in BLIND else {"attention": attention, "coverage_loss": 0.5})
    model, given = create(kind, 2, readout="maxout", **options), batch()
    noise = model.draw_noise(given, 0)
    before = trees.map(np.copy, [model.params, noise, given.source, given.target_in])
    trace = model.forward(given, noise)
    first, second = trace.backward().params, trace.backward().params
    assert_same(first, second)
    assert_same([model.params, noise, given.source, given.target_in], before)
    assert_close(trace.backward(2.0).params, trees.map(lambda d: 2 * d, first))


@each_case
def test_the_gradient_has_the_arrays_of_the_parameters(case):
    model = made(case)
    grad = model.forward(small_ids(batch())).backward().params
    assert {n: d.shape for n, d in trees.walk(grad)} == {n: p.shape for n, p in trees.walk(model.params)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("embedding", [7, 16])  # without and with an input that goes around the lowest layer
def test_the_gradient_of_three_layers_with_all_noise_is_right_along_a_direction_in_every_array(kind, embedding):
    model, given = noisy(kind, 3, residual=True, readout="maxout", embedding=embedding), batch()
    assert_gradients(model, given, model.draw_noise(given, 0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_state_of_another_precision_is_refused(kind, layers):
    model, given = create(kind, layers, np.float32), batch()
    memory, state = model.start(given.source, given.source_mask)
    for k, layer in enumerate(state.layers):
        wrong = state._replace(layers=[*state.layers[:k], trees.cast(layer, np.float64), *state.layers[k + 1 :]])
        with pytest.raises(TypeError, match="arrays of one call must share one dtype"):
            model.step(given.target_in[0], wrong, memory)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
def test_single_precision_stays_single(kind, cell):
    layers = 1 if (kind, cell) == ("feeding", "lstm-layernorm") else 2
    model, given = create(kind, layers, np.float32, cell=cell, **NOISE), batch()
    noise = model.draw_noise(given, 0)
    for trace in (model.forward(given, noise), model.forward(given)):
        assert trace.logp.dtype == np.float32 and {d.dtype for d in trees.leaves(trace.backward().params)} == {
            np.dtype(np.float32)
        }
    memory, state = model.start(given.source, given.source_mask)
    logp, state, _ = model.step(np.full(4, BOS), state, memory)
    assert logp.dtype == np.float32 and {part.dtype for part in trees.leaves(state)} == {np.dtype(np.float32)}
