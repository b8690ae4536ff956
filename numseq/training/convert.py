"""Runs of earlier formats brought to today's.

Format 3 had no checksums. Format 2 besides had other names: its models had an encoder and a decoder in the place of
five boxes. Nothing is computed. A run of format 2 that was under way can go on, but not to the bits that it would have
had, since noise is drawn in another order today.
"""

import math
import re
import zlib
from os import PathLike
from pathlib import Path

from numseq.models import Seq2SeqConfig
from numseq.training.arrays import FORMAT, CheckpointError, load_arrays, save_arrays
from numseq.training.checkpoint import CONFIG, METRICS, MODEL, TOKENS, TRAINING, Description, checksum, read_json
from numseq.training.lock import locked
from numseq.training.optimizers import OPTIMIZERS

FORMATS = (2, 3)
NAMES = (  # of parameters: what they were called, and are
    (r"^encoder\.embedding\.", "source."),
    (r"^encoder\.rnn\.", "encoder."),
    (r"^decoder\.embedding\.", "target."),
    (r"^decoder\.readout\.", "head."),
    (r"^decoder\.(W_context|W_feed)$", "decoder.W_extra"),
    (r"^decoder\.rnn\.(?=\D)", "decoder.rnn.0."),  # the lowest layer, where it stood apart
    (r"^decoder\.upper\.(\d+)\.", lambda found: f"decoder.rnn.{int(found[1]) + 1}."),
)


def convert(folder: str | PathLike) -> None:
    """Bring the run in `folder` to today's format. config.json is written last: until then the run is as it was, and if
    it is stopped it can be converted again.

    Raises: CheckpointError, when the folder holds no run of an earlier format.
    """
    folder = Path(folder)
    read_json(folder / CONFIG)
    with locked(folder):
        _convert(folder)


def _convert(folder):
    described, path = read_json(folder / CONFIG), folder / CONFIG
    try:
        old, model, training = described["format"], described["model"], described["training"]
        if old not in FORMATS:
            raise CheckpointError(
                f"{path}: format {old}; only runs of formats {' and '.join(map(str, FORMATS))} are converted"
            )
        config = Seq2SeqConfig(**(_model(model) if old == 2 else model))
        tokens = {name: checksum((folder / name).read_bytes()) for name in TOKENS}
        now = Description(config, dict(training), tokens)
        converted = {name: _arrays(folder / name, old, training["options"]) for name in (MODEL, TRAINING)}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    for name, found in converted.items():
        if found is not None:
            arrays, state = found
            if name == TRAINING:
                state |= _checksums(folder, state["metrics_bytes"])
            save_arrays(folder / name, arrays, state | {"format": FORMAT, "run": now.run})
    now.save(folder)


def _checksums(folder, length):
    """What the training state knows of the other files."""
    metrics, model = folder / METRICS, folder / MODEL
    found = {"metrics_crc32": zlib.crc32(metrics.read_bytes()[:length]) if metrics.exists() else 0}
    return found | {"model_crc32": load_arrays(model)[1]["crc32"] if model.exists() else None}


def _model(options):
    """The options of a model: attention before or after the step, and input feeding, are decoders today."""
    options = dict(options)
    order, feeding = options.pop("order"), options.pop("input_feeding")
    if options["attention"] == "none":
        return options | {"decoder": "plain", "encoder": "backward"}
    decoder = f"{order}-feeding" if feeding else order
    return options | {"decoder": decoder, "encoder": "bidirectional"}


def _arrays(path, old, options):
    """(arrays, metadata) as today's, of a file that is there. What was converted before the last try was
    stopped is left as it is."""
    if not path.exists():
        return None
    arrays, state = load_arrays(path, formats=(old, FORMAT))
    if state["format"] == FORMAT or old == 3:
        return arrays, state
    if path.name == MODEL:
        renamed = {_name(name): array for name, array in arrays.items()}
    else:  # params.encoder..., m.encoder...
        parts = ((*name.partition("."), array) for name, array in arrays.items())
        renamed = {f"{moment}.{_name(name)}": array for moment, _, name, array in parts}
        state["weight"], lr = state.pop("tokens"), state.pop("lr")
        first = options["lr"] or OPTIMIZERS.find(options["optimizer"])({}).lr
        decay = options["decay"]
        state["setbacks"] = round(math.log(lr / first) / math.log(decay)) if decay < 1 and lr else 0
    return renamed, state


def _name(name):
    for old, new in NAMES:
        name = re.sub(old, new, name)
    return name
