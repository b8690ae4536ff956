"""The command that trains: train."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Context, Option

from numseq.cli_common import Backend, Batch, app, choose, how_to_resume, program
from numseq.data.tokens import KINDS
from numseq.models.config import INITS, ORDERS, READOUTS, RECURRENT_INITS, TIED
from numseq.models.parts import ATTENTIONS, CELLS
from numseq.training.optimizers import OPTIMIZERS

Kind = StrEnum("Kind", KINDS)


def _choice(name, values):
    return StrEnum(name, [(value.replace("-", "_"), value) for value in values])


Cell, Attention, Order = _choice("Cell", CELLS), _choice("Attention", ATTENTIONS), _choice("Order", ORDERS)
Readout, Tied = _choice("Readout", READOUTS), _choice("Tied", TIED)
Init, RecurrentInit = _choice("Init", INITS), _choice("RecurrentInit", RECURRENT_INITS)
Optimizer = _choice("Optimizer", OPTIMIZERS)
Rate = lambda what: Annotated[float, Option(min=0, max=1, help=f"Probability {what}, below 1.")]  # noqa: E731
Share = lambda what: Annotated[float, Option(min=0, help=what)]  # noqa: E731


@app.command()
def train(
    context: Context,
    out: Annotated[Path, Option(help="Folder of the run.")],
    source: Annotated[Path | None, Option(help="Source sentences, one a line.")] = None,
    target: Annotated[Path | None, Option(help="Target sentences, one a line.")] = None,
    tsv: Annotated[Path | None, Option(help="Two columns, in place of --source and --target.")] = None,
    val_source: Annotated[Path | None, Option(help="Validation; else 1 in 20 pairs is held out.")] = None,
    val_target: Annotated[Path | None, Option(help="The same for the targets.")] = None,
    val_tsv: Annotated[Path | None, Option(help="The same as two columns.")] = None,
    source_tokens: Annotated[Kind, Option(help="What the source is cut into.")] = Kind.word,
    target_tokens: Annotated[Kind, Option(help="What the target is cut into.")] = Kind.word,
    min_count: Annotated[
        int | None, Option(min=1, help="Rarer tokens become <unk>. [default: 2 for words, 1 for characters]")
    ] = None,
    max_length: Annotated[int, Option(min=1, help="Leave out pairs with more tokens.")] = 150,
    source_vectors: Annotated[
        Path | None, Option(help="Word vectors (word2vec or GloVe text) to begin the source embedding with.")
    ] = None,
    target_vectors: Annotated[Path | None, Option(help="The same for the target embedding.")] = None,
    cell: Annotated[Cell, Option(help="Of the encoder and of the decoder.")] = Cell.lstm,
    attention: Annotated[Attention, Option(help="none: a fixed context vector.")] = Attention.additive,
    order: Annotated[Order, Option(help="Attend before a step (bahdanau) or after it (luong).")] = Order.bahdanau,
    input_feeding: Annotated[bool, Option("--input-feeding", help="luong: feed back what was said.")] = False,
    hidden: Annotated[int, Option(min=1, help="Units of a layer.")] = 256,
    embedding: Annotated[int, Option(min=1, help="Numbers for a token.")] = 256,
    attention_size: Annotated[
        int | None, Option(min=1, help="Units inside the attention, of the kinds that have some. [default: --hidden]")
    ] = None,
    heads: Annotated[int, Option(min=1, help="Of multi-head attention.")] = 4,
    window: Annotated[int, Option(min=1, help="local-p: positions on either side.")] = 5,
    layers: Annotated[int, Option(min=1, help="Of the encoder and of the decoder.")] = 1,
    residual: Annotated[bool, Option("--residual", help="Add a layer's input to its output.")] = False,
    readout: Annotated[
        Readout | None, Option(help="Hidden layer before the vocabulary. [default: tanh, linear without attention]")
    ] = None,
    readout_context: Annotated[bool, Option(help="Does the readout see the context?")] = True,
    readout_embedding: Annotated[bool, Option(help="Does it see the previous token?")] = False,
    tied: Annotated[
        Tied, Option(help="Target embedding and readout are one matrix; all: the source's too.")
    ] = Tied.none,
    init: Annotated[Init, Option(help="First values of matrices.")] = Init.glorot,
    recurrent_init: Annotated[RecurrentInit, Option(help="Of recurrent matrices.")] = RecurrentInit.orthogonal,
    forget_bias: Annotated[float, Option(help="Where the forget gate of an LSTM starts.")] = 1.0,
    dropout: Rate("of dropping a unit") = 0.3,
    variational: Annotated[bool, Option("--variational", help="Drop the same units at all steps.")] = False,
    word_dropout: Rate("of dropping a whole token") = 0.0,
    weight_drop: Rate("of dropping a number of a recurrent matrix") = 0.0,
    zoneout: Rate("that a unit keeps its state for a step") = 0.0,
    label_smoothing: Rate("given to all tokens alike") = 0.0,
    confidence_penalty: Share("Weight of the entropy of what is said.") = 0.0,
    coverage_loss: Share("Weight of looking again where one has looked.") = 0.0,
    samples: Annotated[int, Option(min=0, help="Sampled softmax with so many tokens; 0: the whole vocabulary.")] = 0,
    batch: Batch = 64,
    epochs: Annotated[int, Option(min=1, help="Passes over the data.")] = 10,
    optimizer: Annotated[Optimizer, Option(help="How a gradient becomes a step.")] = Optimizer.adam,
    lr: Annotated[
        float | None,
        Option(help="Step size; halved after an epoch without progress. [default: the optimiser's, 0.001 with adam]"),
    ] = None,
    weight_decay: Annotated[
        float | None, Option(help="L2; decoupled with adamw. [default: 0.01 with adamw, else 0]")
    ] = None,
    clip: Annotated[float, Option(help="Largest norm of a gradient.")] = 1.0,
    seed: Annotated[int, Option(min=0, help="The same seed gives the same bits.")] = 0,
    backend: Backend = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in --out.")] = False,
):
    """Train a translator on sentence pairs."""
    from numseq.training.run import DataOptions, is_run, resumed_options, train_run
    from numseq.training.trainer import TrainingOptions

    choose(backend)
    origin = {
        name: str(path.resolve()) if path else None
        for name, path in (("source", source), ("target", target), ("tsv", tsv),
                           ("val_source", val_source), ("val_target", val_target), ("val_tsv", val_tsv))
    }  # fmt: skip
    parts = {
        "model": {
            "cell": cell.value, "attention": attention.value, "order": order.value, "input_feeding": input_feeding,
            "embedding": embedding, "hidden": hidden, "attention_size": attention_size or hidden, "heads": heads,
            "window": window, "layers": layers, "residual": residual, "readout": readout and readout.value,
            "readout_context": readout_context, "readout_embedding": readout_embedding, "tied": tied.value,
            "init": init.value, "recurrent_init": recurrent_init.value, "forget_bias": forget_bias,
            "dropout": dropout, "variational": variational, "word_dropout": word_dropout, "weight_drop": weight_drop,
            "zoneout": zoneout, "label_smoothing": label_smoothing, "confidence_penalty": confidence_penalty,
            "coverage_loss": coverage_loss, "samples": samples,
        },
        "data": {
            "source_tokens": source_tokens.value, "target_tokens": target_tokens.value, "min_count": min_count,
            "max_length": max_length, "source_vectors": _path(source_vectors), "target_vectors": _path(target_vectors),
        },
        "training": {
            "epochs": epochs, "batch": batch, "optimizer": optimizer.value, "lr": lr, "weight_decay": weight_decay,
            "clip": clip, "seed": seed,
        },
        "origin": origin,
    }  # fmt: skip
    for option, kind in (("heads", "multi-head"), ("window", "local-p")):
        if _given(context, option) and attention.value != kind and not resume:
            raise BadParameter(f"it is of --attention {kind}, not of {attention.value}", param_hint=f"--{option}")
    if resume and not is_run(out) and not any(origin.values()):
        raise BadParameter(f"{out} holds no run to resume")
    if resume and is_run(out):
        parts = _as_begun(context, out, parts, *resumed_options(out))
    pairs, valid = _read_pairs(**parts["origin"])
    with how_to_resume(f"{program()} train --out {shlex.quote(str(out))} --resume"):
        train_run(
            out, pairs, valid, parts["model"], DataOptions(**parts["data"]), TrainingOptions(**parts["training"]),
            origin=parts["origin"], resume=resume,
        )  # fmt: skip
    print(f"the best model is in {out}; to use it: {program()} translate {shlex.quote(str(out))}")


def _path(path):
    return str(path.resolve()) if path else None


def _as_begun(context, out, parts, model, data, training, origin):
    """The parts as the run began with; an option given now may only repeat them, but for epochs and moved files."""
    from dataclasses import asdict

    if "tsv" not in (origin or {}):
        raise BadParameter(f"{out} was not begun by numseq train")
    began = {"model": model, "data": asdict(data), "training": asdict(training), "origin": origin}
    if _given(context, "epochs"):
        began["training"]["epochs"] = parts["training"]["epochs"]
    # files may have moved: train_run compares what is in them
    began["origin"] |= {name: path for name, path in parts["origin"].items() if path}
    for part in parts:
        for name, now in parts[part].items():
            if _given(context, name) and began[part][name] != now:
                option = "--" + name.replace("_", "-")
                raise BadParameter(f"{option} is {now}, but the run in {out} began with {began[part][name]}")
    return began


def _given(context, name):
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _read_pairs(source, target, tsv, val_source, val_target, val_tsv):
    """(training pairs, validation pairs or None) of the files that were named."""
    if bool(source or target) == bool(tsv):
        raise BadParameter("give --source and --target, or --tsv")
    train = _pairs(source, target, tsv, "--source and --target")
    if not (val_source or val_target or val_tsv):
        return train, None
    return train, _pairs(val_source, val_target, val_tsv, "--val-source and --val-target")


def _pairs(source, target, tsv, both):
    from numseq.data.corpus import read_parallel, read_tsv

    if tsv:
        pairs, skipped = read_tsv(tsv)
    elif source and target:
        pairs, skipped = read_parallel(source, target)
    else:
        raise BadParameter(f"{both} go together")
    if skipped:
        print(f"skipped {skipped:,} pairs with an empty side in {tsv or source}")
    return pairs
