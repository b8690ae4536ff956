"""Which parts a model can be made of, by the names that a configuration calls them: a part is one line here.

Parts of a reader's own are handed in as objects, or registered; see `numseq.registry`.
"""

from numseq import layers
from numseq.models.decoders.bahdanau import BahdanauDecoder
from numseq.models.decoders.luong import LuongDecoder
from numseq.models.decoders.luong_feeding import FeedingDecoder
from numseq.models.decoders.plain import PlainDecoder, VectorDecoder
from numseq.models.decoders.self_attention import SelfAttentionDecoder
from numseq.models.encoders.hops import HopsEncoder
from numseq.models.encoders.recurrent import BackwardEncoder, BidirectionalEncoder, ForwardEncoder
from numseq.models.encoders.self_attention import SelfAttentionEncoder
from numseq.models.heads.copying import CopyNetHead, PointerHead
from numseq.models.heads.vocabulary import VocabularyHead
from numseq.models.sources.sentences import SentenceSource
from numseq.models.sources.tokens import TokenSource
from numseq.models.targets.tokens import TokenTarget
from numseq.registry import Registry

CELLS = Registry(
    "cell",
    {
        "lstm": layers.LSTM(),
        "lstm-peephole": layers.PeepholeLSTM(),
        "lstm-layernorm": layers.LayerNormLSTM(),
        "gru": layers.GRU(),
        "gru-reset-before": layers.GRUBefore(),
        "rnn": layers.RNN(),
        "rnn-relu": layers.RNN(layers.relu_step),
    },
    offers=("State", "init", "project_inputs", "forward", "backward", "weight_gradients"),
)
ATTENTIONS = Registry(
    "attention",
    {
        "additive": layers.AdditiveAttention,
        "concat": layers.ConcatAttention,
        "dot": layers.DotAttention,
        "scaled-dot": layers.ScaledDotAttention,
        "general": layers.GeneralAttention,
        "local-p": layers.LocalAttention,
        "location": layers.LocationAttention,
        "coverage": layers.CoverageAttention,
        "multi-head": layers.MultiHeadAttention,
        "none": None,
    },
    offers=("options", "init", "forward", "backward", "weight_gradients"),
)
SOURCES = Registry("source", {"tokens": TokenSource, "sentences": SentenceSource}, offers=("init", "draw", "forward"))
ENCODERS = Registry(
    "encoder",
    {
        "bidirectional": BidirectionalEncoder,
        "forward": ForwardEncoder,
        "backward": BackwardEncoder,
        "hops": HopsEncoder,
        "self-attention": SelfAttentionEncoder,
    },
    offers=("width", "two_ways", "bridged", "source", "init", "draw", "forward"),
)
TARGETS = Registry("target", {"tokens": TokenTarget}, offers=("init", "draw", "forward"))
DECODERS = Registry(
    "decoder",
    {
        "plain": PlainDecoder,
        "vector": VectorDecoder,
        "bahdanau": BahdanauDecoder,
        "luong": LuongDecoder,
        "luong-feeding": FeedingDecoder,
        "self-attention": SelfAttentionDecoder,
    },
    offers=("attends", "shows_vector", "init", "draw", "start", "forward"),
)
HEADS = Registry(
    "head",
    {"vocabulary": VocabularyHead, "pointer-generator": PointerHead, "copynet": CopyNetHead},
    offers=("init", "draw", "loss", "log_probabilities"),
)
