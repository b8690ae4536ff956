"""The layers: each file is one idea, read top to bottom: equations, record, forward, backward."""

from numseq.layers.activations import log_softmax, relu, sigmoid, softmax, tanh
from numseq.layers.attention.additive import (
    AdditiveAttention,
    AdditiveParams,
    ConcatAttention,
    additive_attention,
    init_attention,
)
from numseq.layers.attention.base import Attention, attend
from numseq.layers.attention.coverage import CoverageAttention, CoverageParams, coverage_attention
from numseq.layers.attention.dot import (
    DotAttention,
    GeneralAttention,
    GeneralParams,
    ScaledDotAttention,
    dot_attention,
    general_attention,
)
from numseq.layers.attention.local import LocalAttention, LocalParams, local_attention
from numseq.layers.attention.location import LocationAttention, LocationParams, location_attention
from numseq.layers.attention.multihead import MultiHeadAttention, MultiHeadParams, multihead_attention
from numseq.layers.attention.multihop import MultiHopAttention, MultiHopParams, init_multihop, multihop_attention
from numseq.layers.attention.self_attention import self_attention
from numseq.layers.batchnorm import (
    BatchNormParams,
    BatchNormState,
    batch_norm,
    follow_batch,
    init_batch_norm,
    init_batch_norm_state,
)
from numseq.layers.cells.bidirectional import BidirectionalParams, bidirectional, init_bidirectional
from numseq.layers.cells.cell import Cell, CellState, HiddenState
from numseq.layers.cells.gru import GRU, GRUParams, GRUStep, gru, gru_step, init_gru
from numseq.layers.cells.gru_before import GRUBefore, GRUBeforeStep, gru_before_step
from numseq.layers.cells.layernorm_lstm import (
    LayerNormLSTM,
    LayerNormLSTMParams,
    LayerNormLSTMStep,
    init_layernorm_lstm,
    layernorm_lstm,
    layernorm_lstm_step,
)
from numseq.layers.cells.lstm import LSTM, LSTMParams, LSTMStep, init_lstm, lstm, lstm_step
from numseq.layers.cells.peephole import (
    PeepholeLSTM,
    PeepholeParams,
    PeepholeStep,
    init_peephole,
    peephole_lstm,
    peephole_step,
)
from numseq.layers.cells.rnn import RNN, ReLUStep, RNNParams, RNNStep, init_rnn, relu_step, rnn, rnn_step
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.cells.stack import stack
from numseq.layers.convolution import ConvolutionParams, convolution, init_convolution
from numseq.layers.dropout import dropout, dropout_mask
from numseq.layers.embedding import EmbeddingParams, embedding, init_embedding
from numseq.layers.feed_forward import FeedForwardParams, feed_forward, init_feed_forward
from numseq.layers.hops import hops
from numseq.layers.init import Initializer
from numseq.layers.layernorm import LayerNormParams, init_layer_norm, layer_norm
from numseq.layers.linear import LinearParams, init_linear, linear
from numseq.layers.losses.copying import copynet_loss, pointer_loss
from numseq.layers.losses.coverage import coverage_loss
from numseq.layers.losses.cross_entropy import cross_entropy
from numseq.layers.losses.ctc import ctc_loss
from numseq.layers.losses.doubly import doubly_stochastic_loss
from numseq.layers.losses.frames import mean_absolute_error, mean_squared_error
from numseq.layers.losses.sampled import log_uniform, sampled_cross_entropy
from numseq.layers.losses.stop import stop_loss
from numseq.layers.maxout import maxout
from numseq.layers.pooling import max_pooling, mean_pooling
from numseq.layers.position_encoding import position_encoding
from numseq.layers.positions import add_positions
from numseq.layers.prenet import PrenetParams, init_prenet, prenet
from numseq.layers.residual import (
    ResidualParams,
    ResidualState,
    follow_residual,
    init_residual,
    init_residual_state,
    residual,
)
from numseq.layers.stacking import stack_frames
from numseq.layers.sublayer import SublayerParams, sublayer
from numseq.layers.temporal_encoding import TemporalParams, init_temporal, temporal_encoding
from numseq.layers.transformer import BlockParams, init_transformer_block, transformer_block

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "AdditiveParams",
    "Attention",
    "BatchNormParams",
    "BatchNormState",
    "BidirectionalParams",
    "BlockParams",
    "Cell",
    "CellState",
    "ConcatAttention",
    "ConvolutionParams",
    "CoverageAttention",
    "CoverageParams",
    "DotAttention",
    "EmbeddingParams",
    "FeedForwardParams",
    "GRUBefore",
    "GRUBeforeStep",
    "GRUParams",
    "GRUStep",
    "GeneralAttention",
    "GeneralParams",
    "HiddenState",
    "Initializer",
    "LSTMParams",
    "LSTMStep",
    "LayerNormLSTM",
    "LayerNormLSTMParams",
    "LayerNormLSTMStep",
    "LayerNormParams",
    "LinearParams",
    "LocalAttention",
    "LocalParams",
    "LocationAttention",
    "LocationParams",
    "MultiHeadAttention",
    "MultiHeadParams",
    "MultiHopAttention",
    "MultiHopParams",
    "PeepholeLSTM",
    "PeepholeParams",
    "PeepholeStep",
    "PrenetParams",
    "RNNParams",
    "RNNStep",
    "ReLUStep",
    "RecurrentTrace",
    "ResidualParams",
    "ResidualState",
    "ScaledDotAttention",
    "SublayerParams",
    "TemporalParams",
    "add_positions",
    "additive_attention",
    "attend",
    "batch_norm",
    "bidirectional",
    "convolution",
    "copynet_loss",
    "coverage_attention",
    "coverage_loss",
    "cross_entropy",
    "ctc_loss",
    "dot_attention",
    "doubly_stochastic_loss",
    "dropout",
    "dropout_mask",
    "embedding",
    "feed_forward",
    "follow_batch",
    "follow_residual",
    "general_attention",
    "gru",
    "gru_before_step",
    "gru_step",
    "hops",
    "init_attention",
    "init_batch_norm",
    "init_batch_norm_state",
    "init_bidirectional",
    "init_convolution",
    "init_embedding",
    "init_feed_forward",
    "init_gru",
    "init_layer_norm",
    "init_layernorm_lstm",
    "init_linear",
    "init_lstm",
    "init_multihop",
    "init_peephole",
    "init_prenet",
    "init_residual",
    "init_residual_state",
    "init_rnn",
    "init_temporal",
    "init_transformer_block",
    "layer_norm",
    "layernorm_lstm",
    "layernorm_lstm_step",
    "linear",
    "local_attention",
    "location_attention",
    "log_softmax",
    "log_uniform",
    "lstm",
    "lstm_step",
    "max_pooling",
    "maxout",
    "mean_absolute_error",
    "mean_pooling",
    "mean_squared_error",
    "multihead_attention",
    "multihop_attention",
    "peephole_lstm",
    "peephole_step",
    "pointer_loss",
    "position_encoding",
    "prenet",
    "relu",
    "relu_step",
    "residual",
    "rnn",
    "rnn_step",
    "sampled_cross_entropy",
    "self_attention",
    "sequence",
    "sigmoid",
    "softmax",
    "stack",
    "stack_frames",
    "stop_loss",
    "sublayer",
    "tanh",
    "temporal_encoding",
    "transformer_block",
]
