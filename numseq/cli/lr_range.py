"""The command that tries step sizes: lr-range."""

from pathlib import Path
from typing import Annotated

from typer import Option

from numseq.cli.asked import EXPERIMENT, as_asked
from numseq.cli.common import Group, can_draw, choose, command
from numseq.cli.experiment import Experiment
from numseq.cli.files import read_pairs
from numseq.training.data_options import DataOptions
from numseq.training.lr_range import RangeOptions
from numseq.training.options import TrainingOptions

RANGE = Group("Range", RangeOptions)


@command
def lr_range(
    asked: Annotated[Experiment, EXPERIMENT],
    tried: Annotated[dict, RANGE],
    out: Annotated[Path, Option(help="Picture of the loss against the step size, .png or .svg.")] = Path(
        "lr-range.png"
    ),
):
    """Try step sizes: the first updates of a training, with one that grows, and the one that this suggests.

    Files and options are those of numseq train. Nothing is kept of what is trained.
    """
    from numseq import plots
    from numseq.training.run import try_step_sizes

    can_draw(out=out)
    tried = RangeOptions(**tried)
    choose(asked.backend)
    parts = as_asked(asked)
    pairs, valid = read_pairs(parts["files"], parts["data"])
    training = TrainingOptions(**parts["training"])
    found = try_step_sizes(
        pairs, valid, parts["model"], DataOptions(**parts["data"]), training, tried, begin=asked.begin
    )
    plots.save(plots.lr_range(found, title=f"{training.optimizer}, batches of {training.batch}"), out)
    print("\n".join(_told(found)))
    print(f"the curve is in {out}")


def _told(found):
    """What a range test found, in lines: a tenth of its step sizes, and the suggestion."""
    every = max(1, len(found.lrs) // 10)
    yield f"{'step size':>9}  loss, smoothed"
    for lr, loss in list(zip(found.lrs, found.smoothed, strict=True))[::every]:
        yield f"{lr:>9.1e}  {loss:.4f}"
    if found.ended:
        yield f"ended early: {found.ended}"
    if found.suggestion is None:
        yield "the loss never fell, so no step size is suggested: begin at a smaller one (--from-lr)"
    else:
        yield f"the loss was lowest at {found.lowest:.2g}; suggested is a tenth of it: --lr {found.suggestion:.2g}"
    if found.lowest == found.lrs[-1] and not found.ended:
        yield "it was still falling at the end: a larger --to-lr would show where it rises"
