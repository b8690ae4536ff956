"""The four decoders with every cell and attention: steps and teacher forcing, rows, padding, noise, losses, ties."""

import dataclasses

import numpy as np
import pytest
import strict_cupy
from helpers import KINDS, TARGETS, assert_close, assert_same, at_scale_one, batch, create, normal, padded
from test_search import LIMITS, SOURCES, arrays, assert_hypotheses, everything, hypotheses, one_at_a_time

import numseq
from numseq import backend
from numseq import params as trees
from numseq.data import BOS, Pairs
from numseq.data.batches import Ragged
from numseq.layers import LinearParams
from numseq.models import ATTENTIONS, CELLS, Seq2Seq, Seq2SeqConfig, forward
from numseq.search import BeamOptions, SamplingOptions, beam_search, greedy, mean_loss, sample
from numseq.training import SGD

ATTENTIVE = [kind for kind in KINDS if kind != "plain"]
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
    """Logits (T, B, V) and attention (T, B, S) or None, step by step on given previous tokens."""
    logits, alphas = [], []
    for said in ids:
        step, state, alpha = model.step(said, state, memory)
        logits.append(step)
        alphas.append(alpha)
    return np.stack(logits), None if alphas[0] is None else np.stack(alphas)


# steps


def small_ids(given):
    """The batch with target ids that every vocabulary here has."""
    return dataclasses.replace(given, target_in=given.target_in % 11, target_out=given.target_out % 11)


@each_case
def test_steps_give_what_teacher_forcing_gives(case):
    model, given = made(case), small_ids(batch())
    trace = model.forward(given)
    logits, alpha = by_steps(model, *model.start(given.source, given.source_mask), given.target_in)
    assert_close(logits, trace.logits)
    assert (alpha is None) == (trace.alpha is None) == case.startswith("plain")
    if alpha is not None:
        assert_close(alpha, trace.alpha)


@each_case
def test_rows_that_are_picked_after_a_step_go_on_as_they_would_have(case):
    model, given = made(case), small_ids(batch())
    memory, state = model.start(given.source, given.source_mask)
    for ids in given.target_in[:2]:
        _, state, _ = model.step(ids, state, memory)
    logits, alpha = by_steps(model, memory, state, given.target_in[2:])
    rows = np.array([3, 0, 0, 2, 3])
    picked, picked_alpha = by_steps(model, *model.of_rows(memory, state, rows), given.target_in[2:, rows])
    assert_close(picked, logits[:, rows])
    if alpha is not None:
        assert_close(picked_alpha, alpha[:, rows])


@pytest.mark.parametrize("kind", ATTENTIVE)
@pytest.mark.parametrize("attention", ["coverage", "location"])
def test_what_is_carried_decides_where_to_look_next(kind, attention):
    model, given = create(kind, attention=attention), batch()
    memory, state = model.start(given.source, given.source_mask)
    _, state, _ = model.step(given.target_in[0], state, memory)
    _, _, alpha = model.step(given.target_in[1], state, memory)
    place = next(k for k, layer in enumerate(state) if layer and layer[0].shape == alpha.shape)
    forgotten = [*state[:place], (np.zeros_like(state[place][0]),), *state[place + 1 :]]
    _, _, other = model.step(given.target_in[1], forgotten, memory)
    assert (alpha[:3] != other[:3]).any(axis=-1).all()  # a source of one token is looked at whatever was


def test_what_was_said_is_fed_back():
    model, given = create("feeding"), batch()
    memory, state = model.start(given.source, given.source_mask)
    logits, after, _ = model.step(given.target_in[0], state, memory)
    other, _, _ = model.step(given.target_in[0], [*state[:-1], (state[-1][0] + 1,)], memory)
    assert (state[-1][0] == 0).all() and (after[-1][0] != 0).all() and (logits != other).any(axis=-1).all()
    assert len(create("luong").start(given.source, given.source_mask)[1]) == len(state) - 1


@pytest.mark.parametrize("attention", [name for name in ATTENTIONS if name != "none"])
def test_feeding_that_weighs_nothing_is_the_order_of_luong(attention):
    options = {"attention": attention, "attention_size": 12, "residual": True, "readout": "maxout", **NOISE}
    feeding, luong, given = create("feeding", 3, **options), create("luong", 3, **options), batch()
    feeding.params.decoder.W_feed[...] = 0
    params = dataclasses.replace(feeding.params.decoder, W_feed=None)
    luong.params = dataclasses.replace(feeding.params, decoder=params)
    masks = luong.draw_masks(given, 0)
    for noise in (masks, None):
        assert_close(feeding.forward(given, noise).logits, luong.forward(given, noise).logits)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("embedding, lowest", [(16, True), (7, False)])
def test_inputs_go_around_every_layer_of_their_width(kind, embedding, lowest):
    trace = create(kind, 3, residual=True, embedding=embedding).forward(batch())
    decoder = trace.decoder
    assert trace.encoder.rnn.around == [lowest, True, True]
    if kind == "feeding":
        assert [layer.around for layer in decoder.layers] == [lowest, True, True]
    elif kind == "attention":  # its lowest layer reads the context too, and has nothing that goes around it
        assert decoder.upper.around == [True, True]
        assert_close(decoder.upper.h, decoder.upper.layers[1].h + decoder.upper.layers[0].h + decoder.run.now[0])
    else:
        assert decoder.rnn.around == [lowest, True, True]
        around = decoder.dropout.y if lowest else 0
        assert_close(decoder.rnn.h, sum(layer.h for layer in decoder.rnn.layers) + around)
    without = create(kind, 3, embedding=embedding).forward(batch())
    assert (without.logits != trace.logits).any(axis=-1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_step_is_trained_and_decoded_with(kind):
    def half(a, s):
        s.h[...] = np.tanh(a) / 2

    model, given = create(kind, cell="rnn"), batch()
    before = model.forward(given).logits
    model.cell = dataclasses.replace(CELLS["rnn"], step=half)
    logits, _ = by_steps(model, *model.start(given.source, given.source_mask), given.target_in)
    assert_close(logits, model.forward(given).logits)
    assert (logits != before).any(axis=-1).all()


# search

TINY = {"embedding": 4, "hidden": 6, "attention_size": 5}
SEARCHED = {
    "plain, gru": ("plain", {"cell": "gru"}),
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
    for other in (found.ids[:, :, 0], drawn.ids[:, :, 0], drawn.ids[:, :, 1]):
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
    assert_close(other.logits[:T, :B][given.target_mask], one.logits[given.target_mask])
    assert_close(other.loss, one.loss)
    if one.alpha is not None:
        S = len(given.source)
        assert_close(other.alpha[:T, :B, :S][given.target_mask], one.alpha[given.target_mask])
        assert (other.alpha[:, :B, S:] == 0).all()
    found, expected = other.backward().params, one.backward().params
    assert_close(found, expected)
    if model.config.tied == "none":
        assert (found.encoder.embedding.W[last[0]] == 0).all() and (found.decoder.embedding.W[last[1]] == 0).all()


@each_case
def test_a_batch_of_one_is_a_row_of_a_batch(case):
    model, given = made(case), small_ids(batch())
    logits = model.forward(given).logits
    for b in range(given.source.shape[1]):
        S, T = given.source_mask[:, b].sum(), given.target_mask[:, b].sum()
        row = dataclasses.replace(
            given, source=given.source[:S, [b]], source_mask=given.source_mask[:S, [b]], tokens=int(T),
            **{name: getattr(given, name)[:T, [b]] for name in ("target_in", "target_out", "target_mask")},
        )  # fmt: skip
        assert_close(model.forward(row).logits[:, 0], logits[:T, b])


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
    masks = model.draw_masks(given, 0)
    (S, B), T, E, H, L = given.source.shape, len(given.target_in), 7, 16, 3
    G = {"lstm": 4, "gru": 3}[cell]
    s, t = (1, 1) if variational else (S, T)
    two, width = ((), H) if kind == "plain" else ((2,), H // 2)
    states = 2 if cell == "lstm" else 1
    expected = {
        "source": (S, B, E), "target": (T, B, E),  # with words dropped, there is one for each step in any case
        "encoder": [(s, B, H)] * (L - 1), "decoder": [(t, B, H)] * (L - 1), "readout": (t, B, H),
        "encoder_weights": [(*two, width, G * width)] * L, "decoder_weights": [(H, G * H)] * L,
        "encoder_zoneout": [((S, *two, B, width),) * states] * L, "decoder_zoneout": [((T, B, H),) * states] * L,
    }  # fmt: skip
    assert {name: shapes(mask) for name, mask in masks.items()} == expected
    assert all(leaf.dtype == np.float64 for leaf in trees.leaves(list(masks.values())))
    assert np.isfinite(model.forward(given, masks).loss)


def shapes(masks):
    return type(masks)(map(shapes, masks)) if isinstance(masks, list | tuple) else masks.shape


def test_variational_dropout_without_words_has_one_mask_for_all_steps():
    model = create("attention", 2, dropout=0.5, variational=True)
    masks = model.draw_masks(batch(), 0)
    assert [len(mask) for mask in (masks["source"], masks["target"], masks["readout"], *masks["encoder"])] == [1] * 4


def within(found, rate):
    """Whether the share of zeros is the rate, but for four standard deviations."""
    return abs((found == 0).mean() - rate) < 4 * (rate * (1 - rate) / found.size) ** 0.5


def test_noise_drops_at_its_rates_and_keeps_the_mean():
    masks = noisy("attention", word_dropout=0.0).draw_masks(large(), 0)
    dropped = [masks["source"], masks["target"], masks["readout"], *masks["encoder"], *masks["decoder"]]
    for mask in dropped:
        assert within(mask, 0.3) and set(np.unique(mask)) == {0, 1 / 0.7}
    for mask in [*masks["encoder_weights"], *masks["decoder_weights"]]:
        assert within(mask, 0.25) and set(np.unique(mask)) == {0, 1 / 0.75}
    for layer in [*masks["encoder_zoneout"], *masks["decoder_zoneout"]]:
        for mask in layer:
            assert within(mask, 0.4) and set(np.unique(mask)) == {0, 1}
        assert (layer[0] != layer[1]).any()  # h and c are kept apart


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_words_are_dropped_whole(dropout):
    masks = noisy("attention", dropout=dropout).draw_masks(large(), 0)
    for name in ("source", "target"):
        whole = (masks[name] != 0).any(axis=-1)
        assert within(whole, 0.2 if not dropout else 0.2 + 0.8 * 0.3**7)
        assert masks[name].max() == pytest.approx(1 / 0.8 / (1 - dropout))


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_seeded(kind):
    model, given = noisy(kind, samples=5), batch()
    first, again, other = (model.draw_masks(given, 5, k) for k in (1, 1, 2))
    assert_same(list(first.values()), list(again.values()))
    pairs = dict(zip(first, zip(first.values(), other.values(), strict=True), strict=True))
    pairs.pop("log_q")  # how likely a token is to be drawn is always the same
    for name, (one, two) in pairs.items():
        for a, b in zip(trees.leaves([one]), trees.leaves([two]), strict=True):
            assert not np.array_equal(a, b), name
    losses = [float(model.forward(given, masks).loss) for masks in (first, again, other)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_of_the_noise_is_used(kind):
    model, given = noisy(kind), batch()
    masks = model.draw_masks(given, 0)
    expected = model.forward(given, masks).loss
    for name in masks:
        leaves = dict(trees.walk(masks[name]))
        for place in leaves:
            changed = trees.replace(masks[name], leaves | {place: 0.5 * leaves[place] + 0.1})
            assert model.forward(given, masks | {name: changed}).loss != expected, (name, place)


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_is_without_noise(kind):
    model, given = noisy(kind, zoneout=0.0), batch()
    quiet = create(kind, 2)
    assert model.forward(given).loss == model.forward(given).loss == quiet.forward(given).loss
    assert model.forward(given, model.draw_masks(given, 0)).loss != quiet.forward(given).loss
    assert quiet.draw_masks(given, 0) == {} and quiet.forward(given, {}).loss == quiet.forward(given).loss


@pytest.mark.parametrize("kind", KINDS)
def test_zoneout_in_evaluation_is_its_expectation(kind):
    model, given = create(kind, 2, zoneout=0.4), batch()
    share = {name: [tuple(np.full_like(mask, 0.6) for mask in layer) for layer in layers]
             for name, layers in model.draw_masks(given, 0).items()}  # fmt: skip
    assert share.keys() == {"encoder_zoneout", "decoder_zoneout"}
    assert_close(model.forward(given).logits, model.forward(given, share).logits)
    assert model.forward(given).loss != create(kind, 2).forward(given).loss


def test_zoneout_of_everything_keeps_the_first_state():
    """Where no unit goes on, the decoder's states are its first ones."""
    model, given = create("luong", zoneout=0.4), batch()
    masks = model.draw_masks(given, 0)
    masks["decoder_zoneout"] = [tuple(0 * mask for mask in layer) for layer in masks["decoder_zoneout"]]
    decoder = model.forward(given, masks).decoder
    for h in decoder.rnn.h:
        assert_close(h, decoder.bridge.h0[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [0, 4])
def test_the_host_waits_for_nothing_in_a_noisy_step_on_a_gpu(there, kind, samples):
    with numseq.use("numpy"):
        model = noisy(kind, dtype=np.float32, samples=samples, tied="target", readout="maxout")
    model, given = on_device(model), batch()
    strict_cupy.syncs = 0
    masks = model.draw_masks(given, 0)
    grad = model.forward(given, masks).backward().params
    assert strict_cupy.syncs == 0
    assert all(isinstance(d, there.ndarray) and d.dtype == np.float32 for d in trees.leaves(grad))
    assert np.isfinite(float(trees.global_norm(grad)))


# losses


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def nll(trace, given):
    logp = log_softmax(trace.logits)[given.target_mask]
    return -logp[np.arange(len(logp)), given.target_out[given.target_mask]].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_training_adds_smoothing_penalty_and_coverage_and_evaluation_does_not(kind):
    more = {} if kind == "plain" else {"coverage_loss": 0.7}
    model, given = create(kind, label_smoothing=0.2, confidence_penalty=0.3, **more), batch()
    evaluation, training = model.forward(given), model.forward(given, {})
    assert_close(evaluation.loss, nll(evaluation, given))
    assert_same(evaluation.logits, training.logits)
    logp = log_softmax(training.logits)[given.target_mask]
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
        {} if kind == "plain" else {"coverage_loss": 2.0},
    ):
        assert mean_loss(create(kind, **options), pairs) == plain


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", ["none", "target"])
def test_sampled_softmax_trains_on_samples_and_evaluates_on_all(kind, tied):
    model, given = create(kind, samples=5, tied=tied, readout="tanh"), batch()
    masks = model.draw_masks(given, 0)
    assert masks["samples"].shape == (5,) and len(set(masks["samples"].tolist())) <= 5
    training, evaluation = model.forward(given, masks), model.forward(given)
    assert training.loss != evaluation.loss and training.cross_entropy is None
    assert_close(evaluation.loss, nll(evaluation, given))
    grad = training.backward().params
    W = grad.decoder.readout.W if tied == "none" else grad.decoder.embedding.W.T
    seen = np.isin(np.arange(13), [*masks["samples"], *given.target_out[given.target_mask]])
    if tied == "none":
        assert (W[:, ~seen] == 0).all() and (W[:, seen] != 0).any(axis=0).all()
    assert np.isfinite(W).all()


def test_a_model_without_samples_in_its_noise_says_which_is_missing():
    with pytest.raises(KeyError, match="samples"):
        create("plain", samples=5).forward(batch(), {})


# ties


def untied(model):
    """The same function with matrices of its own for everything."""
    params, shared = model.params, model.params.decoder.embedding.W
    decoder = dataclasses.replace(params.decoder, readout=LinearParams(shared.T.copy(), params.decoder.readout.b))
    encoder = params.encoder
    if model.config.tied == "all":
        encoder = dataclasses.replace(encoder, embedding=dataclasses.replace(params.decoder.embedding, W=shared.copy()))
    config = dataclasses.replace(model.config, tied="none")
    return Seq2Seq(config, dataclasses.replace(params, encoder=encoder, decoder=decoder))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", ["target", "all"])
@pytest.mark.parametrize("samples", [0, 4])
def test_the_gradient_of_a_shared_matrix_is_the_sum_over_its_uses(kind, tied, samples):
    options = {"target_vocabulary": 11, "embedding": 16, "readout": "maxout", "samples": samples, "dropout": 0.3}
    model, given = create(kind, tied=tied, **options), small_ids(batch())
    apart, masks = untied(model), model.draw_masks(given, 0)
    one, other = model.forward(given, masks), apart.forward(given, masks)
    assert_close(one.loss, other.loss)
    found, expected = one.backward().params, other.backward().params
    total = expected.decoder.embedding.W + expected.decoder.readout.W.T
    if tied == "all":
        total = total + expected.encoder.embedding.W
        assert found.encoder.embedding is None
    assert found.decoder.readout.W is None
    assert_close(found.decoder.embedding.W, total)
    assert_close(found.decoder.readout.b, expected.decoder.readout.b)
    assert_close(found.encoder.rnn, expected.encoder.rnn)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", ["target", "all"])
def test_one_update_moves_the_shared_matrix_everywhere(kind, tied):
    options = {"target_vocabulary": 11, "embedding": 16, "readout": "tanh"}
    model, given = create(kind, tied=tied, **options), small_ids(batch())
    names = [name for name, _ in trees.walk(model.params)]
    assert "decoder.readout.W" not in names and ("encoder.embedding.W" in names) == (tied == "target")
    SGD(model.params, lr=0.1).update(model.params, model.forward(given).backward().params)
    assert_close(model.forward(given).logits, untied(model).forward(given).logits)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_tied_model_is_about_as_good_as_guessing(kind):
    for tied in ("target", "all"):
        config = dataclasses.replace(create(kind).config, tied=tied, readout="tanh", target_vocabulary=11)
        assert abs(Seq2Seq.create(config).forward(small_ids(batch())).loss - np.log(11)) < 0.3


# what a call leaves as it was


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attention", ["additive", "coverage"])
def test_backward_twice_agrees_and_nothing_is_changed(kind, attention):
    options = NOISE | ({} if kind == "plain" else {"attention": attention, "coverage_loss": 0.5})
    model, given = create(kind, 2, readout="maxout", **options), batch()
    masks = model.draw_masks(given, 0)
    before = trees.map(np.copy, [model.params, list(masks.values()), given.source, given.target_in])
    trace = model.forward(given, masks)
    first, second = trace.backward().params, trace.backward().params
    assert_same(first, second)
    assert_same([model.params, list(masks.values()), given.source, given.target_in], before)
    assert_close(trace.backward(2.0).params, trees.map(lambda d: 2 * d, first))


@each_case
def test_the_gradient_has_the_arrays_of_the_parameters(case):
    model = made(case)
    grad = model.forward(small_ids(batch())).backward().params
    assert {n: d.shape for n, d in trees.walk(grad)} == {n: p.shape for n, p in trees.walk(model.params)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_three_layers_with_all_noise_is_right_along_a_direction_in_every_array(kind):
    model, given = noisy(kind, 3, residual=True, readout="maxout"), batch()
    masks = model.draw_masks(given, 0)
    grad = dict(trees.walk(model.forward(given, masks).backward().params))
    leaves = dict(trees.walk(model.params))
    for k, (name, leaf) in enumerate(leaves.items()):
        direction = normal(*leaf.shape, seed=k)
        moved = {other: array.astype(np.complex128) for other, array in leaves.items()}
        moved[name] += 1e-100j * direction
        slope = forward(trees.replace(model.params, moved), given, model.config, masks).loss.imag / 1e-100
        scale = np.abs(grad[name] * direction).sum()
        assert abs((grad[name] * direction).sum() - slope) <= 1e-10 * scale, name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
def test_single_precision_stays_single(kind, cell):
    layers = 1 if (kind, cell) == ("feeding", "lstm-layernorm") else 2
    model, given = create(kind, layers, np.float32, cell=cell, **NOISE), batch()
    masks = model.draw_masks(given, 0)
    for trace in (model.forward(given, masks), model.forward(given)):
        assert trace.logits.dtype == np.float32 and {d.dtype for d in trees.leaves(trace.backward().params)} == {
            np.dtype(np.float32)
        }
    memory, state = model.start(given.source, given.source_mask)
    logits, state, _ = model.step(np.full(4, BOS), state, memory)
    assert logits.dtype == np.float32 and {part.dtype for layer in state for part in layer} == {np.dtype(np.float32)}
