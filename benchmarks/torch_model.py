"""numseq's attention encoder-decoder in PyTorch: the same equations, the same parameters, autograd's gradients."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from numseq import params as trees
from numseq.backend import to_numpy


class Attentive(nn.Module):
    """One layer. The LSTMs of the encoder are nn.LSTM; the decoder's step is nn.LSTMCell."""

    def __init__(self, params, hidden):
        super().__init__()
        p = {name: torch.tensor(leaf) for name, leaf in params}
        V_s, E = p["source.W"].shape
        V_t = p["target.W"].shape[0]
        H, A = hidden, p["decoder.attention.w"].shape[0]
        self.source = nn.Embedding(V_s, E, padding_idx=0)
        self.target = nn.Embedding(V_t, E, padding_idx=0)
        self.encoder = nn.LSTM(E, H // 2, bidirectional=True)
        self.bridge_h, self.bridge_c = nn.Linear(H, H), nn.Linear(H, H)
        self.query, self.key, self.score = nn.Linear(H, A, bias=False), nn.Linear(H, A), nn.Linear(A, 1, bias=False)
        self.cell = nn.LSTMCell(E + H, H)
        self.combine, self.readout = nn.Linear(2 * H, H), nn.Linear(H, V_t)
        self._load(p)

    def _load(self, p):
        def put(to, value):
            to.data.copy_(value)

        def linear(layer, name):
            put(layer.weight, p[f"{name}.W"].T)
            put(layer.bias, p[f"{name}.b"])

        put(self.source.weight, p["source.W"])
        put(self.target.weight, p["target.W"])
        for ours, theirs in (("ahead", ""), ("back", "_reverse")):
            name = f"encoder.0.{ours}"
            put(getattr(self.encoder, f"weight_ih_l0{theirs}"), p[f"{name}.W_x"].T)
            put(getattr(self.encoder, f"weight_hh_l0{theirs}"), p[f"{name}.W_h"].T)
            put(getattr(self.encoder, f"bias_ih_l0{theirs}"), p[f"{name}.b"])
            getattr(self.encoder, f"bias_hh_l0{theirs}").data.zero_()
        linear(self.bridge_h, "decoder.bridge.0.h")
        linear(self.bridge_c, "decoder.bridge.0.c")
        put(self.query.weight, p["decoder.attention.W_q"].T)
        put(self.key.weight, p["decoder.attention.W_k"].T)
        put(self.key.bias, p["decoder.attention.b"])
        put(self.score.weight, p["decoder.attention.w"][None])
        put(self.cell.weight_ih, torch.cat([p["decoder.rnn.0.W_x"], p["decoder.W_extra"]]).T)
        put(self.cell.weight_hh, p["decoder.rnn.0.W_h"].T)
        put(self.cell.bias_ih, p["decoder.rnn.0.b"])
        self.cell.bias_hh.data.zero_()
        linear(self.combine, "decoder.combine")
        linear(self.readout, "head")

    def forward(self, source, target_in, target_out, lengths=None, rate=0.0):
        """Loss of one batch. lengths, (B,) of the sources, on the host; None when all are full. rate, of dropout."""
        x = dropout(self.source(source), rate)
        if lengths is None:
            states, (h_T, c_T) = self.encoder(x)
        else:
            packed, (h_T, c_T) = self.encoder(pack_padded_sequence(x, lengths, enforce_sorted=False))
            states = pad_packed_sequence(packed, total_length=len(source))[0]
        h = torch.tanh(self.bridge_h(torch.cat([h_T[0], h_T[1]], -1)))
        c = self.bridge_c(torch.cat([c_T[0], c_T[1]], -1))
        keys = self.key(states)
        values = states.transpose(0, 1)
        padded = None if lengths is None else (source == 0).T
        said = []
        for y in dropout(self.target(target_in), rate):
            e = self.score(torch.tanh(keys + self.query(h)))[..., 0].T
            if padded is not None:
                e = e.masked_fill(padded, -torch.inf)
            context = torch.bmm(e.softmax(-1)[:, None], values)[:, 0]
            h, c = self.cell(torch.cat([y, context], -1), (h, c))
            said.append(torch.cat([h, context], -1))
        r = dropout(torch.tanh(self.combine(torch.stack(said))), rate)
        return cross_entropy(self.readout(r).flatten(0, 1), target_out.flatten(), ignore_index=0)

    def assert_gradients(self, grads):
        """numseq's gradients of the same batch are these, to what float32 sums of thousands of terms allow."""
        ours = dict(trees.walk(grads))
        for name, theirs in self.gradients().items():
            theirs = theirs.cpu().numpy()
            assert np.abs(to_numpy(ours[name]) - theirs).max() < 2e-4 * np.abs(theirs).max(), name

    def gradients(self):
        """A few gradients under numseq's names, to compare."""
        return {
            "source.W": self.source.weight.grad,
            "encoder.0.ahead.W_x": self.encoder.weight_ih_l0.grad.T,
            "encoder.0.back.W_h": self.encoder.weight_hh_l0_reverse.grad.T,
            "decoder.bridge.0.c.W": self.bridge_c.weight.grad.T,
            "decoder.attention.W_q": self.query.weight.grad.T,
            "decoder.attention.W_k": self.key.weight.grad.T,
            "decoder.rnn.0.W_h": self.cell.weight_hh.grad.T,
            "head.W": self.readout.weight.grad.T,
        }
