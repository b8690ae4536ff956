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
from numseq.search.scoring import EXTRA, MAX_LENGTH, MAX_RATIO
from numseq.tasks import TASKS


@dataclass(frozen=True)
class Decoding:
    """What every search has in common, beside bans."""

    max_ratio: float = option(MAX_RATIO, "Most tokens of a translation for each of the source's.", least=0)
    extra: int | None = option(
        None, "So many tokens more.", least=0, otherwise=f"{EXTRA}, or what the training data needs"
    )
    max_length: int | None = option(
        None,
        "Leave out lines of more tokens, or shorten them where the model was trained with --long cut or turns.",
        least=1,
        otherwise=f"{MAX_LENGTH:,}, or what the model was trained on where that is more, or shortened",
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
        "max_length": longest(decoding["max_length"], folders), "long": shortening(folders),
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


def to_score(folder, source, references, tsv, jsonl=None, text=None):
    """(how messages call it, sources, the references of each line in lists, the dialogue or story of each or None): of
    files that go together line by line, or of a file of pairs; of which --jsonl and --text are read as the run in a
    folder reads them.

    Raises: BadParameter; DataError.
    """
    from numseq.cli.notes import warn
    from numseq.data.lines import read_columns

    if bool(source) != bool(references):
        raise BadParameter("--source and --reference go together")
    if sum(map(bool, (source, tsv, jsonl, text))) != 1:
        raise BadParameter("give --source and --reference, or --tsv, or --jsonl, or --text")
    groups = None
    if source:
        name, (sources, *columns) = f"{source} and {references[0]}", read_columns(source, *references)
    else:
        table = _table(folder, tsv, jsonl, text)
        name, pairs, groups = table.name, list(table.pairs()), table.groups()
        for note in table.notes:
            warn(note)
        sources, *columns = list(zip(*pairs, strict=True)) or ((), ())
    return name, sources, [[line for line in lines if line] for lines in zip(*columns, strict=True)], groups


def _table(folder, tsv, jsonl, text):
    """The corpus of a file. The columns of JSON are those that the run was trained on; a table here has two."""
    from numseq.data.corpus import JsonFiles, TsvFiles
    from numseq.training.checkpoint import load_config

    if tsv:
        return TsvFiles(tsv)
    if jsonl:
        where = load_config(folder)[1].get("where", {})
        return JsonFiles(jsonl, where.get("source_column"), where.get("target_column"))
    task = task_of([folder])
    if not TASKS[task].text:
        raise BadParameter(f"{folder} was trained with --task {task}, and --text is of dialogue and questions")
    return TASKS[task].text(text)


def trained_length(folders):
    """The most tokens of a sentence that every one of these runs was trained on; None where that is not known."""
    found = [data.get("context") or data.get("max_length") for data in map(_data_of, folders)]
    return min(filter(None, found), default=None)


def shortening(folders):
    """What becomes of a line that is too long: the same as in training, where these runs were trained alike."""
    found = {data.get("long", "drop") for data in map(_data_of, folders)}
    return found.pop() if len(found) == 1 else "drop"


def task_of(folders):
    """The name of the task that the first of these runs was trained for. Raises: CheckpointError."""
    from numseq.training.arrays import CheckpointError

    task = _data_of(folders[0]).get("task", "translation")
    if task not in TASKS:
        raise CheckpointError(f"{folders[0]} was trained for the task {task!r}, which this version does not know")
    return task


def _data_of(folder):
    """{option: value} of how a run's text was read."""
    from numseq.training.checkpoint import load_config

    return load_config(folder)[1].get("data", {})


def longest(max_length, folders):
    """The most tokens of a line that is worked on: what was asked for, or what is usual."""
    trained = trained_length(folders) or 0
    return max_length or (max(MAX_LENGTH, trained) if shortening(folders) == "drop" else trained)


def ensemble(folders):
    """One Translator of several runs."""
    from numseq.search import Translator

    return Translator.ensemble([load(folder) for folder in folders])
