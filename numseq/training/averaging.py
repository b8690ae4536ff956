"""The mean of several models of one run, which often translates better than each of them."""

from os import PathLike

import numpy as np

from numseq import arguments
from numseq import params as trees
from numseq.errors import ArgumentError
from numseq.training.arrays import CheckpointError, save_arrays
from numseq.training.checkpoint import (
    MODEL,
    Description,
    check_vacant,
    create_model,
    load_config,
    load_tokens,
    save_run,
)
from numseq.training.kept import Kept, in_order, load_kept
from numseq.training.lock import locked
from numseq.training.run import resumed_options


def average_run(
    folder: str | PathLike, out: str | PathLike, *, best: int | None = None, last: int | None = None
) -> list[int]:
    """Average models that a run kept, and put the result into a folder that can be translated with, and not resumed.

    Equation: p = (p_1 + ... + p_n) / n, for every parameter.

    Args: folder, of the run. out, of the average; made when it is not there. best, how many of the best models by the
        run's metric; or last, how many of the latest.
    Returns: the updates that the models come after.
    Raises: ArgumentError, when not one of the two is given; CheckpointError, when the run did not keep so many, or
        `out` holds a run.
    Source: Vaswani et al. 2017, section 6.1.
    """
    folder, out = arguments.path(folder, "folder"), arguments.path(out, "out")
    if (best is None) == (last is None):
        raise ArgumentError("best, last: give one of them, how many models to average")
    n = arguments.whole(best or last, "last" if best is None else "best", least=1)
    config, described = load_config(folder)
    source_tokens, target_tokens = load_tokens(folder)
    _, _, options, _ = resumed_options(folder)
    kept, run, model = Kept(folder), Description.load(folder).run, create_model(folder, config)
    kept.load(run, model.params)
    kind, most = ("best", options.keep_best) if last is None else ("last", options.keep_last)
    found = (in_order(kept.values, options.metric) if last is None else sorted(kept.values, reverse=True))[:n]
    if len(found) < n or most < n or (kind == "best" and most == 1):
        there = f"{len(kept.values)} in {kept.folder}, made with keep_{kind} {most}"
        raise CheckpointError(f"{folder}: did not keep its {n} {kind} models ({there}): train with --keep-{kind} {n}")
    total = trees.map(lambda leaf: np.zeros(leaf.shape), trees.to_host(model.params))
    for updates in found:
        trees.add(total, trees.to_host(load_kept(kept.path(updates), run, model.params)[0]))
    model.params = trees.map(lambda leaf: (leaf / n).astype(np.float32), total)
    updates = sorted(found)
    with locked(out):
        check_vacant(out)
        save_run(out, config, source_tokens, target_tokens, described | {"averaged": {"run": run, "updates": updates}})
        said = {"run": Description.load(out).run, "updates": updates}
        save_arrays(out / MODEL, dict(trees.walk(model.params)), said)
    return updates
