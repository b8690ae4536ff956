"""The command that translates: translate."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from numseq.cli.common import Backend, Batch, Runs, Threads, can_write, choose, command, threads_of
from numseq.cli.decode import (
    BANS,
    BEAM,
    CONSTRAINTS,
    DECODING,
    SAMPLING,
    constraint_of,
    ensemble,
    how_to_decode,
    trained_length,
)
from numseq.cli.json_list import json_list
from numseq.cli.notes import Notes, with_progress
from numseq.errors import NumseqError


@command
def translate(
    folders: Runs,
    decoding: Annotated[dict, DECODING],
    bans: Annotated[dict, BANS],
    constraints: Annotated[dict, CONSTRAINTS],
    beam: Annotated[dict, BEAM],
    sampling: Annotated[dict, SAMPLING],
    input: Annotated[Path | None, Option(help="One sentence a line. [default: standard input]")] = None,
    output: Annotated[Path | None, Option(help="One translation a line. [default: standard output]")] = None,
    nbest: Annotated[int, Option(min=1, help="Print so many rows for each line: its best hypotheses, or samples.")] = 1,
    scores: Annotated[
        bool, Option("--scores", help="Put score and log-probability before each row, with tabs.")
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
    """Translate lines, greedily or by beam search, or draw samples.

    Each line has as many rows as --nbest says, in the order of the lines. A row without a hypothesis, as of an empty
    line, is empty, and nan are its scores. What is typed or comes through a pipe is translated as it comes.
    """
    from numseq.data.lines import lines_as_they_come
    from numseq.data.reading import is_on_disk
    from numseq.files import write_atomically
    from numseq.search.translate import POOL

    choose(backend)
    can_write(output=output, attention=attention_file)
    how = how_to_decode(folders, decoding, bans, beam, sampling, nbest)
    translator, longest = ensemble(folders), trained_length(folders)
    how |= {"threads": threads_of(threads, translator, batch), "constraint": constraint_of(constraints, translator)}
    notes, texts = Notes(longest, how["max_length"], how["long"]), []

    if input is None and sys.stdin.isatty():
        print("type a sentence, then Enter; to end, Ctrl-D (on Windows Ctrl-Z and Enter)", file=sys.stderr)
    came, whole = 0, is_on_disk(input)  # lines so far; are they all?

    def translations():
        nonlocal came
        for lines in lines_as_they_come(input, POOL * batch):
            if strict:
                _refuse_long(translator, lines, longest, came)
            first, came = came, came + len(lines)
            yield from translator.stream(lines, batch, numbered_from=first, **how)

    def total():
        return came if whole else None

    sys.stdout.flush()
    shown = output is None and sys.stdout.isatty()  # there the rows themselves are the progress
    with json_list(attention_file) as keep:
        for number, translation in enumerate(with_progress(translations(), total, hidden=shown), start=1):
            notes.add(number, translation)
            keep(_looks(translation))
            text = _rows(translation, nbest, scores)
            if output:
                texts.append(text)
            else:
                sys.stdout.buffer.write(text.encode())  # as it was read, whatever the terminal is set to
                sys.stdout.buffer.flush()
        if output:
            write_atomically(output, "".join(texts).encode())
    notes.tell()


def _rows(translation, nbest, scores):
    """The rows of a line, one for each hypothesis, and empty ones where there are fewer."""
    found = [(one.text, one.score, one.logp) for one in [translation, *translation.others][:nbest]]
    found += [("", None, None)] * (nbest - len(found))
    rows = []
    for text, *numbers in found:
        columns = [f"{float('nan') if x is None else x:.6f}" for x in numbers] if scores else []
        rows.append("\t".join([*columns, text.replace("\n", " ")]) + "\n")
    return "".join(rows)


def _looks(translation):
    alpha = None if translation.alpha is None else [[round(float(a), 6) for a in row] for row in translation.alpha]
    return {"source": translation.source, "target": translation.target, "alpha": alpha}


def _refuse_long(translator, lines, longest, before):
    """Raise NumseqError when one of these lines, which `before` others came before, is longer than the trained."""
    lengths = [len(ids) for ids in translator.source_tokens.encode(line.strip() for line in lines)] if longest else []
    if long := [k for k, length in enumerate(lengths, start=before + 1) if length > longest]:
        more = f" and {len(long) - 1:,} more" if len(long) > 1 else ""
        raise NumseqError(f"line {long[0]:,}{more}: longer than the {longest:,} tokens that the model was trained on")
