"""A run on disk: a folder that a crash at any moment leaves whole, and whose files know one another.

    config.json             what the model is and how it is trained; written last of the first three, so a folder with
                            it is a run, and one without is none
    source.tokens.json      vocabularies, as the `tokenizers` library reads them
    target.tokens.json
    model.safetensors       the best parameters so far: all that translating needs
    training.safetensors    the latest parameters, the optimiser's moments, and where in the data the run is
    metrics.jsonl           one JSON object a line
    checkpoints/            further models, the best and the latest, where they are asked for

Every file is written under another name first, forced to the disk, and then takes its place in one step. Each has a
checksum: config.json and the arrays have their own, config.json has those of the tokens, and training.safetensors has
those of the model and the metrics. What makes a run this run and no other (`Description.run`) stands in both files of
arrays. Nothing that is loaded can execute anything: JSON and plain arrays only.
"""

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import arguments
from numseq import params as trees
from numseq.backend import asarray
from numseq.data.tokens import Tokens
from numseq.errors import ConfigError
from numseq.files import make_folder, write_atomically
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.search.scoring import EXTRA
from numseq.training.arrays import FORMAT, CheckpointError, load_arrays, restore

CONFIG, MODEL, TRAINING, METRICS = "config.json", "model.safetensors", "training.safetensors", "metrics.jsonl"
CHECKPOINTS = "checkpoints"
TOKENS = SOURCE_TOKENS, TARGET_TOKENS = "source.tokens.json", "target.tokens.json"
CHANGEABLE = (  # options of training that may be others when a run is resumed
    "epochs", "updates", "threads", "lr", "schedule", "warmup", "decay", "decay_every", "min_lr", "patience",
    "keep_best", "keep_last", "show", "tensorboard",
)  # fmt: skip
CHANGED_IN_PLACE = ("epochs", "threads")  # by earlier versions, which had no others


@dataclass(frozen=True)
class Description:
    """What config.json says: the model's configuration, how it is trained, and the checksums of the token files.

    model: the configuration as it is written there; a run of an earlier version lacks options that are newer.
    """

    config: Seq2SeqConfig
    training: dict[str, Any]
    tokens: dict[str, str]
    model: dict[str, Any] | None = None

    @property
    def written(self) -> dict[str, Any]:
        """The configuration as it is written."""
        return asdict(self.config) if self.model is None else self.model

    @property
    def run(self) -> str:
        """A digest of all that decided the run's numbers when it began."""
        training = {name: value for name, value in self.training.items() if name not in ("origin", "where", "changed")}
        if isinstance(options := training.get("options"), dict):
            training["options"] = {name: value for name, value in options.items() if name not in CHANGED_IN_PLACE}
        said = _canonical({"model": self.written, "training": training, "tokens": self.tokens})
        return hashlib.sha256(said).hexdigest()[:16]

    def save(self, folder: str | PathLike) -> None:
        """Write config.json."""
        said = {"format": FORMAT, "model": self.written, "training": self.training, "tokens": self.tokens}
        said["crc32"] = checksum(_canonical(said))
        write_atomically(Path(folder) / CONFIG, (json.dumps(said, indent=2) + "\n").encode())

    @classmethod
    def load(cls, folder: str | PathLike) -> "Description":
        """Read config.json. Raises: CheckpointError, when there is none, or another than was written."""
        path = Path(folder) / CONFIG
        said = read_json(path)
        try:
            if said["format"] != FORMAT:
                raise CheckpointError(
                    f"{path}: format {said['format']}, and this version reads {FORMAT}: `numseq convert DIR` brings "
                    "one of format 2 or 3 to it; others need the version that they were made with"
                )
            if said.pop("crc32", None) != checksum(_canonical(said)):
                raise CheckpointError(
                    f"{path}: changed since it was written, its checksum does not fit: take it from a copy (epochs "
                    "are added by `numseq train --resume --epochs N`)"
                )
            training = dict(said["training"])
            limits = {"max_length": training.get("data", {}).get("max_length"), "extra": training.get("extra")}
            for name, limit in limits.items():  # commands that decode look at them
                if not (limit is None or (type(limit) is int and limit >= 0)):
                    raise ValueError(f"{name} is {limit!r:.80}")
            model = dict(said["model"])
            return cls(Seq2SeqConfig(**model), training, dict(said["tokens"]), model)
        except ConfigError as error:
            raise CheckpointError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path}: not a configuration of numseq ({error})") from None


def create_model(folder: str | PathLike, config: Seq2SeqConfig, seed: int | None = None) -> Seq2Seq:
    """A model of a run's configuration, to put what was saved into; zeros without a seed.

    Raises: CheckpointError, when the files of arrays are too small for one of these sizes, before memory is taken; or
        when there is no memory for it.
    """
    path, files = Path(folder) / CONFIG, [Path(folder) / name for name in (MODEL, TRAINING)]
    held = [file.stat().st_size // 4 for file in files if file.is_file()]  # numbers of four bytes, at most
    for name in ("embedding", "hidden", "layers"):  # some parameter has at least so many numbers
        if held and (size := getattr(config, name)) > max(held):
            raise CheckpointError(f"{path}: {name} is {size}, too large for what {MODEL} and {TRAINING} hold")
    try:
        return Seq2Seq.create(config, seed)
    except (MemoryError, ValueError) as error:  # NumPy has both for an array that is too large
        raise CheckpointError(
            f"{path}: a model of these sizes cannot be made ({error or 'not enough memory'})"
        ) from None


def read_json(path: Path) -> Any:
    """What a JSON file of a run holds. Raises: CheckpointError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{path.parent}: not a run of numseq (it has no {path.name})") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    except RecursionError:
        raise CheckpointError(f"{path}: cannot be read (nested too deeply)") from None


def checksum(data: bytes) -> str:
    """The CRC-32 of some bytes, eight digits."""
    return f"{zlib.crc32(data):08x}"


def _canonical(said):
    return json.dumps(said, sort_keys=True).encode()


def check_vacant(folder: Path) -> None:
    """Raise CheckpointError, when a folder holds a run, or a part of one, which a new one would be written over."""
    if (folder / CONFIG).exists():
        raise CheckpointError(f"{folder} already holds a run: add --resume, or choose another folder")
    if left := [name for name in (MODEL, TRAINING, METRICS, CHECKPOINTS) if (folder / name).exists()]:
        raise CheckpointError(f"{folder} has a {left[0]} but no {CONFIG}, so it is no run: choose another folder")


def save_run(
    folder: str | PathLike,
    config: Seq2SeqConfig,
    source_tokens: Tokens,
    target_tokens: Tokens,
    training: dict[str, Any],
) -> None:
    """Begin a run: vocabularies first, config.json last. training, a JSON-able dict: the options of the run.

    Raises: CheckpointError, see `check_vacant`.
    """
    folder = Path(folder)
    check_vacant(folder)
    make_folder(folder)
    texts = {SOURCE_TOKENS: source_tokens.to_json().encode(), TARGET_TOKENS: target_tokens.to_json().encode()}
    for name, text in texts.items():
        write_atomically(folder / name, text)
    training = json.loads(json.dumps(training))  # as it will be read, so that its digest is the same
    Description(config, training, {name: checksum(text) for name, text in texts.items()}).save(folder)


def load_config(folder: str | PathLike) -> tuple[Seq2SeqConfig, dict[str, Any]]:
    """(Seq2SeqConfig, training options) of a run. Raises: CheckpointError, when the folder holds none."""
    described = Description.load(folder)
    return described.config, described.training


def load_extra(folder: str | PathLike) -> int:
    """The `extra` of a run's Translator, found when it began; the usual one in a run of an earlier version."""
    return load_config(folder)[1].get("extra", EXTRA)


def load_tokens(folder: str | PathLike) -> tuple[Tokens, Tokens]:
    """The two vocabularies of a run. Raises: CheckpointError or TokenError, when they are not those it began with."""
    described = Description.load(folder)
    config, tokens = described.config, []
    for name, size in zip(TOKENS, (config.source_vocabulary, config.target_vocabulary), strict=True):
        path = Path(folder) / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
        if checksum(data) != described.tokens.get(name):
            raise CheckpointError(f"{path}: not the vocabulary that this run began with: take it from a copy")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise CheckpointError(f"{path}: not UTF-8, and so no vocabulary") from None
        tokens.append(Tokens.from_json(text, path))
        if len(tokens[-1]) != size:
            raise CheckpointError(f"{path}: {len(tokens[-1])} tokens, where {CONFIG} says {size}")
    return tokens[0], tokens[1]


def load_model(folder: str | PathLike) -> tuple[Seq2Seq, Tokens, Tokens]:
    """(model, source tokens, target tokens) of a run, on the current backend: its best parameters so far.

    Raises: CheckpointError or TokenError, which name the file and what is wrong with it.
    """
    described, path = Description.load(folder), Path(folder) / MODEL
    tokens = load_tokens(folder)
    if not path.exists():
        raise CheckpointError(f"{folder}: no model yet; the first is kept after the first epoch")
    arrays, metadata = load_arrays(path)
    if metadata.get("run") != described.run:
        raise CheckpointError(f"{path}: of another run than {CONFIG}, or of other options")
    model = create_model(folder, described.config)
    model.params = restore(path, model.params, arrays)
    return model, *tokens


def load_metrics(folder: str | PathLike) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, a list of dicts, [] where there is none. Raises: CheckpointError."""
    path = Path(folder) / METRICS
    try:
        return [dict(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None


def load_part(model: Seq2Seq, folder: str | PathLike, prefix: str) -> None:
    """Take a part of another run's model over, to train on from there.

    Args: model, a Seq2Seq, whose parameters are changed. folder, of the run. prefix, the beginning of the names of the
        parameters that are taken: "encoder", "decoder.attention".
    Raises: CheckpointError, when the run cannot be read, has no such part, or one of another shape; ArgumentError.
    """
    arguments.one_of(model, "model", Seq2Seq)
    path, prefix = arguments.path(folder, "folder") / MODEL, arguments.text(prefix, "prefix")
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
