"""The command that says what a model gets wrong, and when: errors."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from typer import BadParameter, Option

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
    to_score,
)
from numseq.cli.notes import shortened, tell_ill_formed, tell_lines, warn, with_progress

SMALL = 100  # tokens of a vocabulary whose confusions are drawn


@command
def errors(
    folders: Runs,
    decoding: Annotated[dict, DECODING],
    bans: Annotated[dict, BANS],
    constraints: Annotated[dict, CONSTRAINTS],
    beam: Annotated[dict, BEAM],
    sampling: Annotated[dict, SAMPLING],
    source: Annotated[Path | None, Option(help="Source sentences; else the run's own validation data.")] = None,
    reference: Annotated[Path | None, Option(help="Their right translations.")] = None,
    tsv: Annotated[Path | None, Option(help="Both as two columns with a tab between.")] = None,
    compare: Annotated[Path | None, Option(metavar="DIR", help="Another model: where better, where worse?")] = None,
    unit: Annotated[
        Literal["word", "char"] | None,
        Option(help="What is compared. [default: char where the model cuts text that has no spaces, else word]"),
    ] = None,
    tokenize: Annotated[
        str, Option(help="sacrebleu's tokeniser for BLEU; none for text that is tokenised already.")
    ] = "13a",
    json_file: Annotated[Path | None, Option("--json", help="Write the tables here too.")] = None,
    out: Annotated[Path | None, Option(help="Folder for pictures, and the tables as Markdown.")] = None,
    batch: Batch = 64,
    threads: Threads = None,
    backend: Backend = None,
):
    """Say what a model, or several together, gets wrong: tables by length, by frequency, by attention, and examples.

    How often words were trained on is counted in the files that the run was trained with, if they are still there.
    """
    from numseq.files import write_atomically
    from numseq.metrics.errors import analyse, compare_errors
    from numseq.metrics.tokenizers import scorer_of

    choose(backend)
    can_write(json=json_file)
    _can_make(out)
    scorer_of("bleu", tokenize)
    how = how_to_decode(folders, decoding, bans, beam, sampling)
    translator = ensemble(folders)
    how["threads"] = threads_of(threads, translator, batch)
    numbers, sources, references = _lines(translator, folders[0], source, reference, tsv, how)
    training = _training(folders[0])

    def analysed(one, name):
        constraint = constraint_of(constraints, one)
        stream = one.stream(sources, batch, constraint=constraint, **how)
        found = list(with_progress(stream, lambda: len(sources)))
        tell_ill_formed(sum(translation.ill_formed for translation in found))
        if long := sum(translation.too_long for translation in found):
            warn(f"{name} cuts {long:,} lines into more than {how['max_length']:,} tokens: not translated")
        cut = [number for number, translation in zip(numbers, found, strict=True) if translation.shortened]
        tell_lines(cut, shortened(how["max_length"], how["long"]))
        return analyse(
            found, references, translator=one, training=training, unit=unit, tokenize=tokenize, numbers=numbers
        )

    first = analysed(translator, folders[0])
    tables = {"errors": first.to_dict()}
    comparison = None
    if compare:
        unit = first.unit
        comparison = compare_errors(first, analysed(load(compare), compare), (_named(folders), str(compare)))
        tables["comparison"] = comparison.to_dict()
    print("\n\n".join(part.text() for part in (first, comparison) if part))
    if first.coverage is None:
        warn("no attention to the tokens of the source, so nothing is said of dropped parts")
    if json_file:
        write_atomically(json_file, (json.dumps(tables, indent=2, ensure_ascii=False) + "\n").encode())
    if out:
        written = _draw(out, first, comparison, (_named(folders), str(compare)))
        print(f"\n{out}: {', '.join(written)}")


def _named(folders):
    return " + ".join(map(str, folders))


def _can_make(folder):
    """Raise BadParameter when the folder cannot be made or written in, before any work is done."""
    if folder is None:
        return
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise BadParameter(f"{there} is no folder that can be written in", param_hint="--out")


def _lines(translator, folder, source, reference, tsv, how):
    """(numbers, sources, references) of the lines that can be analysed."""
    from numseq.data import DataError
    from numseq.metrics.scores import fitting

    if source or reference or tsv:
        where, sources, right, _ = to_score(folder, source, reference and [reference], tsv)
        pairs = [(line, found[0] if found else "") for line, found in zip(sources, right, strict=True)]
    else:
        pairs, where = _own(folder)
    real = [k for k, pair in enumerate(pairs) if all(pair)]
    if not real:
        raise DataError(f"{where}: no sentence pair in it")
    most, long = how["max_length"], how["long"]
    kept = [real[k] for k in fitting(translator, [pairs[k] for k in real], most, long=long)]
    tell_lines([k + 1 for k, pair in enumerate(pairs) if not all(pair)], "a side is empty, so left out")
    tell_lines(sorted(k + 1 for k in {*real} - {*kept}), f"more than {most:,} tokens, so left out (see --max-length)")
    if not kept:
        raise DataError(f"{where}: no pair is left to analyse")
    return [k + 1 for k in kept], [pairs[k][0] for k in kept], [pairs[k][1] for k in kept]


def _draw(folder, first, comparison, names):
    """Write pictures and tables into a folder. Returns: the names of what is there."""
    from numseq import plots
    from numseq.files import make_folder, write_atomically

    make_folder(folder)
    pictures = {"errors.png": plots.error_analysis(first, title=names[0])}
    vocabulary = {token for line in first.lines for edit in line.edits for token in edit} - {None}
    if len(vocabulary) <= SMALL and any(line.wrong for line in first.lines):
        pictures["confusions.png"] = plots.confusion_map(first)
    numbers = {line.number: line for line in first.lines}
    worst = [numbers[row["line"]] for row in first.worst.rows]
    if seen := [line for line in worst if line.translation.alpha is not None and len(line.translation.target) > 1]:
        line, one = seen[0], seen[0].translation
        title = f"line {line.number:,}; wanted: {line.reference}"
        pictures["worst.png"] = plots.attention_map(one.alpha, one.places, one.target, title=title)
    if comparison:
        pictures["comparison.png"] = plots.error_comparison(comparison, names)
    for name, figure in pictures.items():
        plots.save(figure, folder / name)
    page = [first.markdown(), *([comparison.markdown()] if comparison else [])]
    page += [f"![{name.removesuffix('.png')}]({name})\n" for name in pictures]
    write_atomically(folder / "errors.md", "\n".join(page).encode())
    return ["errors.md", *pictures]


# The data of the run


def _own(folder):
    """(validation pairs of a run, where they are from): those that it was given, or those that it held out."""
    pairs, gone = _pairs(folder, "val_")
    if pairs is None and not gone:
        train, gone = _pairs(folder, "")
        pairs = _held_out(folder, train)[1] if train else None
    if pairs is None:
        why = f"{gone[0]}, which {folder} was trained with, is no file now" if gone else f"{folder} names no files"
        raise BadParameter(f"{why}: give --source and --reference, or --tsv")
    return list(pairs), f"the validation data of {folder}"


def _training(folder):
    """The target sides that a run was trained on; None, which is said, where they are not there."""
    pairs, gone = _pairs(folder, "")
    if pairs is None:
        why = f"{gone[0]} is no file now" if gone else f"{folder} names no files"
        warn(f"no training data, so nothing is said of the frequency of tokens: {why}")
        return None
    if not any(name.startswith("val_") for name in _origin(folder)):
        pairs = _held_out(folder, pairs)[0]
    return [target for _, target in pairs]


def _origin(folder):
    """{name: path} of the files that a run was begun with."""
    from numseq.training.run import resumed_options

    origin = resumed_options(folder)[3]
    return {name: path for name, path in origin.items() if path} if isinstance(origin, dict) else {}


def _held_out(folder, pairs):
    """(the rest, those that were held out) of a run's training pairs, a Corpus."""
    from numseq.training.run import resumed_options
    from numseq.training.text import hold_out

    groups, pairs = pairs.groups(), list(pairs)
    held = hold_out(len(pairs), resumed_options(folder)[2].seed, groups).tolist()
    return [[pair for pair, out in zip(pairs, held, strict=True) if out == wanted] for wanted in (False, True)]


def _pairs(folder, side):
    """(Corpus, files that are gone) of the files that a run names, which are "" or "val_"; None without any."""
    from numseq.cli.files import corpus_of_files, several
    from numseq.training.run import resumed_options

    origin, data = _origin(folder), resumed_options(folder)[1]
    names = [side + name for name in ("tsv", "jsonl", "text", "source", "target")]
    named = [path for name in names for path in several(origin.get(name))]
    gone = [path for path in named if not Path(path).is_file()]
    if gone or not named:
        return None, gone
    return corpus_of_files(origin, side, (data.source_column, data.target_column), data.task), []
