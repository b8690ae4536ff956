"""The cells and the attentions by the names that a configuration calls them."""

from functools import partial

from numseq import layers

CELLS = {
    "lstm": layers.LSTM(),
    "lstm-peephole": layers.PeepholeLSTM(),
    "lstm-layernorm": layers.LayerNormLSTM(),
    "gru": layers.GRU(),
    "gru-reset-before": layers.GRU(reset_after=False),
    "rnn": layers.RNN(),
    "rnn-relu": layers.RNN(layers.relu_step, layers.ReLUStep),
}
ATTENTIONS = {
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
}


def attention_of(config):
    """The kind of attention of a configuration, with the options that are its own; called with keys, values, params
    and mask."""
    kind = ATTENTIONS[config.attention]
    options = {"multi-head": {"heads": config.heads}, "local-p": {"window": config.window}}.get(config.attention, {})
    return partial(kind, **options) if options else kind


def init_attention_of(config, rng, dtype):
    """First values of the attention's parameters."""
    size = config.attention_size
    return ATTENTIONS[config.attention].init(rng, config.hidden, config.hidden, size, dtype, config.initial)
