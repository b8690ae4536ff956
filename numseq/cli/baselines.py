"""The command that summarises without a model, to compare with: baselines."""

import json
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from numseq.cli.common import app, can_write
from numseq.cli.decode import to_score
from numseq.cli.files import corpus_of_files
from numseq.cli.notes import tell_lines, warn, with_progress


@app.command()
def baselines(
    source: Annotated[Path | None, Option(help="Texts to summarise, one a line.")] = None,
    reference: Annotated[
        list[Path] | None, Option(help="Their right summaries; several times for several references.")
    ] = None,
    tsv: Annotated[Path | None, Option(help="Both as two columns with a tab between.")] = None,
    jsonl: Annotated[Path | None, Option(help="Both as JSON, an object or an array a line.")] = None,
    source_column: Annotated[str | None, Option(help="Of --tsv and --jsonl: a number from 1, or a name.")] = None,
    target_column: Annotated[str | None, Option(help="The same of the summaries.")] = None,
    words: Annotated[
        int | None, Option(min=1, help="How many first words to take. [default: the mean of the references of --train]")
    ] = None,
    train: Annotated[
        Path | None, Option(help="Training data: a file in the form of --tsv or --jsonl, or the summaries alone.")
    ] = None,
    tokenize: Annotated[
        str, Option(help="How words are cut for ROUGE; none for text that is tokenised already.")
    ] = "13a",
    json_file: Annotated[Path | None, Option("--json", help="Write the figures here too.")] = None,
):
    """Score summaries that are parts of the source: the first words, TextRank's sentence, the best sentence.

    The last is an oracle: it has seen the reference. Figures are ROUGE, F-measure, and the mean number of words.
    """
    from numseq.data import DataError
    from numseq.data.lines import read_lines
    from numseq.files import write_atomically
    from numseq.metrics.baselines import extractive_scores, mean_words
    from numseq.metrics.rouge import rouge_of_line

    can_write(json=json_file)
    rouge_of_line(tokenize)
    if words and train:
        raise BadParameter("each says how many first words to take: choose one", param_hint="--words and --train")
    columns = source_column, target_column
    if columns != (None, None) and not (tsv or jsonl):
        raise BadParameter("--source-column and --target-column are of --tsv and --jsonl")
    if (source or reference) and jsonl:
        raise BadParameter("give --source and --reference, or --tsv, or --jsonl: one of these")

    def corpus(table, lines):
        found = corpus_of_files({"tsv": table, "jsonl": lines}, "", columns, "summary")
        pairs = list(found)
        for note in found.notes:
            warn(note)
        if found.skipped:
            warn(f"{found.skipped:,} lines of {found.name} have an empty side: left out")
        if not pairs:
            raise DataError(f"{found.name}: no pair in it")
        return pairs

    if tsv or jsonl:
        if source or reference:
            raise BadParameter("give --source and --reference, or --tsv, or --jsonl: one of these")
        name, pairs = tsv or jsonl, corpus(tsv, jsonl)
        texts, wanted = [text for text, _ in pairs], [[right] for _, right in pairs]
    else:
        if not source:
            raise BadParameter("give --source and --reference, or --tsv, or --jsonl")
        name, sources, right, _ = to_score(None, source, reference, None)
        kept = [k for k, line in enumerate(sources) if line and right[k]]
        tell_lines([k + 1 for k, line in enumerate(sources) if not (line and right[k])], "a side is empty, so left out")
        if not kept:
            raise DataError(f"{name}: no pair in it")
        texts, wanted = [sources[k] for k in kept], [right[k] for k in kept]
    if not words:
        if train and (tsv or jsonl):
            learned = [right for _, right in corpus(tsv and train, jsonl and train)]
        elif train:
            learned = [line for line in read_lines(train) if line.strip()]
            if not learned:
                raise DataError(f"{train}: no line in it")
        else:
            learned = [line[0] for line in wanted]
            warn("the number of first words is that of these references themselves: better --train, or --words")
        words = mean_words(learned)
    scores = extractive_scores(
        texts, wanted, words, tokenize, lambda lines, total: with_progress(lines, lambda: total)
    )  # fmt: skip
    print(f"{'':<24}{'rouge1':>8}{'rouge2':>8}{'rougeL':>8}{'words':>8}")
    titles = {"first words": f"first {words} words", "best sentence": "best sentence (oracle)"}
    for key, row in scores.items():
        print(f"{titles.get(key, key):<24}" + "".join(f"{value:8.2f}" for value in row.values()))
    print(f"{len(texts):,} pairs of {name}")
    if json_file:
        found = {"pairs": len(texts), "first_words": words} | scores
        write_atomically(json_file, (json.dumps(found, indent=2) + "\n").encode())
