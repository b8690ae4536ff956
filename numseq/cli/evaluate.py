"""The command that scores a model against references: evaluate."""

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from numseq.cli.common import Backend, Batch, Runs, Threads, can_write, choose, command, load, threads_of
from numseq.cli.decode import (
    BANS,
    BEAM,
    CONSTRAINTS,
    DECODING,
    SAMPLING,
    constraint_of,
    ensemble,
    how_to_decode,
    task_of,
    to_score,
)
from numseq.cli.notes import shortened, tell_ill_formed, tell_lines, tell_unknown, warn, with_progress
from numseq.metrics import METRICS
from numseq.tasks import TASKS


@command
def evaluate(
    folders: Runs,
    decoding: Annotated[dict, DECODING],
    bans: Annotated[dict, BANS],
    constraints: Annotated[dict, CONSTRAINTS],
    beam: Annotated[dict, BEAM],
    sampling: Annotated[dict, SAMPLING],
    source: Annotated[Path | None, Option(help="Source sentences, one a line.")] = None,
    reference: Annotated[
        list[Path] | None, Option(help="Their right translations; several times for several references.")
    ] = None,
    tsv: Annotated[Path | None, Option(help="Both as two columns with a tab between.")] = None,
    jsonl: Annotated[Path | None, Option(help="Both as JSON, with the fields that the run was trained on.")] = None,
    text: Annotated[Path | None, Option(help="Dialogues or stories, of a run with such a --task.")] = None,
    entities: Annotated[
        Path | None, Option(help="Names, one a line, as of a knowledge base: how many are said where they should be?")
    ] = None,
    metric: Annotated[
        str | None,
        Option(help=f"Figures, with commas: {','.join(METRICS)}. [default: those of the task: bleu,chrf,exact,ppl]"),
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
    """Score a model, or several together, against references.

    A line counts if it has a source and a reference at least; what is left out is said. Perplexity is that of the first
    reference that a line has. What the task of the run measures besides comes last.
    """
    from numseq import metrics
    from numseq.data.lines import read_lines
    from numseq.files import write_atomically

    choose(backend)
    can_write(json=json_file)
    how = how_to_decode(folders, decoding, bans, beam, sampling)
    translator, task = ensemble(folders), TASKS[task_of(folders)]
    how |= {"threads": threads_of(threads, translator, batch), "constraint": constraint_of(constraints, translator)}
    usual = [name for name in task.metrics if name != "ppl" or len(folders) == 1]  # perplexity is of one model
    names = tuple(name.strip() for name in metric.split(",")) if metric else tuple(usual)
    given = to_score(folders[0], source, reference, tsv, jsonl, text)
    pairs, more, groups, left_out = _lines(translator, given, "ppl" in names, how)
    names_of = [line for line in read_lines(entities) if line.strip()] if entities else []
    ours, theirs, ill_formed, cut = [], [], 0, 0

    def watch(found, total, texts=ours):
        nonlocal ill_formed, cut
        for translation in with_progress(found, lambda: total):
            texts.append(translation.text)
            ill_formed += translation.ill_formed
            cut += translation.shortened and texts is ours
            yield translation

    scores = metrics.evaluate(
        translator, pairs, tokenize, batch, metrics=names, references=more, progress=watch, **how
    )  # fmt: skip
    scores |= {"left_out": left_out} if left_out else {}
    sources = [line for line, _ in pairs]
    references = [[right, *others] for (_, right), others in zip(pairs, more, strict=True)]

    def translate(one, texts):
        how["constraint"] = constraint_of(constraints, one)
        found = watch(one.stream(sources, batch, **how), len(sources), texts)
        if long := sum(translation.too_long for translation in found):
            warn(f"{compare} cuts {long:,} lines into more than {how['max_length']:,} tokens: not translated")

    if not ours and (compare or task.measures or entities):
        translate(translator, ours)
    if entities:
        scores |= metrics.entity_f1(ours, references, names_of)
    if task.measures:
        scores |= task.measures(ours, references, groups)
    if compare:
        translate(load(compare), theirs)
        names = [name for name in names if name in ("bleu", "chrf", "ter")] or ["bleu"]
        for name in names:
            found = metrics.compare(ours, theirs, references, name, tokenize)
            scores |= {f"compare_{name}_{key}": value for key, value in found.items()}
    tell_ill_formed(ill_formed)
    if cut:
        warn(f"{cut:,} sources: {shortened(how['max_length'], how['long'])}")
    width = max(16, *(len(name) + 2 for name in scores))
    for name, value in scores.items():
        print(f"{name:<{width}}{value:.4f}" if isinstance(value, float) else f"{name:<{width}}{value}")
    if json_file:
        write_atomically(json_file, (json.dumps(scores, indent=2) + "\n").encode())


def _lines(translator, given, perplexity, how):
    """(pairs of source and first reference, the further references of each, the group of each or None, how many lines
    are left out)."""
    from numseq.data import DataError
    from numseq.data.unknown import count_unknown
    from numseq.metrics.scores import fitting
    from numseq.metrics.tokenizers import composed

    name, sources, right, groups = given
    most, long = how["max_length"], how["long"]
    real = [k for k, line in enumerate(sources) if line and right[k]]
    if not real:
        raise DataError(f"{name}: no sentence pair in it")
    pairs = [(sources[k], right[k][0]) for k in real]
    fit = set(fitting(translator, pairs, most, perplexity, long).tolist())
    kept = [k for n, k in enumerate(real) if n in fit]
    tell_lines([k + 1 for k, line in enumerate(sources) if not (line and right[k])], "a side is empty, so left out")
    tell_lines(sorted(k + 1 for k in {*real} - {*kept}), f"more than {most:,} tokens, so left out (see --max-length)")
    if not kept:
        raise DataError(f"{name}: no pair is left to evaluate")
    if changed := sum(any(composed(line) != line for line in right[k]) for k in kept):
        warn(f"{changed:,} lines of the references have accents as code points of their own: composed (NFC) to compare")
    form = translator.target_tokens.normalize
    if other := sum(any(composed(form(line)) != composed(line) for line in right[k]) for k in kept):
        warn(f"{other:,} lines of the references have another form than the model can write (case, or full width)")
    tell_unknown("source", count_unknown(translator.source_tokens, [sources[k] for k in kept]))
    copyable = translator.copyable(sources[k] for k in kept)
    tell_unknown("reference", count_unknown(translator.target_tokens, [right[k][0] for k in kept], copyable))
    pairs, groups = [(sources[k], right[k][0]) for k in kept], groups and [groups[k] for k in kept]
    return pairs, [right[k][1:] for k in kept], groups, len(sources) - len(kept)
