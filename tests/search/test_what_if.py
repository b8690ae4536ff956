"""What if: unchanged in, unchanged out; what is told is done; and what follows is the model's own."""

import numpy as np
import pytest
import strict_cupy
from helpers import at_scale_one, normal

import numseq
from numseq import params as trees
from numseq.data import BOS, EOS, PAD, Tokens
from numseq.errors import ArgumentError
from numseq.layers import AdditiveAttention
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.models.registry import ATTENTIONS
from numseq.search import BeamOptions, Translator, what_if
from numseq.search.what_if import Directed

LINE = "abacad"
DECODERS = {
    "bahdanau": {},
    "luong": {"decoder": "luong", "attention": "general"},
    "fed back": {"decoder": "luong-feeding", "attention": "multi-head"},
    "coverage": {"attention": "coverage"},
    "local": {"decoder": "luong", "attention": "local-p"},
    "plain": {"attention": "none"},
}


def translator(convert=lambda tree: tree, **options):
    source, target = Tokens.train(["abcdabcaba"], "char"), Tokens.train(["xyzwxyzxyx"], "char")
    sizes = {"embedding": 4, "hidden": 4, "attention_size": 4}
    model = Seq2Seq.create(Seq2SeqConfig(len(source), len(target), **sizes | options), dtype="float64")
    model.params = convert(at_scale_one(model.params))
    return Translator(model, source, target)


def told_by_hand(one, words, steps, looks):
    """log-probabilities of each step while `steps` (ids) are said, by the model's own step."""
    source = np.array(one.source_tokens.encode(["".join(words)])).T
    memory, state = one.model.start(source, None)
    found = []
    for t, token in enumerate([BOS, *steps[:-1]]):
        directed = memory._replace(attention=Directed(memory.attention, looks[t])) if t in looks else memory
        logp, state, _ = one.model.step(np.array([token]), state, directed)
        found.append(logp[0])
    return np.array(found)


@pytest.mark.parametrize("kind", DECODERS)
def test_unchanged_in_unchanged_out(kind):
    one = translator(**DECODERS[kind])
    found, [expected] = what_if(one, LINE, beam=3), one.translate([LINE], search=BeamOptions(beam=3))
    assert (found.text, found.source, found.target) == (expected.text, expected.source, expected.target)
    assert found.logp == pytest.approx(expected.logp, rel=1e-12)
    assert found.others == [(other.text, pytest.approx(other.logp)) for other in expected.others]
    if kind == "plain":
        assert found.alpha is None
    else:
        np.testing.assert_allclose(found.alpha, expected.alpha, rtol=1e-12)
    said = [one.target_tokens.encode([token])[0][0] for token in found.target[:-1]] + [EOS]
    p = np.exp(told_by_hand(one, LINE, said, {}))
    for t, best in enumerate(found.best):
        can = [k for k in np.argsort(-p[t]).tolist() if k not in (PAD, BOS)][:5]
        assert [token for token, _ in best] == [one.target_tokens.token(k) for k in can]
        assert [q for _, q in best] == pytest.approx(p[t][can])
    assert [node.token for row in found.tree for node in row if node.on_best] == found.target


@pytest.mark.parametrize("kind", DECODERS)
def test_a_token_that_is_forced_is_said_and_has_the_models_own_probability(kind):
    one = translator(**DECODERS[kind])
    plain = what_if(one, LINE)
    for t in (0, 2, min(len(plain.target) + 1, 21)):
        for token in "xw":
            found = what_if(one, LINE, forced={t: token})
            assert found.target[t] == token
            if t < len(plain.target) and plain.target[t] == token and plain.target[:t] == found.target[:t]:
                continue
            said = [one.target_tokens.encode([token])[0][0] for token in found.target[:-1]] + [EOS]
            logp = told_by_hand(one, LINE, said, {})
            assert found.logp == pytest.approx(logp[np.arange(len(said)), said].sum(), rel=1e-10)
            complete = [row[-1] for row in found.tree if row[-1].fate == "complete"]
            assert all(node.words()[t] == token for node in complete)
    assert what_if(one, LINE, forced={22: "<eos>"}).target[-1] == "<eos>"
    assert what_if(one, LINE, forced={1: "<eos>", 0: "y"}).target == ["y", "<eos>"]


@pytest.mark.parametrize("kind", [kind for kind in DECODERS if kind != "plain"])
def test_attention_that_is_moved_gives_the_context_asked_for_and_what_follows_from_it(kind):
    one = translator(**DECODERS[kind])
    plain, weights = what_if(one, LINE), np.array([0.5, 0, 0, 0.25, 0.25, 0])
    for look in (4, weights):
        alpha = np.eye(6)[4] if look is not weights else weights
        found = what_if(one, LINE, looks={1: look})
        np.testing.assert_array_equal(found.alpha[1], alpha)
        assert found.best[0] == plain.best[0] and found.best[1] != plain.best[1]
        said = [one.target_tokens.encode([token])[0][0] for token in found.target[:-1]] + [EOS]
        logp = told_by_hand(one, LINE, said, {1: alpha})
        assert found.logp == pytest.approx(logp[np.arange(len(said)), said].sum(), rel=1e-10)
    own = what_if(one, LINE, looks={0: plain.alpha[0] / plain.alpha[0].sum()})
    if kind not in ("local", "fed back"):  # there weights need not sum to 1; here heads differ
        assert own.target == plain.target and own.logp == pytest.approx(plain.logp, rel=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in ATTENTIONS if kind != "none"])
def test_the_context_of_weights_is_what_a_look_with_them_gives(kind):
    S, B, Q = 5, 3, 4
    keys, query, mask = normal(S, B, Q, seed=1), normal(B, Q, seed=2), np.ones((S, B), bool)
    mask[3:, 1] = False
    part = ATTENTIONS.find(kind)
    params = part.init(np.random.default_rng(0), Q, Q, 4, "float64")
    options = {"heads": 1} if "heads" in part.options else {}
    attention = part(keys, keys, params, mask, **options)
    s = attention.forward(query, attention.initial_carried())
    np.testing.assert_allclose(attention.context_of(s.alpha), s.context, rtol=1e-12)


def test_a_directed_attention_is_the_one_within_but_for_where_it_looks():
    keys, query = normal(5, 3, 4, seed=1), normal(3, 4, seed=2)
    attention = AdditiveAttention(keys, keys, AdditiveAttention.init(np.random.default_rng(0), 4, 4, 4, "float64"))
    alpha = np.array([0, 0.5, 0, 0.5, 0])
    s, own = Directed(attention, alpha).forward(query), attention.forward(query)
    np.testing.assert_array_equal(s.alpha, np.broadcast_to(alpha, (3, 5)))
    np.testing.assert_allclose(s.context, (keys[1] + keys[3]) / 2, rtol=1e-12)
    np.testing.assert_array_equal(s.e, own.e)
    assert Directed(attention, alpha).values is attention.values and Directed(attention, alpha).carried(s) == ()


def test_a_source_that_is_changed_is_translated():
    one = translator()
    [expected] = one.translate(["abdcad"], search=BeamOptions(beam=5))
    found = what_if(one, LINE, source={2: "d", 3: "c"})
    assert found.source == list("abdcad") and found.text == expected.text
    assert found.logp == pytest.approx(expected.logp)


def test_what_cannot_be_is_an_error_that_names_it():
    one, plain = translator(), translator(attention="none")
    for call, words in [
        (lambda: what_if(3, LINE), "translator is 3"),
        (lambda: what_if(Translator.ensemble([one, one]), LINE), "ensemble"),
        (lambda: what_if(one, ""), "line is empty"),
        (lambda: what_if(one, LINE, source={6: "a"}), "a position of source is 6"),
        (lambda: what_if(one, LINE, source={0: "ab"}), "each position must have one token"),
        (lambda: what_if(one, LINE, source={0: ""}), "each position must have one token"),
        (lambda: what_if(one, LINE, forced={99: "x"}), "a step of forced is 99"),
        (lambda: what_if(one, LINE, forced={22: "x"}), "a step of forced is 22"),
        (lambda: what_if(one, LINE, forced={0: "a"}), r"forced\[0\] is 'a'"),
        (lambda: what_if(one, LINE, forced={0: "xy"}), r"forced\[0\] is 'xy'"),
        (lambda: what_if(one, LINE, looks={0: 6}), r"looks\[0\] is 6"),
        (lambda: what_if(one, LINE, looks={0: [0.5, 0.5]}), r"looks\[0\] has 2 weights: there are 6"),
        (lambda: what_if(one, LINE, looks={0: [1, 1, 0, 0, 0, 0]}), "sum to 1, not to 2"),
        (lambda: what_if(plain, LINE, looks={0: 1}), "attends to nothing"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


def test_on_a_device_it_is_the_same():
    changes = {"source": {1: "c"}, "forced": {1: "z"}, "looks": {2: 3}}
    here = what_if(translator(), LINE, **changes)
    with strict_cupy.installed(), numseq.use("cupy"):
        there = what_if(translator(trees.to_backend), LINE, **changes)
    assert there.target == here.target and there.logp == pytest.approx(here.logp)
