"""Sub-words, vocabularies of a largest size, small letters, and vocabularies that are given."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq.data import DataError, TokenError, Tokens
from numseq.data.kinds import SPECIAL, UNK
from numseq.data.vocabulary import read_vocabulary
from numseq.errors import ConfigError
from numseq.training import DataOptions
from numseq.training.data_options import vocabularies

SUBWORDS = ("bpe", "unigram")
KINDS = ("word", "char", *SUBWORDS)
LINES = ["a man rides a bicycle", "two men ride bicycles", "the woman rides a bike", "riding is fun"] * 3
words = st.text(st.sampled_from("abcdeéxyz<>猫."), min_size=1, max_size=7).filter(lambda word: word not in SPECIAL)


def trained(kind, lines=LINES, **options):
    return Tokens.train(lines, kind, **({"max_vocabulary": 50} | options))


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(st.lists(words, min_size=1, max_size=5).map(" ".join), min_size=1))
@pytest.mark.parametrize("kind", SUBWORDS)
def test_text_of_known_letters_comes_back_and_is_cut_into_as_many_pieces_as_ids(kind, lines):
    tokens = trained(kind, lines)
    for line, ids in zip(lines, tokens.encode(lines), strict=True):
        pieces = tokens.split(line)
        assert tokens.decode(ids) == tokens.join(pieces) == line
        assert pieces == [tokens.token(k) for k in ids] and UNK not in ids
        assert pieces[0].startswith("▁") and [tokens.id(piece) for piece in pieces] == ids


@pytest.mark.parametrize("kind", SUBWORDS)
def test_the_same_text_gives_the_same_vocabulary_and_its_file_the_same_ids(kind):
    tokens = trained(kind)
    assert tokens.to_json() == trained(kind).to_json()
    again = Tokens.from_json(tokens.to_json())
    assert again.to_json() == tokens.to_json() and again.kind == kind
    assert again.encode(LINES) == tokens.encode(LINES)
    assert [tokens.token(k) for k in range(4)] == list(SPECIAL)
    assert json.loads(tokens.to_json())["decoder"]["add_prefix_space"] is True, "what old versions of the library read"


@pytest.mark.parametrize("kind", SUBWORDS)
def test_frequent_words_are_of_few_pieces_and_rare_ones_of_many(kind):
    tokens = trained(kind)
    assert len(tokens.split("bicycles ride")) <= 4 and len(tokens.split("klumb")) >= 5
    assert tokens.bare("▁the") == "the" and trained("word").bare("▁the") == "▁the"


@pytest.mark.parametrize("kind", SUBWORDS)
def test_an_unknown_letter_is_one_token_as_it_is_written(kind):
    tokens = trained(kind)
    [ids] = tokens.encode(["a ü man"])
    assert ids.count(UNK) == 1 and [p for p, k in zip(tokens.split("a ü man"), ids, strict=True) if k == UNK] == ["ü"]
    assert tokens.decode(ids) == "a <unk> man"


@pytest.mark.parametrize("kind", SUBWORDS)
@pytest.mark.parametrize("special", SPECIAL)
def test_what_looks_like_a_special_token_is_text(kind, special):
    tokens = trained(kind, [f"a{special} {special} b{special}c <e os>"] * 9, max_vocabulary=60)
    line = f"a {special} b{special}c"
    [ids] = tokens.encode([line])
    assert not {0, 2, 3} & set(ids) and len(tokens.split(line)) == len(ids)
    assert tokens.join(tokens.split(line)) == line
    assert [tokens.token(k) for k in range(4)] == list(SPECIAL)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_is_no_larger_than_was_said_and_keeps_what_is_frequent(kind):
    lines = ["eeee e e eee", *(f"{letter}{letter * 2} {letter}" for letter in "abcdfghijklmnopqrstuvwxyz")]
    for most in (6, 10, 30, 60):
        assert len(trained(kind, lines, max_vocabulary=most)) <= most
    assert UNK not in trained(kind, lines, max_vocabulary=6).encode(["e"])[0]
    assert UNK in trained(kind, lines, max_vocabulary=6).encode(["z zz"])[0]


@pytest.mark.parametrize("kind", SUBWORDS)
def test_rarer_letters_than_min_count_are_unknown_and_join_nothing(kind):
    tokens = trained(kind, ["abüab"] * 3 + ["ab ab"] * 3, min_count=4)
    assert [k == UNK for k in tokens.encode(["ü"])[0]] == [False, True]
    assert not any("ü" in tokens.token(k) or "abab" in tokens.token(k) for k in range(len(tokens)))


@pytest.mark.parametrize("kind", KINDS)
def test_small_letters_are_made_of_what_is_learnt_and_read_and_it_is_kept(kind):
    tokens = trained(kind, ["ÉCOLE J\u030c"] * 3, normalization="nfc", lowercase=True)
    for one in (tokens, Tokens.from_json(tokens.to_json())):
        assert one.decode(one.encode(["École ǰ"])[0]) == "école ǰ" and one.lowercase
        assert one.normalize(one.normalize("J\u030cİ")) == one.normalize("J\u030cİ")


@pytest.mark.parametrize("kind", ["char", *SUBWORDS])
def test_syllables_are_decomposed_and_come_out_composed(kind):
    tokens = trained(kind, ["한국 국어"] * 3, normalization="nfd")
    [ids] = tokens.encode(["한국"])
    assert tokens.decode(ids) == tokens.join(tokens.split("한국")) == "한국"
    if kind == "char":
        assert len(ids) == 6


def test_a_word_of_many_letters_is_read_but_nothing_is_learnt_from_it():
    tokens = trained("bpe", ["ab" * 5000, *LINES])
    assert len(tokens.encode(["ab" * 5000])[0]) == 10000


@pytest.mark.parametrize("kind", SUBWORDS)
@pytest.mark.parametrize("lines", [[], [""], ["a b"]])
def test_a_text_of_nothing_has_no_vocabulary(kind, lines):
    with pytest.raises(TokenError, match="no character occurs 3 times or more"):
        Tokens.train(lines, kind, 3)


@pytest.mark.parametrize("kind", SUBWORDS)
def test_lines_that_can_be_gone_over_once_are_enough(kind):
    assert Tokens.train(iter(LINES), kind).to_json() == Tokens.train(LINES, kind).to_json()


def changes(said):
    """Ways to spoil a file of sub-words."""
    model = said["model"]
    yield said | {"pre_tokenizer": said["pre_tokenizer"] | {"replacement": "_"}}
    yield said | {"decoder": None}
    yield said | {"normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"}}
    yield said | {"post_processor": {}}
    if model["type"] == "BPE":
        yield said | {"model": model | {"dropout": 0.5}}
        yield said | {"model": model | {"merges": [*model["merges"], "no such"]}}
        yield said | {"model": model | {"merges": ["a"]}}
        yield said | {"model": model | {"vocab": model["vocab"] | {"more": 3}}}
    else:
        yield said | {"model": model | {"unk_id": 2}}
        yield said | {"model": model | {"vocab": [*model["vocab"], ["a", float("nan")]]}}
        yield said | {"model": model | {"vocab": [*model["vocab"], model["vocab"][-1]]}}
        yield said | {"model": model | {"vocab": [*model["vocab"], ["q"]]}}


@pytest.mark.parametrize("kind", SUBWORDS)
def test_a_file_that_numseq_did_not_write_is_refused(kind):
    for said in changes(json.loads(trained(kind).to_json())):
        with pytest.raises(TokenError, match="that numseq wrote|not a tokenizer file"):
            Tokens.from_json(json.dumps(said))


# vocabularies that are given


def put(folder, text, name="words.txt"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_list_of_words_is_a_vocabulary_in_its_order(tmp_path):
    tokens = read_vocabulary(put(tmp_path, "<pad>\nthe\nCafe\u0301\n<unk>\ncafé\na\n"), "word", "nfc", True)
    assert [tokens.token(k) for k in range(4, len(tokens))] == ["the", "café", "a"]
    assert tokens.encode(["A CAFÉ xyz"]) == [[6, 5, UNK]]
    assert len(read_vocabulary(put(tmp_path, "a\nb\n"), "char", "none", False)) == 6


@pytest.mark.parametrize(("text", "kind", "says"), [
    ("a\nb c\n", "word", r"words.txt: .*tokens\[1\] is 'b c': not one word"),
    ("a\n\n", "word", r"tokens\[1\] is '': not one word"),
    ("ab\n", "char", "not one character"), ("a\n", "bpe", "does not say how bpe cuts words"),
    ("", "word", "words.txt: .*none")])  # fmt: skip
def test_a_list_that_is_no_vocabulary_is_refused(tmp_path, text, kind, says):
    with pytest.raises(TokenError, match=says):
        read_vocabulary(put(tmp_path, text), kind, "nfc", False)


def test_a_file_of_tokens_is_refused_where_the_options_say_otherwise(tmp_path):
    path = put(tmp_path, trained("bpe", normalization="nfc").to_json(), "source.tokens.json")
    assert read_vocabulary(path, "bpe", "nfc", False).kind == "bpe"
    for options, says in (
        (("word", "nfc", False), "made with tokens bpe, and word is asked for"),
        (("bpe", "nfd", False), "made with normalization nfc, and nfd"),
        (("bpe", "nfc", True), "made with lowercase False, and True"),
    ):
        with pytest.raises(TokenError, match=says):
            read_vocabulary(path, *options)
    with pytest.raises(DataError, match="no such file"):
        read_vocabulary(tmp_path / "nothing.txt", "word", "nfc", False)


def test_one_vocabulary_has_both_sides_and_a_given_one_is_taken(tmp_path):
    source, target = vocabularies(["a b"], ["c d"], DataOptions(min_count=1, joint=True), True)
    assert source is target and len(source) == 4 + 4
    path = put(tmp_path, "a\nb\n")
    source, target = vocabularies(["x"], ["c c"], DataOptions(source_vocabulary_file=path), False)
    assert [source.token(k) for k in (4, 5)] == ["a", "b"] and len(source) == 6 and target.token(4) == "c"
    one, _ = vocabularies(["x"], ["c"], DataOptions(source_vocabulary_file=path), True)
    assert len(one) == 6
    for options, says in (
        ({"source_tokens": "bpe"}, "cut alike, not into bpe and word"),
        ({"source_vocabulary_file": "a", "target_vocabulary_file": "b"}, "give one vocabulary file"),
    ):
        with pytest.raises(ConfigError, match=says):
            vocabularies(["x"], ["c"], DataOptions(**options), True)
