"""The layers: each file is one idea, read top to bottom: equations, record, forward, backward."""

from numseq.layers.activations import log_softmax, sigmoid, softmax, tanh
from numseq.layers.attention import AdditiveAttention, AttentionParams, additive_attention, init_attention
from numseq.layers.bidirectional import BiLSTMParams, bilstm, init_bilstm
from numseq.layers.dropout import dropout, dropout_mask
from numseq.layers.embedding import EmbeddingParams, embedding, init_embedding
from numseq.layers.linear import LinearParams, init_linear, linear
from numseq.layers.loss import cross_entropy
from numseq.layers.lstm import LSTM, LSTMParams, LSTMStep, init_lstm, lstm, lstm_step
from numseq.layers.stack import stack

__all__ = [
    "LSTM",
    "AdditiveAttention",
    "AttentionParams",
    "BiLSTMParams",
    "EmbeddingParams",
    "LSTMParams",
    "LSTMStep",
    "LinearParams",
    "additive_attention",
    "bilstm",
    "cross_entropy",
    "dropout",
    "dropout_mask",
    "embedding",
    "init_attention",
    "init_bilstm",
    "init_embedding",
    "init_linear",
    "init_lstm",
    "linear",
    "log_softmax",
    "lstm",
    "lstm_step",
    "sigmoid",
    "softmax",
    "stack",
    "tanh",
]
