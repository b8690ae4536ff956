"""Text to batches: what is read, how it is cut into tokens, and which rows go together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq.data import (
    BOS,
    EOS,
    PAD,
    UNK,
    DataError,
    Pairs,
    TokenError,
    Tokens,
    batches,
    padding_share,
    plan_batches,
    read_lines,
    read_parallel,
    read_tsv,
)
from numseq.data.batches import Ragged
from numseq.data.tokens import SPECIAL
from numseq.errors import ArgumentError
from numseq.training.text import hold_out

quick = settings(max_examples=60, deadline=None)
characters = st.characters(exclude_categories=["Cs"])  # no half surrogates: UTF-8 has none
letters = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"])
ordinary = st.text(letters, min_size=1, max_size=6).filter(lambda word: word not in SPECIAL)
texts = st.text(characters, max_size=30)


# corpora


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@quick
@given(lines=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\ufeff"), max_size=20)))
def test_only_a_line_feed_ends_a_line(lines, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    assert read_lines(path) == lines


def test_other_line_separators_stay_in_the_line(tmp_path):
    line = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh"
    assert read_lines(put(tmp_path, "a", f"{line}\nnext\n")) == [line, "next"]


@pytest.mark.parametrize(
    "content", [b"a b\nc\n", b"a b\nc", b"a b\r\nc\r\n", b"\xef\xbb\xbfa b\nc\n", b"\xef\xbb\xbfa b\r\nc"]
)
def test_bom_crlf_and_a_missing_last_line_end_make_no_difference(tmp_path, content):
    assert read_lines(put(tmp_path, "a", content)) == ["a b", "c"]


def test_empty_file_has_no_line_and_a_blank_one_has_one(tmp_path):
    assert read_lines(put(tmp_path, "a", "")) == []
    assert read_lines(put(tmp_path, "b", "\n")) == [""]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}/nothing.txt: no such file"):
        read_lines(tmp_path / "nothing.txt")


def test_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}: .*directory"):
        read_lines(tmp_path)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_that_is_not_utf8_is_named_with_its_byte(tmp_path, bom):
    path = put(tmp_path, "latin1.txt", bom + "één\n".encode() + b"twee\ndrie\xeb\nvier\xeb\n")
    with pytest.raises(DataError, match=r"latin1.txt, line 3: not UTF-8 \(byte 0xeb\)"):
        read_lines(path)


def test_parallel_files_pair_line_by_line(tmp_path):
    source, target = put(tmp_path, "s", "a\nb \n c"), put(tmp_path, "t", "x\ny\nz\n")
    assert read_parallel(source, target) == ([("a", "x"), ("b", "y"), ("c", "z")], 0)


def test_pairs_with_an_empty_side_are_skipped_and_counted_and_the_rest_still_pairs_up(tmp_path):
    source, target = put(tmp_path, "s", "a\n\nc\n \t\ne\n\n"), put(tmp_path, "t", "v\nw\n\ny\nz\n\n")
    assert read_parallel(source, target) == ([("a", "v"), ("e", "z")], 4)


def test_different_line_counts_are_both_named(tmp_path):
    source, target = put(tmp_path, "s.txt", "a\n" * 1200), put(tmp_path, "t.txt", "a\n" * 7)
    with pytest.raises(DataError, match=r"s\.txt has 1,200 lines and .*t\.txt 7"):
        read_parallel(source, target)


@pytest.mark.parametrize("content", ["", "\n\n", " \n\t\n"])
def test_corpus_without_a_sentence_names_the_files(tmp_path, content):
    source, target = put(tmp_path, "s.txt", content), put(tmp_path, "t.txt", content)
    with pytest.raises(DataError, match=r"s\.txt and .*t\.txt: no sentence pair"):
        read_parallel(source, target)
    with pytest.raises(DataError, match=r"s\.txt: no sentence pair"):
        read_tsv(source)


def test_tsv_columns_are_source_and_target(tmp_path):
    path = put(tmp_path, "p.tsv", "a b\tc d\n\nx\t\n\ty\ne\tf\n")
    assert read_tsv(path) == ([("a b", "c d"), ("e", "f")], 3)


@pytest.mark.parametrize(("line", "columns"), [("only one", 1), ("a\tb\tc", 3)])
def test_tsv_line_with_other_than_two_columns_is_named(tmp_path, line, columns):
    path = put(tmp_path, "p.tsv", f"a\tb\n\nc\td\n{line}\n")
    with pytest.raises(DataError, match=rf"p\.tsv, line 4: {columns} columns?"):
        read_tsv(path)


def test_hold_out_splits_by_the_seed_alone():
    held = hold_out(100, seed=1)
    assert held.sum() == 5 and held.shape == (100,)
    assert (hold_out(100, seed=1) == held).all() and (hold_out(100, seed=2) != held).any()
    assert hold_out(10**6, seed=0).sum() == 1000 and hold_out(2, seed=0).sum() == 1
    with pytest.raises(DataError, match="validation"):
        hold_out(1, seed=0)


# tokens


def saved(tokens, folder):
    return Tokens.load(put(folder, "tokens.json", tokens.to_json()))


@quick
@given(lines=st.lists(st.lists(ordinary, min_size=1, max_size=6), min_size=1))
def test_words_that_the_vocabulary_covers_come_back(lines):
    lines = [" ".join(line) for line in lines]
    tokens = Tokens.train(lines, "word")
    assert [tokens.decode(ids) for ids in tokens.encode(lines)] == lines


@quick
@given(lines=st.lists(texts))
def test_any_characters_that_the_vocabulary_covers_come_back(lines):
    tokens = Tokens.train([*lines, "x"], "char")
    coded = tokens.encode(lines)
    assert [tokens.decode(ids) for ids in coded] == lines
    assert [len(ids) for ids in coded] == [len(line) for line in lines]  # one id for each code point


@quick
@given(train=st.lists(texts, min_size=1), lines=st.lists(texts), kind=st.sampled_from(["word", "char"]))
def test_saved_vocabulary_gives_the_same_ids(train, lines, kind, tmp_path_factory):
    tokens = Tokens.train([*train, "x"], kind)
    again = saved(tokens, tmp_path_factory.getbasetemp())
    assert again.encode(train + lines) == tokens.encode(train + lines)
    assert [again.token(k) for k in range(len(again))] == [tokens.token(k) for k in range(len(tokens))]


@quick
@given(lines=st.lists(texts), kind=st.sampled_from(["word", "char"]))
def test_training_twice_gives_the_same_vocabulary(lines, kind):
    first, second = (Tokens.train([*lines, "x"], kind) for _ in range(2))
    assert first.to_json() == second.to_json()


@pytest.mark.parametrize("kind", ["word", "char"])
def test_special_tokens_have_the_first_ids(kind):
    tokens = Tokens.train(["a b a"], kind)
    assert [tokens.token(k) for k in range(4)] == ["<pad>", "<unk>", "<bos>", "<eos>"]
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert min(k for ids in tokens.encode(["a b"]) for k in ids) == 4


def test_what_is_rarer_than_min_count_is_unknown_and_the_most_frequent_come_first():
    tokens = Tokens.train(["c b a", "a b", "a"], "word", min_count=2)
    assert len(tokens) == 4 + 2
    assert tokens.encode(["a b c d"]) == [[4, 5, UNK, UNK]]
    assert tokens.decode([4, UNK, 5]) == "a <unk> b"


def test_padding_and_both_ends_are_not_part_of_the_text():
    tokens = Tokens.train(["a b"], "word")
    assert tokens.decode([BOS, *tokens.encode(["a b"])[0], EOS, PAD, PAD]) == "a b"


def test_characters_are_code_points_line_ends_and_spaces_included():
    tokens = Tokens.train(["a b\n😀"], "char")
    [ids] = tokens.encode(["a \n😀"])
    assert [tokens.token(k) for k in ids] == ["a", " ", "\n", "😀"]


@pytest.mark.parametrize("kind", ["word", "char"])
@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("train", ["a b c", "a <pad> <unk> <bos> <eos> b c"])
def test_text_that_looks_like_a_special_token_is_text(tmp_path, kind, special, train):
    tokens = Tokens.train([train, train], kind)
    line = f"a {special} b"
    for vocabulary in (tokens, saved(tokens, tmp_path)):
        [ids] = vocabulary.encode([line])
        assert len(ids) == (3 if kind == "word" else len(line))
        assert not {PAD, BOS, EOS} & set(ids)
        assert [vocabulary.token(k) for k in range(4)] == list(SPECIAL)


def test_vocabulary_of_nothing_is_refused():
    with pytest.raises(TokenError, match="no word occurs 2 times or more"):
        Tokens.train(["a b", "c"], "word", min_count=2)
    with pytest.raises(TokenError, match="'sentence': choose one of word, char"):
        Tokens.train(["a"], "sentence")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "1.0"}', b"\x80\x04\x95", b"\xff"])
def test_file_that_is_no_vocabulary_is_named(tmp_path, content):
    with pytest.raises(TokenError, match=r"bad\.json: not a tokenizer file"):
        Tokens.load(put(tmp_path, "bad.json", content))


def test_vocabulary_with_other_special_ids_is_refused(tmp_path):
    text = Tokens.train(["a"], "word").to_json().replace("<eos>", "</s>")
    with pytest.raises(TokenError, match=r"other\.json: ids 0 to 3 must be <pad>, <unk>, <bos>, <eos>"):
        Tokens.load(put(tmp_path, "other.json", text))


# batches

sequences = st.lists(st.lists(st.integers(4, 99), min_size=1, max_size=12), min_size=1, max_size=12)


@quick
@given(sequences=sequences, data=st.data())
def test_padded_rows_are_the_sequences_and_the_mask_marks_what_is_real(sequences, data):
    rows = data.draw(st.lists(st.integers(0, len(sequences) - 1), min_size=1))
    ids, mask = Ragged(sequences).pad(np.array(rows))
    assert ids.shape == mask.shape == (max(len(sequences[k]) for k in rows), len(rows))
    assert mask.dtype == bool and ids.dtype == np.int64
    for b, k in enumerate(rows):
        n = len(sequences[k])
        assert ids[:n, b].tolist() == sequences[k] and mask[:n, b].all()
        assert (ids[n:, b] == PAD).all() and not mask[n:, b].any()


def test_batch_places_both_ends_one_step_apart():
    pairs = Pairs(Ragged([[5], [9, 9], [6, 7, 8]]), Ragged([[4, 5, 6], [9], [7]]))
    batch = pairs.batch(np.array([2, 0]))
    assert batch.source.tolist() == [[6, 5], [7, PAD], [8, PAD]]
    assert batch.source_mask.tolist() == [[True, True], [True, False], [True, False]]
    assert batch.target_in.tolist() == [[BOS, BOS], [7, 4], [PAD, 5], [PAD, 6]]
    assert batch.target_out.tolist() == [[7, 4], [EOS, 5], [PAD, 6], [PAD, EOS]]
    assert batch.target_mask.tolist() == [[True, True], [True, True], [False, True], [False, True]]
    assert batch.weight == 6 == batch.target_mask.sum()
    assert batch.source.dtype == batch.target_in.dtype == batch.target_out.dtype == np.int64
    assert batch.source_mask.dtype == batch.target_mask.dtype == bool


def test_encoded_pairs_keep_source_and_target_apart():
    tokens = Tokens.train(["a b c"], "word"), Tokens.train(["x y z"], "char")
    pairs = Pairs.encode([("a b", "xyz"), ("c", "z")], *tokens)
    assert len(pairs) == 2
    assert pairs.source.lengths.tolist() == [2, 1] and pairs.target.lengths.tolist() == [3, 1]
    batch = pairs.batch(np.array([0]))
    assert [tokens[0].token(k) for k in batch.source[:, 0]] == ["a", "b"]
    assert [tokens[1].token(k) for k in batch.target_out[:, 0]] == ["x", "y", "z", "<eos>"]


lengths = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=150).map(np.array)
seeds = st.none() | st.integers(0, 9)


def planned(lengths, size, seed, **options):
    rng = None if seed is None else np.random.default_rng(seed)
    return plan_batches(lengths[:, 0], lengths[:, 1], size, rng, **options)


@quick
@given(lengths=lengths, size=st.integers(1, 20), seed=seeds, pool=st.integers(1, 9))
def test_plan_covers_every_row_once_in_batches_of_the_size_at_most(lengths, size, seed, pool):
    batches = planned(lengths, size, seed, pool=pool)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(1 <= len(rows) <= size for rows in batches)


@quick
@given(lengths=lengths, size=st.integers(1, 20), seed=seeds, most=st.sampled_from([0.0, 0.1, 0.25, 0.5]))
def test_no_batch_holds_more_padding_than_allowed(lengths, size, seed, most):
    for rows in planned(lengths, size, seed, max_padding=most):
        assert padding_share([np.arange(len(rows))], *lengths[rows].T) <= most + 1e-12


@quick
@given(lengths=lengths, size=st.integers(1, 20), seed=seeds, most=st.integers(1, 20_000))
def test_no_batch_of_several_rows_has_more_cells_than_allowed(lengths, size, seed, most):
    found = planned(lengths, size, seed, max_cells=most)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    for rows in found:
        assert len(rows) == 1 or len(rows) * np.prod(lengths[rows].max(axis=0)) <= most


def test_only_batches_that_nobody_trains_on_are_smaller_where_they_are_long(monkeypatch):
    monkeypatch.setattr(batches, "CELLS", 99)
    pairs = Pairs(Ragged([[4] * 5] * 8), Ragged([[4] * 6] * 8))
    assert [len(rows) for rows in pairs.plan(8)] == [3, 3, 2]
    assert [len(rows) for rows in pairs.plan(8, np.random.default_rng(0))] == [8]


@quick
@given(lengths=lengths, size=st.integers(1, 20), seed=seeds)
def test_same_seed_gives_the_same_plan(lengths, size, seed):
    first, second = (planned(lengths, size, seed) for _ in range(2))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in second]


def test_other_seed_gives_another_plan():
    lengths = np.random.default_rng(0).integers(1, 9, size=(100, 2))
    assert [rows.tolist() for rows in planned(lengths, 8, 0)] != [rows.tolist() for rows in planned(lengths, 8, 1)]


def test_batches_come_in_random_order_of_length():
    lengths = np.repeat(np.arange(1, 41), 8)[:, None].repeat(2, axis=1)
    longest = [lengths[rows, 0].max() for rows in planned(lengths, 8, 0)]
    assert longest != sorted(longest) and sorted(longest) == list(range(1, 41))


def test_rows_of_like_length_go_together():
    rng = np.random.default_rng(0)
    source = rng.integers(5, 50, size=5000)
    lengths = np.stack([source, source + rng.integers(-2, 3, size=5000)], axis=1)  # as translations are
    batches = planned(lengths, 64, 0)
    assert padding_share(batches, *lengths.T) < 0.05
    assert len(batches) <= 1.05 * 5000 / 64  # and are not cut into crumbs for it


def test_padding_share_counts_both_sides():
    source, target = np.array([1, 3, 2]), np.array([4, 2, 2])
    batches = [np.array([0, 1]), np.array([2])]  # cells 2 * (3 + 4) + 1 * (2 + 2), real 10 + 4
    assert padding_share(batches, source, target) == pytest.approx(1 - 14 / 18)


@quick
@given(lengths=lengths, size=st.integers(1, 400), seed=seeds)
def test_batches_by_tokens_hold_as_many_as_were_asked_for_or_one_row(lengths, size, seed):
    found = planned(lengths, size, seed, by="tokens")
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    for rows in found:
        longest = (lengths[rows] + [0, 1]).max()  # <eos> of the target
        assert len(rows) == 1 or len(rows) * longest <= size


def test_batches_are_counted_by_sentences_or_by_tokens():
    with pytest.raises(ArgumentError, match="by is 'token': choose sentences or tokens"):
        planned(np.ones((2, 3), dtype=int), 2, 0, by="token")


def test_batches_by_tokens_are_full_and_of_little_padding():
    rng = np.random.default_rng(0)
    source = rng.integers(5, 50, size=5000)
    lengths = np.stack([source, source + rng.integers(-2, 3, size=5000)], axis=1)
    batches = planned(lengths, 2000, 0, by="tokens")
    assert padding_share(batches, *lengths.T) < 0.06
    tokens = [len(rows) * (lengths[rows] + [0, 1]).max() for rows in batches]
    assert np.mean(tokens) > 1800 and len({len(rows) for rows in batches}) > 20


def test_a_plan_is_that_of_a_loop_over_the_rows():
    """As it was computed row by row."""
    rng = np.random.default_rng(0)
    for n, size, cells in ((1, 1, 9e9), (300, 7, 9e9), (300, 30, 4000), (50, 100, 200)):
        s, t = rng.integers(1, 40, n), rng.integers(0, 40, n)
        [*found] = plan_batches(s, t, size, max_cells=cells)
        rows, first = np.concatenate(found), 0
        expected = []
        for k in range(1, n + 1):
            here = rows[first : k + 1]
            real, cells_of_two = (s + t)[here].sum(), len(here) * (s[here].max() + t[here].max())
            large = len(here) * s[here].max() * t[here].max() > cells
            if k == n or len(here) > size or real < 0.75 * cells_of_two or large:
                expected.append(rows[first:k].tolist())
                first = k
        assert [one.tolist() for one in found] == expected
