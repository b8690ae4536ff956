"""What the commands that decode share: the options of every search, and the models that search together."""

from dataclasses import dataclass
from os import PathLike

from typer import BadParameter

from numseq.cli.common import Group, flag, load
from numseq.options import option
from numseq.search.bans import Bans
from numseq.search.beam import BeamOptions
from numseq.search.greedy import GreedyOptions
from numseq.search.sampling import SamplingOptions
from numseq.search.scoring import MAX_LENGTH


@dataclass(frozen=True)
class Decoding:
    """What every search has in common, beside bans."""

    max_ratio: float = option(2.0, "Most tokens of a translation for each of the source's.", least=0)
    extra: int = option(10, "So many tokens more.", least=0)
    max_length: int | None = option(
        None,
        "Leave out lines of more tokens, and say so.",
        least=1,
        otherwise=f"{MAX_LENGTH:,}, or what the model was trained on where that is more",
    )
    replace_unk: bool = option(False, "Put the most attended source word for an unknown one.")
    dictionary: PathLike | None = option(None, "With --replace-unk: a file of source word, tab, translation.")
    sample: bool = option(False, "Draw translations instead of searching the best.")


@dataclass(frozen=True)
class Constraints:
    """What every translation has to be."""

    candidates: PathLike | None = option(None, "A translation is a line of this file, exactly.")
    grammar: PathLike | None = option(None, "It is a sentence of the rules of this file; regex: a regular expression.")
    brackets: str | None = option(None, "Its brackets close: pairs with spaces between, as '() [] {}'.")
    names: str | None = option(None, "It has words that match this regular expression only where the source has them.")


DECODING = Group("Decoding", Decoding)
CONSTRAINTS = Group("Constraints", Constraints)
BANS = Group("Bans", Bans)
BEAM = Group(
    "Beam search",
    BeamOptions,
    without=["nbest", *BANS.options],
    beam={"default": None, "otherwise": "none, that is greedy search"},
)
SAMPLING = Group("Sampling", SamplingOptions, without=["samples", *BANS.options])


def how_to_decode(folders, decoding, bans, beam, sampling, nbest=1):
    """The options of `Translator.stream`, its search GreedyOptions, BeamOptions or SamplingOptions.

    Raises: BadParameter, when options contradict each other.
    """
    of_beams = [name for name, known in BEAM.options.items() if name != "beam" and beam[name] != known.default]
    of_samples = [name for name, known in SAMPLING.options.items() if sampling[name] != known.default]
    if decoding["sample"]:
        if beam["beam"] is not None:
            raise BadParameter("samples are drawn, a beam is searched: choose one", param_hint="--beam and --sample")
        _not_without("--beam", of_beams)
        search = SamplingOptions(samples=nbest, **sampling, **bans)
    else:
        _not_without("--sample", of_samples)
        if nbest > (beam["beam"] or 1):
            raise BadParameter(f"{nbest} hypotheses need a beam as wide: add --beam {nbest}", param_hint="--nbest")
        if beam["beam"] is None:
            _not_without("--beam", of_beams)
            search = GreedyOptions(**bans)
        else:
            search = BeamOptions(nbest=nbest, **beam, **bans)
    unknown = _dictionary(decoding["replace_unk"], decoding["dictionary"])
    return {
        "search": search, "replace_unk": unknown, "max_ratio": decoding["max_ratio"], "extra": decoding["extra"],
        "max_length": longest(decoding["max_length"], folders),
    }  # fmt: skip


def constraint_of(asked, translator):
    """The Constraint that was asked for, of the words that a Translator says; None for none.

    Raises: ArgumentError; DataError, of files.
    """
    from numseq.search.constraints import Brackets, Candidates, Grammar, SourceNames, Together

    of = {"grammar": Grammar.read, "brackets": Brackets, "names": SourceNames}
    found = {name: of[name](translator.target_tokens, asked[name]) for name in of if asked[name] is not None}
    if asked["candidates"] is not None:
        candidates = Candidates.read(translator.target_tokens, asked["candidates"])
        for name in found.keys() & {"grammar", "brackets"}:
            candidates.check(found[name], f"is not what {flag(name)} asks for")
        found["candidates"] = candidates
    return Together(*found.values()) if len(found) > 1 else next(iter(found.values()), None)


def _not_without(other, names):
    if names:
        raise BadParameter(f"it goes with {other}", param_hint=flag(names[0]))


def _dictionary(replace_unk, path):
    """What unknown words become: None for no replacement, else a dict read from `source<tab>target` lines."""
    from numseq.cli.notes import warn
    from numseq.data.corpus import read_tsv

    if path is None:
        return {} if replace_unk else None
    if not replace_unk:
        raise BadParameter("it goes with --replace-unk", param_hint="--dictionary")
    pairs, skipped = read_tsv(path, say=warn)
    if skipped:
        warn(f"{skipped:,} lines of {path} have an empty side: left out")
    return dict(pairs)


def to_score(source, references, tsv):
    """(how messages call it, sources, the references of each line in lists): of files that go together line by line, or
    of a table. Raises: BadParameter; DataError."""
    from numseq.cli.notes import warn
    from numseq.data.corpus import TsvFiles
    from numseq.data.lines import read_columns

    if bool(source) != bool(references):
        raise BadParameter("--source and --reference go together")
    if bool(source) == bool(tsv):
        raise BadParameter("give --source and --reference, or --tsv")
    if source:
        name, (sources, *columns) = f"{source} and {references[0]}", read_columns(source, *references)
    else:
        table = TsvFiles(tsv)
        pairs = list(table.pairs())
        for note in table.notes:
            warn(note)
        name, (sources, *columns) = tsv, list(zip(*pairs, strict=True)) or ((), ())
    return name, sources, [[line for line in lines if line] for lines in zip(*columns, strict=True)]


def trained_length(folders):
    """The most tokens of a sentence that every one of these runs was trained on; None where that is not known."""
    from numseq.training.checkpoint import load_config

    found = [load_config(folder)[1].get("data", {}).get("max_length") for folder in folders]
    return min(filter(None, found), default=None)


def longest(max_length, folders):
    """The most tokens of a line that is worked on: what was asked for, or what is usual."""
    return max_length or max(MAX_LENGTH, trained_length(folders) or 0)


def ensemble(folders):
    """One Translator of several runs."""
    from numseq.search import Translator

    return Translator.ensemble([load(folder) for folder in folders])
