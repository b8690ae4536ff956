"""What can be copied: ids of words that only a source has, in which form they are compared, and where they are kept."""

import numpy as np
import pytest
from helpers_run import words

from numseq.data import UNK, Pairs, Tokens
from numseq.data.cache import cached
from numseq.data.copying import Copier, Sources
from numseq.data.encoding import encode, id_types, in_memory
from numseq.errors import ConfigError


def tokens(text, kind="word", **form):
    return Tokens.train([text], kind, **form)


def targets(copier, source, target):
    """The ids of a target, as they are learnt."""
    pairs = Pairs.encode([(source, target)], copier.source, copier.target, copying=True)
    return pairs.target.flat.tolist()


BOTH = tokens("a b c"), tokens("a b d")
V = len(BOTH[1])


def test_each_new_word_has_one_id_in_its_source():
    one = Copier(*BOTH).read("x a y x c b y")
    a, b = (BOTH[1].id(token) for token in "ab")
    assert one.ids == [V, a, V + 1, V, V + 2, b, V + 1] and one.new == {"x": V, "y": V + 1, "c": V + 2}
    assert one.word(V + 1) == "y" and one.word(b) == "b"


def test_a_target_has_the_words_of_its_source_and_no_others():
    copier = Copier(*BOTH)
    d = BOTH[1].id("d")
    assert targets(copier, "x y a", "y d z x c") == [V + 1, d, UNK, V, UNK]
    assert targets(copier, "c", "c") == [V]


def test_words_are_compared_in_the_form_of_the_target_and_come_out_as_they_are_written():
    copier = Copier(tokens("a b", lowercase=True), tokens("a b", normalization="nfkc", lowercase=True))
    one = copier.read("Ｐａｒｉｓ PARIS A paris")
    a = copier.target.id("a")
    assert one.ids == [len(copier.target)] * 2 + [a] + [len(copier.target)]
    assert one.written == ["Ｐａｒｉｓ", "PARIS", "A", "paris"]
    assert targets(copier, "Ｐａｒｉｓ", "paris PARIS") == [len(copier.target)] * 2


def test_a_source_in_small_letters_is_copied_into_a_target_with_great_ones():
    copier = Copier(tokens("in paris", lowercase=True), tokens("in Rome"))
    assert targets(copier, "In Paris", "Paris In paris") == [len(copier.target) + 1, len(copier.target), UNK]


def test_a_form_that_makes_two_words_of_one_leaves_places_where_they_are():
    source = tokens("a b", normalization="nfkc")
    copier = Copier(source, tokens("a b"))
    line = "a X\u00a8y B"  # the diaeresis becomes a space and an accent
    one = copier.read(line)
    assert len(one.ids) == len(one.written) == len(source.encode([line])[0])
    assert copier.read(line, slice(2)).written == one.written[:2]


def test_only_what_is_left_of_a_long_source_can_be_copied():
    copier = Copier(*BOTH)
    assert copier.read("x a y", slice(2)).new == {"x": V}
    pairs, counts = in_memory([("x a y", "x y")], BOTH, (2, 2), "cut", copying=True)
    assert pairs.copies.flat.tolist() == [V, BOTH[1].id("a")] and pairs.target.flat.tolist() == [V, UNK]
    assert str(counts.unknown[1]).startswith("1 of 2 (50.0%), most often 'y' 1")


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_pieces_are_copied_as_words_are(kind):
    text = "aba abba baab"
    copier = Copier(tokens(text + " xyz", kind), tokens(text, kind))
    one = copier.read("abxa")
    assert len(one.ids) == len(copier.source.split("abxa")) == len(one.written)
    assert any(k >= len(copier.target) for k in one.ids)
    assert copier.target.join(one.written) == "abxa"


def test_two_kinds_of_tokens_are_refused():
    with pytest.raises(ConfigError, match="source tokens are word and target tokens char: choose the same for both"):
        Copier(BOTH[0], tokens("a b", "char"))


def test_what_looks_like_a_special_token_is_a_word_to_copy():
    assert targets(Copier(*BOTH), "<eos> a", "<eos> <pad>") == [V, UNK]


def test_sources_stand_side_by_side():
    copier = Copier(*BOTH)
    both = Sources.of([copier.read("x a"), copier.read("y")])
    assert both.copies.tolist() == [[V, V], [BOTH[1].id("a"), 0]]


def test_in_the_cache_they_are_as_in_memory(tmp_path):
    pairs = words(40)
    few = Tokens.train([s for s, _ in pairs[:3]], "word"), Tokens.train([t for _, t in pairs[:3]], "word")
    expected, _ = in_memory(pairs, few, (4, 4), "cut", copying=True)
    kinds = id_types(few, 4, True)
    for _ in range(2):  # made, and found
        made = lambda stores: encode(pairs, few, stores, (4, 4), "cut").kept  # noqa: E731
        found, kept = cached(tmp_path, {"copying": True}, kinds, made)
        assert kept == len(found) == 40
        for side in ("source", "target", "copies"):
            ours, theirs = getattr(found, side), getattr(expected, side)
            assert np.array_equal(ours.flat, theirs.flat) and np.array_equal(ours.lengths, theirs.lengths), side
    assert expected.copies.flat.max() >= len(few[1])
    batch = found.batch(np.array([3, 1]))
    assert batch.copies.shape == batch.source.shape
