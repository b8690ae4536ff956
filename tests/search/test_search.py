"""Search: beam search against everything that could be said, samples against their distribution, and lines of text."""

import dataclasses
import itertools
from functools import cache

import numpy as np
import pytest
import strict_cupy
from helpers import KINDS, MODELS, assert_close, at_scale_one, normal
from helpers_search import (
    EXACT,
    LIMITS,
    SOURCES,
    WORDS,
    arrays,
    assert_hypotheses,
    everything,
    final_score,
    forced,
    hypotheses,
    one_at_a_time,
    repeats,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import numseq
from numseq import backend
from numseq import params as trees
from numseq.data import BOS, EOS, PAD, UNK, Pairs, Tokens
from numseq.data.batches import Ragged
from numseq.errors import ConfigError
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.search import (
    BeamOptions,
    GreedyOptions,
    Hypotheses,
    Hypothesis,
    SamplingOptions,
    Translator,
    beam_search,
    greedy,
    pools,
    sample,
    score,
    translate,
)
from numseq.search.bans import forbid
from numseq.search.nbest import NORMS, NBest
from numseq.search.sampling import draw
from numseq.search.topk import topk
from numseq.search.tree import FATES
from numseq.training import mean_loss

SOME = [("plain", 1), ("attention", 2)]
each_model = pytest.mark.parametrize("kind, depth", MODELS)
# of what is tried with many options besides: each kind, and each depth
some_models = pytest.mark.parametrize(
    "kind, depth", [pytest.param(*m, marks=() if m in SOME else pytest.mark.slow) for m in MODELS]
)

RULES = {
    "plain sums": {"length_penalty": 0.0},
    "average": {},
    "average, weak": {"length_penalty": 0.4},
    "gnmt": {"norm": "gnmt", "length_penalty": 0.7},
    "coverage": {"coverage_penalty": 0.3},
    "gnmt with coverage": {"norm": "gnmt", "length_penalty": 0.7, "coverage_penalty": 0.2},
    "min length": {"min_length": 2},
    "no word twice": {"no_repeat_ngram": 1},
    "no pair twice": {"no_repeat_ngram": 2},
    "all at once": {"min_length": 1, "no_repeat_ngram": 2, "coverage_penalty": 0.1, "length_penalty": 0.6},
}
BANS = {
    "nothing": {},
    "min length": {"min_length": 2},
    "no word twice": {"no_repeat_ngram": 1},
    "no pair twice": {"no_repeat_ngram": 2},
    "both": {"min_length": 2, "no_repeat_ngram": 1},
}
each_rule = pytest.mark.parametrize("rule", RULES)

some_sources = st.lists(st.lists(st.integers(4, 10), min_size=1, max_size=6), min_size=1, max_size=5)


@cache
def small(kind, depth=1, seed=0, dtype=np.float64, words=WORDS, scale=1.0):
    """A model of few words; the same seed gives the same numbers in every precision. Not to be changed: it is kept."""
    sizes = {"layers": depth, "embedding": 4, "hidden": 6, "attention_size": 5}
    config = Seq2SeqConfig(11, words, **KINDS[kind], **sizes)
    with numseq.use("numpy"):
        model = Seq2Seq.create(config, dtype=dtype)
    model.params = trees.map(lambda leaf: leaf * leaf.dtype.type(scale), at_scale_one(model.params, seed))
    return model


def biased(model, **biases):
    """A copy of the model with these added to the biases of its special tokens."""
    copy = dataclasses.replace(model, params=trees.map(np.copy, model.params))
    for name, more in biases.items():
        copy.params.head.b[["pad", "unk", "bos", "eos"].index(name)] += more
    return copy


def that_never_ends(model):
    return biased(model, eos=-1e9)


def assert_same_found(found, expected):
    """The same in every field of Hypotheses, but for rounding."""
    assert (found.ids == expected.ids).all() and (found.lengths == expected.lengths).all()
    for name in ("logp", "scores", "alpha"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        if one is not None:
            possible = np.isfinite(other)
            assert (np.isfinite(one) == possible).all()
            assert_close(np.where(possible, one, 0), np.where(possible, other, 0), EXACT)


# by enumeration


def softmax(z):
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def models_of(kind, depth, count):
    return [small(kind, depth, seed) for seed in range(count)]


@each_rule
@pytest.mark.parametrize("count", [1, 2])
@some_models
def test_a_beam_as_wide_as_everything_finds_everything(kind, depth, count, rule):
    models, options = models_of(kind, depth, count), BeamOptions(beam=100, **RULES[rule])
    found = beam_search(models, *arrays(SOURCES, LIMITS), options)
    for b, (source, limit) in enumerate(zip(SOURCES, LIMITS, strict=True)):
        assert_hypotheses(hypotheses(found, b), everything(models, source, limit, options))


def test_everything_is_everything():
    """The enumeration's own numbers: all sentences of a limit of 3 are 1 + 4 + 16 + 64, and their probabilities sum to
    one when nothing is forbidden and the end is not forced."""
    models = models_of("attention", 1, 1)
    assert len(everything(models, [5], 3, BeamOptions())) == 85
    assert len(everything(models, [5], 3, BeamOptions(min_length=2))) == 80
    assert len(everything(models, [5], 3, BeamOptions(no_repeat_ngram=1))) == 1 + 4 + 12 + 24
    assert len(everything(models, [5], 3, BeamOptions(no_repeat_ngram=2))) == 85 - 4  # a a a has the pair a a twice


@pytest.mark.parametrize("count", [1, 2])
@each_rule
@some_models
def test_a_narrow_beam_is_a_search_of_one_hypothesis_at_a_time(kind, depth, rule, count):
    models, limits = models_of(kind, depth, count), (5, 4, 3, 0)
    options = BeamOptions(beam=4 - count, **RULES[rule])
    found = beam_search(models, *arrays(SOURCES, limits), options)
    for b, (source, limit) in enumerate(zip(SOURCES, limits, strict=True)):
        assert_hypotheses(hypotheses(found, b), one_at_a_time(models, source, limit, options))


def test_a_model_that_attends_and_one_that_does_not_decode_together():
    models, options = [small("attention"), small("plain")], BeamOptions(beam=100, coverage_penalty=0.5)
    found = beam_search(models, *arrays(SOURCES, LIMITS), options)
    assert found.alpha is None
    for b, (source, limit) in enumerate(zip(SOURCES, LIMITS, strict=True)):
        assert_hypotheses(hypotheses(found, b), everything(models, source, limit, options))


@each_model
def test_attention_is_that_of_forced_decoding(kind, depth):
    models = models_of(kind, depth, 2)
    given = arrays(SOURCES, LIMITS, steps=2)
    for options in (BeamOptions(beam=4, coverage_penalty=0.3), BeamOptions(beam=4)):
        found = beam_search(models, *given, options)
        bare = beam_search(models, *given, options, keep_alpha=False)
        assert bare.alpha is None and (bare.ids == found.ids).all() and (bare.scores == found.scores).all()
    if kind == "plain":
        assert found.alpha is None
        return
    assert found.alpha.shape == (*found.ids.shape, len(given[0]))
    for b, source in enumerate(SOURCES):
        for k, (tokens, _, _) in enumerate(hypotheses(found, b)):
            n, S = len(tokens) + 1, len(source)
            assert_close(found.alpha[:n, b, k, :S], forced(models, source, [tokens])[1][:, 0], EXACT)
            assert (found.alpha[n:, b, k] == 0).all() and (found.alpha[:, b, k, S:] == 0).all()


@each_model
def test_ids_end_once_and_are_padded(kind, depth):
    found = beam_search(small(kind, depth), *arrays(SOURCES, LIMITS), BeamOptions(beam=4))
    assert len(found.ids) == found.lengths.max() + 1
    for b, k in np.ndindex(found.lengths.shape):
        if np.isfinite(found.scores[b, k]):
            n = found.lengths[b, k]
            assert not np.isin(found.ids[:n, b, k], [PAD, BOS, EOS]).any() and found.ids[n, b, k] == EOS
            assert (found.ids[n + 1 :, b, k] == PAD).all()


# a beam of one


@each_model
@given(some_sources, st.integers(0, 30), st.integers(0, 1000))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_a_beam_of_one_is_greedy(kind, depth, sources, seed, limits_seed):
    model = small(kind, depth, seed)
    given = arrays(sources, np.random.default_rng(limits_seed).integers(0, 9, len(sources)))
    assert_same_found(beam_search(model, *given, BeamOptions(beam=1)), greedy(model, *given))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("rule", BANS)
@some_models
def test_greedy_keeps_to_bans_as_a_search_of_one_hypothesis_at_a_time_does(kind, depth, rule, count):
    for seed in range(4):
        models, limits = [small(kind, depth, seed + k) for k in range(count)], (5, 4, 3, 0)
        found = greedy(models, *arrays(SOURCES, limits), GreedyOptions(**BANS[rule]))
        for b, (source, limit) in enumerate(zip(SOURCES, limits, strict=True)):
            expected = one_at_a_time(models, source, limit, BeamOptions(beam=1, **BANS[rule]))
            assert_hypotheses(hypotheses(found, b), expected)


# hypotheses


@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_hypotheses_are_taken_out_as_they_were_put_in(kind):
    options = BeamOptions(beam=8, no_repeat_ngram=1)  # more than a limit of 0 or 1 leaves
    found = beam_search(small(kind), *arrays(SOURCES, (3, 0, 1, 4)), options)
    lists = [found.of_sentence(b) for b in range(4)]
    assert [len(several) for several in lists] == [8, 1, 5, 8]
    for b, several in enumerate(lists):
        assert [(tuple(one.tokens), one.score, one.logp) for one in several] == hypotheses(found, b)
        for k, one in enumerate(several):
            n = len(one.tokens) + 1
            assert one.alpha is None if kind == "plain" else (one.alpha == found.alpha[:n, b, k]).all()
            assert kind == "plain" or one.alpha.shape == (n, len(SOURCES[0]))
    assert_same_found(Hypotheses.from_lists(lists, 8), found)
    assert Hypotheses.from_lists([[Hypothesis(np.array([5]), -1.0, -0.5)], []], 1).ids.tolist() == [
        [[5], [PAD]],
        [[EOS], [PAD]],
    ]


# bans


def banned(said, fewest=0, limits=9, ngram=0, logp=-2.0):
    """The tokens that each row may not say, and the log-probabilities (N, WORDS), which were all `logp`."""
    said = np.array(said)
    whole = np.full((said.shape[1], WORDS), logp)
    forbid(whole, said, *(np.broadcast_to(x, said.shape[1]) for x in (fewest, limits)), ngram)
    return [np.flatnonzero(row == -np.inf).tolist() for row in whole], whole


def test_padding_and_begin_are_always_banned_and_the_rest_keeps_its_probability():
    rows, logp = banned([[4, 5]])
    assert rows == [[PAD, BOS]] * 2 and set(logp[logp > -np.inf]) == {-2.0}


def test_the_end_is_banned_before_the_fewest_tokens():
    assert banned([[4, 5, 4]] * 2, fewest=[1, 2, 3])[0] == [[PAD, BOS], [PAD, BOS], [PAD, BOS, EOS]]
    assert banned([[4, 5]] * 3, fewest=9, limits=[3, 4])[0][0] == [k for k in range(WORDS) if k != EOS]


def test_what_would_repeat_an_ngram_is_banned():
    said = np.array([[4, 5, 4, 5, 4], [4, 4, 4, 4, 4], [1, 4, 5, 6, 4], [1, 1, 1, 1, 1]]).T
    more = lambda *tokens: sorted([PAD, BOS, *tokens])  # noqa: E731
    assert banned(said, ngram=1)[0] == [more(4, 5), more(4), more(1, 4, 5, 6), more(1)]
    assert banned(said, ngram=2)[0] == [more(5), more(4), more(5), more(1)]
    assert banned(said, ngram=3)[0] == [more(5), more(4), more(), more(1)]
    assert banned(said, ngram=5)[0] == [more(), more(4), more(), more(1)]
    assert banned(said, ngram=6)[0] == [more()] * 4


def test_only_the_end_is_left_at_the_limit_or_where_all_else_is_banned():
    others = [k for k in range(WORDS) if k != EOS]
    rows, logp = banned([[4, 5, 4]] * 2, limits=[1, 2, 3], fewest=2)
    assert rows == [[PAD, BOS], others, [PAD, BOS]] and (logp[:, EOS] == -2).all()
    rows, logp = banned([[1], [4], [5], [6]], fewest=5, ngram=1)
    assert rows == [others] and logp[0, EOS] == -2


def test_the_fewest_tokens_are_the_larger_of_a_number_and_a_share_of_the_source():
    lengths = np.array([1, 2, 3, 9])
    assert GreedyOptions(min_ratio=0.5).fewest(lengths).tolist() == [1, 1, 2, 5]
    assert SamplingOptions(min_ratio=1.5, min_length=4).fewest(lengths).tolist() == [4, 4, 5, 14]
    made = small("attention")
    for sources in (SOURCES, SOURCES[:1]):  # padded or not
        found = greedy(that_never_ends(made), *arrays(sources, [9] * len(sources)), GreedyOptions(min_ratio=2))
        assert (found.lengths == 9).all()
        found = greedy(biased(made, eos=50), *arrays(sources, [9] * len(sources)), GreedyOptions(min_ratio=1.5))
        assert found.lengths[:, 0].tolist() == [min(9, int(np.ceil(1.5 * len(source)))) for source in sources]


@pytest.mark.parametrize("never", [-np.inf, np.nan])
def test_an_end_that_must_be_is_possible_whatever_the_model_says(never):
    _, logp = banned([[4, 5]], limits=1, logp=never)
    assert np.isfinite(logp[:, EOS]).all() and np.isfinite(logp).sum() == 2


# neighbours

SEARCHES = {
    "greedy": GreedyOptions(),
    "greedy, banned": GreedyOptions(no_repeat_ngram=1, min_ratio=0.5),
    "beam": BeamOptions(beam=3),
    "coverage": BeamOptions(beam=4, norm="gnmt", coverage_penalty=0.3, no_repeat_ngram=2, min_length=1),
    "groups": BeamOptions(beam=4, groups=2),
    "samples": SamplingOptions(samples=3, temperature=1.2, seed=5),
    "top": SamplingOptions(samples=2, top_k=4, top_p=0.9),
    "samples, banned": SamplingOptions(samples=3, no_repeat_ngram=2, min_length=2),
}
FUNCTIONS = {GreedyOptions: greedy, BeamOptions: beam_search, SamplingOptions: sample}


def search_for(model, options, sources, limits, numbers, steps=0):
    more = {"numbers": np.array(numbers)} if isinstance(options, SamplingOptions) else {}
    return FUNCTIONS[type(options)](model, *arrays(sources, limits, steps), options, **more)


@pytest.mark.parametrize("name", SEARCHES)
@some_models
@given(some_sources, st.integers(0, 20), st.integers(0, 3), st.data())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_a_sentence_does_not_see_its_batch(kind, depth, name, sources, seed, steps, data):
    """Nor its size, its order, nor the padding."""
    model, options = small(kind, depth, seed), SEARCHES[name]
    limits = data.draw(st.lists(st.integers(0, 7), min_size=len(sources), max_size=len(sources)))
    order = data.draw(st.permutations(range(len(sources))))
    found = search_for(model, options, [sources[k] for k in order], [limits[k] for k in order], order, steps)
    for b, k in enumerate(order):
        alone = search_for(model, options, [sources[k]], [limits[k]], [k])
        assert_hypotheses(hypotheses(found, b), hypotheses(alone, 0))
        if kind == "attention":
            for j, (tokens, *_) in enumerate(hypotheses(alone, 0)):
                n, S = len(tokens) + 1, len(sources[k])
                assert_close(found.alpha[:n, b, j, :S], alone.alpha[:n, 0, j], EXACT)


# models that never end


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_ends_with_a_model_for_which_the_end_is_impossible(name):
    class Endless(Seq2Seq):
        def step(self, ids, state, memory):
            logp, state, alpha = super().step(ids, state, memory)
            logp[:, EOS] = -np.inf
            return logp, state, alpha

    model = small("attention")
    found = search_for(Endless(model.config, model.params), SEARCHES[name], SOURCES, (3, 0, 2, 4), range(4))
    assert np.isfinite(found.scores[:, 0]).all()
    if SEARCHES[name].no_repeat_ngram != 1:  # which can leave nothing to say before the limit
        assert (found.lengths[:, 0] == (3, 0, 2, 4)).all()


# forced decoding


def said_for(sources, found):
    """Each sentence with each of its hypotheses as Pairs, and their reported logp."""
    rows = [(source, tokens, logp) for b, source in enumerate(sources) for tokens, _, logp in hypotheses(found, b)]
    given, said, logp = zip(*rows, strict=True)
    return Pairs(Ragged(given), Ragged(said)), np.array(logp)


@pytest.mark.parametrize("name", SEARCHES)
@some_models
def test_logp_is_that_of_forced_decoding(kind, depth, name):
    for seed in range(4):
        model = small(kind, depth, seed)
        pairs, logp = said_for(SOURCES, search_for(model, SEARCHES[name], SOURCES, (9, 5, 7, 2), range(4)))
        assert_close(np.array([scored.total for scored in score(model, pairs)]), logp, EXACT)


def pairs_of(count=9, seed=0):
    rng = np.random.default_rng(seed)
    random = lambda low, high: rng.integers(low, high, rng.integers(1, 6)).tolist()  # noqa: E731
    return Pairs(Ragged([random(4, 11) for _ in range(count)]), Ragged([random(4, WORDS) for _ in range(count)]))


@each_model
def test_scores_are_log_probabilities_ranks_and_entropies(kind, depth):
    model, pairs = small(kind, depth), pairs_of()
    for k, scored in enumerate(score(model, pairs)):
        given = pairs.batch(np.array([k]))
        p = np.exp(model.forward(given).logp[:, 0])
        of = given.target_out[:, 0]
        said = p[np.arange(len(of)), of]
        assert len(scored.logp) == pairs.target.lengths[k] + 1
        assert_close([scored.logp, scored.entropy], [np.log(said), -(p * np.log(p)).sum(axis=1)], EXACT)
        assert scored.rank.tolist() == [1 + int((row > one).sum()) for row, one in zip(p, said, strict=True)]
        assert scored.total == pytest.approx(np.log(said).sum())
        assert scored.perplexity == pytest.approx(np.exp(-np.log(said).mean()))


@each_model
def test_scores_are_in_the_order_of_the_pairs_whatever_the_batch(kind, depth):
    model, pairs = small(kind, depth), pairs_of()
    expected = score(model, pairs)
    for size in (1, 2, 5):
        found = score(model, pairs, batch_size=size)
        for one, other in zip(found, expected, strict=True):
            assert one.rank.tolist() == other.rank.tolist()
            assert_close([one.logp, one.entropy], [other.logp, other.entropy], EXACT)
    tokens = sum(len(scored.logp) for scored in expected)
    assert -sum(scored.total for scored in expected) / tokens == pytest.approx(mean_loss(model, pairs, 4))


def test_a_token_that_is_as_probable_as_others_has_the_last_of_their_ranks():
    model = small("plain", scale=0.0)
    scored = score(model, Pairs(Ragged([[4]]), Ragged([[5]])))[0]
    assert scored.rank.tolist() == [WORDS, WORDS]
    assert scored.entropy == pytest.approx(np.log(WORDS)) and scored.perplexity == pytest.approx(WORDS)


@each_model
def test_what_greedy_says_has_the_first_rank(kind, depth):
    """Unless padding or begin, which are never said, would have been more probable."""
    model = biased(small(kind, depth), pad=-50, bos=-50)
    found = greedy(model, *arrays(SOURCES, [6] * 4))
    pairs = Pairs(Ragged(SOURCES), Ragged([found.ids[:n, b, 0] for b, n in enumerate(found.lengths[:, 0])]))
    for scored, n in zip(score(model, pairs), found.lengths[:, 0], strict=True):
        assert (scored.rank[: min(n + 1, 6)] == 1).all()


# samples

CRITICAL = (10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322, 26.124, 27.877, 29.588)  # chi-square, p = 0.001
MANY = 6000


def first_tokens(options, model, source, count=MANY):
    """How often each token was drawn first."""
    given = arrays([source], [1])
    found = sample(model, *given, dataclasses.replace(options, samples=count))
    return np.bincount(found.ids[0, 0], minlength=model.config.target_vocabulary)


def distribution(options, model, source):
    """The probabilities of the first token, in loops, by the equations of the module."""
    (logp, *_), _ = forced([model], source, [()])
    p = np.exp(logp[0] / options.temperature)
    p[[PAD, BOS, *([EOS] if options.min_length else [])]] = 0
    p /= p.sum()
    order, kept, sum_so_far = sorted(range(len(p)), key=lambda k: -p[k]), [], 0.0
    for rank, k in enumerate(order):
        if (options.top_k and rank >= options.top_k) or sum_so_far >= options.top_p:
            break
        kept.append(k)
        sum_so_far += p[k]
    return np.array([p[k] if k in kept else 0 for k in range(len(p))]) / p[kept].sum()


def chi_square(counts, p):
    """The statistic and its critical value."""
    seen = p > 0
    expected = counts.sum() * p[seen]
    assert expected.min() >= 5 and counts[~seen].sum() == 0
    return ((counts[seen] - expected) ** 2 / expected).sum(), CRITICAL[seen.sum() - 2]


DRAWN = {
    "as it is": {},
    "sharper": {"temperature": 0.5},
    "flatter": {"temperature": 2.0},
    "two": {"top_k": 2},
    "nucleus": {"top_p": 0.7},
    "sharp nucleus of three": {"temperature": 0.8, "top_p": 0.9, "top_k": 3},
    "not empty": {"min_length": 1},
}


@pytest.mark.parametrize("way", DRAWN)
@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_the_first_token_is_drawn_with_its_probability(kind, way):
    model, options = small(kind, seed=1, scale=0.4, words=9), SamplingOptions(**DRAWN[way], seed=3)
    for source in SOURCES[:2]:
        p = distribution(options, model, source)
        statistic, critical = chi_square(first_tokens(options, model, source), p)
        assert statistic < critical


def test_the_chi_square_test_sees_a_wrong_temperature():
    model, options = small("plain", seed=1, scale=0.4, words=9), SamplingOptions(temperature=1.3)
    statistic, critical = chi_square(first_tokens(options, model, SOURCES[0]),
                                     distribution(SamplingOptions(), model, SOURCES[0]))  # fmt: skip
    assert statistic > critical


@each_model
def test_whole_sentences_are_drawn_with_their_probability(kind, depth):
    model, source = biased(small(kind, depth, seed=2, scale=0.4), pad=-50, bos=-50), SOURCES[1]
    found = sample(model, *arrays([source], [2]), SamplingOptions(samples=MANY))
    said = [one[0] for one in hypotheses(found, 0)]
    for tokens in [(UNK,), (4,), (5,), (6,)]:
        logp, _ = forced([model], source, [tokens])
        p = np.exp(logp[0, 0, tokens[0]] + logp[1, 0, EOS])
        assert abs(said.count(tokens) / MANY - p) < 4 * np.sqrt(p * (1 - p) / MANY)


@given(
    st.integers(0, 10**6), st.floats(0.05, 5), st.integers(0, 12), st.floats(0.01, 1), st.floats(0, 1, exclude_max=True)
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_draw_is_the_inverse_of_the_cumulated_probabilities(seed, temperature, top_k, top_p, uniform):
    z = 2 * np.random.default_rng(seed).standard_normal(10)
    z[2] = -np.inf
    options = SamplingOptions(temperature=temperature, top_k=top_k, top_p=top_p)
    p = softmax(z / temperature)
    sorts = top_k or top_p < 1  # all tokens are taken as they stand
    order, kept, whole = np.argsort(-p) if sorts else np.arange(len(p)), [], 0.0
    for k in order[: top_k or None]:
        if whole < top_p:
            kept.append(int(k))
        whole += p[k]
    edges = np.cumsum(p[kept]) / p[kept].sum()
    found = int(draw(z[None], np.array([uniform]), options)[0])
    assert found in kept and found != 2
    place = kept.index(found)
    assert edges[place] > uniform - EXACT and (place == 0 or edges[place - 1] <= uniform + EXACT)


@each_model
def test_one_token_to_choose_from_is_greedy(kind, depth):
    model, given = small(kind, depth), arrays(SOURCES, (6, 0, 5, 3))
    expected = greedy(model, *given)
    for options in (SamplingOptions(top_k=1), SamplingOptions(top_p=1e-9), SamplingOptions(temperature=1e-6)):
        found = sample(model, *given, dataclasses.replace(options, samples=2))
        assert (found.lengths == expected.lengths).all() and (found.ids == expected.ids).all()
        assert_close(found.logp, np.repeat(expected.logp, 2, axis=1), EXACT)


@each_model
def test_a_seed_gives_its_draws_again_and_another_seed_others(kind, depth):
    model, given = small(kind, depth, scale=0.5), arrays(SOURCES, [8] * 4)
    first, again, other = (sample(model, *given, SamplingOptions(samples=5, seed=seed)) for seed in (1, 1, 2))
    assert (first.ids == again.ids).all() and (first.logp == again.logp).all()
    for b in range(len(SOURCES)):
        assert hypotheses(first, b) != hypotheses(other, b)


def test_the_same_sentence_under_another_number_is_drawn_anew():
    model, given = small("attention", scale=0.5), arrays([[5, 6]] * 3, [9] * 3)
    found = sample(model, *given, SamplingOptions(samples=6), numbers=[4, 5, 4])
    assert_hypotheses(hypotheses(found, 0), hypotheses(found, 2))  # rows of one product, whose rounding may differ
    assert [one[0] for one in hypotheses(found, 0)] != [one[0] for one in hypotheses(found, 1)]
    by_place = sample(model, *given, SamplingOptions(samples=6))
    alone = sample(model, *arrays([[5, 6]], [9]), SamplingOptions(samples=6), numbers=[2])
    assert_hypotheses(hypotheses(by_place, 2), hypotheses(alone, 0))


@each_model
@given(
    st.integers(0, 20),
    st.integers(0, 5),
    st.sampled_from([0, 1, 2]),
    st.lists(st.integers(0, 8), min_size=4, max_size=4),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_samples_keep_to_bans(kind, depth, seed, min_length, ngram, limits):
    options = SamplingOptions(samples=6, min_length=min_length, no_repeat_ngram=ngram)
    found = sample(small(kind, depth, seed, scale=0.5), *arrays(SOURCES, limits), options)
    for b, limit in enumerate(limits):
        for tokens, *_ in hypotheses(found, b):
            few = min(min_length, limit, WORDS - 3 if ngram == 1 else limit)  # no more words than there are
            assert few <= len(tokens) <= limit and not repeats(tokens, ngram)
            assert not {PAD, BOS, EOS} & set(tokens)


@each_model
def test_samples_keep_limits_and_never_hold_padding_or_begin(kind, depth):
    limits = (5, 0, 3, 8)
    found = sample(that_never_ends(small(kind, depth)), *arrays(SOURCES, limits), SamplingOptions(samples=4))
    assert (found.lengths == np.array(limits)[:, None]).all()
    for b, n in enumerate(limits):
        assert not np.isin(found.ids[:n, b], [PAD, BOS, EOS]).any()
        assert (found.ids[n, b] == EOS).all() and (found.ids[n + 1 :, b] == PAD).all()


# stopping early


@each_rule
@some_models
def test_stopping_early_loses_nothing(kind, depth, rule, monkeypatch):
    options, saved = BeamOptions(beam=2, **RULES[rule]), 0
    add = NBest.add

    def add_and_forget(self, *args):
        add(self, *args)
        self.worst[:] = -np.inf

    def looked_at(found):
        return sum(int((step.fate != FATES.index(IMPOSSIBLE)).any(axis=1).sum()) for step in found.steps)

    for seed in range(8):
        model, given = biased(small(kind, depth, seed), eos=3), arrays(SOURCES, [7, 5, 8, 3])
        found = beam_search(model, *given, options, keep_steps=True)
        with monkeypatch.context() as patch:
            patch.setattr(NBest, "add", add_and_forget)
            patient = beam_search(model, *given, options, keep_steps=True)
        for b in range(len(SOURCES)):
            assert_hypotheses(hypotheses(found, b), hypotheses(patient, b))
        assert looked_at(found) <= looked_at(patient)
        saved += looked_at(patient) - looked_at(found)
    assert saved > 0 or options.min_length, "no search stopped early: the test says nothing"


@each_model
def test_those_that_must_be_certain_are_the_best_of_all(kind, depth):
    saved = 0
    for seed, nbest in itertools.product(range(6), (1, 2)):
        model, given = biased(small(kind, depth, seed), eos=3), arrays(SOURCES, [7, 5, 8, 3])
        options = BeamOptions(beam=4, norm="gnmt", length_penalty=0.6)
        whole = beam_search(model, *given, options, keep_steps=True)
        found = beam_search(model, *given, dataclasses.replace(options, nbest=nbest), keep_steps=True)
        for b in range(len(SOURCES)):
            assert_hypotheses(hypotheses(found, b)[:nbest], hypotheses(whole, b)[:nbest])
        saved += len(whole.steps) - len(found.steps)
    assert saved > 0


# groups


def in_groups(model, source, limit, options):
    """Beam search of one sentence, one group after the other, in loops: what is complete, best first."""
    complete, groups = {}, [[((), 0.0, 0.0)] for _ in range(options.groups)]  # said, with the penalty, without
    for t in range(limit + 1):
        said_now = np.zeros(WORDS)
        for g, beams in enumerate(groups):
            if not beams:
                continue
            logp, _ = forced([model], source, [said for said, *_ in beams])
            found = [
                (value + logp[t, n, k] - options.diversity * said_now[k], total + logp[t, n, k], said, k)
                for n, (said, value, total) in enumerate(beams)
                for k in range(WORDS)
                if k not in (PAD, BOS) and (t < limit or k == EOS)
            ]
            found = sorted(found, key=lambda one: -one[0])[: options.beam // options.groups]
            for _, total, said, k in found:
                said_now[k] += 1
                if k == EOS:
                    complete[said] = final_score(options, total, t + 1, None), total
            groups[g] = [((*said, k), value, total) for value, total, said, k in found if k != EOS]
    return sorted(((said, *scores) for said, scores in complete.items()), key=lambda one: -one[1])[: options.beam]


@pytest.mark.parametrize("groups, per, diversity", [(2, 1, 0.5), (2, 2, 2.0), (3, 2, 0.7), (4, 1, 40.0), (2, 3, 0.0)])
@some_models
def test_groups_are_searches_one_after_the_other(kind, depth, groups, per, diversity):
    """The penalty decides what goes on, and is in no score; what two groups say counts once."""
    for seed in range(2):
        model, options = small(kind, depth, seed), BeamOptions(beam=groups * per, groups=groups, diversity=diversity)
        found = beam_search(model, *arrays(SOURCES, (5, 4, 6, 1)), options)
        for b, (source, limit) in enumerate(zip(SOURCES, (5, 4, 6, 1), strict=True)):
            assert_hypotheses(hypotheses(found, b), in_groups(model, source, limit, options))


@each_model
def test_groups_say_different_first_tokens_when_they_must(kind, depth):
    model, options = biased(small(kind, depth), eos=-50), BeamOptions(beam=4, groups=4, diversity=40)
    found = beam_search(model, *arrays(SOURCES, [3] * 4), options, keep_steps=True)
    for b in range(4):
        assert np.isfinite(found.scores[b]).all() and sorted(found.ids[0, b].tolist()) == [UNK, 4, 5, 6]


@each_model
def test_a_group_goes_on_with_its_own_beams(kind, depth):
    options = BeamOptions(beam=6, groups=3)
    found = beam_search(small(kind, depth, seed=3), *arrays(SOURCES, (7, 4, 6, 0)), options, keep_steps=True)
    for b in range(4):
        before, ended = {0: (), 2: (), 4: ()}, set()
        for step in found.steps:
            after = {}
            for c in np.flatnonzero(np.isfinite(step.score[b])):
                token, parent, into = (getattr(step, name)[b, c].item() for name in ("token", "parent", "beam"))
                group = c // 4  # of four candidates each
                assert parent // 2 == group and (into < 0 or (into // 2 == group and into not in after))
                if into >= 0:
                    after[into] = (*before[parent], token)
                elif FATES[step.fate[b, c]] == "complete":
                    ended.add(before[parent])
            before = after
        assert {tokens for tokens, *_ in hypotheses(found, b)} <= ended


# the best of many


@given(
    st.integers(1, 3),
    st.sampled_from([1, 2, 63, 64, 65, 300, 511, 513, 1000, 1025, 4097, 20000]),
    st.integers(1, 12),
    st.sampled_from(["different", "ties", "equal", "few", "none"]),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 10**6),
)
@settings(max_examples=250, deadline=None, derandomize=True)
def test_the_best_are_those_of_a_stable_sort(N, M, k, how, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, M)).astype(dtype)
    if how == "ties":
        x = rng.integers(0, 4, (N, M)).astype(dtype)
    elif how == "equal":
        x[:] = -3
    elif how == "few":  # fewer than asked for, the rest impossible
        x[rng.random((N, M)) > 4 / M] = -np.inf
    elif how == "none":
        x[:] = -np.inf
    k = min(k, M)
    kept = x.copy()
    value, index = topk(x, k)
    expected = np.argsort(-x, axis=1, kind="stable")[:, :k]
    assert index.shape == (N, k) and (index == expected).all()
    assert value.dtype == dtype and (value == np.take_along_axis(x, expected, axis=1)).all()
    assert (x == kept).all()


def test_the_best_of_a_large_vocabulary():
    x = normal(2, 200_003, seed=1)
    x[0, -1], x[1, 64] = 9, 9
    value, index = topk(x, 50)
    assert index[0, 0] == 200_002 and index[1, 0] == 64
    assert (index == np.argsort(-x, axis=1, kind="stable")[:, :50]).all() and (np.diff(value) <= 0).all()


# the trace

KEPT, COMPLETE, WORSE, IMPOSSIBLE = FATES


@pytest.mark.parametrize("width", [1, 4])
@each_rule
@each_model
def test_the_trace_tells_how_each_hypothesis_came_about(kind, depth, rule, width):
    model, options, limits = small(kind, depth, seed=3), BeamOptions(beam=width, **RULES[rule]), (7, 4, 6, 0)
    found = beam_search(model, *arrays(SOURCES, limits), options, keep_steps=True)
    for b in range(len(SOURCES)):
        beams, complete = {0: ((), 0.0)}, {}  # what each beam has said, and its sum
        for t, step in enumerate(found.steps):
            assert (np.diff(step.score[b][np.isfinite(step.score[b])]) <= 0).all()
            after = {}
            for c in range(step.token.shape[1]):
                token, parent, total, fate, into = (
                    getattr(step, name)[b, c].item() for name in ("token", "parent", "score", "fate", "beam")
                )
                fate = FATES[fate]
                assert (fate == IMPOSSIBLE) == (total == -np.inf) and (fate == KEPT) == (into >= 0)
                if fate == IMPOSSIBLE:
                    continue
                said, before = beams[parent]
                assert total <= before and token not in (PAD, BOS) and t == len(said)
                assert (fate == WORSE) == (c >= width) and (fate == COMPLETE) == (token == EOS and c < width)
                if fate == KEPT:
                    assert into not in after
                    after[into] = (*said, token), total
                elif fate == COMPLETE:
                    assert said not in complete
                    complete[said] = total
            assert list(after) == list(range(len(after)))
            beams = after
        for tokens, _, logp in hypotheses(found, b):
            assert complete[tokens] == logp
        assert len(complete) >= len(hypotheses(found, b)) == min(len(complete), width)


def test_following_parents_back_gives_the_ids():
    model = small("attention", seed=5)
    found = beam_search(model, *arrays(SOURCES, (9, 8, 7, 6)), BeamOptions(beam=3), keep_steps=True)
    followed = 0
    for b in range(len(SOURCES)):
        ended = {}
        for t, step in enumerate(found.steps):
            for c in np.flatnonzero(step.fate[b] == FATES.index(COMPLETE)):
                back, at = [], step.parent[b, c]
                for earlier in reversed(found.steps[:t]):
                    [where] = np.flatnonzero(earlier.beam[b] == at)
                    back.append(earlier.token[b, where].item())
                    at = earlier.parent[b, where]
                assert at == 0
                ended[tuple(reversed(back))] = step.score[b, c]
        for tokens, _, logp in hypotheses(found, b):
            assert ended[tokens] == logp
            followed += len(tokens) > 0
    assert followed > 6


def test_the_candidates_are_the_best_continuations_with_those_that_were_not_kept():
    model, source = small("attention", seed=1), SOURCES[0]
    found = beam_search(model, *arrays([source], [4]), BeamOptions(beam=2), keep_steps=True)
    (logp, *_), _ = forced([model], source, [()])
    logp[0, [PAD, BOS]] = -np.inf
    order = np.argsort(-logp[0])[:4]
    assert found.steps[0].token[0].tolist() == order.tolist()
    assert_close(found.steps[0].score[0], logp[0, order], EXACT)


def test_there_is_no_trace_unless_asked_for():
    assert beam_search(small("plain"), *arrays(SOURCES, LIMITS)).steps == []


# limits and rules

some_rules = st.fixed_dictionaries(
    {
        "beam": st.integers(1, 5),
        "min_length": st.integers(0, 5),
        "no_repeat_ngram": st.sampled_from([0, 2, 3]),
        "norm": st.sampled_from(list(NORMS)),
        "length_penalty": st.sampled_from([0, 0.6, 1, 2]),
        "coverage_penalty": st.sampled_from([0, 0.4]),
    }
)


@each_model
@given(st.integers(0, 20), some_rules, st.lists(st.integers(0, 8), min_size=4, max_size=4))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_hypothesis_keeps_the_rules(kind, depth, seed, rules, limits):
    found = beam_search(small(kind, depth, seed), *arrays(SOURCES, limits), BeamOptions(**rules))
    assert (np.diff(np.where(np.isfinite(found.scores), found.scores, -1e9), axis=1) <= 0).all()
    for b, limit in enumerate(limits):
        said = [tokens for tokens, *_ in hypotheses(found, b)]
        assert said and len(set(said)) == len(said)
        for tokens in said:
            assert min(rules["min_length"], limit) <= len(tokens) <= limit
            assert not repeats(tokens, rules["no_repeat_ngram"]) and not {PAD, BOS, EOS} & set(tokens)


@each_model
def test_a_model_that_never_ends_is_stopped_at_each_limit(kind, depth):
    limits = (5, 0, 3, 8)
    found = beam_search(that_never_ends(small(kind, depth)), *arrays(SOURCES, limits), BeamOptions(beam=3))
    for b, limit in enumerate(limits):
        assert {len(tokens) for tokens, *_ in hypotheses(found, b)} == {limit}


@each_model
def test_no_pair_is_said_twice_by_a_model_that_would_only_repeat(kind, depth):
    model = that_never_ends(small(kind, depth))
    model.params.head.b[5] = 20
    free = beam_search(model, *arrays(SOURCES, [8] * 4), BeamOptions(beam=2))
    assert (free.ids[:8, :, 0] == 5).all()
    for n in (1, 2, 3):
        limits = [4 if n == 1 else 8] * 4  # of four words no more than four come once
        found = beam_search(model, *arrays(SOURCES, limits), BeamOptions(beam=2, no_repeat_ngram=n))
        for b in range(4):
            for tokens, *_ in hypotheses(found, b):
                assert len(tokens) == limits[b] and not repeats(tokens, n)


def test_a_limit_of_nothing_leaves_one_hypothesis():
    model = small("attention")
    found = beam_search(model, *arrays(SOURCES, [0] * 4), BeamOptions(beam=3))
    assert found.ids.shape == (1, 4, 3) and (found.lengths == 0).all()
    assert (found.ids[0] == [EOS, PAD, PAD]).all()
    assert np.isfinite(found.scores).tolist() == np.isfinite(found.logp).tolist() == [[True, False, False]] * 4
    for b, source in enumerate(SOURCES):
        assert found.logp[b, 0] == pytest.approx(forced([model], source, [()])[0][0, 0, EOS])


# rows


@each_model
def test_other_rows_of_a_model_go_on_as_those_rows_did(kind, depth):
    model, (source, mask, _) = small(kind, depth), arrays(SOURCES, LIMITS)
    memory, state = model.start(source, mask)
    _, state, _ = model.step(np.full(4, BOS), state, memory)
    rows, ids = np.array([2, 0, 0, 3, 2]), np.array([4, 5, 6, 5])
    logp, after, alpha = model.step(ids, state, memory)
    picked_logp, picked_after, picked_alpha = model.step(ids[rows], *model.select_rows(memory, state, rows)[::-1])
    assert_close(picked_logp, logp[rows])
    assert_close(trees.leaves(picked_after), [part[rows] for part in trees.leaves(after)])
    if kind == "plain":
        assert memory.attention is picked_alpha is model.select_rows(memory, state, rows)[0].attention is None
    else:
        assert_close(picked_alpha, alpha[rows])


def test_other_rows_of_an_attention_are_another_attention():
    model, (source, mask, _) = small("attention"), arrays(SOURCES, LIMITS)
    memory = model.start(source, mask)[0].attention
    before = [np.copy(memory.values), np.copy(memory.keys), np.copy(memory.real)]
    for with_large_numbers in (False, True):  # beyond its bound tanh is computed in another way
        memory.exp_2k = None if with_large_numbers else memory.exp_2k
        picked = memory.select_rows(np.array([3, 3, 1]))
        query = normal(4, 6)
        whole = memory.forward(query)
        found = picked.forward(query[[3, 3, 1]])
        assert_close([found.alpha, found.context], [whole.alpha[[3, 3, 1]], whole.context[[3, 3, 1]]])
    assert all((a == b).all() for a, b in zip(before, (memory.values, memory.keys, memory.real), strict=True))


# options

WRONG_BEAM = {
    "beam is 0: it must be a whole number of at least 1 and at most 10000": {"beam": 0},
    "nbest is 0: it must be a whole number of at least 1": {"nbest": 0},
    "nbest is 4: it must be at most the beam, which is 3": {"nbest": 4, "beam": 3},
    "groups is 0: it must be a whole number of at least 1": {"groups": 0},
    "groups is 2: it must divide the beam, which is 5": {"groups": 2},
    "length_penalty is -0.1: it must be at least 0 and at most 10": {"length_penalty": -0.1},
    "length_penalty is nan: it must be at least 0 and at most 10": {"length_penalty": np.nan},
    "coverage_penalty is inf: it must be at least 0 and at most 1000000": {"coverage_penalty": np.inf},
    "min_length is -1: it must be a whole number of at least 0": {"min_length": -1},
    "no_repeat_ngram is -2: it must be a whole number of at least 0": {"no_repeat_ngram": -2},
    "diversity is -1: it must be at least 0 and at most 1000000": {"diversity": -1},
    "norm is 'median': choose one of average, gnmt": {"norm": "median"},
}
WRONG_SAMPLING = {
    "samples is 0: it must be a whole number of at least 1 and at most 10000": {"samples": 0},
    "temperature is 0: it must be finite and above 0": {"temperature": 0},
    "temperature is nan: it must be finite and above 0": {"temperature": np.nan},
    "temperature is inf: it must be finite and above 0": {"temperature": np.inf},
    "top_k is -1: it must be a whole number of at least 0": {"top_k": -1},
    "top_p is 0: it must be above 0 and at most 1": {"top_p": 0},
    "top_p is 1.1: it must be above 0 and at most 1": {"top_p": 1.1},
    "top_p is nan: it must be above 0 and at most 1": {"top_p": np.nan},
    "seed is -1: it must be a whole number of at least 0": {"seed": -1},
}


@pytest.mark.parametrize("message", [*WRONG_BEAM, *WRONG_SAMPLING])
def test_an_impossible_option_says_what_is_wrong(message):
    options = BeamOptions if message in WRONG_BEAM else SamplingOptions
    with pytest.raises(ConfigError) as info:
        options(**(WRONG_BEAM | WRONG_SAMPLING)[message])
    assert str(info.value) == message


def test_options_at_their_borders_are_taken():
    BeamOptions(beam=1, length_penalty=0, min_length=0, groups=1, diversity=0)
    BeamOptions(beam=6, groups=3)
    SamplingOptions(samples=1, temperature=1e-3, top_k=0, top_p=1, seed=0)


# lines of text

TEXT = ["a b c d e f g", "b c d a", "c a", "d", "a a b"]


@cache
def translator(kind="attention", depth=1, seed=0, words="a b c d e f g", cut="word", scale=1.0):
    source, target = Tokens.train(["a b c d e f g"], cut), Tokens.train([words], cut)
    sizes = {"embedding": 4, "hidden": 6, "attention_size": 5}
    config = Seq2SeqConfig(len(source), len(target), layers=depth, **KINDS[kind], **sizes)
    with numseq.use("numpy"):
        model = Seq2Seq.create(config, dtype=np.float64)
    model.params = trees.map(lambda leaf: scale * leaf, at_scale_one(model.params, seed))
    return Translator(model, source, target)


def flat(translations):
    """Each line's results as plain values."""
    return [
        [(one.text, one.source, one.target, one.score, one.logp, None if one.alpha is None else one.alpha.shape)
         for one in (line, *line.others)]
        for line in translations
    ]  # fmt: skip


def assert_translations(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.source, one.target) == (other.text, other.source, other.target)
        for a, b in ((one.score, other.score), (one.logp, other.logp)):
            assert (a is None and b is None) or a == pytest.approx(b, abs=EXACT)
        if other.alpha is not None:
            assert_close(one.alpha, other.alpha, EXACT)
        assert_translations(one.others, other.others)


@pytest.fixture(params=["greedy", "beam", "samples"])
def way(request):
    return SEARCHES[request.param]


@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_lines_keep_their_order_over_pools_and_batches(kind, way, monkeypatch):
    made = translator(kind)
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(list("abcdefg"), rng.integers(0, 9))) for _ in range(15)]
    lines[3] = lines[14] = "  \t"
    expected = made.translate(lines, search=way)
    for pool, size in ((1, 1), (2, 3), (20, 4)):
        monkeypatch.setattr(translate, "POOL", pool)
        assert_translations(made.translate(lines, size, way), expected)
    for k, (line, result) in enumerate(zip(lines, expected, strict=True)):
        assert result.source == line.split()
        [alone] = made.translate([line], search=way, **({} if not line.strip() else {"numbered_from": k}))
        assert_translations([result], [alone])


def test_empty_lines_stay_empty_in_their_places(way):
    made = translator()
    lines = ["", "a b", "   ", "", "c", "\t"]
    found = made.translate(lines, 2, way)
    expected = made.translate(["a b"], 2, way, numbered_from=1) + made.translate(["c"], 2, way, numbered_from=4)
    assert_translations([found[1], found[4]], expected)
    for k in (0, 2, 3, 5):
        empty = found[k]
        assert (empty.text, empty.source, empty.target, empty.alpha, empty.others) == ("", [], [], None, [])
    assert [line.text for line in made.translate(["", " "], search=way)] == ["", ""]
    assert made.translate([], search=way) == []


def test_space_around_a_line_changes_nothing_in_what_is_searched(way):
    made = translator(cut="char")
    assert_translations(made.translate([" abc ", "\tb"], search=way), made.translate(["abc", "b"], search=way))


def test_a_translation_holds_what_was_found():
    made, options = translator(), BeamOptions(beam=3)
    for line, result in zip(TEXT, made.translate(TEXT, search=options), strict=True):
        ids = made.source_tokens.encode([line])
        found = beam_search(made.model, *arrays(ids, [2 * len(ids[0]) + 10]), options)
        assert len(result.others) == 2 and all(other.others == [] for other in result.others)
        for k, one in enumerate([result, *result.others]):
            n = found.lengths[0, k]
            said = found.ids[:n, 0, k].tolist()
            assert one.target == [made.target_tokens.token(j) for j in said] + ["<eos>"]
            assert one.text == made.target_tokens.decode(said) == " ".join(one.target[:-1])
            assert one.source == line.split() and one.alpha.shape == (n + 1, len(one.source))
            assert_close(one.alpha, found.alpha[: n + 1, 0, k], EXACT)
            assert one.score == pytest.approx(found.scores[0, k], abs=EXACT)
            assert one.logp == pytest.approx(found.logp[0, k], abs=EXACT)
        scores = [one.score for one in (result, *result.others)]
        assert scores == sorted(scores, reverse=True)


def test_greedy_translations_have_scores_and_those_of_plain_models_no_attention():
    made = translator("plain")
    for line, one in zip(TEXT, made.translate(TEXT), strict=True):
        said = " ".join(one.target[:-1])
        [scored] = score(made.model, Pairs.encode([(line, said)], made.source_tokens, made.target_tokens))
        assert one.logp == pytest.approx(scored.total, abs=EXACT)
        assert one.score == pytest.approx(one.logp / len(one.target), abs=EXACT)
        assert one.alpha is None and one.others == []


def test_hypotheses_that_do_not_exist_are_left_out():
    made = translator(words="a")  # <unk> and a: five sentences in which nothing comes twice
    for one in made.translate(TEXT, search=BeamOptions(beam=8, no_repeat_ngram=1)):
        said = [tuple(other.target) for other in (one, *one.others)]
        assert len(said) == len(set(said)) == 5
        assert all(np.isfinite(other.score) for other in (one, *one.others))


def test_a_line_may_become_twice_as_long_and_ten_more(way):
    made = translator()
    made = dataclasses.replace(made, model=that_never_ends(made.model))
    for line, one in zip(TEXT, made.translate(TEXT, search=way), strict=True):
        assert {len(other.target) - 1 for other in (one, *one.others)} == {2 * len(line.split()) + 10}


def test_lines_that_are_too_long_are_left_out_and_the_others_are_as_without_them(way):
    made, lines = translator(), ["a b", "a " * 1001, "", "c", "b " * 1000]
    found = made.translate(lines[:4], 2, way)
    expected = made.translate(lines[:1], 2, way) + made.translate(lines[3:4], 2, way, numbered_from=3)
    assert_translations([found[0], found[3]], expected)
    long = found[1]
    assert (long.text, len(long.source), long.target, long.alpha, long.score, long.others) == (
        "",
        1001,
        [],
        None,
        None,
        [],
    )
    assert [one.too_long for one in found] == [False, True, False, False]
    assert made.rescore(found)[1] is long
    assert [one.too_long for one in made.translate(lines[:1], max_length=1)] == [True]
    if way is SEARCHES["greedy"]:
        assert not made.translate(lines[4:], max_ratio=0, extra=1)[0].too_long
    with pytest.raises(ConfigError, match="max_length is 0: it must be a whole number of at least 1"):
        made.translate(lines, max_length=0)


def test_long_lines_are_worked_on_a_few_at_a_time(way, monkeypatch):
    monkeypatch.setattr(pools, "CELLS", 100)
    started = []

    class Counting(Seq2Seq):
        def start(self, source, source_mask):
            started.append(source.shape)
            return super().start(source, source_mask)

    made = translator()
    lines = ["a b c d e f g a b c", "b"] * 4
    expected = made.translate(lines, search=way)
    made = dataclasses.replace(made, model=Counting(made.model.config, made.model.params))
    started.clear()
    assert_translations(made.translate(lines, search=way), expected)
    copies = getattr(way, "beam", 1) * getattr(way, "samples", 1)
    assert max(B for S, B in started if S == 10) == 1
    assert max(B for S, B in started if S == 1) == min(4, 100 // copies)


def test_the_unknown_words_of_a_line_are_kept_with_it(way):
    found = translator().translate(["a x b y x", "a", ""], search=way)
    assert [one.unknown for one in found] == [["x", "y", "x"], [], []]
    assert all(other.unknown == found[0].unknown for other in found[0].others)


def test_lines_are_taken_as_they_are_needed(monkeypatch):
    monkeypatch.setattr(translate, "POOL", 2)
    lines, taken = ["a", "b c", "d", "e"], []
    endless = (taken.append(k) or lines[k % 4] for k in itertools.count())
    for k, one in zip(range(9), translator().stream(endless, 2), strict=False):
        assert " ".join(one.source) == lines[k % 4] and len(taken) <= 4 * (k // 4 + 1)


def test_a_dictionary_and_a_line_may_be_written_in_other_forms():
    source, target = Tokens.train(["a b"], "word", 1, "nfc"), Tokens.train(["a"], "word")
    config = Seq2SeqConfig(len(source), len(target), embedding=4, hidden=6, attention_size=5)
    made = Translator(biased(Seq2Seq.create(config, dtype=np.float64), unk=50), source, target)
    for line in ("caf\u00e9", "cafe\u0301"):
        for word in ("caf\u00e9", "cafe\u0301"):
            [one] = made.translate([line], replace_unk={word: "coffee"}, max_ratio=1, extra=0)
            assert one.text == "coffee" and one.source == one.unknown == ["caf\u00e9"]


def test_pairs_without_a_source_or_too_long_have_no_score_and_cost_the_others_nothing():
    made = translator()
    pairs = [("a b", "c"), ("", "a"), ("a " * 1001, "b"), ("c", ""), ("b", "a " * 1001)]
    tokens = made.source_tokens, made.target_tokens
    found = score(made.model, Pairs.encode(pairs, *tokens))
    alone = [score(made.model, Pairs.encode([pairs[k]], *tokens))[0] for k in (0, 3)]
    for one, other in zip((found[0], found[3]), alone, strict=True):
        assert np.allclose(one.logp, other.logp, atol=EXACT) and len(one.logp) == len(other.logp) > 0
    for k in (1, 2, 4):
        assert len(found[k].logp) == len(found[k].rank) == len(found[k].entropy) == 0
        assert np.isnan(found[k].total) and np.isnan(found[k].perplexity)
    found = score(made.model, Pairs.encode(pairs, *tokens), max_length=1)
    assert [len(one.logp) for one in found] == [0, 0, 0, 1, 0]


def test_lines_come_out_before_all_have_gone_in(way, monkeypatch):
    monkeypatch.setattr(translate, "POOL", 2)
    started = []

    class Counting(Seq2Seq):
        def start(self, source, source_mask):
            started.append(source.shape[1])
            return super().start(source, source_mask)

    made = translator()
    made = dataclasses.replace(made, model=Counting(made.model.config, made.model.params))
    lines = ["a b", "", "c d", "d a", "b b", "a c", "", "e f"]
    came = [(one.source, sum(started)) for one in made.stream(lines, 1, way)]
    assert [" ".join(source) for source, _ in came] == lines
    assert came[0][1] == 1 and came[-1][1] == 6
    for k, (_, count) in enumerate(came):
        assert count <= k + 2, "a pool of two lines has one to come at most"
    started.clear()
    monkeypatch.setattr(translate, "POOL", 20)
    came = [sum(started) for _ in made.stream(["a", "", "b c", "d e f"], 1, way)]
    assert came == [1, 1, 2, 3], "a pool is not waited for when its shortest lines come first"


def test_samples_of_a_line_follow_its_number(monkeypatch):
    made, options = translator(scale=0.5), SamplingOptions(samples=4, seed=9)
    lines = ["a b c", "d", "a b c", "e f g a", "b"]
    expected = made.translate(lines, search=options)
    assert flat(expected)[0] != flat(expected)[2]
    for size in (1, 2, 3):
        monkeypatch.setattr(translate, "POOL", size)
        assert_translations(made.translate(lines, size, options), expected)
    for k, line in enumerate(lines):
        assert_translations(made.translate([line], search=options, numbered_from=k), [expected[k]])
    assert_translations(made.translate(lines[2:], search=options, numbered_from=2), expected[2:])
    others = made.translate(lines, search=dataclasses.replace(options, seed=10))
    assert flat(others) != flat(expected)


# unknown words


@pytest.mark.parametrize("cut", ["word", "char"])
def test_unknown_words_are_replaced_by_what_they_attended_to(cut, way):
    space = " " if cut == "word" else ""
    lines = [space.join(line) for line in ("abXd", "Yc", "ZZaXg")]
    replaced = kept = 0
    for seed, known in itertools.product((0, 5), ({}, {"X": "ten", "a": "A"})):
        made = translator(cut=cut, seed=seed)
        made = dataclasses.replace(made, model=biased(made.model, unk=2.5))
        before, after = (made.translate(lines, search=way, replace_unk=words) for words in (None, known))
        for line, one, other in zip(lines, before, after, strict=True):
            for plain, found in zip((one, *one.others), (other, *other.others), strict=True):
                assert found.source == plain.source == [letter for letter in line if letter != space]
                for token, new, looks in zip(plain.target, found.target, plain.alpha, strict=True):
                    word = plain.source[looks.argmax()]
                    assert new == (known.get(word, word) if token == "<unk>" else token)
                    replaced += token == "<unk>"
                    kept += token != "<unk>"
                assert found.text == space.join(found.target[:-1])
                assert (found.score, found.logp) == (plain.score, plain.logp)
    assert replaced > 5 and kept > 5


def test_a_plain_model_cannot_replace_unknown_words(way):
    with pytest.raises(ConfigError, match="unknown words cannot be replaced") as info:
        translator("plain").translate(TEXT, search=way, replace_unk={})
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("cut", ["word", "char"])
@given(st.text(alphabet="abcé xY \u0301😀中\t", max_size=20))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_line_splits_into_as_many_tokens_as_it_has_ids(cut, line):
    tokens = Tokens.train(["a b c é"], cut)
    parts = tokens.split(line)
    assert len(parts) == len(tokens.encode([line])[0])
    assert parts == (line.split() if cut == "word" else list(line))
    assert tokens.join(parts) == (" ".join(line.split()) if cut == "word" else line)
    assert tokens.join([]) == "" and tokens.split("") == []


def test_what_looks_like_a_special_token_splits_as_text():
    tokens = Tokens.train(["a b"], "word")
    assert tokens.split("a <eos> <unk>") == ["a", "<eos>", "<unk>"]
    assert Tokens.train(["ab"], "char").split("a<eos>") == list("a<eos>")


# several models


@pytest.mark.parametrize("options", ["beam", "coverage", "groups"])
@each_model
def test_a_model_with_itself_is_itself(kind, depth, options):
    alone = translator(kind, depth)
    twice = Translator.ensemble([alone, alone, alone])
    assert_translations(twice.translate(TEXT, 2, SEARCHES[options]), alone.translate(TEXT, 2, SEARCHES[options]))


def test_several_models_are_the_search_with_their_mean():
    made = [translator(seed=seed) for seed in (1, 2)]
    found = Translator.ensemble(made).translate(TEXT, search=BeamOptions(beam=2))
    for line, one in zip(TEXT, found, strict=True):
        ids = made[0].source_tokens.encode([line])[0]
        expected = one_at_a_time([each.model for each in made], ids, 2 * len(ids) + 10, BeamOptions(beam=2))
        said = [made[0].target_tokens.encode([" ".join(other.target[:-1])])[0] for other in (one, *one.others)]
        assert [tuple(ids) for ids in said] == [tokens for tokens, *_ in expected]
        assert one.score == pytest.approx(expected[0][1], abs=EXACT)


def test_several_models_without_options_search_with_a_beam_of_one():
    made = [translator(seed=seed) for seed in (1, 2)]
    ensemble = Translator.ensemble(made)
    assert_translations(ensemble.translate(TEXT), ensemble.translate(TEXT, search=BeamOptions(beam=1)))
    [one] = Translator.ensemble(made[:1]).translate(TEXT[:1])
    assert_translations([one], made[0].translate(TEXT[:1]))


@pytest.mark.parametrize("side", ["source", "target"])
def test_models_of_different_vocabularies_are_refused(side):
    made = translator()
    other = dataclasses.replace(made, **{f"{side}_tokens": Tokens.train(["a b c d e f h"], "word")})
    with pytest.raises(ConfigError, match=f"models with different {side} vocabularies") as info:
        Translator.ensemble([made, made, other])
    assert "\n" not in str(info.value)


def test_samples_of_several_models_are_drawn_from_their_mean():
    models, source = [small(kind, seed=1, scale=0.4, words=9) for kind in ("attention", "plain")], SOURCES[0]
    found = sample(models, *arrays([source], [1]), SamplingOptions(samples=MANY))
    p = np.exp(forced(models, source, [()])[0][0, 0])
    p[[PAD, BOS]] = 0
    statistic, critical = chi_square(np.bincount(found.ids[0, 0], minlength=9), p / p.sum())
    assert statistic < critical
    assert found.alpha is None
    for tokens, _, logp in hypotheses(found, 0)[:20]:
        said, _ = forced(models, source, [tokens])
        assert logp == pytest.approx(sum(said[t, 0, k] for t, k in enumerate([*tokens, EOS])), abs=EXACT)


# the GPU


@pytest.fixture
def stand_in():
    backend._cupyx.cache_clear()
    with strict_cupy.installed(), numseq.use("cupy") as cupy:
        yield cupy
    backend._cupyx.cache_clear()


def on_device(model):
    return dataclasses.replace(model, params=trees.to_backend(model.params))


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("count", [1, 2])
@some_models
def test_searches_find_the_same_on_a_gpu(stand_in, kind, depth, count, name):
    models = models_of(kind, depth, count)

    def found(of):
        return search_for(of if count > 1 else of[0], SEARCHES[name], SOURCES, (7, 4, 6, 0), range(4))

    there = found([on_device(model) for model in models])
    with numseq.use("numpy"):
        here = found(models)
    assert all(isinstance(getattr(there, name), np.ndarray) for name in ("ids", "lengths", "logp", "scores"))
    assert there.alpha is None or isinstance(there.alpha, np.ndarray)
    assert_same_found(there, here)


def test_lines_and_scores_are_the_same_on_a_gpu(stand_in):
    made, pairs = translator(), pairs_of()
    there = dataclasses.replace(made, model=on_device(made.model))
    for options in (None, BeamOptions(beam=2), SamplingOptions(samples=2)):
        found = there.translate(TEXT, 2, options, replace_unk={})
        with numseq.use("numpy"):
            expected = made.translate(TEXT, 2, options, replace_unk={})
        assert_translations(found, expected)
    found = score(on_device(small("attention")), pairs)
    with numseq.use("numpy"):
        expected = score(small("attention"), pairs)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one.logp, np.ndarray)
        assert_close([one.logp, one.rank, one.entropy], [other.logp, other.rank, other.entropy], EXACT)


def test_the_best_are_the_same_on_a_gpu(stand_in):
    x = normal(3, 700)
    value, index = topk(stand_in.asarray(x), 4)
    expected = topk(x, 4)
    assert isinstance(value, stand_in.ndarray)
    assert (value.get() == expected[0]).all() and (index.get() == expected[1]).all()


# single precision


@pytest.mark.parametrize("kind", ["plain", "attention"])
@pytest.mark.parametrize("name", ["greedy", "beam", "coverage"])
def test_single_precision_says_the_same_but_at_near_ties(kind, name):
    rng = np.random.default_rng(0)
    sources = [rng.integers(4, 11, rng.integers(1, 9)).tolist() for _ in range(150)]
    different = sentences = 0
    for seed in range(4):
        double, single = (small(kind, 1, seed, dtype, words=40) for dtype in (np.float64, np.float32))
        exact, found = (search_for(of, SEARCHES[name], sources, [9] * 150, None) for of in (double, single))
        assert found.logp.dtype == np.float64
        for b, source in enumerate(sources):
            (said, one_score, _), (expected, score_there, _) = hypotheses(found, b)[0], hypotheses(exact, b)[0]
            sentences += 1
            if said == expected:
                assert one_score == pytest.approx(score_there, rel=1e-4, abs=1e-4)
                continue
            different += 1
            if name == "greedy":  # where they part, both tokens are about as probable
                t = next(t for t, (a, b) in enumerate(zip([*said, EOS], [*expected, EOS], strict=False)) if a != b)
                logp = forced([double], source, [expected])[0][t, 0]
                assert abs(logp[[*said, EOS][t]] - logp[[*expected, EOS][t]]) < 1e-4
    assert different <= 0.01 * sentences, f"{different} of {sentences}"


@pytest.mark.parametrize("seed", [6, 19])
def test_a_group_that_has_ended_penalises_nothing(seed):
    model, limits = biased(small("attention", 1, seed), eos=3, unk=3), (6, 5, 7, 4)
    options = BeamOptions(beam=6, groups=3, diversity=3.0)
    found = beam_search(model, *arrays(SOURCES, limits), options)
    for b, (source, limit) in enumerate(zip(SOURCES, limits, strict=True)):
        assert_hypotheses(hypotheses(found, b), in_groups(model, source, limit, options))


@pytest.mark.parametrize("kind", [GreedyOptions, BeamOptions, SamplingOptions])
def test_a_sentence_that_has_said_every_word_once_ends(kind):
    [found] = translator(words="a").translate(["a b"], search=kind(min_length=5, no_repeat_ngram=1))
    assert found.target[-1] == "<eos>" and len(set(found.target)) == len(found.target) == 3
    assert np.isfinite(found.logp)


def test_unknown_words_need_the_attention_of_every_model():
    made = translator()
    mixed = Translator.ensemble([dataclasses.replace(made, model=biased(made.model, unk=9)), translator("plain")])
    with pytest.raises(ConfigError, match="a plain model attends to nothing"):
        mixed.translate(["a b"], search=BeamOptions(beam=2), replace_unk={})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (BeamOptions, {"beam": 2.5}),
        (BeamOptions, {"beam": True}),
        (BeamOptions, {"min_length": 1.5}),
        (BeamOptions, {"groups": 1.5, "beam": 3}),
        (SamplingOptions, {"samples": 1.5}),
        (SamplingOptions, {"seed": "1"}),
    ],
)
def test_what_counts_must_be_a_whole_number(kind, options):
    name = next(iter(options))
    with pytest.raises(ConfigError, match=f"^{name} is .*: it must be a whole number of at least [01]"):
        kind(**options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_temperatures_draw_the_best_token_or_any(dtype):
    logits = np.random.default_rng(0).standard_normal((200, 9)).astype(dtype)
    logits[:, 0] = -np.inf
    uniform = np.random.default_rng(1).random(200)
    for cold in (1e-5, 1e-40, 1e-300):
        assert (draw(logits, uniform, SamplingOptions(temperature=cold)) == logits.argmax(axis=1)).all()
    assert set(draw(logits, uniform, SamplingOptions(temperature=1e39)).tolist()) == set(range(1, 9))
