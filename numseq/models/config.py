"""A model as a sentence of configuration."""

from dataclasses import dataclass, fields

from numseq.errors import NumseqError

MODELS = ("attention", "plain")


class ConfigError(NumseqError):
    """A configuration that no model can be built from."""


def whole(name, value):
    """Raise ConfigError when an option that counts is not a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}: it must be a whole number")


@dataclass(frozen=True)
class Seq2SeqConfig:
    """What a model is, without its numbers. Sizes count units; dropout is a probability.

    Raises:
        ConfigError: a size is not positive, a rate is outside [0, 1), or the model's name is unknown.
    """

    source_vocabulary: int
    target_vocabulary: int
    model: str = "attention"  # or "plain": a fixed context vector
    embedding: int = 256
    hidden: int = 256  # of the decoder, and of the encoder, whose two directions have half of it each
    attention: int = 256
    layers: int = 1  # of the encoder and of the decoder
    dropout: float = 0.0  # on embeddings, between layers, and before the readout

    def __post_init__(self):
        if self.model not in MODELS:
            raise ConfigError(f"model is {self.model!r}: choose one of {', '.join(MODELS)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (int, "int") and (not isinstance(value, int) or value < 1):
                raise ConfigError(f"{field.name} is {value}: it must be a whole number of at least 1")
        if self.model == "attention" and self.hidden % 2:
            raise ConfigError(f"hidden is {self.hidden}: it must be even, for the encoder's two directions")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout}: it must be at least 0 and below 1")
