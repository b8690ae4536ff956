"""The command that scores given translations: score."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from numseq.cli.common import Backend, Batch, Run, Threads, app, can_write, choose, load, threads_of
from numseq.cli.decode import longest
from numseq.cli.json_list import json_list
from numseq.cli.notes import tell_lines, tell_unknown, with_progress
from numseq.threads import blas_threads


@app.command()
def score(
    folder: Run,
    source: Annotated[Path, Option(help="Source sentences, one a line.")],
    target: Annotated[Path, Option(help="Translations to score, line by line.")],
    max_length: Annotated[
        int | None,
        Option(min=1, help="Leave out pairs with a side of more tokens, and say so. [default: as of translate]"),
    ] = None,
    json_file: Annotated[Path | None, Option("--json", help="Write every token's figures here.")] = None,
    batch: Batch = 64,
    threads: Threads = None,
    backend: Backend = None,
):
    """Score given translations: log-probability (nats) and perplexity of each, one a line.

    Each pair has its row; where a side is empty or too long, both numbers are nan.
    """
    import numpy as np

    from numseq.data import DataError
    from numseq.data.lines import read_columns
    from numseq.data.unknown import count_unknown
    from numseq.search import score
    from numseq.search.translate import POOL

    choose(backend)
    can_write(json=json_file)
    most = longest(max_length, [folder])
    translator = load(folder)
    number = threads_of(threads, translator, batch)
    columns, sides = read_columns(source, target), (translator.source_tokens, translator.target_tokens)
    besides = (), translator.copyable(columns[0])
    unknown = [count_unknown(*given) for given in zip(sides, columns, besides, strict=True)]
    pairs = [pair if all(pair) else ("", "") for pair in zip(*columns, strict=True)]  # to "" nothing can be scored
    empty = [k for k, (line, _) in enumerate(pairs) if not line]
    if len(empty) == len(pairs):
        raise DataError(f"{source} and {target}: no sentence pair in it")
    lengths = []

    def scored():
        for start in range(0, len(pairs), POOL * batch):
            some = translator.encode(pairs[start : start + POOL * batch])
            lengths.extend(np.maximum(some.source.lengths, some.target.lengths).tolist())
            with blas_threads(number):
                found = score(translator.model, some, batch, most)
            yield from found

    with json_list(json_file) as keep:
        for one in with_progress(scored(), lambda: len(pairs), hidden=sys.stdout.isatty()):
            print(f"{one.total:.6f}\t{one.perplexity:.6f}")
            figures = {"logp": one.logp.tolist(), "rank": one.rank.tolist(), "entropy": one.entropy.tolist()}
            keep(figures if len(one.logp) else dict.fromkeys(figures))
    tell_lines([k + 1 for k in empty], "a side is empty, so there is nothing to score")
    tell_lines(
        [k for k, length in enumerate(lengths, start=1) if length > most],
        f"more than {most:,} tokens, so not scored (see --max-length)",
    )
    for side, found in zip(("source", "target"), unknown, strict=True):
        tell_unknown(side, found)
