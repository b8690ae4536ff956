"""What a model is, as a sentence of options: all that is needed to build one of the right shapes."""

from dataclasses import dataclass
from typing import Any

from numseq.data.tokens import EOS
from numseq.layers import Attention, Cell, MultiHopAttention
from numseq.layers import init as initial
from numseq.layers.sublayer import NORMS
from numseq.models.contradictions import refuse_contradictions
from numseq.models.decoders.base import Decoder
from numseq.models.memory import Memory
from numseq.models.registry import ATTENTIONS, CELLS, DECODERS, ENCODERS, HEADS, SOURCES, TARGETS
from numseq.options import option, validate
from numseq.registry import Part

READOUTS = ("tanh", "maxout", "linear")
LARGEST_SIZE = 1_000_000  # a square matrix of it would need terabytes
TIED = ("none", "target", "all")
INITS, RECURRENT_INITS = initial.MATRICES, initial.RECURRENT
PARTS = {
    "cell": CELLS, "attention": ATTENTIONS, "source": SOURCES, "encoder": ENCODERS, "target": TARGETS,
    "decoder": DECODERS, "head": HEADS,
}  # fmt: skip


@dataclass(frozen=True)
class Seq2SeqConfig:
    """What a model is, without its numbers: `Seq2SeqConfig(9000, 9000, cell="gru", attention="general", layers=2)`.

    A cell, an attention or a box of your own can be handed in where a name is taken; see `numseq.registry`.

    Raises:
        ConfigError: a value makes no sense, or two that do not go together; the message says why.
    """

    source_vocabulary: int = option(help="Tokens that the source knows.", least=1)
    target_vocabulary: int = option(help="Tokens that the target knows.", least=1)
    cell: Part = option("lstm", "Of the encoder and of the decoder.", choices=CELLS)
    attention: Part | None = option(
        None,
        "How the decoder looks; none: a fixed context vector.",
        choices=ATTENTIONS,
        otherwise="additive, none with decoder plain or vector, multi-head with decoder self-attention",
    )
    encoder: Part | None = option(
        None,
        "How the source is read: both ways or one, sentence by sentence (hops), or all at once (self-attention).",
        choices=ENCODERS,
        otherwise="bidirectional, backward without attention",
    )
    decoder: Part | None = option(
        None,
        "bahdanau: look, then step; luong: the reverse; vector: see a fixed one each time; self-attention: no steps.",
        choices=DECODERS,
        otherwise="bahdanau, plain without attention",
    )
    source: Part | None = option(
        None, "What is read.", choices=SOURCES, otherwise="tokens, sentences with encoder hops"
    )
    target: Part = option("tokens", "What was said before.", choices=TARGETS)
    head: Part = option(
        "vocabulary",
        "How probabilities are made; the others can copy words of the source.",
        choices=HEADS,
        source="See et al. 2017, Gu et al. 2016",
    )
    embedding: int = option(256, "Numbers for a token.", least=1, most=LARGEST_SIZE)
    hidden: int = option(
        256,
        "Units of a layer; each of a bidirectional encoder's directions has half of them.",
        least=1,
        most=LARGEST_SIZE,
    )
    attention_size: int = option(
        256, "Units inside the attention, of the kinds that have some.", least=1, most=LARGEST_SIZE
    )
    heads: int = option(4, "Of multi-head attention and self-attention.", least=1)
    window: int = option(5, "local-p: positions on either side.", least=1)
    hops: int = option(
        1,
        "Looks of a decoder at each step; each takes up what the one before it found.",
        least=1,
        most=1000,
        source="Sukhbaatar et al. 2015",
    )
    encoder_hops: int = option(
        3, "Encoder hops: how often it reads the sentences.", least=1, most=1000, source="Sukhbaatar et al. 2015"
    )
    sentences: int = option(
        50,
        "Encoder hops: how many sentences it remembers before the question, the last ones.",
        least=1,
        most=LARGEST_SIZE,
    )
    separator: int = option(
        EOS + 1,
        "Encoder hops: the id of the source token that parts sentences; as it is, that of the first tag.",
        least=EOS + 1,
    )
    layers: int = option(1, "Of the encoder and of the decoder.", least=1, most=1000)
    feed_forward: int | None = option(
        None,
        "Self-attention: units inside the feed-forward network of a block.",
        least=1,
        most=LARGEST_SIZE,
        otherwise="4 times hidden",
    )
    norm: str = option(
        "pre", "Self-attention: layer normalisation before a sub-layer, or after it is added.", choices=NORMS,
        source="Xiong et al. 2020; post: Vaswani et al. 2017",
    )  # fmt: skip
    residual: bool = option(  # not around the lowest decoder layer of bahdanau, which reads the context besides
        False, "Add a layer's input to its output, where both are of one width."
    )
    readout: str | None = option(
        None,
        "Hidden layer before the vocabulary; maxout: the larger of each pair of units; linear: none.",
        choices=READOUTS,
        otherwise="tanh, linear without attention and with decoder self-attention",
        source="Bahdanau et al. 2015, appendix A.2.2",
    )
    readout_context: bool | None = option(
        None, "Does the readout see the context?", otherwise="yes, no with decoder self-attention"
    )
    readout_embedding: bool = option(
        False, "Does the readout see the previous token?", source="Bahdanau et al. 2015, appendix A.2.2"
    )
    tied: str = option(
        "none",
        "target: its embedding, transposed, is the output matrix; all: the source's too, and there is one vocabulary.",
        choices=TIED,
        source="Press & Wolf 2017",
    )
    init: str = option("glorot", "First values of matrices; uniform: in +-0.08, embeddings too.", choices=INITS)
    recurrent_init: str = option("orthogonal", "Of recurrent matrices; same: as the others.", choices=RECURRENT_INITS)
    forget_bias: float = option(1.0, "Where the forget gate of an LSTM starts.", source="Jozefowicz et al. 2015")
    dropout: float = option(
        0.0,
        "Probability of dropping a unit of embeddings, between layers, and before the readout.",
        least=0,
        below=1,
        source="Srivastava et al. 2014",
    )
    variational: bool = option(
        False, "Dropout drops the same units at all steps of a sequence.", source="Gal & Ghahramani 2016"
    )
    word_dropout: float = option(
        0.0, "Probability of dropping a whole token's embedding.", least=0, below=1, source="Sennrich et al. 2016"
    )
    weight_drop: float = option(
        0.0, "Probability of dropping a number of a recurrent matrix.", least=0, below=1, source="Merity et al. 2018"
    )
    zoneout: float = option(
        0.0, "Probability that a unit keeps its state for a step.", least=0, below=1, source="Krueger et al. 2017"
    )
    empty_memories: float = option(
        0.0,
        "Encoder hops: probability that an empty memory is thought behind a sentence, so that ages vary.",
        least=0,
        below=1,
        source="Sukhbaatar et al. 2015",
    )
    samples: int = option(
        0, "Tokens drawn to stand for the vocabulary in training; 0: all of it.", least=0, source="Jean et al. 2015"
    )
    label_smoothing: float = option(
        0.0, "Share of the probability given to all tokens alike.", least=0, below=1, source="Szegedy et al. 2016"
    )
    confidence_penalty: float = option(
        0.0, "Weight of the entropy of what is said, which is rewarded.", least=0, source="Pereyra et al. 2017"
    )
    coverage_loss: float = option(
        0.0, "Weight of looking again where one has looked, with any attention.", least=0, source="See et al. 2017"
    )

    def __post_init__(self) -> None:
        for name, registry in PARTS.items():
            self._set(name, registry.name_of(getattr(self, name)))
        validate(self)
        if self.decoder is None:
            self._set("decoder", "plain" if self.attention == "none" else "bahdanau")
        if self.attention is None:
            kind = self.decoder_part
            looks = "additive" if getattr(kind, "recurrent", True) else "multi-head"
            self._set("attention", looks if kind.attends else "none")
        if self.encoder is None:
            self._set("encoder", "bidirectional" if self.attends else "backward")
        if self.source is None:
            self._set("source", self.encoder_part.source)
        if self.readout is None:
            self._set("readout", "tanh" if self.attends and self.recurrent[1] else "linear")
        if self.readout_context is None:
            self._set("readout_context", self.recurrent[1])
        refuse_contradictions(self)
        if self.feed_forward is None and not all(self.recurrent):
            self._set("feed_forward", 4 * self.hidden)

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    # the parts that the names stand for

    @property
    def boxes(self) -> tuple[Any, Any, Any, type[Decoder], Any]:
        """The kinds of the five boxes: source, encoder, target, decoder, head."""
        return (
            SOURCES.find(self.source), self.encoder_part, TARGETS.find(self.target), self.decoder_part,
            HEADS.find(self.head),
        )  # fmt: skip

    @property
    def cell_part(self) -> Cell:
        return CELLS.find(self.cell)

    @property
    def attention_part(self) -> type[Attention]:
        return ATTENTIONS.find(self.attention)

    @property
    def encoder_part(self) -> Any:
        return ENCODERS.find(self.encoder)

    @property
    def decoder_part(self) -> type[Decoder]:
        return DECODERS.find(self.decoder)

    def attend_to(self, memory: Memory, params: Any) -> Attention:
        """The attention over a Memory, made with the options that are its own."""
        kind = self.attention_part
        options = {name: getattr(self, name) for name in kind.options}
        one = params.look if self.hops > 1 else params
        attention = kind(memory.states, memory.states, one, memory.mask, **options)
        return MultiHopAttention(attention, params, self.hops) if self.hops > 1 else attention

    # what follows from them

    @property
    def attends(self) -> bool:
        """Does the decoder look at the source? If not, one fixed vector is all that it sees of it."""
        return self.attention != "none"

    @property
    def copies(self) -> bool:
        """Can words of the source be copied?"""
        return getattr(HEADS.find(self.head), "copies", False)

    @property
    def recurrent(self) -> tuple[bool, bool]:
        """Are encoder and decoder made of cells, or of blocks of self-attention?"""
        return getattr(self.encoder_part, "recurrent", True), getattr(self.decoder_part, "recurrent", True)

    @property
    def made_of(self) -> list[str]:
        """What encoder and decoder are made of: the cell, or what they themselves are called where they have none, as a
        memory network."""
        encoder, decoder = self.recurrent
        encoder = encoder and getattr(self.encoder_part, "has_cells", True)
        boxes = (self.encoder, encoder), (self.decoder, decoder)
        return list(dict.fromkeys(self.cell if cells else box for box, cells in boxes))

    @property
    def initializer(self) -> initial.Initializer:
        """Which first values the model gets."""
        return initial.Initializer(self.init, self.recurrent_init, forget_bias=self.forget_bias)

    @property
    def memory(self) -> int:
        """How many numbers a state of the memory has."""
        return self.encoder_part.width(self)

    @property
    def context(self) -> int:
        """How many numbers of the source a step's readout can see."""
        return self.memory if self.attends or self.decoder_part.shows_vector else 0

    @property
    def combined(self) -> int:
        """How many numbers the readout reads."""
        context = self.context if self.readout_context else 0
        return self.hidden + context + (self.embedding if self.readout_embedding else 0)

    @property
    def features(self) -> int:
        """How many numbers meet the output matrix: those read, or the units of the hidden layer in between."""
        if self.readout == "linear":
            return self.combined
        return self.hidden if self.tied == "none" else self.embedding
