"""Constraints on the command line: what is said is well formed, and what cannot be is refused in one line."""

import re

import pytest
from helpers_run import TINY, numseq_cli, words, write_parallel

from numseq.search import BeamOptions, Brackets, Candidates, Grammar, SourceNames, Together, Translator
from numseq.training.checkpoint import load_model

RULES = 'number = digit | "(" number ")" | number digit\ndigit = "1" | "2" | "3"\n'
CANDIDATES = "1 2 3\n( 4 )\n\n5 6 7 8 9\n"


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A run of digits as words, some of them in brackets; another of letters; files of what is to be said."""
    folder = tmp_path_factory.mktemp("constraints")
    pairs = [(source, f"( {target} )" if k % 2 else target) for k, (source, target) in enumerate(words(60))]
    for name, given in (("run", pairs), ("other", [(source, "x ( y )") for source, _ in pairs])):
        source, target = write_parallel(folder, given, f"{name}-")
        sides = ("--source", source, "--target", target)
        assert numseq_cli("train", *TINY, "--epochs", 1, "--min-count", 1, "--out", folder / name, *sides).code == 0
    for name, text in (("lines", "1 2\n3 4 5\n\n6\n"), ("few", CANDIDATES), ("rules", RULES)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def translated(room, *options, command="translate"):
    result = numseq_cli(command, room / "run", "--input", room / "lines", *options)
    assert result.code == 0, result
    return result


def test_options_are_constraints_of_the_library(room):
    translator = Translator(*load_model(room / "run"))
    tokens = translator.target_tokens
    lines = (room / "lines").read_text(encoding="utf-8").splitlines()
    brackets, names = Brackets(tokens, "()"), SourceNames(tokens, "[0-9]")
    ways = [
        (("--candidates", room / "few"), Candidates(tokens, ["1 2 3", "( 4 )", "5 6 7 8 9"])),
        (("--grammar", room / "rules"), Grammar(tokens, RULES)),
        (("--brackets", "()"), brackets),
        (("--names", "[0-9]"), names),
        (("--brackets", "()", "--names", "[0-9]"), Together(brackets, names)),
    ]
    plain = translated(room, "--min-length", 2).out
    for options, constraint in ways:
        said = translated(room, *options, "--beam", 3, "--min-length", 2)
        found = translator.translate(lines, search=BeamOptions(3, nbest=1, min_length=2), constraint=constraint)
        assert said.out.splitlines() == [one.text for one in found] and said.err == ""
        assert said.out != plain
        assert all(constraint.accepts(one.text.split(), line) for one, line in zip(found, lines, strict=True) if line)


def test_what_is_evaluated_is_well_formed(room):
    """Of two models each is held to it with its own vocabulary."""
    for name, text in (("one", "( ( ) ) ( )\n"), ("three", "1\n2\n3\n"), ("right", "( ( ) ) ( )\n" * 3)):
        (room / name).write_text(text, encoding="utf-8")
    given = ("--source", room / "three", "--reference", room / "right", "--metric", "exact")
    result = numseq_cli("evaluate", room / "run", *given, "--compare", room / "other", "--candidates", room / "one")
    assert result.code == 0, result
    figures = dict(line.split()[:2] for line in result.out.splitlines())
    assert float(figures["exact_match"]) == 1
    assert float(figures["compare_bleu_score_a"]) == float(figures["compare_bleu_score_b"]) == 100


def test_what_ended_before_it_was_well_formed_is_told(room):
    """The grammar asks for a digit of three, and no line but the first two has one."""
    options = ("--grammar", room / "rules", "--names", "[0-9]")
    said = translated(room, *options).err
    wanted = "warning: translations that are not what was asked for, since nothing was left that could follow: 1\n"
    assert said == wanted
    given = ("--source", room / "lines", "--reference", room / "lines", "--metric", "exact")
    assert said in numseq_cli("evaluate", room / "run", *given, *options).err
    assert said in numseq_cli("errors", room / "run", *given[:4], *options).err


REFUSED = {
    "--candidates {room}/none": r"{room}/none: .*",
    "--candidates {room}/empty": r"{room}/empty has no line with a candidate in it",
    "--candidates {room}/unknown": r"{room}/unknown, line 2 has 'x', which the .* \(and 1 more like it, of 3\)",
    "--candidates {room}/open --brackets ()": r"{room}/open, line 2 is not what --brackets asks for",
    "--candidates {room}/few --grammar {room}/rules": r"{room}/few, line 2 is not .* \(and 1 more like it, of 3\)",
    "--grammar {room}/lines": r"{room}/lines, line 1: '1 2' is no name, no text in quotes and no \|",
    "--grammar {room}/needs": r"{room}/needs: rule s \(line 1\) needs t, which is no rule",
    "--grammar regex": r"grammar regex: the vocabulary lacks something that every regex needs",
    "--brackets (": r"brackets is '\(': it must be pairs of an opening and a closing character, .*",
    "--names [": r"names is '\[': no regular expression .*",
    "--names x": r"names is 'x': no token of the vocabulary is such a name",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(room, options):
    for name, text in (("empty", "\n \n"), ("unknown", "1\nx 1\n2 y\n"), ("open", "( 1 )\n( 2\n"), ("needs", "s = t")):
        (room / name).write_text(text, encoding="utf-8")
    result = numseq_cli("translate", room / "run", "--input", room / "lines", *options.format(room=room).split())
    assert result.code and result.out == ""
    [line] = result.err.splitlines()
    assert re.fullmatch("numseq: " + REFUSED[options].replace("{room}", re.escape(str(room))), line), line
