"""A run on disk: a folder that a crash at any moment leaves whole.

    config.json             what the model is and how it is trained; written last of the first three, so a folder with
                            it is a run, and one without is none
    source.tokens.json      vocabularies, as the `tokenizers` library reads them
    target.tokens.json
    model.safetensors       the best parameters so far: all that translating needs
    training.safetensors    the latest parameters, the optimiser's moments, and where in the data the run is
    metrics.jsonl           one JSON object a line

Every file is written under another name first, forced to the disk, and then takes its place in one step. Nothing that
is loaded can execute anything: JSON and plain arrays only.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import Array, asarray, to_numpy
from numseq.data.tokens import Tokens
from numseq.errors import ConfigError, NumseqError
from numseq.files import write_atomically
from numseq.models import Seq2Seq, Seq2SeqConfig

FORMAT = 3
CONFIG, MODEL, TRAINING, METRICS = "config.json", "model.safetensors", "training.safetensors", "metrics.jsonl"
SOURCE_TOKENS, TARGET_TOKENS = "source.tokens.json", "target.tokens.json"


class CheckpointError(NumseqError):
    """A run that cannot be read or must not be overwritten."""


def save_arrays(path: str | PathLike, arrays: Mapping[str, Array], metadata: dict[str, Any] | None = None) -> None:
    """Write named arrays as a .safetensors file, with a JSON-able `metadata` beside them."""
    from safetensors.numpy import save

    host = {name: np.ascontiguousarray(to_numpy(array)) for name, array in arrays.items()}
    write_atomically(path, save(host, {"numseq": json.dumps({"format": FORMAT, **(metadata or {})})}))


def load_arrays(
    path: str | PathLike, formats: tuple[int, ...] = (FORMAT,)
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(named arrays, metadata) of a file that `save_arrays` wrote, in one of the formats. Raises: CheckpointError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {}).get("numseq", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: truncated or not a checkpoint ({error})") from None
    if not isinstance(metadata, dict) or metadata.get("format") not in formats:
        raise CheckpointError(f"{path}: not written by numseq, or by another version's format")
    return arrays, metadata


def save_run(
    folder: str | PathLike,
    config: Seq2SeqConfig,
    source_tokens: Tokens,
    target_tokens: Tokens,
    training: dict[str, Any],
) -> None:
    """Begin a run: vocabularies first, config.json last. training, a JSON-able dict: the options of the run."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, tokens in ((SOURCE_TOKENS, source_tokens), (TARGET_TOKENS, target_tokens)):
        write_atomically(folder / name, tokens.to_json().encode())
    save_config(folder, config, training)


def save_config(folder: str | PathLike, config: Seq2SeqConfig, training: dict[str, Any]) -> None:
    """Write config.json alone."""
    described = {"format": FORMAT, "model": asdict(config), "training": training}
    write_atomically(Path(folder) / CONFIG, (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode())


def load_config(folder: str | PathLike) -> tuple[Seq2SeqConfig, dict[str, Any]]:
    """(Seq2SeqConfig, training options) of a run. Raises: CheckpointError, when the folder holds none."""
    path = Path(folder) / CONFIG
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: not a run of numseq (it has no {CONFIG})") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    try:
        if described["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: format {described['format']}, and this version reads {FORMAT}: `numseq convert DIR` brings "
                "one of format 2 to it; others need the version that they were made with"
            )
        return Seq2SeqConfig(**described["model"]), dict(described["training"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a configuration of numseq ({error})") from None


def load_tokens(folder: str | PathLike) -> tuple[Tokens, Tokens]:
    """The two vocabularies of a run."""
    return Tokens.load(Path(folder) / SOURCE_TOKENS), Tokens.load(Path(folder) / TARGET_TOKENS)


def load_model(folder: str | PathLike) -> tuple[Seq2Seq, Tokens, Tokens]:
    """(model, source tokens, target tokens) of a run, on the current backend: its best parameters so far.

    Raises: CheckpointError or TokenError, which name the file and what is wrong with it.
    """
    config, _ = load_config(folder)
    path = Path(folder) / MODEL
    if not path.exists():
        raise CheckpointError(f"{folder}: no model yet; the first is kept after the first epoch")
    tokens = load_tokens(folder)
    sizes = (config.source_vocabulary, config.target_vocabulary)
    if sizes != (len(tokens[0]), len(tokens[1])):
        raise CheckpointError(f"{folder}: {CONFIG} says vocabularies of {sizes}, the token files hold others")
    arrays, _ = load_arrays(path)
    model = Seq2Seq.create(config)
    model.params = restore(path, model.params, arrays)
    return model, *tokens


def load_part(model: Seq2Seq, folder: str | PathLike, prefix: str) -> None:
    """Take a part of another run's model over, to train on from there.

    Args: model, a Seq2Seq, whose parameters are changed. folder, of the run. prefix, the beginning of the names of the
        parameters that are taken: "encoder", "decoder.attention".
    Raises: CheckpointError, when the run cannot be read, has no such part, or one of another shape.
    """
    path = Path(folder) / MODEL
    arrays, _ = load_arrays(path)
    mine = {name: leaf for name, leaf in trees.walk(model.params) if name == prefix or name.startswith(f"{prefix}.")}
    if not mine:
        raise CheckpointError(f"the model has no parameter whose name begins with {prefix!r}")
    for name, leaf in mine.items():
        if name not in arrays or arrays[name].shape != leaf.shape:
            found = f"of shape {arrays[name].shape}" if name in arrays else "missing"
            raise CheckpointError(f"{path}: {name} is {found}, and this model's has shape {leaf.shape}")
    taken = {name: asarray(arrays[name], leaf.dtype) for name, leaf in mine.items()}
    model.params = trees.replace(model.params, dict(trees.walk(model.params)) | taken)


def restore(path: str | PathLike, tree: trees.Tree, arrays: Mapping[str, Array], prefix: str = "") -> trees.Tree:
    """The tree with its leaves taken from the named arrays that begin with `prefix`, on the current backend."""
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    try:
        return trees.map(asarray, trees.replace(tree, own))
    except trees.TreeError as error:
        raise CheckpointError(f"{path}: does not fit the configuration ({prefix}{error})") from None
