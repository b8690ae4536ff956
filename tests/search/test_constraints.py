"""Constraints: every search says what is well formed and nothing else, held against all that could be said."""

import itertools
from functools import cache

import numpy as np
import pytest
import strict_cupy
from helpers import at_scale_one
from helpers_search import LIMITS, SOURCES, WORDS, arrays, assert_hypotheses, everything, hypotheses, one_at_a_time

import numseq
from numseq import params as trees
from numseq.data import EOS, PAD, UNK, Tokens
from numseq.errors import ArgumentError
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.search import (
    BeamOptions,
    Brackets,
    ByFunction,
    Candidates,
    Constraint,
    Grammar,
    GreedyOptions,
    SamplingOptions,
    SourceNames,
    Together,
    Translator,
    beam_search,
    greedy,
    sample,
    what_if,
)
from numseq.search.constraints.constraint import ENDLESS
from numseq.search.constraints.rules import Literal, read_rules

TOKENS = Tokens.of(["(", ")", "a"], "word")  # ids 4, 5, 6
LINES = ["a b", "b", "( a", "b )"]  # what stands for SOURCES where a constraint reads the source
OPEN, CLOSE, LETTER = 4, 5, 6


@cache
def small(seed=0, source=11, target=WORDS, end=0.0, **more):
    """A model of few words; `end` is added to the score of <eos>. Not to be changed: it is kept."""
    with numseq.use("numpy"):
        model = Seq2Seq.create(
            Seq2SeqConfig(source, target, embedding=4, hidden=6, attention_size=5, **more), dtype=np.float64
        )
    model.params = trees.map(lambda leaf: leaf, at_scale_one(model.params, seed))
    model.params.head.b[EOS] += end
    return model


def balanced(words):
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth < 0:
            return False
    return depth == 0


SUMS = """
sum  = sum "a" term | term      # left recursion
term = "(" sum ")" | nothing
nothing =
"""
FEW = ["a", "( a )", "( (", "a a )", "( ( ( ) ) )"]


def no_word_after_itself(said, line):
    return [word for word in ("(", ")", "a", "<eos>") if not said or word != said[-1]]


KINDS = {  # the constraint, and in plain words what it asks of an output and of the line
    "candidates": (lambda: Candidates(TOKENS, FEW), lambda words, line: " ".join(words) in FEW),
    "brackets": (lambda: Brackets(TOKENS, "()"), lambda words, line: balanced(words)),
    "names": (
        lambda: SourceNames(TOKENS, r"\(|\)"),
        lambda words, line: {"(", ")"} & set(words) <= set(line.split()),
    ),
    "grammar": (lambda: Grammar(TOKENS, SUMS), lambda words, line: tuple(words) in language(SUMS, 5)),
    "function": (
        lambda: ByFunction(TOKENS, no_word_after_itself),
        lambda words, line: "<unk>" not in words and all(x != y for x, y in itertools.pairwise(words)),
    ),
    "together": (
        lambda: Together(Brackets(TOKENS, "()"), SourceNames(TOKENS, ["a"])),
        lambda words, line: balanced(words) and ("a" not in words or "a" in line.split()),
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def language(text, n):
    """All sentences of a grammar of at most n tokens, by joining those of its parts until there are no more."""
    rules = read_rules(text)
    found = {name: set() for name in rules.alternatives}
    size = -1
    while size != (size := sum(map(len, found.values()))):
        for name, alternatives in rules.alternatives.items():
            for alternative in alternatives:
                parts = [{tuple(p.text.split())} if isinstance(p, Literal) else found[p] for p in alternative]
                joined = {()}
                for part in parts:
                    joined = {(*x, *y) for x in joined for y in part if len(x) + len(y) <= n}
                found[name] |= joined
    return found[rules.whole]


def texts(tokens):
    return [TOKENS.token(k) for k in tokens]


def made(kind):
    return KINDS[kind][0]()


def right(kind, tokens, line):
    return KINDS[kind][1](texts(tokens), line)


# every search


@each_kind
@pytest.mark.parametrize("count", [1, 2])
def test_a_wide_beam_finds_all_that_is_well_formed_and_nothing_else(kind, count):
    models, options, limits = [small(seed) for seed in range(count)], BeamOptions(beam=120), (4, 2, 3, 1)
    found = beam_search(models, *arrays(SOURCES, limits), options, constraint=made(kind).rows(LINES))
    for b, (source, limit, line) in enumerate(zip(SOURCES, limits, LINES, strict=True)):
        possible = [one for one in everything(models, source, limit, options) if right(kind, one[0], line)]
        assert possible
        assert_hypotheses(hypotheses(found, b), possible)


@each_kind
@pytest.mark.parametrize("width", [1, 3])
def test_a_narrow_beam_and_greedy_search_drop_and_repeat_rows_rightly(kind, width):
    limits = (5, 4, 3, 2)
    for seed in range(4):
        model, options = small(seed), BeamOptions(beam=width)
        given, rows = arrays(SOURCES, limits), made(kind).rows(LINES)
        found = beam_search(model, *given, options, constraint=rows)
        alone = greedy(model, *given, constraint=rows)
        for b, (source, limit, line) in enumerate(zip(SOURCES, limits, LINES, strict=True)):

            def allows(said, k, limit=limit, line=line):
                if k == EOS:
                    return right(kind, said, line)
                left = limit - len(said) - 1
                more = (rest for n in range(left + 1) for rest in itertools.product((UNK, 4, 5, 6), repeat=n))
                return k != EOS and any(right(kind, (*said, k, *rest), line) for rest in more)

            expected = one_at_a_time([model], source, limit, options, allows)
            assert_hypotheses(hypotheses(found, b), expected)
            if width == 1:
                assert_hypotheses(hypotheses(alone, b), expected)


SEARCHES = {
    "greedy": (greedy, GreedyOptions()),
    "beam": (beam_search, BeamOptions(beam=4)),
    "groups": (beam_search, BeamOptions(beam=6, groups=3)),
    "samples": (sample, SamplingOptions(samples=12)),
    "banned": (sample, SamplingOptions(samples=12, no_repeat_ngram=1, min_length=4, top_p=0.9)),
}


@each_kind
@pytest.mark.parametrize("name", SEARCHES)
def test_all_that_is_said_is_well_formed_whatever_the_limit_and_the_other_bans(kind, name):
    """Limits of 0, and below the shortest candidate; bans that leave nothing else."""
    search, options = SEARCHES[name]
    for seed, limits, end in ((0, (0, 1, 2, 5), 0.0), (1, (4, 4, 4, 4), -9.0), (2, (0, 0, 0, 0), -9.0)):
        found = search(small(seed, end=end), *arrays(SOURCES, limits), options, constraint=made(kind).rows(LINES))
        for b, line in enumerate(LINES):
            assert hypotheses(found, b)
            for tokens, *_ in hypotheses(found, b):
                assert right(kind, tokens, line), texts(tokens)
                assert len(tokens) <= limits[b] or (kind == "candidates" and tokens == (LETTER,))


class Anything(Constraint):
    def allowed(self, state, room):
        return np.ones(len(self.words), dtype=bool)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_constraint_that_allows_everything_changes_no_bit(name):
    search, options = SEARCHES[name]
    for constraint in (Anything(TOKENS), ByFunction(TOKENS, lambda said, line: None)):
        for seed in range(3):
            models, given = [small(seed), small(seed + 1)], arrays(SOURCES, (6, 0, 3, 4))
            plain = search(models, *given, options)
            found = search(models, *given, options, constraint=constraint.rows(LINES))
            for field in ("ids", "lengths", "logp", "scores", "alpha"):
                assert np.array_equal(getattr(plain, field), getattr(found, field)), field


def test_what_is_well_formed_goes_before_other_bans_and_they_hold_where_they_can():
    """( ( ) ) needs a bracket twice; a word twice is not needed."""
    rows = Grammar(TOKENS, 's = "(" "(" ")" ")" more\nmore = "a" more | "<pad>" |', partial=True).rows(LINES)
    found = greedy(small(end=-9.0), *arrays(SOURCES, [9] * 4), GreedyOptions(no_repeat_ngram=1), constraint=rows)
    for b in range(4):
        assert hypotheses(found, b)[0][0] == (OPEN, OPEN, CLOSE, CLOSE, LETTER)


def test_where_nothing_is_left_a_row_ends():
    constraint = ByFunction(TOKENS, lambda said, line: ["a"] if len(said) < 2 else ["word that is not there"])
    found = beam_search(small(), *arrays(SOURCES, LIMITS), BeamOptions(beam=2), constraint=constraint.rows(LINES))
    assert [hypotheses(found, b)[0][0] for b in range(4)] == [(LETTER,) * min(limit, 2) for limit in LIMITS]


def test_what_is_well_formed_is_better_than_what_had_to_end():
    """However probable that is: a beam goes on after it."""
    constraint = ByFunction(
        TOKENS, lambda said, line: {(): ["a", "("], ("(",): [")"], ("(", ")"): ["<eos>"]}.get(said, [])
    )
    model = small(end=9.0)
    for options in (BeamOptions(beam=2, nbest=1), BeamOptions(beam=4, groups=2, length_penalty=0)):
        found = beam_search(model, *arrays(SOURCES, [4] * 4), options, constraint=constraint.rows(LINES))
        for b in range(4):
            first, second = hypotheses(found, b)[:2]
            assert first[0] == (OPEN, CLOSE) and second[0] == (LETTER,) and second[1] < -1e8 < first[1]


def test_on_a_device_it_is_the_same():
    given, options = ((SOURCES, (5, 4, 3, 2)), BeamOptions(beam=3, no_repeat_ngram=2))
    here = beam_search(small(), *arrays(*given), options, constraint=made("brackets").rows(LINES))
    model = small()
    with strict_cupy.installed(), numseq.use("cupy"):
        there = Seq2Seq(model.config, trees.to_backend(model.params))
        source, mask, limits = arrays(*given)
        source, mask = numseq.backend.asarray(source), numseq.backend.asarray(mask)
        found = beam_search(there, source, mask, limits, options, constraint=made("brackets").rows(LINES))
    assert np.array_equal(found.ids, here.ids) and np.allclose(found.logp, here.logp)


# rows


def test_rows_are_chosen_and_go_on_each_by_itself():
    constraint = Brackets(TOKENS, "()")
    rows = constraint.rows(["x", "y"]).say(np.array([OPEN, LETTER])).select(np.array([1, 0, 0]))
    assert rows.states == ["", "(", "("] and rows.fewest.tolist() == [0, 1, 1]
    on = rows.say(np.array([OPEN, CLOSE, PAD]))
    assert rows.states == ["", "(", "("], "nothing is changed in place"
    allowed = on.allowed(np.array([1, 0, 5]), WORDS)
    assert np.flatnonzero(allowed[0]).tolist() == [CLOSE], "there is room for one token, which has to close"
    assert allowed[1][EOS] and not allowed[1][[OPEN, CLOSE, LETTER]].any()
    assert not allowed[2].any(), "a beam without a beginning says nothing"


def test_words_that_the_vocabulary_has_not_are_asked_for_by_their_text():
    """As a model says that copies words of the source: ids from V on are words of each line."""
    more = [["((", "b"], ["b)"]]
    rows = Brackets(TOKENS, "()").rows(["(( b", "b)"], more)
    assert rows.allowed(np.array([3, 3]), WORDS + 2)[:, WORDS:].tolist() == [[True, True], [False, False]]
    assert rows.allowed(np.array([2, 2]), WORDS + 2)[:, WORDS:].tolist() == [[False, True], [False, False]]
    assert rows.say(np.array([WORDS, OPEN])).states == ["((", "("]
    assert rows.say(np.array([WORDS, OPEN])).allowed(np.array([9, 9]), WORDS + 2)[1, WORDS]
    names = SourceNames(TOKENS, "[ab]").rows(["b", "c"], [["b"], ["b"]])
    assert names.allowed(np.array([3, 3]), WORDS + 1)[:, [LETTER, WORDS]].tolist() == [[False, True], [False, False]]
    for constraint in (Candidates(TOKENS, ["a"]), Grammar(TOKENS, 's = "a"'), ByFunction(TOKENS, lambda *_: ["b"])):
        known = constraint.rows(["b"], [["b"]]).allowed(np.array([3]), WORDS + 1)[0, WORDS]
        assert known == isinstance(constraint, ByFunction)


# grammars

GRAMMARS = {
    "left": SUMS,
    "right": 's = "a" s | "(" s ")" |',
    "both": 's = s s | "a" | "(" s ")"',
    "all": 's = s s | e | "a"\ne = | e e | "(" e ")"',
    "hidden left": 's = e s "a" | "("\ne = ""',
    "empty within": 's = e "a" e ")" e\ne = f f\nf = "(" |',
    "circle": 's = t | "a" t ")"\nt = s | "(" |',
    "cheaper in the end": 's = t "(" "(" "(" | u\nu = t\nt = "a"',
    "palindromes": 's = "a" s "a" | "(" s "(" | "a" | |"("',
    "rules and texts of one name": 's = a "a"\na = | "("\n',
    "several words": 's = t "a ( a" t  # and a remark with " in it\nt ::= \')\'\n  | ',
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_beginning_goes_on_with_what_some_sentence_of_the_grammar_has_next(name):
    """For each beginning and each room: by all sentences that there are."""
    n, grammar = 5, Grammar(TOKENS, GRAMMARS[name])
    sentences = language(GRAMMARS[name], n)
    assert sentences
    for said in sorted({one[:t] for one in sentences for t in range(len(one) + 1)}):
        state = grammar.start("")
        for word in said:
            state = grammar.after(state, word)
        for room in range(n - len(said) + 1):
            fit = [one for one in sentences if one[: len(said)] == said and len(one) <= len(said) + room]
            expected = {"<eos>" if one == said else one[len(said)] for one in fit}
            assert {grammar.words[k] for k in grammar.allowed(state, room)} == expected
        rest = [len(one) - len(said) for one in sentences if one[: len(said)] == said]
        assert grammar.fewest(state) == min(rest)
    words = ("(", ")", "a")
    for one in itertools.chain.from_iterable(itertools.product(words, repeat=t) for t in range(n + 1)):
        assert grammar.accepts(one) == (one in sentences)


def test_places_are_shared_and_forgotten():
    grammar = Grammar(TOKENS, SUMS)
    grammar.accepts(["a"] * 50)
    assert len(grammar.recogniser.places) < 10, "a list of any length is at a few places"
    first = grammar.recogniser.start()
    grammar.recogniser.places |= dict.fromkeys(range(20_000))
    assert grammar.accepts(["(", ")", "a"]) and grammar.recogniser.start() is not first
    assert len(grammar.recogniser.places) < 10


REGEX_WORDS = [*"()[]{}.*+,&|~\\b23", "<VOW>", "<NUM>", "<LET>", "<M0>", "<M1>"]
REGEXES = [
    r"( [ <VOW> ] ) . * ( ( <M0> ) { 3 , } )",
    r"~ ( ( <M0> ) | ( [ <LET> ] ) )",
    r"\ b ( [ <NUM> ] ) & ( <M1> . * ) \ b",
    r". * . + . { 2 , 3 } [ <NUM> <LET> ]",
]
NO_REGEXES = ["( <M0>", "* <M0>", "<M0> { , 3 }", "[ ]", r"\ <M0>", "<M0> |", "", "<M0> ) (", "<M0> * }"]


def test_the_grammar_of_regular_expressions():
    tokens = Tokens.of(REGEX_WORDS, "word")
    grammar = Grammar.read(tokens, "regex")
    for line in REGEXES:
        assert grammar.accepts(tokens.split(line)), line
    for line in NO_REGEXES:
        assert not grammar.accepts(tokens.split(line)), line
    with pytest.raises(ArgumentError, match="grammar regex: the vocabulary lacks something that every regex needs"):
        Grammar.read(Tokens.of(["x", "("], "word"), "regex")


# vocabularies


@cache
def spelt(kind, lines=tuple(REGEXES)):
    return Tokens.train(lines, kind, max_vocabulary=40)


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram"])
@pytest.mark.parametrize("what", ["grammar", "brackets", "candidates"])
def test_pieces_and_characters_spell_what_is_well_formed(kind, what):
    rules = 's = word | "(" s ")" | s "&" s\nword = "<M0>" | "<M1>" | "[ <NUM> ]"'
    if kind == "char":
        rules = rules.replace('"(" s ")"', '"( " s " )"').replace('"&"', '" & "')
    tokens, words = spelt(kind), spelt("word")
    few = ["( <M0> )", "[ <NUM> ]", "<M1> <LET>", "<M1>"]
    check = Grammar(words, rules if kind != "char" else rules.replace('" & "', '"&"'))
    constraint = {"grammar": lambda: Grammar(tokens, rules), "brackets": lambda: Brackets(tokens, "() []"),
                  "candidates": lambda: Candidates(tokens, few)}[what]()  # fmt: skip
    model = small(seed=3, target=len(tokens))
    limits = (30, 12, 9, 20)
    found = sample(model, *arrays(SOURCES, limits), SamplingOptions(samples=5), constraint=constraint.rows(LINES))
    said = set()
    for b in range(4):
        for ids, *_ in hypotheses(found, b):
            text = tokens.decode(ids)
            said.add(text)
            if what == "grammar":
                assert check.accepts(words.split(text)), text
                assert len(ids) <= max(limits[b], constraint.fewest(constraint.start("")))
            elif what == "brackets":
                assert balanced(text) and balanced(text.replace("[", "(").replace("]", ")")), text
            else:
                assert text in few
    assert len(said) > 1


def test_pieces_go_on_with_what_some_spelling_of_a_sentence_has_next():
    """For each beginning and each room: by all rows of pieces that there are."""
    tokens, n = Tokens.train(["ab abc b", "ab ab abc"], "bpe"), 5
    rules = 's = "ab" | "b" s | "abc" "ab"'
    grammar, words = Grammar(tokens, rules), {" ".join(one) for one in language(rules, n)}
    pieces = grammar.words[4:]
    rows = [row for t in range(n + 1) for row in itertools.product(pieces, repeat=t)]
    spelt = {row for row in rows if "".join(row).replace("▁", " ").removeprefix(" ") in words and "▁" in row[0]}
    assert len(spelt) > 10
    for said in sorted({one[:t] for one in spelt for t in range(len(one) + 1)}):
        state = grammar.start("")
        for piece in said:
            state = grammar.after(state, piece)
        for room in range(n - len(said) + 1):
            fit = [one for one in spelt if one[: len(said)] == said and len(one) <= len(said) + room]
            expected = {"<eos>" if one == said else one[len(said)] for one in fit}
            assert {grammar.words[k] for k in grammar.allowed(state, room)} == expected


def test_a_piece_that_is_begun_is_brought_to_the_end_of_a_word():
    tokens = Tokens.train(["ab abc abd", "ab ab abc"], "bpe")
    grammar = Grammar(tokens, 's = "ab" | "abc" "ab"')
    pieces = {word for word in grammar.words[4:] if word.startswith("▁")}
    state = grammar.start("")
    assert {grammar.words[k] for k in grammar.allowed(state, ENDLESS)} == {p for p in pieces if "▁abc".startswith(p)}
    state = grammar.after(state, "▁ab")
    assert {grammar.words[k] for k in grammar.allowed(state, ENDLESS)} == {"<eos>", "c"}
    assert grammar.allowed(state, 1).tolist() == [EOS], "after c a word has to follow"
    state = grammar.after(state, "c")
    assert EOS not in grammar.allowed(state, ENDLESS) and grammar.fewest(state) == 1
    assert grammar.accepts(tokens.split("abc ab")) and not grammar.accepts(tokens.split("abc"))
    long = Grammar(tokens, f's = "{"ab" * 1000}"')
    assert long.fewest(long.start("")) == 1000


def test_brackets_are_those_within_tokens():
    tokens = Tokens.of(["f(", "(", ")", ")]", "[", "]", "(]", "x()"], "word")
    brackets = Brackets(tokens, "() []")
    for line in ("x() [ f( )]", "f( x() )", "", "[ ( )]"):
        assert brackets.accepts(line.split()), line
    for line in ("( ]", ")]", "[ )]", "f(", "(]", "[ f( ]"):
        assert not brackets.accepts(line.split()), line
    assert not brackets.allows("[(", "f(", 3) and brackets.allows("[(", "f(", 4)
    mask = np.zeros(len(tokens), dtype=bool)
    mask[brackets.allowed("[(", 2)] = True
    assert {brackets.words[k] for k in np.flatnonzero(mask)} == {")", ")]"}


def test_names_are_compared_in_the_form_of_what_is_said():
    tokens = Tokens.train(["rome paris to from"], "word", lowercase=True)
    names = SourceNames(tokens, ["Rome", "Paris"])
    assert names.accepts(["to", "paris"], "PARIS is far") and not names.accepts(["to", "rome"], "PARIS is far")


# lines, and what is refused


def translator(**more):
    source = Tokens.of(["a", "b", "(", ")", "c"], "word")
    return Translator(small(source=len(source), **more), source, TOKENS)


def test_lines_are_translated_to_what_is_well_formed():
    lines = ["a b c", "", "( c", "b"]
    for search in (None, BeamOptions(beam=3), SamplingOptions(samples=3)):
        names = Together(Brackets(TOKENS, "()"), SourceNames(TOKENS, ["a"]))
        found = translator().translate(lines, search=search, constraint=names)
        assert found[1].text == ""
        for line, first in zip(lines, found, strict=True):
            for one in [first, *first.others]:
                assert balanced(one.target[:-1]) and ("a" not in one.target or "a" in line) and not one.ill_formed
    never = ByFunction(TOKENS, lambda said, line: ["a"] if "b" in line else ["a", "<eos>"])
    found = translator().translate(lines, constraint=never, max_ratio=0, extra=3)
    assert [one.ill_formed for one in found] == [True, False, False, True]
    assert found[0].text == found[3].text == "a a a"


@pytest.mark.parametrize("search", [None, BeamOptions(beam=3), SamplingOptions(samples=3)])
def test_words_that_are_copied_are_allowed_by_their_text(search):
    lines = ["b x( c y", "b )z ( b", "c c"]
    copies = translator(head="pointer-generator")
    words = ByFunction(TOKENS, lambda said, line: ["<eos>"] if len(said) == 3 else line.split())
    said = set()
    for line, first in zip(lines, copies.translate(lines, search=search, constraint=words), strict=True):
        for one in [first, *first.others]:
            said |= set(one.target)
            assert set(one.target[:-1]) <= set(line.split()) and len(one.target) == 4 and not one.ill_formed
    assert said & {"x(", ")z", "b", "c", "y"}
    for one in copies.translate(lines, search=search, constraint=Brackets(TOKENS, "()")):
        assert balanced(one.text) and not one.ill_formed


def test_what_if_keeps_to_a_constraint():
    brackets = Brackets(TOKENS, "()")
    found = what_if(translator(end=-9.0), "a b c", forced={0: "(", 3: "("}, constraint=brackets, max_ratio=0, extra=6)
    assert balanced(found.target[:-1]) and (found.target[0], found.target[3]) == ("(", "(") and found.limit == 6
    for changed, said in (({}, "a"), ({1: "c"}, "(")):
        names = ByFunction(TOKENS, lambda said, line: ["<eos>"] if said else ["a" if line == "a b c" else "("])
        assert what_if(translator(), "a b c", source=changed, constraint=names).text == said
    assert what_if(translator(), "a", constraint=Candidates(TOKENS, FEW[-1:]), extra=0, max_ratio=1).limit == 6
    with pytest.raises(ArgumentError, match=r"forced\[1\] is '\)': the constraint does not allow it there"):
        what_if(translator(), "a b c", forced={1: ")"}, constraint=Candidates(TOKENS, ["a a a"]))


BPE = Tokens.train(["ab abc"], "bpe")
REFUSED = [
    (lambda: Candidates(TOKENS, []), "candidates has none: nothing could be said"),
    (lambda: Candidates(TOKENS, ["a", " ", "", "( b"]), r"candidates\[1\] is empty: .* \(and 1 more like it, of 4\)"),
    (
        lambda: Candidates(TOKENS, ["a", "b (", "c"]),
        r"candidates\[1\] has 'b', which .* \(and 1 more like it, of 3\)",
    ),
    (lambda: Candidates(TOKENS, "a"), "candidates is 'a': it must be texts"),
    (lambda: Brackets(TOKENS, "( )"), r"brackets is '\( \)': it must be pairs"),
    (lambda: Brackets(TOKENS, ""), "brackets is ''"),
    (lambda: Brackets(TOKENS, "() (]"), "all different"),
    (lambda: Brackets(TOKENS, "[] {}"), r"brackets are \[\] \{\}: no token has one"),
    (lambda: Brackets(Tokens.of(["(", "x()", "[", "]"], "word")), r"has '\(', and no token that closes it with '\)'"),
    (lambda: SourceNames(BPE, "a"), "names are words: a vocabulary of kind 'bpe'"),
    (lambda: SourceNames(TOKENS, "("), r"names is '\(': no regular expression"),
    (lambda: SourceNames(TOKENS, "a{99999999999}"), "no regular expression"),
    (lambda: SourceNames(TOKENS, "[[x]"), r"names is '\[\[x\]': no token of the vocabulary is such a name"),
    (lambda: SourceNames(TOKENS, "<eos>"), "names is '<eos>': no token of the vocabulary is such a name"),
    (lambda: ByFunction(TOKENS, 3), "function is 3"),
    (lambda: ByFunction(TOKENS, lambda said, line: [4]).accepts(["a"]), r"function\(...\) has 4 in it"),
    (lambda: ByFunction(TOKENS, lambda said, line: "a").accepts(["a"]), r"function\(...\) is 'a'"),
    (lambda: Grammar(TOKENS, "# nothing"), "grammar has no rule in it"),
    (lambda: Grammar(TOKENS, 's = "a" t'), r"grammar: rule s \(line 1\) needs t, which is no rule"),
    (lambda: Grammar(TOKENS, '\ns = "a"\nt = "a"'), "grammar, line 3: rule t is needed by nothing that s needs"),
    (lambda: Grammar(TOKENS, 's = "a" | t\nt = "a" t'), "grammar, line 2: rule t never ends"),
    (lambda: Grammar(TOKENS, 's = "a"\ns = "("'), "grammar, line 2: rule s is there already, in line 1"),
    (lambda: Grammar(TOKENS, 's = "a" % "("'), "grammar, line 1: '% \"\\(\"' is no name"),
    (lambda: Grammar(TOKENS, 's = "a'), "grammar, line 1: '\"a' is no name"),
    (lambda: Grammar(TOKENS, '"a"'), "grammar, line 1: '\"a\"' belongs to no rule"),
    (lambda: Grammar(TOKENS, 's = "a"\n  | "b c"'), r"rule s \(line 1\) has 'b', which .* \(and 1 more like it\)"),
    (lambda: Grammar(BPE, 's = "ax"'), r"grammar: rule s \(line 1\) has 'ax', which the vocabulary has not"),
    (lambda: Together(), "constraints has none"),
    (lambda: Together(Brackets(TOKENS, "()"), Candidates(BPE, ["ab"])), "of different vocabularies"),
    (lambda: Brackets("()"), "tokens is"),
    (lambda: translator().translate(["a"], constraint="()"), "constraint is '\\(\\)': it must be of Constraint"),
    (lambda: translator().translate(["a"], constraint=Candidates(BPE, ["ab"])), "constraint is of another vocabulary"),
    (lambda: greedy(small(), *arrays(SOURCES, LIMITS), constraint=made("brackets").rows(["a"])), "of 1 lines, and"),
    (
        lambda: greedy(small(target=6), *arrays(SOURCES, LIMITS), constraint=made("brackets").rows(LINES)),
        "constraint has a vocabulary of 7 tokens, and the model one of 6",
    ),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_makes_no_sense_is_refused_in_one_line(case):
    call, words = REFUSED[case]
    with pytest.raises(ArgumentError, match=words) as info:
        call()
    assert "\n" not in str(info.value)
