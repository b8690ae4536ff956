"""The commands that decode: translate, score, evaluate, attention."""

import json
import sys
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from numseq.cli.common import (
    Backend,
    Batch,
    Group,
    Run,
    Runs,
    Threads,
    app,
    can_draw,
    can_write,
    choose,
    command,
    flag,
    load,
    threads_of,
)
from numseq.errors import NumseqError
from numseq.metrics import METRICS
from numseq.options import option
from numseq.search.bans import Bans
from numseq.search.beam import BeamOptions
from numseq.search.greedy import GreedyOptions
from numseq.search.sampling import SamplingOptions
from numseq.threads import blas_threads


@dataclass(frozen=True)
class Decoding:
    """What every search has in common, beside bans."""

    max_ratio: float = option(2.0, "Most tokens of a translation for each of the source's.", least=0)
    extra: int = option(10, "So many tokens more.", least=0)
    replace_unk: bool = option(False, "Put the most attended source word for an unknown one.")
    dictionary: PathLike | None = option(None, "With --replace-unk: a file of source word, tab, translation.")
    sample: bool = option(False, "Draw translations instead of searching the best.")


DECODING = Group("Decoding", Decoding)
BANS = Group("Bans", Bans)
BEAM = Group(
    "Beam search",
    BeamOptions,
    without=["nbest", *BANS.options],
    beam={"default": None, "otherwise": "none, that is greedy search"},
)
SAMPLING = Group("Sampling", SamplingOptions, without=["samples", *BANS.options])


@command
def translate(
    folders: Runs,
    decoding: Annotated[dict, DECODING],
    bans: Annotated[dict, BANS],
    beam: Annotated[dict, BEAM],
    sampling: Annotated[dict, SAMPLING],
    input: Annotated[Path | None, Option(help="One sentence a line. [default: standard input]")] = None,
    output: Annotated[Path | None, Option(help="One translation a line. [default: standard output]")] = None,
    nbest: Annotated[int, Option(min=1, help="Print so many hypotheses or samples of each line.")] = 1,
    scores: Annotated[
        bool, Option("--scores", help="Put score and log-probability before each line, with tabs.")
    ] = False,
    attention_file: Annotated[
        Path | None,
        Option("--attention", metavar="F.json", help="Write tokens and attention weights of each line here."),
    ] = None,
    strict: Annotated[bool, Option("--strict", help="Refuse lines longer than the model was trained on.")] = False,
    batch: Batch = 64,
    threads: Threads = None,
    backend: Backend = None,
):
    """Translate lines, greedily or by beam search, or draw samples; the order is kept, an empty line stays empty."""
    from numseq.data.corpus import decode_lines, read_lines
    from numseq.files import write_atomically

    choose(backend)
    can_write(output=output, attention=attention_file)
    how = _how(decoding, bans, beam, sampling, nbest)
    translator = _ensemble(folders)
    lines = read_lines(input) if input else decode_lines(sys.stdin.buffer.read(), "standard input")
    _check_lengths(translator, folders, lines, strict)
    found = translator.stream(lines, batch, threads=threads_of(threads, translator, batch), **how)
    texts, kept = [], []
    out = sys.stdout.buffer
    sys.stdout.flush()
    for translation in _with_progress(found, len(lines), quiet=output is None and sys.stdout.isatty()):
        text = "".join(_line(hypothesis, scores) for hypothesis in [translation, *translation.others][:nbest])
        if attention_file:
            kept.append(_attention_of(translation))
        if output:
            texts.append(text)
        else:
            out.write(text.encode())  # as it was read, whatever the terminal is set to
            out.flush()
    if output:
        write_atomically(output, "".join(texts).encode())
    if attention_file:
        write_atomically(attention_file, (json.dumps(kept) + "\n").encode())


def _line(translation, scores):
    if not scores or translation.score is None:
        return f"{translation.text}\n"
    return f"{translation.score:.6f}\t{translation.logp:.6f}\t{translation.text}\n"


def _attention_of(translation):
    alpha = None if translation.alpha is None else [[round(float(a), 6) for a in row] for row in translation.alpha]
    return {"source": translation.source, "target": translation.target, "alpha": alpha}


def _with_progress(found, total, quiet):
    """What comes, with a bar on standard error while it does; none where lines already show the progress."""
    from tqdm import tqdm

    return tqdm(found, total=total, unit="line", leave=False, disable=True if quiet else None, mininterval=0.5)


def _how(decoding, bans, beam, sampling, nbest=1):
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
        "search": search, "replace_unk": unknown, "max_ratio": decoding["max_ratio"], "extra": decoding["extra"]
    }  # fmt: skip


def _not_without(other, names):
    if names:
        raise BadParameter(f"it goes with {other}", param_hint=flag(names[0]))


def _ensemble(folders):
    from numseq.search import Translator

    return Translator.ensemble([load(folder) for folder in folders])


def _dictionary(replace_unk, path):
    """What unknown words become: None for no replacement, else a dict read from `source<tab>target` lines."""
    from numseq.data.corpus import read_tsv

    if path is None:
        return {} if replace_unk else None
    if not replace_unk:
        raise BadParameter("it goes with --replace-unk", param_hint="--dictionary")
    return dict(read_tsv(path)[0])


def _check_lengths(translator, folders, lines, strict):
    """Warn of lines longer than any that every model was trained on, or refuse them."""
    from numseq.training.checkpoint import load_config

    trained = [load_config(folder)[1].get("data", {}).get("max_length") for folder in folders]
    longest = min(filter(None, trained), default=None)
    lengths = [len(ids) for ids in translator.source_tokens.encode(lines)] if longest else []
    if long := [k for k, length in enumerate(lengths, start=1) if length > longest]:
        more = f" and {len(long) - 1} more" if len(long) > 1 else ""
        said = f"line {long[0]}{more}: longer than the {longest} tokens that the model was trained on"
        if strict:
            raise NumseqError(said)
        print(f"warning: {said}; translated all the same", file=sys.stderr)


@app.command()
def score(
    folder: Run,
    source: Annotated[Path, Option(help="Source sentences, one a line.")],
    target: Annotated[Path, Option(help="Translations to score, line by line.")],
    json_file: Annotated[Path | None, Option("--json", help="Write every token's figures here.")] = None,
    batch: Batch = 64,
    threads: Threads = None,
    backend: Backend = None,
):
    """Score given translations: log-probability (nats) and perplexity of each, one a line."""
    from numseq.data import Pairs
    from numseq.data.corpus import read_parallel
    from numseq.files import write_atomically
    from numseq.search import score

    choose(backend)
    can_write(json=json_file)
    translator = load(folder)
    pairs, skipped = read_parallel(source, target)
    if skipped:
        print(f"skipped {skipped:,} pairs with an empty side", file=sys.stderr)
    coded = Pairs.encode(pairs, translator.source_tokens, translator.target_tokens)
    with blas_threads(threads_of(threads, translator, batch)):
        found = score(translator.model, coded, batch)
    for scored in found:
        print(f"{scored.total:.6f}\t{scored.perplexity:.6f}")
    if json_file:
        rows = [
            {"logp": one.logp.tolist(), "rank": one.rank.tolist(), "entropy": one.entropy.tolist()} for one in found
        ]
        write_atomically(json_file, (json.dumps(rows) + "\n").encode())


@command
def evaluate(
    folders: Runs,
    source: Annotated[Path, Option(help="Source sentences, one a line.")],
    reference: Annotated[list[Path], Option(help="Their right translations; several times for several references.")],
    decoding: Annotated[dict, DECODING],
    bans: Annotated[dict, BANS],
    beam: Annotated[dict, BEAM],
    sampling: Annotated[dict, SAMPLING],
    metric: Annotated[
        str | None, Option(help=f"Figures, with commas: {','.join(METRICS)}. [default: bleu,chrf,exact,ppl]")
    ] = None,
    compare: Annotated[Path | None, Option(metavar="DIR", help="Another model: is the difference significant?")] = None,
    tokenize: Annotated[
        str, Option(help="sacrebleu's tokeniser for BLEU; none for text that is tokenised already.")
    ] = "13a",
    json_file: Annotated[Path | None, Option("--json", help="Write the figures here too.")] = None,
    batch: Batch = 64,
    threads: Threads = None,
    backend: Backend = None,
):
    """Score a model, or several together, against references."""
    from numseq import metrics
    from numseq.data.corpus import read_parallel
    from numseq.files import write_atomically

    choose(backend)
    can_write(json=json_file)
    how = _how(decoding, bans, beam, sampling)
    translator = _ensemble(folders)
    how["threads"] = threads_of(threads, translator, batch)
    pairs, skipped = read_parallel(source, reference[0])
    if skipped:
        print(f"skipped {skipped:,} pairs with an empty side")
    more = _further_references(source, reference)
    usual = "bleu,chrf,exact,ppl" if len(folders) == 1 else "bleu,chrf,exact"  # perplexity is of one model
    names = tuple(name.strip() for name in (metric or usual).split(","))
    scores = metrics.evaluate(translator, pairs, tokenize, batch, metrics=names, references=more, **how)
    if compare:
        sources = [line for line, _ in pairs]
        ours, theirs = ([t.text for t in one.translate(sources, batch, **how)] for one in (translator, load(compare)))
        names = [name for name in names if name in ("bleu", "chrf", "ter")] or ["bleu"]
        references = [[right, *(more[k] if more else [])] for k, (_, right) in enumerate(pairs)]
        for name in names:
            found = metrics.compare(ours, theirs, references, name, tokenize)
            scores |= {f"compare_{name}_{key}": value for key, value in found.items()}
    width = max(16, *(len(name) + 2 for name in scores))
    for name, value in scores.items():
        print(f"{name:<{width}}{value:.4f}" if isinstance(value, float) else f"{name:<{width}}{value}")
    if json_file:
        write_atomically(json_file, (json.dumps(scores, indent=2) + "\n").encode())


def _further_references(source, references):
    """For each pair of the first reference, its line in the other files; None when there is one file."""
    from numseq.data.corpus import DataError, read_lines

    if len(references) == 1:
        return None
    columns = [read_lines(path) for path in (source, *references)]
    if len({len(column) for column in columns}) > 1:
        counts = ", ".join(
            f"{path} {len(column):,}" for path, column in zip((source, *references), columns, strict=True)
        )
        raise DataError(f"the files must have as many lines as one another: {counts}")
    rows = zip(*columns, strict=True)
    return [[line.strip() for line in more] for line, first, *more in rows if line.strip() and first.strip()]


@app.command()
def attention(
    folder: Run,
    sentence: Annotated[str, Argument(metavar="SENTENCE", help="What to translate.")],
    out: Annotated[Path, Option(help="Where to draw: a .png or .svg file.")],
):
    """Draw where the model looked while it translated a sentence."""
    from numseq import plots

    can_draw(out=out)
    try:
        sentence.encode()
    except UnicodeEncodeError:
        raise BadParameter("the sentence is not UTF-8") from None
    translation = load(folder).translate([sentence])[0]
    if not translation.source:
        raise BadParameter("the sentence is empty")
    if translation.alpha is None:
        raise BadParameter(f"{folder} holds a plain model, which attends to nothing")
    plots.save(plots.attention_map(translation.alpha, translation.places, translation.target), out)
    print(translation.text)
