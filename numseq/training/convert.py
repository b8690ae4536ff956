"""Runs of format 2, whose models had an encoder and a decoder, brought to today's format with its five boxes.

Nothing is computed: options and parameters have other names. A run that was under way can go on, if not to the bits
that it would have had, since noise is drawn in another order today.
"""

import json
import math
import re
from os import PathLike
from pathlib import Path

from numseq.files import write_atomically
from numseq.training.checkpoint import CONFIG, FORMAT, MODEL, TRAINING, CheckpointError, load_arrays, save_arrays
from numseq.training.optimizers import OPTIMIZERS

OLD = 2
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

    Raises: CheckpointError, when the folder holds no run of format 2.
    """
    folder = Path(folder)
    path = folder / CONFIG
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        old = described["format"]
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: not a run of numseq (it has no {CONFIG})") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    if old != OLD:
        raise CheckpointError(f"{path}: format {old}; only runs of format {OLD} are converted")
    for name in (MODEL, TRAINING):
        if (folder / name).exists():
            _convert_arrays(folder / name, described["training"]["options"])
    described["format"], described["model"] = FORMAT, _model(described["model"])
    write_atomically(path, (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode())


def _model(options):
    """The options of a model: attention before or after the step, and input feeding, are decoders today."""
    options = dict(options)
    order, feeding = options.pop("order"), options.pop("input_feeding")
    if options["attention"] == "none":
        return options | {"decoder": "plain", "encoder": "backward"}
    decoder = f"{order}-feeding" if feeding else order
    return options | {"decoder": decoder, "encoder": "bidirectional"}


def _convert_arrays(path, options):
    arrays, state = load_arrays(path, formats=(OLD, FORMAT))
    if state.pop("format") == FORMAT:
        return  # converted before the last try was stopped
    if path.name == MODEL:
        renamed = {_name(name): array for name, array in arrays.items()}
    else:  # params.encoder..., m.encoder...
        parts = ((*name.partition("."), array) for name, array in arrays.items())
        renamed = {f"{moment}.{_name(name)}": array for moment, _, name, array in parts}
    if path.name == TRAINING:
        state["weight"], lr = state.pop("tokens"), state.pop("lr")
        first = options["lr"] or OPTIMIZERS.find(options["optimizer"])({}).lr
        decay = options["decay"]
        state["setbacks"] = round(math.log(lr / first) / math.log(decay)) if decay < 1 and lr else 0
    save_arrays(path, renamed, state)


def _name(name):
    for old, new in NAMES:
        name = re.sub(old, new, name)
    return name
