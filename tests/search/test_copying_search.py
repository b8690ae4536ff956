"""Searches that copy: against all that can be said, ensembles, what comes out, and what if."""

import itertools

import numpy as np
import pytest
from helpers import assert_close, create

from numseq import params as trees
from numseq.data import BOS, EOS, PAD, UNK, Tokens
from numseq.errors import ConfigError
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.search import (
    BeamOptions,
    GreedyOptions,
    SamplingOptions,
    Translator,
    beam_search,
    greedy,
    sample,
    score,
    what_if,
)

V = 5  # <pad>, <unk>, <bos>, <eos> and one word; V is a word of the source alone, twice in it
SOURCE, COPIES, LIMIT = np.array([[5, 9, 6], [7, 8, 6], [5, 8, 4]]), np.array([[5, 6, 4], [4, 5, 5], [5, 5, 1]]), 2
HEADS = ("pointer-generator", "copynet")


def models(head, n=1):
    made = []
    for seed in range(n):
        model = create("attention", target_vocabulary=V, head=head)
        rng = np.random.default_rng(seed)
        model.params = trees.map(lambda leaf, rng=rng: rng.standard_normal(leaf.shape), model.params)
        made.append(model)
    return made


def said_so(several, b, said):
    """log p of a target and its <eos>, a step at a time, of one source."""
    under_way = [model.start(SOURCE[:, b : b + 1], None, COPIES[:, b : b + 1]) for model in several]
    total = 0.0
    for before, token in itertools.pairwise([BOS, *said, EOS]):
        p = []
        for k, model in enumerate(several):
            memory, state = under_way[k]
            logp, state, _ = model.step(np.array([before]), state, memory)
            under_way[k] = memory, state
            p.append(np.exp(logp[0, token]) if token < logp.shape[1] else 0)
        with np.errstate(divide="ignore"):
            total += np.log(np.mean(p))
    return total


def everything(several, b):
    """All that can be said of one source, the most probable first."""
    width = COPIES.max() + 1
    can = [k for k in range(width) if k not in (PAD, BOS, EOS) and (k < V or k in COPIES[:, b])]
    targets = [said for n in range(LIMIT + 1) for said in itertools.product(can, repeat=n)]
    return sorted(((said_so(several, b, said), said) for said in targets), reverse=True)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("head", HEADS)
def test_a_wide_beam_finds_the_best_of_all_that_can_be_said(head, n):
    several = models(head, n)
    options = BeamOptions(beam=60, length_penalty=0.0)
    found = beam_search(several, SOURCE, None, np.full(3, LIMIT), options, copies=COPIES)
    for b in range(3):
        best = everything(several, b)
        hypotheses = [one for one in found.of_sentence(b) if np.isfinite(one.score)]
        assert [tuple(one.tokens) for one in hypotheses[:8]] == [said for _, said in best[:8]]
        assert_close(np.array([one.logp for one in hypotheses[:8]]), np.array([logp for logp, _ in best[:8]]), 1e-9)
    assert any((one.tokens >= V).any() for b in range(3) for one in found.of_sentence(b))


@pytest.mark.parametrize("head", HEADS)
def test_greedy_and_sampling_say_the_words_of_their_own_source(head):
    several = models(head, 2)
    found = greedy(several, SOURCE, None, np.full(3, LIMIT), copies=COPIES)
    drawn = sample(several, SOURCE, None, np.full(3, LIMIT), SamplingOptions(samples=20), copies=COPIES)
    for result in (found, drawn):
        for b in range(3):
            for one in result.of_sentence(b):
                assert all(k < V or k in COPIES[:, b] for k in one.tokens.tolist())
                assert_close(np.array(one.logp), np.array(said_so(several, b, one.tokens.tolist())), 1e-9)
    assert (drawn.ids >= V).any()


def translator(head="pointer-generator", copy=True, **form):
    """A model of few words that always copies, or never does."""
    sides = Tokens.train(["in on a"], "word", **form), Tokens.train(["in on a"], "word", **form)
    sizes = {"embedding": 6, "hidden": 6, "attention_size": 6}
    model = Seq2Seq.create(Seq2SeqConfig(len(sides[0]), len(sides[1]), head=head, **sizes), dtype="float64")
    if head == "pointer-generator":
        model.params.head.b_g[:] = -30 if copy else 30
    else:
        model.params.head.b[:] = -30 if copy else 30
    return Translator(model, *sides)


@pytest.mark.parametrize("head", HEADS)
def test_words_come_out_as_they_were_written_and_say_from_where(head):
    line = "In Zürich ON 42,5 ZÜRICH"
    [found] = translator(head, lowercase=True).translate([line], max_ratio=1.0, extra=0)
    assert len(found.copied) == len(found.target) - 1 == 5 and None not in found.copied
    written = line.split()
    assert [written[place] for place in found.copied] == found.target[:-1] == found.text.split()
    [found] = translator(head, copy=False).translate([line], max_ratio=1.0, extra=0)
    assert set(found.copied) <= {None} and set(found.target[:-1]) <= {"in", "on", "a", "<unk>"}


def test_each_hypothesis_and_each_line_has_its_own_places():
    lines = ["x y", "", "z in y x", "y"]
    found = translator().translate(lines, search=BeamOptions(beam=3))
    assert found[1].copied is None
    for line, first in zip(lines, found, strict=True):
        for one in [first, *first.others] if line else []:
            assert [line.split()[place] for place in one.copied] == one.target[:-1]


def test_a_model_that_copies_and_one_that_does_not_are_no_ensemble():
    one = translator()
    sizes = {"embedding": 6, "hidden": 6, "attention_size": 6}
    plain = Seq2Seq.create(Seq2SeqConfig(len(one.source_tokens), len(one.target_tokens), **sizes))
    with pytest.raises(ConfigError, match="a model that copies and one that does not cannot decode together"):
        Translator.ensemble([one, Translator(plain, one.source_tokens, one.target_tokens)])
    both = Translator.ensemble([one, translator()])
    assert both.translate(["x y"])[0].text == one.translate(["x y"])[0].text


def test_scores_of_a_translation_are_those_of_the_search():
    one = translator()
    [found] = one.translate(["x in y"])
    [scored] = score(one.model, one.encode([("x in y", found.text)]))
    assert_close(np.array(scored.total), np.array(found.logp), 1e-9)


def test_what_if_copies():
    one, line = translator(), "x in y"
    [found] = one.translate([line], search=BeamOptions(beam=3))
    base = what_if(one, line, beam=3)
    assert base.text == found.text and base.target == found.target
    assert_close(np.array(base.logp), np.array(found.logp), 1e-9)
    assert {token for token, _ in base.best[0]} & {"x", "y"}
    changed = what_if(one, line, source={0: "Q"}, beam=3)
    assert "x" not in changed.text.split() and "Q" in {token for token, _ in changed.best[0]}
    assert what_if(one, line, forced={0: "y"}).target[0] == "y"
    assert what_if(one, line, looks={0: 2}, forced={}).target[0] == "y"  # what is looked at is copied
    with pytest.raises(Exception, match="neither the vocabulary nor the source has such a token"):
        what_if(one, line, forced={0: "w"})


def test_nothing_that_can_be_said_is_unknown_when_it_can_be_copied():
    one = translator()
    [found] = one.translate(["x y x"], search=GreedyOptions())
    assert UNK not in [one.target_tokens.id(token) for token in found.target] and "<unk>" not in found.target
    assert found.unknown == ["x", "y", "x"]
