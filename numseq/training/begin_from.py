"""A run that begins with another run's weights; its vocabularies may be others.

A parameter counts tokens along the axis that grows when the vocabulary does: the rows of an embedding, the columns and
the biases of an output. Along it, a token that both runs have keeps its numbers, wherever it stands now, and one that
is new keeps its first values. All other parameters are taken as they are.
"""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import arguments
from numseq import params as trees
from numseq.backend import Array, array_module
from numseq.data.tokens import Tokens
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.options import options_of
from numseq.training.arrays import CheckpointError, load_arrays
from numseq.training.checkpoint import MODEL, load_config, load_model

SIDES = ("source", "target")


def begin_from(
    model: Seq2Seq,
    tokens: tuple[Tokens, Tokens],
    folder: str | PathLike,
    say: Callable[[str], Any] = print,
) -> None:
    """Give a model the weights of the run in a folder.

    Args: model, a Seq2Seq, whose parameters are changed. tokens, its source and target vocabulary. folder, of the run.
        say, called with lines of text: how many tokens have numbers from there, and which options are others.
    Raises: CheckpointError, when the run cannot be read, or its parameters have other names or shapes; ArgumentError.
    """
    arguments.one_of(model, "model", Seq2Seq)
    theirs, *their_tokens = load_model(arguments.path(folder, "folder"))
    axes, arrays = token_axes(model.config), dict(trees.walk(theirs.params))
    mine = dict(trees.walk(model.params))
    _refuse_others(folder, model.config, theirs.config, mine, arrays, axes)
    both = [_in_both(old, new) for old, new in zip(their_tokens, tokens, strict=True)]
    for name, leaf in mine.items():
        if name in axes:
            side, axis = axes[name]
            mine[name] = _moved(leaf, arrays[name], axis, *both[SIDES.index(side)])
        else:
            mine[name] = arrays[name].astype(leaf.dtype)
    model.params = trees.replace(model.params, mine)
    counts = [(len(kept), len(new), len(old)) for (kept, _), new, old in zip(both, tokens, their_tokens, strict=True)]
    known = [f"{kept:,} of {new:,} {side} tokens" for side, (kept, new, _) in zip(SIDES, counts, strict=True)]
    left_out = " and ".join(f"{old - kept:,}" for kept, _, old in counts)
    say(f"begins with the weights of {folder}: {' and '.join(known)} are known there; {left_out} are left out")
    if others := _others(model.config, theirs.config):
        say(f"not as in {folder}: {others}")


def model_of(folder: str | PathLike) -> dict[str, Any]:
    """The fields of the Seq2SeqConfig of a run but for the vocabularies, a dict. Raises: CheckpointError."""
    config, _ = load_config(folder)
    return {name: getattr(config, name) for name in _named()}


def weights_of(folder: str | PathLike) -> str:
    """The checksum of a run's model, to know it again. Raises: CheckpointError."""
    return load_arrays(Path(folder) / MODEL)[1]["crc32"]


def token_axes(config: Seq2SeqConfig) -> dict[str, tuple[str, int]]:
    """{parameter: (side, axis)}: which of a model's parameters count the tokens of which side, and along which axis.

    A matrix of one vocabulary for both sides counts as the target's.

    Raises: CheckpointError, when a parameter grows with a vocabulary in another way than by one along one axis.
    """
    shapes, found = _shapes(config), {}
    for side in SIDES:
        grown = (f"{side}_vocabulary",) if config.tied != "all" else ("source_vocabulary", "target_vocabulary")
        more = _shapes(replace(config, **{name: getattr(config, name) + 1 for name in grown}))
        for name, shape in shapes.items():
            if changed := [k for k, (n, m) in enumerate(zip(shape, more[name], strict=True)) if n != m]:
                if len(changed) > 1 or shape[changed[0]] != getattr(config, f"{side}_vocabulary"):
                    raise CheckpointError(f"{name} has no axis of tokens, so another run's cannot be taken over")
                found[name] = side, changed[0]
    return found


def _shapes(config):
    return {name: leaf.shape for name, leaf in trees.walk(Seq2Seq.create(config, None).params)}


def _in_both(old, new):
    """(ids here, ids there) of the tokens that two vocabularies have."""
    there = {old.token(k): k for k in range(len(old))}
    pairs = [(k, there[token]) for k in range(len(new)) if (token := new.token(k)) in there]
    return [k for k, _ in pairs], [k for _, k in pairs]


def _moved(mine: Array, theirs: Array, axis: int, here: list[int], there: list[int]) -> Array:
    """The numbers of tokens that both have, at their places here."""
    xp, before = array_module(mine), (slice(None),) * axis
    moved = mine.copy()
    moved[(*before, xp.asarray(here))] = theirs[(*before, xp.asarray(there))]
    return moved


def _refuse_others(folder, config, there, mine, arrays, axes):
    """Raise CheckpointError, unless parameters have the same names, and shapes that differ by tokens at most."""

    def wanted(found):
        return {
            name: tuple(n for k, n in enumerate(leaf.shape) if axes.get(name, (None, None))[1] != k)
            for name, leaf in found.items()
        }

    ours, others = wanted(mine), wanted(arrays)
    if ours != others:
        name = min(name for name in ours.keys() | others.keys() if ours.get(name) != others.get(name))
        why = _others(config, there) or f"{name} has another shape, or one of them has none"
        raise CheckpointError(f"{folder}: a model of other parts or sizes, so its weights do not fit: {why}")


def _others(config, there):
    """The options of which two configurations say something else, in words."""
    return ", ".join(
        f"{name} {getattr(config, name)} (there {getattr(there, name)})"
        for name in _named()
        if getattr(config, name) != getattr(there, name)
    )


def _named():
    return [name for name in options_of(Seq2SeqConfig) if not name.endswith("_vocabulary")]
