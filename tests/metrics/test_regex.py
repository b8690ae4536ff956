"""Equality of regular expressions: held against languages that are computed as sets of short strings."""

import ast
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq.errors import ArgumentError
from numseq.metrics import compare_regex, corpus_scores, regex_scores
from numseq.metrics.regex import TooManyStates, is_regex
from numseq.metrics.regex_parser import Node, parse

LETTERS, LONGEST = "ab1", 3
STRINGS = {"".join(letters) for n in range(LONGEST + 1) for letters in product(LETTERS, repeat=n)}


def language(node):
    """All strings of at most three of these letters that an expression matches, from the definition."""
    if node.kind == "chars":
        return {c for c in LETTERS if any(first <= c <= last for first, last in node.parts)}
    if node.kind == "times":
        part, least, most = node.parts
        found = {""} if least == 0 else set()
        for n in range(1, min(most if most is not None else LONGEST + least, LONGEST + least) + 1):
            found |= joined([language(part)] * n) if n >= least else set()
        return found
    parts = [language(part) for part in node.parts]
    if node.kind == "row":
        return joined(parts)
    return {"union": lambda: set.union(*parts), "both": lambda: set.intersection(*parts),
            "not": lambda: STRINGS - parts[0]}[node.kind]()  # fmt: skip


def joined(parts):
    found = {""}
    for part in parts:
        found = {a + b for a in found for b in part if len(a + b) <= LONGEST}
    return found


ATOMS = st.sampled_from(["a", "b", ".", "[ <NUM> ]", "[ab]", "[^a]", "( )"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner, st.sampled_from(["({}) ({})", "({}) | ({})", "({}) & ({})"])).map(
            lambda t: t[2].format(t[0], t[1])
        ),
        st.tuples(
            inner,
            st.sampled_from(["~ ({})", "({}) *", "({}) +", "({}) ?", "({}) {{2}}", "({}) {{1,2}}", "({}) {{2,}}"]),
        ).map(lambda t: t[1].format(t[0])),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, EXPRESSIONS)
@settings(max_examples=150, deadline=None)
def test_two_expressions_are_equal_if_their_languages_are(one, other):
    left, right = language(parse(one)), language(parse(other))
    found = compare_regex(one, other)
    if found.equal:
        assert left == right and found.why == ""
        return
    [string] = re.findall(r"matches (the empty string|'.*'|\".*\"), ", found.why)
    string = "" if string == "the empty string" else ast.literal_eval(string)
    if len(string) <= LONGEST and {*string} <= {*LETTERS}:  # else it is of other letters, or longer
        matched = "found" if string in left else "wanted"
        assert (string in left) != (string in right) and found.why.startswith(f"{matched} matches")
    differing = min((len(s) for s in left ^ right), default=LONGEST + 1)
    assert len(string) <= differing, "a shorter string tells them apart"


@pytest.mark.parametrize(
    "one, other",
    [
        ("( [ <VOW> ] ) | ( <M0> )", "( dog ) | ( [AEIOUaeiou] )"),
        ("[ <LET> ]", "( [ <CAP> ] ) | ( [ <LOW> ] )"),
        ("( [ <NUM> ] ) { 3 , }", "[0-9][0-9][0-9]+"),
        ("~ ( . * [ <LOW> ] . * )", "( [^a-z] ) *"),
        ("( . * a . * ) & ( . * b . * )", ".*a.*b.*|.*b.*a.*"),
        ("\\ b ( <M1> ) \\ b", "btruckb"),  # as the library of the published figures reads it
        ("a & b", "~(.*)"),
        ("~ a *", "(~ a) *"),  # ~ binds closest
        ("a | b & c", "a | (b & c)"),
        ("[a-]", "a|-"),
        ("[^ a-z b ]", "[^a-z]"),
        ("\\.|\\*", "[.*]"),
    ],
)
def test_equal_by_hand(one, other):
    assert compare_regex(one, other) == (True, "")


@pytest.mark.parametrize(
    "found, wanted, why",
    [
        ("( . * ) ( <M0> )", ". * <M0> . *", "wanted matches 'doga', found does not"),
        (". *", ". +", "found matches the empty string, wanted does not"),
        ("[ <LET> ]", "[ <LOW> ]", "found matches 'A', wanted does not"),
        (".", "[a-zA-Z]", "found matches '0', wanted does not"),
        ("[\0-\xff]", ".", "wanted matches 'Ā', found does not"),
        ("[ <NUM> ] { 2 , 4 }", "[ <NUM> ] { 2 , 5 }", "wanted matches '00000', found does not"),
        ("( a", "a", "found is no regular expression: a ) is missing, at the end"),
        ("a )", "a", "found is no regular expression: there is no ( to close, before ')', character 2"),
        ("a", "a |", "wanted is no regular expression: something to match is missing, at the end"),
        ("[ ]", "a", "found is no regular expression: brackets hold no character, at the end"),
        ("<unk> a", "a", "found is no regular expression: <unk> is unknown: there are <VOW>"),
        (
            "a { 3 , 2 }",
            "a",
            "found is no regular expression: {3,2} has to be at most 1,000 times, the least first",
        ),
        ("a { , 2 }", "a", "found is no regular expression: {n}, {n,} or {n,m} is expected, before '{', character 2"),
        ("", "a", "found is no regular expression: there is nothing"),
        ("( a", "( a", "found is no regular expression"),  # equal texts, but no expressions
    ],
)
def test_why_not(found, wanted, why):
    assert compare_regex(found, wanted) == (False, compare_regex(found, wanted).why)
    assert compare_regex(found, wanted).why.startswith(why)


def test_what_is_too_large_or_too_deep_ends():
    # the letter 15 places before the end: 2^15 states
    with pytest.raises(TooManyStates, match="^more than 2,000 states to compare: "):
        compare_regex("(a|b)*a(a|b){14}", "(a|b)*a(b|a|a){14}b*", most_states=2000)
    assert "inside one another" in compare_regex("(" * 5000 + "a" + ")" * 5000, "a").why
    assert "at most 1,000" in compare_regex("a{100000}", "a").why
    assert compare_regex("((a{50}){20})*", "(a{1000})*").equal
    with pytest.raises(ArgumentError, match="wanted is None"):
        compare_regex("a", None)


def test_the_tree_is_that_of_the_grammar():
    a, b = Node("chars", (("a", "a"),)), Node("chars", (("b", "b"),))
    assert parse("a b + | ~ a") == Node("union", (Node("row", (a, Node("times", (b, 1, None)))), Node("not", (a,))))
    assert parse("[^ b - y ]").parts == (("\0", "a"), ("z", chr(0x10FFFF)))


def test_scores_of_lines_by_hand():
    lines = ["( a | b )", "[ ab ]", "( a", "c"]
    references = ["[ab]", ["c", "b | a"], "a", "d"]
    expected = {"regex_equal": 0.5, "regex_valid": 0.75, "regex_undecided": 0}
    assert regex_scores(lines, references) == expected
    assert corpus_scores(lines, references, "regex") == expected | {"sentences": 4}
    assert is_regex("~ ( . * )") and not is_regex("~ ( . *")
