"""What a model is, as a sentence of options: all that is needed to build one of the right shapes."""

from dataclasses import dataclass, fields

from numseq.errors import NumseqError
from numseq.layers import init as initial
from numseq.models.parts import ATTENTIONS, CELLS

ORDERS = ("bahdanau", "luong")
READOUTS = ("tanh", "maxout", "linear")
TIED = ("none", "target", "all")
INITS, RECURRENT_INITS = initial.MATRICES, initial.RECURRENT


class ConfigError(NumseqError):
    """A configuration that no model can be built from."""


def whole(name, value, least=None):
    """Raise ConfigError when an option that counts is not a whole number, or is below `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
        bound = "" if least is None else f" of at least {least}"
        raise ConfigError(f"{name} is {value!r}: it must be a whole number{bound}")


@dataclass(frozen=True)
class Seq2SeqConfig:
    """What a model is, without its numbers: `Seq2SeqConfig(9000, 9000, cell="gru", attention="general", layers=2)`.

    Sizes count units; rates are probabilities of dropping something in training.

    Raises:
        ConfigError: a value makes no sense, or two that do not go together; the message says why.
    """

    source_vocabulary: int
    target_vocabulary: int
    cell: str = "lstm"  # of encoder and decoder; see numseq.models.parts.CELLS
    attention: str = "additive"  # see numseq.models.parts.ATTENTIONS; none: a fixed context vector, the plain model
    order: str = "bahdanau"  # attend with the state before the step; luong: with the state after it
    input_feeding: bool = False  # luong: what a step said goes into the next one
    embedding: int = 256
    hidden: int = 256  # of the decoder, and of the encoder, whose two directions have half of it each
    attention_size: int = 256  # hidden units of an additive score
    heads: int = 4  # of multi-head attention
    window: int = 5  # of local attention: positions on either side
    layers: int = 1  # of the encoder and of the decoder
    residual: bool = False  # a layer's input is added to its output, where both are of one width; not around the lowest
    # decoder layer in the order of Bahdanau, which reads the context besides
    readout: str | None = None  # hidden layer before the vocabulary: tanh, maxout, or linear for none;
    # None: tanh with attention, linear without
    readout_context: bool = True  # does the readout see the context?
    readout_embedding: bool = False  # does it see the previous token's embedding?
    tied: str = "none"  # target: target embedding and readout are one matrix; all: the source embedding too
    init: str = "glorot"  # first values of matrices; uniform: in +-0.08, embeddings too
    recurrent_init: str = "orthogonal"  # of recurrent matrices; same: as the others
    forget_bias: float = 1.0  # where an LSTM's forget gate starts
    dropout: float = 0.0  # on embeddings, between layers, and before the readout
    variational: bool = False  # dropout drops the same units at all steps of a sequence
    word_dropout: float = 0.0  # of whole tokens' embeddings
    weight_drop: float = 0.0  # of the numbers of recurrent matrices
    zoneout: float = 0.0  # of units that keep their state for a step
    samples: int = 0  # tokens drawn to stand for the vocabulary in training (sampled softmax); 0: all of it
    label_smoothing: float = 0.0  # share of the target's probability given to all tokens alike
    confidence_penalty: float = 0.0  # weight of the entropy that is added to the objective
    coverage_loss: float = 0.0  # weight of looking again where one has looked

    def __post_init__(self):
        known = {
            "cell": CELLS, "attention": ATTENTIONS, "order": ORDERS, "readout": (None, *READOUTS), "tied": TIED,
            "init": INITS, "recurrent_init": RECURRENT_INITS,
        }  # fmt: skip
        for name, choices in known.items():
            if getattr(self, name) not in tuple(choices):  # a list can be asked for in a tuple, but not in a dict
                names = ", ".join(choice for choice in choices if choice)
                raise ConfigError(f"{name} is {getattr(self, name)!r}: choose one of {names}")
        if self.readout is None:
            object.__setattr__(self, "readout", "tanh" if self.attends else "linear")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (int, "int"):
                whole(field.name, value, 0 if field.name == "samples" else 1)
            if field.type in (bool, "bool") and not isinstance(value, bool):
                raise ConfigError(f"{field.name} is {value!r}: it must be true or false")
            if field.type in (float, "float") and (not isinstance(value, int | float) or isinstance(value, bool)):
                raise ConfigError(f"{field.name} is {value!r}: it must be a number")
        for name in ("dropout", "word_dropout", "weight_drop", "zoneout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 0 and below 1")
        for name in ("confidence_penalty", "coverage_loss"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be finite and at least 0")
        if not abs(self.forget_bias) < float("inf"):
            raise ConfigError(f"forget_bias is {self.forget_bias}: it must be finite")
        self._together()

    def _together(self):
        """Refuse what does not go together, and what would do nothing."""
        plain, cell, attention = not self.attends, self.cell, self.attention
        of_plain = "attention is none: choose an attention, or leave {} out"
        for refused, why in (
            (
                not plain and self.hidden % 2,
                f"hidden is {self.hidden}: it must be even, for the encoder's two directions",
            ),
            (
                plain and self.input_feeding,
                "input_feeding feeds back what is made after attending, but " + of_plain.format("input_feeding"),
            ),
            (plain and self.order == "luong", "order luong says when to attend, but " + of_plain.format("order")),
            (
                plain and self.coverage_loss,
                "coverage_loss is about where the model looks, but " + of_plain.format("coverage_loss"),
            ),
            (
                plain and not self.readout_context,
                "without attention there is no context that readout_context could leave out: do without it",
            ),
            (
                self.input_feeding and self.order != "luong",
                "input_feeding feeds back what is made after attending, so it needs order luong",
            ),
            (
                self.input_feeding and cell == "lstm-layernorm" and self.layers > 1,
                "lstm-layernorm normalises the inputs of all steps at once, which input_feeding allows in the lowest "
                "layer alone: choose layers 1 or another cell",
            ),
            (
                self.order == "luong" and not self.readout_context,
                "with order luong the context is read by the readout alone, so readout_context cannot be false",
            ),
            (
                attention == "multi-head" and self.attention_size % self.heads,
                f"heads is {self.heads}: it must divide attention_size, which is {self.attention_size}: choose another "
                "number for one of them",
            ),
            (
                self.variational and not self.dropout,
                "variational says how dropout is drawn, but dropout is 0: give dropout a rate",
            ),
            (
                self.samples >= self.target_vocabulary,
                f"samples is {self.samples}, but the target vocabulary has {self.target_vocabulary} tokens: "
                "choose fewer",
            ),
            (
                self.samples and (self.label_smoothing or self.confidence_penalty),
                "label_smoothing and confidence_penalty read the probabilities of all tokens, but samples computes "
                "few: choose one or the other",
            ),
            (
                self.tied == "all" and self.source_vocabulary != self.target_vocabulary,
                f"tied is all, so source and target must share one vocabulary, but theirs have "
                f"{self.source_vocabulary} and {self.target_vocabulary} tokens",
            ),
            (
                self.tied != "none" and self.features != self.embedding,
                f"a tied readout gets {self.features} numbers and an embedding has {self.embedding}: "
                "make them equal, or choose the readout tanh or maxout",
            ),
            (
                self.forget_bias != 1 and not cell.startswith("lstm"),
                f"forget_bias is for an LSTM, but cell is {cell}: leave it out, or choose an LSTM",
            ),
        ):
            if refused:
                raise ConfigError(why)

    @property
    def attends(self):
        """Does the decoder look at the source? If not, it is the plain model."""
        return self.attention != "none"

    @property
    def initial(self):
        """Which first values the model gets."""
        return initial.Initial(self.init, self.recurrent_init, forget_bias=self.forget_bias)

    @property
    def states(self):
        """What the cell carries from step to step: ("h",) or ("h", "c")."""
        return CELLS[self.cell].states

    @property
    def combined(self):
        """How many numbers the readout reads."""
        context = self.hidden if self.attends and self.readout_context else 0
        return self.hidden + context + (self.embedding if self.readout_embedding else 0)

    @property
    def features(self):
        """How many numbers meet the output matrix: those read, or the units of the hidden layer in between."""
        if self.readout == "linear":
            return self.combined
        return self.hidden if self.tied == "none" else self.embedding
