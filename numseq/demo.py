"""A task in one command: learn it, show what was learned and where the model looked."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import arguments, plots
from numseq import params as trees
from numseq.errors import ArgumentError
from numseq.files import write_atomically
from numseq.tasks import TASKS, made, make_dates
from numseq.training.arrays import load_arrays
from numseq.training.checkpoint import METRICS
from numseq.training.checkpoint import TRAINING as TRAINING_STATE
from numseq.training.data_options import DataOptions
from numseq.training.lock import locked
from numseq.training.options import TrainingOptions
from numseq.training.run import train_run

SHORT = 40  # letters of a source that has its answer beside it


@dataclass(frozen=True)
class Demo:
    """A task that makes its own corpus, and how a model learns it.

    learns, held_out: what is learnt, and what is shown, as they are said. make: f(n_train, n_valid, n_test, seed), what
    is to be learnt, with train, valid and test. sizes: these numbers. model, data, training: options. shown: the source
    that is drawn; None for that of the longest target in the test. use: a command line to try it with; {run} is the
    folder, and {numseq} the program.
    """

    learns: str
    held_out: str
    make: Callable[[int, int, int, int], Any]
    sizes: tuple[int, int, int]
    data: DataOptions
    training: TrainingOptions
    model: dict[str, Any]
    use: str
    shown: str | None = None


def _options(task, **options):
    return DataOptions(task=task, **{**TASKS[task].data, "min_count": 1, **options})


MODEL = {"attention": "additive", "embedding": 64, "hidden": 128, "attention_size": 64}
SMALL = {"attention": "additive", "embedding": 48, "hidden": 96, "attention_size": 48}
DEMOS = {
    "dates": Demo(
        learns="learning to read dates",
        held_out="held-out dates, of days never seen in training",
        make=make_dates,
        sizes=(6000, 500, 1000),
        data=DataOptions(source_tokens="char", target_tokens="char"),
        training=TrainingOptions(epochs=8, batch=64, lr=2e-3, seed=0),
        model=MODEL,
        use='echo "Sunday, July 20, 1969" | {numseq} translate {run}',
        shown="mardi 10 mai 2011",
    ),
    "summary": Demo(
        learns="learning to write headlines of short reports",
        held_out="held-out reports",
        make=made.make_summaries,
        sizes=(4000, 200, 400),
        data=_options("summary"),
        training=TrainingOptions(epochs=6, batch=32, lr=4e-3, seed=0),
        model=SMALL,
        use="{numseq} evaluate {run} --tsv {run}/test.tsv --metric exact",
    ),
    "dialogue": Demo(
        learns="learning to book a table",
        held_out="turns of held-out dialogues",
        make=made.make_dialogues,
        sizes=(700, 50, 100),
        data=_options("dialogue"),
        training=TrainingOptions(epochs=6, batch=32, lr=4e-3, seed=0),
        model=SMALL,
        use="{numseq} chat {run}",
        shown="<user> hello <bot> hello , what can i do for you ? <user> a table thai food for six please <bot> where "
        "should it be ? <user> in rome please <bot> at which price ? <user> at a high price",
    ),
    "questions": Demo(
        learns="learning to answer questions about stories",
        held_out="questions about held-out stories",
        make=made.make_questions,
        sizes=(3000, 100, 300),
        data=_options("questions"),
        training=TrainingOptions(epochs=8, batch=32, lr=4e-3, seed=0),
        model=SMALL,
        use="{numseq} evaluate {run} --text {run}/test.txt",
        shown="<s> mary went to the kitchen <s> john moved to the office "
        "<s> mary is in the garden now <s> where is mary",
    ),
    "code": Demo(
        learns="learning to write Python",
        held_out="held-out sentences",
        make=made.make_code,
        sizes=(6000, 200, 400),
        data=_options("code"),
        training=TrainingOptions(epochs=8, batch=32, lr=4e-3, seed=0),
        model=SMALL,
        use='echo "let y be twice the sum of a and three" | {numseq} translate {run}',
        shown="let y be the product of the sum of a and three and twice b",
    ),
    "chinese": Demo(
        learns="learning to write English numbers and dates in Chinese",
        held_out="held-out numbers and dates",
        make=made.make_chinese,
        sizes=(5000, 200, 400),
        data=_options("translation", target_tokens="char"),
        training=TrainingOptions(epochs=6, batch=32, lr=4e-3, seed=0),
        model=SMALL,
        use='echo "the fifth of march nineteen eighty seven" | {numseq} translate {run}',
        shown="the fifth of march nineteen eighty seven",
    ),
}


def run(
    folder: str | PathLike,
    resume: bool = False,
    say: Callable[[str], Any] = print,
    threads: int | None = None,
    name: str = "dates",
    **model: Any,
) -> dict[str, Any]:
    """Train on a corpus that makes itself; write the model, the test, pictures and result.json into a folder.

    Args: folder. resume: go on with the run that is there. say: called with lines of text. threads: of the
        matrix products, None for as many as suit them (`numseq.threads`). name: of DEMOS. model: options that differ
        from the demo's, as `cell=my_cell`.

    Returns: the dict that result.json holds: exact_match (share of held-out examples exactly right), what the task
        measures besides, seconds, parameters.
    """
    if arguments.text(name, "name") not in DEMOS:
        raise ArgumentError(f"name is {name!r}: choose one of {', '.join(DEMOS)}")
    demo = DEMOS[name]
    corpora = demo.make(*demo.sizes, demo.training.seed)
    train, valid, test = (_corpus(demo, getattr(corpora, part), part) for part in ("train", "valid", "test"))
    say(f"{demo.learns}, such as")
    for source, target in list(train)[:3]:
        say(f"    {source}  ->  {target}")
    training = replace(demo.training, threads=threads)
    with locked(folder, say):
        translator, metrics = train_run(
            folder, train, valid, demo.model | model, demo.data, training, origin={"task": name}, resume=resume, say=say
        )
        _write_test(demo, Path(folder), corpora.test)
        return _show(demo, Path(folder), translator, metrics, test, threads, say)


def _corpus(demo, examples, name):
    """What is trained on: the pairs as they are, or those of dialogues and stories."""
    text = TASKS[demo.data.task].text
    return text.of(examples, name) if text else examples


def _write_test(demo, folder, examples):
    """The test as a file, for `numseq evaluate`."""
    if TASKS[demo.data.task].text:
        name = "test.txt"
        lines = [f"{k} {line}" for block in examples for k, line in enumerate(block, 1)]
    else:
        name, lines = "test.tsv", ["\t".join(pair) for pair in examples]
    write_atomically(folder / name, "".join(f"{line}\n" for line in lines).encode())


def _show(demo, folder, translator, metrics, test, threads, say):
    """What was learned: some of the test, two pictures, and result.json."""
    trained = time.monotonic()
    pairs = list(test)
    how = {"max_length": demo.data.longest[0], "long": demo.data.long, "threads": threads}
    found = translator.translate([source for source, _ in pairs], **how)
    right = [translation.text == target for translation, (_, target) in zip(found, pairs, strict=True)]
    say(f"\n{demo.held_out}:")
    some = [
        *range(8),
        *[k for k in range(8, len(right)) if not right[k]][:2],
    ]  # and what it gets wrong, if anything
    for k in some:
        source, target = pairs[k]
        verdict = "right" if right[k] else f"WRONG, {target}"
        beside = f"{source:<{SHORT}}" if len(source) < SHORT else f"{source}\n        ->  "
        say(f"    {beside}{found[k].text:<10}  {verdict}")

    source = demo.shown or max(pairs, key=lambda pair: len(pair[1]))[0]
    shown = translator.translate([source], **how)[0]
    pictures = []
    if metrics:
        plots.save(plots.learning_curve(metrics), folder / "learning.png")
        pictures.append(str(folder / "learning.png"))
    else:  # all was trained already, and they are lost
        say(f"without {METRICS} there is no learning curve")
    if shown.alpha is not None:  # a plain model attends to nothing
        plots.save(plots.attention_map(shown.alpha, shown.places, shown.target), folder / "attention.png")
        pictures.insert(0, f"{folder / 'attention.png'} (for {source!r})")
    measures = TASKS[demo.data.task].measures
    groups = test.groups() if measures else None
    more = measures([one.text for one in found], [[target] for _, target in pairs], groups) if measures else {}
    _, state = load_arrays(folder / TRAINING_STATE)
    result = {
        "exact_match": sum(right) / len(right),
        **more,
        "seconds": round(state["seconds"] + time.monotonic() - trained, 1),  # of all sittings
        "parameters": trees.count(translator.model.params),
    }
    write_atomically(folder / "result.json", (json.dumps(result, indent=2) + "\n").encode())
    say(f"\n{result['exact_match']:.1%} of {len(right):,} exactly right, after {result['seconds']:.0f} s")
    if pictures:
        say(f"pictures: {', '.join(pictures)}")
    return result
