"""A run from text: pairs of strings in, a folder with a trained translator out; begun anew or resumed."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import arguments
from numseq import params as trees
from numseq.backend import asarray, current
from numseq.data.corpus import corpus_of
from numseq.data.vectors import load_vectors
from numseq.errors import ArgumentError, ConfigError, shown
from numseq.models import ATTENTIONS, Seq2Seq, Seq2SeqConfig
from numseq.options import options_of
from numseq.search.translate import Translator
from numseq.tasks import TASKS
from numseq.threads import blas_threads, run_threads
from numseq.training.arrays import CheckpointError
from numseq.training.begin_from import begin_from, model_of, weights_of
from numseq.training.changes import changed, refuse_changes, tell_changes
from numseq.training.checkpoint import (
    CONFIG,
    TRAINING,
    Description,
    check_vacant,
    create_model,
    load_config,
    load_extra,
    load_model,
    load_tokens,
    save_run,
)
from numseq.training.data_options import WHERE, DataOptions, vocabularies
from numseq.training.experiment import save_experiment
from numseq.training.lock import locked
from numseq.training.lr_range import LRRange, RangeOptions, lr_range
from numseq.training.memory import check_memory
from numseq.training.options import TrainingOptions
from numseq.training.tensorboard import check_installed
from numseq.training.text import ids_of, survey
from numseq.training.trainer import Trainer, not_frozen
from numseq.training.validation import extra_for, scorer_of_validation


def train_run(
    folder: str | PathLike,
    train: Iterable[tuple[str, str]],
    valid: Iterable[tuple[str, str]] | None,
    model: dict[str, Any],
    data: DataOptions,
    training: TrainingOptions,
    *,
    origin: dict[str, Any] | None = None,
    resume: bool = False,
    begin: str | PathLike | None = None,
    prepare: Callable[[Seq2Seq], Any] | None = None,
    trainer: Callable[..., Trainer] = Trainer,
    say: Callable[[str], Any] = print,
) -> tuple[Translator, list[dict[str, Any]]]:
    """Train a translator on pairs of strings and keep it in a folder.

    Args: folder, of the run; made when it is not there. train, valid: a Corpus of files, or any iterable of pairs
        (source, target) or of dicts, at least one; valid may be None: then a seeded part of train is held out. model:
        the fields of a Seq2SeqConfig but for the vocabularies, a dict. data: DataOptions. training: TrainingOptions.
        origin: a JSON-able dict kept in config.json, to find the data again. resume: go on with the run in the
        folder, if it holds one; its model and vocabularies are then those that it began with. begin: folder of
        another run, with whose weights this one begins (`begin_from`); what `model` does not say is then as there.
        prepare: called with a new run's model before training, as to take over a part of another run's (`load_part`).
        trainer: what trains, a class of one's own that is made and runs as Trainer does.
        say: called with lines of text.
    Returns: (Translator with the best parameters, metrics of all epochs).
    Raises: CheckpointError, when the folder holds a run and resume is False, or when the data are not those that the
        run began with; ArgumentError, DataError, TokenError, ConfigError before anything is written.
    """
    folder = arguments.path(folder, "folder")
    model, origin = _model(model), _origin(origin)
    begin = None if begin is None else str(arguments.path(begin, "begin").resolve())
    arguments.one_of(data, "data", DataOptions)
    train, valid = _corpora(train, valid, data)
    arguments.one_of(training, "training", TrainingOptions)
    arguments.one_of(resume, "resume", bool)
    arguments.function(say, "say")
    if prepare is not None:
        arguments.function(prepare, "prepare")
    arguments.function(trainer, "trainer")
    with locked(folder, say):
        return _train_run(folder, train, valid, model, data, training, origin, resume, begin, prepare, trainer, say)


def _train_run(folder, train, valid, model, data, training, origin, resume, begin, prepare, trainer, say):
    """`train_run`, in a folder that is locked."""
    going_on = resume and is_run(folder)
    if not going_on:
        check_vacant(folder)
    text = survey(train, valid, training.seed, say)
    if going_on:
        described = _as_begun(folder, text, model, data, training, begin)
        config, tokens, before = load_config(folder)[0], load_tokens(folder), resumed_options(folder)[2]
    else:
        described = {"from": begin, "weights": weights_of(begin)} if begin else {}
        config, tokens = _new(text, model, data, begin)
        before = training
    if text.held_out:
        say(f"held out {text.n_valid:,} of {text.n_train + text.n_valid:,} pairs for validation")
    how = tokens, data, training.seed, say, config.copies
    train, valid = (ids_of(text, part, *how) for part in ("training", "validation"))
    with blas_threads(1):  # first values are the seed's alone, not those of a number of threads
        network = create_model(folder, config, training.seed) if going_on else Seq2Seq.create(config, training.seed)
    threads = before.threads if going_on else None
    training = replace(training, threads=run_threads(training.threads, threads, network.params, training.rows, say))
    not_frozen(network.params, training)
    if not (folder / TRAINING).exists():  # so too when the run was stopped before its first checkpoint
        _put_first_values(network, tokens, data, described.get("from"), say)
        if prepare:
            prepare(network)
    extra = load_extra(folder) if going_on else extra_for(train)
    scorer = scorer_of_validation(text.valid, tokens, training, data.longest[0], data.long, say, extra)
    if training.tensorboard:
        check_installed()
    with blas_threads(training.threads):
        check_memory(network, train, training, say)
    where = {name: getattr(data, name) for name in WHERE}
    if not going_on:
        described = described | {
            "origin": origin,
            "fingerprint": text.fingerprint,
            "data": {name: value for name, value in asdict(data).items() if name not in WHERE},
            "options": asdict(training),
            "where": where,
            "extra": extra,
        }
        save_run(folder, config, tokens[0], tokens[1], described)

    trainer = trainer(network, train, valid, folder, training, say=say, resume=going_on, scorer=scorer)
    now = described | {"changed": changed(described["options"], training), "origin": origin, "where": where}
    if now != {"changed": {}, "where": dict.fromkeys(WHERE)} | described:  # kept, so that the next --resume knows
        replace(Description.load(folder), training=now).save(folder)
    _save_experiment(folder, config, data, training, now)
    attention = f"{config.attention} attention" if config.attends else "no attention"
    made_of = ", ".join([*config.made_of, attention])
    say(
        f"{made_of}, {trees.count(network.params):,} parameters; {len(train):,} training pairs, "
        f"{len(tokens[0]):,} source and {len(tokens[1]):,} target tokens"
    )
    if tell_changes(before, training, say):
        say(f"step size of the next update: {trainer.next_lr():.2g}")
    if why := trainer.ending():
        say(f"{why} already" if why.endswith("done") else why)
    elif trainer.progress.updates:
        say(f"going on at epoch {trainer.progress.epoch}, update {trainer.progress.step + 1}")
    metrics = trainer.run()
    return Translator(*load_model(folder), extra=extra), metrics


def try_step_sizes(
    train: Iterable[tuple[str, str]],
    valid: Iterable[tuple[str, str]] | None,
    model: dict[str, Any],
    data: DataOptions,
    training: TrainingOptions,
    tried: RangeOptions,
    *,
    begin: str | PathLike | None = None,
    say: Callable[[str], Any] = print,
) -> LRRange:
    """The range test of a run from text, with the batches and first parameters that `train_run` would have.

    Args: those of `train_run`, and tried, a RangeOptions.
    Returns: an LRRange. Raises: ArgumentError, DataError, TokenError, ConfigError, DivergedError.
    """
    model = _model(model)
    arguments.one_of(data, "data", DataOptions)
    arguments.one_of(training, "training", TrainingOptions)
    train, valid = _corpora(train, valid, data)
    text = survey(train, valid, training.seed, say)
    config, tokens = _new(text, model, data, begin)
    pairs = ids_of(text, "training", tokens, data, training.seed, say, config.copies)
    with blas_threads(1):
        network = Seq2Seq.create(config, training.seed)
    _put_first_values(network, tokens, data, begin, say)
    check_memory(network, pairs, training, say)
    return lr_range(network, pairs, training, tried)


def _corpora(train, valid, data):
    """Both as corpora, valid only if it is one."""
    columns = data.source_column, data.target_column
    return corpus_of(train, "train", *columns), None if valid is None else corpus_of(valid, "valid", *columns)


def _new(text, model, data, begin):
    """(Seq2SeqConfig, (source tokens, target tokens)) of a run that begins."""
    model = (model_of(begin) if begin else {}) | model
    sources, targets = text.columns()
    tags = text.tags or TASKS[data.task].tags  # the corpus may have more, as those of speakers
    tokens = vocabularies(sources, targets, data, data.joint or model.get("tied") == "all", tags)
    return Seq2SeqConfig(len(tokens[0]), len(tokens[1]), **model), tokens


def _as_begun(folder, text, model, data, training, begin):
    """What config.json says of the training of a run that goes on. Raises: CheckpointError, when what is asked for now
    is another run."""
    config, described = load_config(folder)
    if "averaged" in described:
        raise CheckpointError(f"{folder} holds the mean of models, and nothing to resume: resume the run they are of")
    if described.get("fingerprint") != text.fingerprint:
        raise CheckpointError(f"{folder}: the training data are not those that this run began with")
    _, began_data, before, _ = resumed_options(folder)
    given = {name: value for name, value in model.items() if value is not None}
    of_data = {name: value for name, value in asdict(data).items() if name not in WHERE}
    for began, now in ((config, given), (began_data, of_data), (before, asdict(training))):
        refuse_changes(folder, asdict(began), now)
    there = described.get("from")
    if begin not in (None, there):
        raise CheckpointError(f"{folder}: begin is {begin}, but the run began with {there}")
    if there and not (folder / TRAINING).exists() and weights_of(there) != described["weights"]:
        raise CheckpointError(
            f"{folder} was stopped before its first step, and {there}, with whose weights it begins, has others by "
            "now: begin in another folder"
        )
    return described


def _put_first_values(network, tokens, data, begin, say):
    """Give a new model the weights of another run, and the vectors of files, where these are asked for."""
    if begin:
        begin_from(network, tokens, begin, say)
    _put_vectors(network, data, tokens, say)


def _save_experiment(folder, config, data, training, described):
    """Write experiment.toml, without the options of other attentions than the model's."""
    others = {name for part in ATTENTIONS.values() if part for name in part.options}
    others -= set(config.attention_part.options if config.attends else ())
    model = {n: value for n, value in asdict(config).items() if n not in others and not n.endswith("_vocabulary")}
    tables = {
        "files": (None, {name: path for name, path in (described["origin"] or {}).items() if _are_files(path)}),
        "data": (DataOptions, asdict(data)),
        "model": (Seq2SeqConfig, model),
        "training": (TrainingOptions, asdict(training)),
    }
    save_experiment(folder, {"backend": current().__name__, "from": described.get("from")}, tables)


def _are_files(given):
    """Whether something kept as an origin is the full name of a file or - for standard input, or a list of such."""
    paths = given if isinstance(given, list) else [given]
    return all(isinstance(path, str) and (path == "-" or Path(path).is_absolute()) for path in paths)


def _model(given):
    """The fields of a Seq2SeqConfig but for the vocabularies."""
    if not isinstance(given, Mapping):
        raise ArgumentError(f"model is {shown(given)}: it must be a dict, of options of a Seq2SeqConfig")
    for name in given:
        if name not in options_of(Seq2SeqConfig):
            raise ArgumentError(f"model has {shown(name)}, which is no option of a Seq2SeqConfig")
        if name.endswith("_vocabulary"):
            raise ArgumentError(f"model has {name}: that follows from the data")
    return dict(given)


def _origin(given):
    """A dict that config.json can keep, or None."""
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError(f"origin is {shown(given)}: it must be a dict")
    try:
        json.dumps(given)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"origin cannot be kept as JSON: {error}") from None
    return given


def is_run(folder: str | PathLike) -> bool:
    """Whether the folder holds a run; one that was stopped before config.json was written is none."""
    return (Path(folder) / CONFIG).exists()


def resumed_options(
    folder: str | PathLike,
) -> tuple[dict[str, Any], DataOptions, TrainingOptions, dict[str, Any] | None]:
    """(model fields, DataOptions, TrainingOptions, origin) of the run in a folder."""
    config, described = load_config(folder)
    model = asdict(config)
    del model["source_vocabulary"], model["target_vocabulary"]
    try:
        # normalization: as before there was a choice
        data = DataOptions(**{"normalization": "none"} | described["data"] | described.get("where", {}))
        training = TrainingOptions(**described["options"] | described.get("changed", {}))
        described["fingerprint"]  # what train_run will compare
        return model, data, training, described["origin"]
    except (KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{folder}/{CONFIG}: not a configuration of numseq ({error})") from None


def _put_vectors(model, data, tokens, say):
    """Begin the embeddings with the vectors of the files that are named."""
    sides = ("source", data.source_vectors, model.params.source), ("target", data.target_vectors, model.params.target)
    for (side, path, embedding), known in zip(sides, tokens, strict=True):
        if path is None:
            continue
        if embedding is None:
            raise ConfigError(f"{side}_vectors: with tied all there is one embedding, so give target_vectors")
        ids, vectors = load_vectors(path, known, model.config.embedding)
        embedding.W[asarray(ids)] = asarray(vectors, embedding.W.dtype)
        say(f"{len(ids):,} of {len(known):,} {side} tokens begin with vectors of {path}")
