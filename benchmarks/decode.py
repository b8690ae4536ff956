"""Decoding a file with a trained attention model, greedily and with beams, against the same beam search in PyTorch.

Both sides decode the same batches, batch by batch in turn; PyTorch's is a plain batched beam search that keeps the same
hypotheses. The share of lines on which both say the same is printed: float32 rounding may turn a near-tie.

    python -m benchmarks.decode DIR --source F [--beam 5] [--lines N] [--json F]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.timing import describe, write
from benchmarks.torch_model import Attentive
from numseq import params as trees
from numseq.backend import keep_freed_memory
from numseq.data.batches import Ragged, plan_batches
from numseq.data.lines import read_lines
from numseq.data.tokens import BOS, EOS, PAD
from numseq.search import BeamOptions, beam_search, greedy
from numseq.training.checkpoint import load_model


@torch.no_grad()
def torch_beam(peer, source, lengths, limits, K):
    """Token lists, the best hypothesis of each sentence by mean log-probability."""
    S, B = source.shape
    packed = torch.nn.utils.rnn.pack_padded_sequence(peer.source(source), lengths, enforce_sorted=False)
    states, (h_T, c_T) = peer.encoder(packed)
    states = torch.nn.utils.rnn.pad_packed_sequence(states, total_length=S)[0]
    h = torch.tanh(peer.bridge_h(torch.cat([h_T[0], h_T[1]], -1))).repeat_interleave(K, 0)
    c = peer.bridge_c(torch.cat([c_T[0], c_T[1]], -1)).repeat_interleave(K, 0)
    keys = peer.key(states).repeat_interleave(K, 1)
    values = states.transpose(0, 1).repeat_interleave(K, 0)
    padded = (source == PAD).T.repeat_interleave(K, 0)
    ids = torch.full((B * K,), BOS)
    score = torch.full((B, K), -torch.inf)
    score[:, 0] = 0
    said = torch.empty(0, B * K, dtype=torch.long)
    best, worst = [[] for _ in range(B)], torch.full((B,), -torch.inf)
    done = torch.zeros(B, dtype=torch.bool)
    for t in range(int(limits.max()) + 1):
        e = peer.score(torch.tanh(keys + peer.query(h)))[..., 0].T.masked_fill(padded, -torch.inf)
        context = torch.bmm(e.softmax(-1)[:, None], values)[:, 0]
        h, c = peer.cell(torch.cat([peer.target(ids), context], -1), (h, c))
        logp = peer.readout(torch.tanh(peer.combine(torch.cat([h, context], -1)))).log_softmax(-1)
        logp[:, PAD] = logp[:, BOS] = -torch.inf
        last = (limits == t).repeat_interleave(K)
        ends = logp[last, EOS]
        logp[last] = -torch.inf
        logp[last, EOS] = ends
        V = logp.shape[-1]
        value, index = (score[:, :, None] + logp.view(B, K, V)).view(B, K * V).topk(K)
        parent, token = index // V, index % V
        ended = (token == EOS) & value.isfinite() & ~done[:, None]
        for b, k in ended.nonzero().tolist():
            best[b].append((float(value[b, k]) / (t + 1), said[:, b * K + parent[b, k]].tolist()))
            best[b] = [max(best[b], key=lambda one: one[0])]
            worst[b] = best[b][0][0]
        score = value.masked_fill(token == EOS, -torch.inf)
        done |= (score.max(-1).values / (limits + 1) <= worst) | (limits <= t)
        if done.all():
            break
        row = (torch.arange(B)[:, None] * K + parent).view(-1)
        ids, h, c = token.view(-1), h[row], c[row]
        said = torch.cat([said[:, row], ids[None]])
    return [found[0][1] for found in best]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="a run of an attention model of one layer")
    parser.add_argument("--source", type=Path, required=True, help="sentences, one a line")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--lines", type=int, help="decode so many lines only")
    parser.add_argument("--json", type=Path, help="write the results here too")
    options = parser.parse_args()
    describe()
    keep_freed_memory()
    model, source_tokens, _ = load_model(options.folder)
    peer = Attentive(trees.walk(model.params), model.config.hidden)
    sources = Ragged(source_tokens.encode(read_lines(options.source)[: options.lines]))
    seconds = dict.fromkeys(("greedy", "numseq", "torch"), 0.0)
    same = lines = 0
    for rows in plan_batches(sources.lengths, sources.lengths, 64):
        source, mask = sources.pad(rows)
        limits = 2 * sources.lengths[rows] + 10
        began = time.perf_counter()
        greedy(model, source, mask, limits)
        seconds["greedy"] += time.perf_counter() - began
        began = time.perf_counter()
        ours = beam_search(model, source, mask, limits, BeamOptions(beam=options.beam, nbest=1), keep_alpha=False)
        seconds["numseq"] += time.perf_counter() - began
        tensors = [torch.from_numpy(x) for x in (source, sources.lengths[rows], limits)]
        began = time.perf_counter()
        theirs = torch_beam(peer, *tensors, options.beam)
        seconds["torch"] += time.perf_counter() - began
        said = [ours.ids[: ours.lengths[b, 0], b, 0].tolist() for b in range(len(rows))]
        same += int(np.sum([a == b for a, b in zip(said, theirs, strict=True)]))
        lines += len(rows)
    print(f"{lines} lines; the same translation on both sides for {same}")
    result = []
    for name, peer_name in ((f"beam {options.beam}", "torch"), (f"beam {options.beam} over greedy", "greedy")):
        ratio = seconds[peer_name] / seconds["numseq"]
        print(f"{name}: numseq {seconds['numseq']:.2f} s, {peer_name} {seconds[peer_name]:.2f} s, ratio {ratio:.2f}")
        row = {"name": name, "shape": f"{lines} lines", "peer": peer_name, "numseq_s": seconds["numseq"]}
        result.append(row | {"peer_s": seconds[peer_name], "ratio": ratio})
    write(options.json, result)


if __name__ == "__main__":
    main()
