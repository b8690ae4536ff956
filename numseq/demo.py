"""The main job in one command: learn to read dates, show what was learned and where the model looked."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import params as trees
from numseq import plots
from numseq.files import write_atomically
from numseq.tasks.dates import make_dates
from numseq.training.arrays import load_arrays
from numseq.training.checkpoint import METRICS
from numseq.training.checkpoint import TRAINING as TRAINING_STATE
from numseq.training.data_options import DataOptions
from numseq.training.lock import locked
from numseq.training.options import TrainingOptions
from numseq.training.run import train_run

MODEL = {"attention": "additive", "embedding": 64, "hidden": 128, "attention_size": 64}
DATA = DataOptions(source_tokens="char", target_tokens="char")
TRAINING = TrainingOptions(epochs=8, batch=64, lr=2e-3, seed=0)
SIZES = (6000, 500, 1000)  # pairs for training, validation, test: no day is in two of them
SHOWN = "mardi 10 mai 2011"


def run(
    folder: str | PathLike,
    resume: bool = False,
    say: Callable[[str], Any] = print,
    threads: int | None = None,
    **model: Any,
) -> dict[str, Any]:
    """Train on human-written dates; write the model, pictures and result.json into a folder.

    Args: folder. resume: go on with the run that is there. say: called with lines of text. threads: of the
        matrix products, None for as many as suit them (`numseq.threads`). model: options that differ from the demo's,
        as `cell=my_cell`.

    Returns: the dict that result.json holds: exact_match (share of held-out dates exactly right), seconds, parameters.
    """
    dates = make_dates(*SIZES, seed=TRAINING.seed)
    say("learning to read dates, such as")
    for source, target in dates.train[:3]:
        say(f"    {source}  ->  {target}")
    origin = {"task": "dates"}
    training = replace(TRAINING, threads=threads)
    with locked(folder, say):
        translator, metrics = train_run(
            folder, dates.train, dates.valid, MODEL | model, DATA, training, origin=origin, resume=resume, say=say
        )
        return _show(folder, translator, metrics, dates, threads, say)


def _show(folder, translator, metrics, dates, threads, say):
    """What was learned: some held-out dates, two pictures, and result.json."""
    trained = time.monotonic()
    found = translator.translate([source for source, _ in dates.test], threads=threads)
    right = [translation.text == target for translation, (_, target) in zip(found, dates.test, strict=True)]
    say("\nheld-out dates, of days never seen in training:")
    some = [
        *range(8),
        *[k for k in range(8, len(right)) if not right[k]][:2],
    ]  # and what it gets wrong, if anything
    for k in some:
        source, target = dates.test[k]
        verdict = "right" if right[k] else f"WRONG, {target}"
        say(f"    {source:<40}{found[k].text:<12}{verdict}")

    folder = Path(folder)
    shown = translator.translate([SHOWN])[0]
    pictures = []
    if metrics:
        plots.save(plots.learning_curve(metrics), folder / "learning.png")
        pictures.append(str(folder / "learning.png"))
    else:  # all was trained already, and they are lost
        say(f"without {METRICS} there is no learning curve")
    if shown.alpha is not None:  # a plain model attends to nothing
        plots.save(plots.attention_map(shown.alpha, shown.places, shown.target), folder / "attention.png")
        pictures.insert(0, f"{folder / 'attention.png'} (for {SHOWN!r})")
    _, state = load_arrays(folder / TRAINING_STATE)
    result = {
        "exact_match": sum(right) / len(right),
        "seconds": round(state["seconds"] + time.monotonic() - trained, 1),  # of all sittings
        "parameters": trees.count(translator.model.params),
    }
    write_atomically(folder / "result.json", (json.dumps(result, indent=2) + "\n").encode())
    say(f"\n{result['exact_match']:.1%} of {len(right):,} exactly right, after {result['seconds']:.0f} s")
    if pictures:
        say(f"pictures: {', '.join(pictures)}")
    return result
