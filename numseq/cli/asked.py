"""What is asked of `numseq train`, and of the commands that try such runs: the options, and what follows from them."""

from typer import BadParameter

from numseq.cli.common import Group
from numseq.cli.experiment import ExperimentOptions
from numseq.cli.files import FILES, WAYS
from numseq.models.config import Seq2SeqConfig
from numseq.models.registry import ATTENTIONS
from numseq.tasks import TASKS
from numseq.training.data_options import DataOptions
from numseq.training.options import TrainingOptions

CUT = ("source_tokens", "target_tokens", "normalization", "lowercase")  # which decide what a token means
DATA = Group("Data", DataOptions)
MODEL = Group(
    "Model",
    Seq2SeqConfig,
    without=("source", "target"),  # here these are files
    dropout={"default": 0.3},
    attention_size={"default": None, "otherwise": "that of --hidden"},
)
TRAINING = Group("Training", TrainingOptions)


EXPERIMENT = ExperimentOptions(
    {"files": FILES, "data": DATA, "model": MODEL, "training": TRAINING}, instead={"files": WAYS}
)


def as_asked(asked):
    """The parts of an Experiment as a new run takes them, {"files", "data", "model", "training": {option: value}}.

    Raises: BadParameter, when an option is said that is of another attention; CheckpointError.
    """
    refuse_of_another_attention(asked)
    return completed(asked)


def refuse_of_another_attention(asked):
    """Raise BadParameter, when an option is said that the model's attention does not have."""
    model = asked.parts["model"]
    now = model["attention"] or ("multi-head" if model["decoder"] == "self-attention" else "additive")
    besides = ("heads",) if "self-attention" in (model["encoder"], model["decoder"]) else ()  # its blocks have heads
    for name, kinds in _of_attentions().items():
        if ("model", name) in asked.said and now not in kinds and name not in besides and not asked.begin:
            raise BadParameter(
                f"it is of --attention {' and '.join(kinds)}, not of {now}", param_hint=asked.said["model", name]
            )


def completed(asked):
    """The parts with what follows from others. What is not said of the data is as it suits the task. Where a run begins
    with another's weights, what is not said of the model, and of how text is cut, is as there.

    Raises: CheckpointError.
    """
    from numseq.training.run import resumed_options

    data, model = asked.parts["data"], asked.parts["model"]
    data = data | {n: value for n, value in TASKS[data["task"]].data.items() if ("data", n) not in asked.said}
    if asked.begin:
        _, there, _, _ = resumed_options(asked.begin)
        data = data | {name: getattr(there, name) for name in CUT if ("data", name) not in asked.said}
        model = {name: value for name, value in model.items() if ("model", name) in asked.said}
    else:
        model = model | {"attention_size": model["attention_size"] or model["hidden"]}
    return asked.parts | {"data": data, "model": model}


def _of_attentions():
    """{option: the kinds of attention that it is of}."""
    names = {name for part in ATTENTIONS.values() if part for name in part.options}
    return {name: [kind for kind, part in ATTENTIONS.items() if part and name in part.options] for name in names}
