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
from dataclasses import asdict
from pathlib import Path

import numpy as np

from numseq import params as trees
from numseq.backend import asarray, to_numpy
from numseq.data.tokens import Tokens
from numseq.errors import NumseqError
from numseq.files import write_atomically
from numseq.models import ConfigError, Seq2Seq, Seq2SeqConfig

FORMAT = 2
CONFIG, MODEL, TRAINING, METRICS = "config.json", "model.safetensors", "training.safetensors", "metrics.jsonl"
SOURCE_TOKENS, TARGET_TOKENS = "source.tokens.json", "target.tokens.json"


class CheckpointError(NumseqError):
    """A run that cannot be read or must not be overwritten."""


def save_arrays(path, arrays, metadata=None):
    """Write named arrays as a .safetensors file, with a JSON-able `metadata` beside them."""
    from safetensors.numpy import save

    host = {name: np.ascontiguousarray(to_numpy(array)) for name, array in arrays.items()}
    write_atomically(path, save(host, {"numseq": json.dumps({"format": FORMAT, **(metadata or {})})}))


def load_arrays(path):
    """(named arrays, metadata) of a file that `save_arrays` wrote. Raises: CheckpointError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {}).get("numseq", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: truncated or not a checkpoint ({error})") from None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not written by numseq, or by another version's format")
    return arrays, metadata


def save_run(folder, config, source_tokens, target_tokens, training):
    """Begin a run: vocabularies first, config.json last. training, a JSON-able dict: the options of the run."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, tokens in ((SOURCE_TOKENS, source_tokens), (TARGET_TOKENS, target_tokens)):
        write_atomically(folder / name, tokens.to_json().encode())
    save_config(folder, config, training)


def save_config(folder, config, training):
    """Write config.json alone."""
    described = {"format": FORMAT, "model": asdict(config), "training": training}
    write_atomically(Path(folder) / CONFIG, (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode())


def load_config(folder):
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
                f"{path}: format {described['format']}, this version reads {FORMAT}: train it anew, or use the version "
                "that it was made with"
            )
        return Seq2SeqConfig(**described["model"]), dict(described["training"])
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise CheckpointError(f"{path}: not a configuration of numseq ({error})") from None


def load_tokens(folder):
    """The two vocabularies of a run."""
    return tuple(Tokens.load(Path(folder) / name) for name in (SOURCE_TOKENS, TARGET_TOKENS))


def load_model(folder):
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


def restore(path, tree, arrays, prefix=""):
    """The tree with its leaves taken from the named arrays that begin with `prefix`, on the current backend."""
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    try:
        return trees.map(asarray, trees.replace(tree, own))
    except trees.TreeError as error:
        raise CheckpointError(f"{path}: does not fit the configuration ({prefix}{error})") from None
