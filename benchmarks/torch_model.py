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
        for bias in (self.encoder.bias_hh_l0, self.encoder.bias_hh_l0_reverse, self.cell.bias_hh):  # numseq has one
            bias.data.zero_()
            bias.requires_grad_(False)
        for name, view in self.named().items():
            view.copy_(p[name])

    def named(self, of=lambda parameter: parameter.data):
        """What `of` gives of each parameter, {numseq's name: a view of it in numseq's shape}."""
        E = self.source.embedding_dim
        inputs = of(self.cell.weight_ih).T
        named = {
            "source.W": of(self.source.weight),
            "target.W": of(self.target.weight),
            "decoder.attention.W_q": of(self.query.weight).T,
            "decoder.attention.W_k": of(self.key.weight).T,
            "decoder.attention.b": of(self.key.bias),
            "decoder.attention.w": of(self.score.weight)[0],
            "decoder.rnn.0.W_x": inputs[:E],
            "decoder.rnn.0.W_h": of(self.cell.weight_hh).T,
            "decoder.rnn.0.b": of(self.cell.bias_ih),
            "decoder.W_extra": inputs[E:],
        }
        for ours, theirs in (("ahead", ""), ("back", "_reverse")):
            weight_x, weight_h, bias = (
                of(getattr(self.encoder, f"{part}_l0{theirs}")) for part in ("weight_ih", "weight_hh", "bias_ih")
            )
            name = f"encoder.0.{ours}"
            named |= {f"{name}.W_x": weight_x.T, f"{name}.W_h": weight_h.T, f"{name}.b": bias}
        for name, layer in (
            ("decoder.bridge.0.h", self.bridge_h),
            ("decoder.bridge.0.c", self.bridge_c),
            ("decoder.combine", self.combine),
            ("head", self.readout),
        ):
            named |= {f"{name}.W": of(layer.weight).T, f"{name}.b": of(layer.bias)}
        return named

    def forward(self, source, target_in, target_out, lengths=None, rate=0.0, smoothing=0.0):
        """Loss of one batch. lengths, (B,) of the sources, on the host; None when all are full. rate, of dropout;
        smoothing, of labels."""
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
        logits, targets = self.readout(r).flatten(0, 1), target_out.flatten()
        return cross_entropy(logits, targets, ignore_index=0, label_smoothing=smoothing)

    def assert_gradients(self, grads):
        """numseq's gradients of the same batch are these, to what float32 sums of thousands of terms allow."""
        ours = dict(trees.walk(grads))
        for name, theirs in self.named(lambda parameter: parameter.grad).items():
            theirs = theirs.cpu().numpy()
            assert np.abs(to_numpy(ours[name]) - theirs).max() < 2e-4 * np.abs(theirs).max(), name
