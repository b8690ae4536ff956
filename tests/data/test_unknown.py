"""Unknown tokens, and the Unicode form of what is known."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numseq.data import TokenError, Tokens, load_vectors
from numseq.data.tokens import UNK
from numseq.data.unknown import Unknown, count_unknown, shown_token
from numseq.training import DataOptions

CAFE, DECOMPOSED = "caf\u00e9", "cafe\u0301"
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
letters = st.sampled_from("aé\u0301eﬁ½\u00a0 ①Å\u212bкй한\u1112\u1161")


def saved(tokens, folder):
    path = folder / "tokens.json"
    path.write_text(tokens.to_json(), encoding="utf-8")
    return Tokens.load(path)


@pytest.mark.parametrize("kind", ["word", "char"])
@pytest.mark.parametrize(("normalization", "alike"), [("none", ["NFC"]), ("nfc", FORMS[:2]), ("nfkc", FORMS)])
def test_text_is_known_in_every_form_that_the_vocabulary_makes_one_of(tmp_path, kind, normalization, alike):
    line = f"{CAFE} Å 한 (1/2)"
    for tokens in (made := Tokens.train([line], kind, 1, normalization), saved(made, tmp_path)):
        expected = tokens.encode([line])
        assert UNK not in expected[0]
        for form in FORMS:
            same = tokens.encode([unicodedata.normalize(form, line)]) == expected
            assert same or form not in alike
    assert (UNK in made.encode([f"{CAFE}\u00a0Å ①"])[0]) == (
        normalization != "nfkc" or "1" not in line or kind == "word"
    )


@given(lines=st.lists(st.text(letters, min_size=1, max_size=8), min_size=1), kind=st.sampled_from(["word", "char"]))
@pytest.mark.parametrize("normalization", ["nfc", "nfkc", "none"])
def test_a_line_is_cut_into_as_many_written_tokens_as_ids(normalization, lines, kind):
    tokens = Tokens.train([*lines, "x"], kind, 1, normalization)
    for line, ids in zip(lines, tokens.encode(lines), strict=True):
        words = tokens.split(line)
        assert len(words) == len(ids)
        assert words == [tokens.token(k) for k in ids], "all of it is known"
        assert tokens.normalize(tokens.normalize(line)) == tokens.normalize(line)


def test_a_word_that_becomes_a_special_token_is_unknown():
    tokens = Tokens.train(["a ＜eos＞ ＜pad＞ b"], "word", 1, "nfkc")
    assert [tokens.token(k) for k in range(4)] == ["<pad>", "<unk>", "<bos>", "<eos>"] and len(tokens) == 6
    assert tokens.encode(["＜eos＞ a"]) == [[UNK, 4]]


def test_an_unknown_form_is_refused():
    with pytest.raises(TokenError, match="normalization is 'nfe': choose one of nfc, nfkc, nfd, none"):
        Tokens.train(["a"], "word", 1, "nfe")


def test_new_runs_compose_unless_told_otherwise():
    assert DataOptions().build([DECOMPOSED] * 2, "word").encode([CAFE, DECOMPOSED]) == [[4], [4]]
    assert DataOptions(normalization="none").build([CAFE] * 2, "word").encode([DECOMPOSED]) == [[UNK]]


@pytest.mark.parametrize(("spelt", "normalization", "found"), [
    (DECOMPOSED, "nfc", 1), (CAFE, "nfc", 1), ("ﬁn", "nfkc", 1), (DECOMPOSED, "none", 0)])  # fmt: skip
def test_words_of_vectors_are_in_the_vocabularys_form(tmp_path, spelt, normalization, found):
    tokens = Tokens.train([f"{CAFE} fin x"], "word", 1, normalization)
    (tmp_path / "v").write_text(f"{spelt} 1 2\nx 3 4\n", encoding="utf-8")
    ids, _ = load_vectors(tmp_path / "v", tokens, 2)
    assert len(ids) == 1 + found


def test_unknown_tokens_are_counted_as_they_are_written():
    tokens = Tokens.train(["a b a"], "word")
    found = count_unknown(tokens, ["a x y", "b", "", "x <eos>"])
    assert found.total == 6 and found.counts == {"x": 2, "y": 1, "<eos>": 1}
    assert str(found) == "4 of 6 (66.7%), most often 'x' 2, '<eos>' 1, 'y' 1"
    assert not count_unknown(tokens, ["a b"]) and str(count_unknown(tokens, ["a b"])) == "0 of 2 (0.0%)"
    assert not Unknown() and str(Unknown()) == "0 of 0 (0.0%)"
    many = count_unknown(tokens, [" ".join(f"w{k}" for k in range(1200))])
    assert str(many).startswith("1,200 of 1,200 (100.0%), most often 'w0' 1") and str(many).count("'w") == 5


@pytest.mark.parametrize(("token", "shown"), [
    ("foo", "'foo'"), ("café", "'café'"), ("猫犬", "'猫犬'"), ("d\u00e9j\u00e0", "'déjà'"),
    ("20\u00a0July", r"'20\xa0July' (U+00A0)"), ("\u00a0", r"'\xa0' (U+00A0)"), ("é", "'é' (U+00E9)"),
    (DECOMPOSED, f"'{DECOMPOSED}' (U+0301)"), ("p\u0430y", "'p\u0430y' (U+0430)"), ("мир", "'мир'"),
    ("a\u200bb\u200b", r"'a\u200bb\u200b' (U+200B)"), ("\t", r"'\t'"), ("x" * 99, f"'{'x' * 30}…'"),
    ("don't", '''"don't"'''), ("\x1b[31m", r"'\x1b[31m'")])  # fmt: skip
def test_what_looks_like_something_else_is_shown_with_its_code_points(token, shown):
    assert shown_token(token) == shown
