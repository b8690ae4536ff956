"""Tags are single tokens whatever text is cut into; what is too long is left out, cut, or keeps its latest turns."""

import pytest

from numseq.data.batches import Pairs
from numseq.data.encoding import in_memory
from numseq.data.kinds import KINDS, plain
from numseq.data.long import kept
from numseq.data.tokens import TokenError, Tokens
from numseq.errors import ArgumentError

TAGS = ("<user>", "<bot>")
LINES = ["<user> hello there <bot> hi you <user> world", "<bot> yes"] * 3


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tag_is_one_token_of_every_kind_of_vocabulary(kind, lowercase):
    tokens = Tokens.train(LINES, kind, tags=TAGS, lowercase=lowercase, normalization="nfkc")
    assert [tokens.id(tag) for tag in TAGS] == [4, 5] and tokens.tags == TAGS
    [ids] = tokens.encode(LINES[:1])
    assert [k for k in ids if k in (4, 5)] == [4, 5, 4]
    assert tokens.split(LINES[0]).count("<user>") == 2
    assert tokens.encode([tokens.join(tokens.split(LINES[0]))]) == [ids] == tokens.read(LINES[:1])[0]
    assert tokens.encode(["  ".join(LINES[0].split(" ", 1))]) == [ids]  # spaces around a tag are the tag's
    again = Tokens.from_json(tokens.to_json())
    assert again.tags == TAGS and again.encode(LINES[:1]) == [ids]


@pytest.mark.parametrize("kind", KINDS)
def test_text_that_looks_like_a_tag_can_be_made_text(kind):
    tokens = Tokens.train(LINES, kind, tags=TAGS, lowercase=True, normalization="nfkc")
    for said in ("<user>", "a <USER>b", "\uff1cbot\uff1e", "<bot><user>"):
        assert {4, 5} & set(tokens.encode([said])[0])
        assert not {4, 5} & set(tokens.encode([tokens.plain(said)])[0])
    assert plain("<silence> a < b", TAGS) == "<silence> a < b"


def test_a_list_of_words_can_have_tags_too():
    tokens = Tokens.of(["hello", "<bot>", "you"], "word", tags=TAGS)
    assert tokens.encode(["<user> you <bot> hello"]) == [[4, 7, 5, 6]]


@pytest.mark.parametrize("tags", [["user"], ["<a b>"], ["<eos>"], ["<a>", "<a>"], [""], [3]])
def test_what_is_no_tag_is_refused(tags):
    with pytest.raises(TokenError, match=r"tags\["):
        Tokens.train(LINES, "word", tags=tags)


def test_a_vocabulary_has_room_for_its_tags():
    assert len(Tokens.train(LINES, "word", max_vocabulary=8, tags=TAGS)) == 8
    with pytest.raises(ArgumentError, match="max_vocabulary is 7"):
        Tokens.train(LINES, "word", max_vocabulary=7, tags=TAGS)


def test_a_file_whose_tags_are_not_those_that_numseq_writes_is_refused():
    text = Tokens.train(LINES, "word", tags=TAGS).to_json()
    for before, after in (('"lstrip": true', '"lstrip": false'), ('"content": "<bot>"', '"content": "<dot>"')):
        with pytest.raises(TokenError, match="not a vocabulary"):
            Tokens.from_json(text.replace(before, after))


def test_what_is_kept_of_a_long_sequence():
    tokens = Tokens.train(LINES, "word", tags=TAGS)
    [ids] = tokens.encode(LINES[:1])  # turns of 3, 3 and 2 tokens

    def left(most, long, ids=ids):
        part = kept(ids, most, long, tokens)
        return None if part is None else " ".join(tokens.token(k) for k in ids[part])

    assert left(8, "drop") == left(8, "cut") == left(8, "turns") == LINES[0]
    assert left(7, "drop") is None
    assert left(4, "cut") == "<user> hello there <bot>"
    assert left(7, "turns") == left(5, "turns") == "<bot> hi you <user> world"
    assert left(4, "turns") == "<user> world"
    assert left(1, "turns") == "world"
    assert left(1, "turns", ids[1:3]) is None  # no turn in it
    assert left(3, "turns", [*ids, 5]) == "<user> world <bot>"  # who is to speak begins no turn


@pytest.mark.parametrize(
    ("long", "most", "source", "copies", "target"),
    [
        ("cut", 3, "<user> x y", ["<user>", "x", "y"], ["x", "<unk>"]),
        ("turns", 3, "<bot> z hello", ["<bot>", "z", "hello"], ["<unk>", "z"]),
    ],
)
def test_what_is_not_read_cannot_be_copied(long, most, source, copies, target):
    tokens = Tokens.train(LINES, "word", tags=TAGS), Tokens.train(["hello", "yes"], "word")
    pairs, V = [("<user> x y <bot> z hello", "x z")], len(tokens[1])
    encoded = Pairs.encode(pairs, *tokens, True, most, long)
    stored, counts = in_memory(pairs, tokens, (most, 9), long, copying=True)
    assert counts.shortened == 1 and encoded.source.flat.tolist() == tokens[0].encode([source])[0]
    new = {word: V + k for k, word in enumerate(word for word in copies if tokens[1].id(word) is None)}
    assert encoded.copies.flat.tolist() == [new.get(word, tokens[1].id(word)) for word in copies]
    assert encoded.target.flat.tolist() == [new.get(word, 1) for word in target]
    for one, other in zip((encoded.source, encoded.target, encoded.copies),
                          (stored.source, stored.target, stored.copies), strict=True):  # fmt: skip
        assert one.flat.tolist() == other.flat.tolist() and one.lengths.tolist() == other.lengths.tolist()
