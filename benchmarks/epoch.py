"""An epoch of a real corpus with numseq's default recipe, against the same recipe in PyTorch.

Both sides see the same batches in the same order, ten of the one and ten of the other in turn; PyTorch's encoder reads
packed sequences, and both drop out at the same places. The time of building the batches counts for both.

    python -m benchmarks.epoch --source train.en --target train.fr [--steps N] [--json F]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.timing import describe, write
from benchmarks.torch_model import Attentive
from numseq import params as trees
from numseq.backend import generator, keep_freed_memory
from numseq.data import Pairs, plan_batches, read_parallel
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import DataOptions, TrainingOptions
from numseq.training.trainer import Trainer

TURN = 10  # batches
DROPOUT = 0.3


def sides(source, target):
    """The two sides' work on one batch, and the epoch's batches."""
    pairs, _ = read_parallel(source, target)
    data = DataOptions()
    tokens = [data.build(side, "word") for side in zip(*pairs, strict=True)]
    corpus = Pairs.encode(pairs, *tokens)
    model = Seq2Seq.create(Seq2SeqConfig(*map(len, tokens), dropout=DROPOUT))
    options = TrainingOptions()
    peer = Attentive(trees.walk(model.params), model.config.hidden)
    inputs = lambda batch: [torch.from_numpy(x) for x in (batch.source, batch.target_in, batch.target_out)]  # noqa: E731

    def lengths(batch):
        return torch.from_numpy(batch.source_mask.sum(axis=0))

    batch = corpus.batch(np.arange(options.batch))
    trace, loss = model.forward(batch), peer(*inputs(batch), lengths(batch))
    loss.backward()
    assert abs(float(trace.loss) - loss.item()) < 1e-5 * loss.item()
    peer.assert_gradients(trace.backward().params)

    trainer = Trainer(model, corpus, corpus, Path(tempfile.mkdtemp()), options)
    optimizer = torch.optim.Adam(peer.parameters(), options.lr)

    def theirs(rows):
        batch = corpus.batch(rows)
        optimizer.zero_grad()
        loss = peer(*inputs(batch), lengths(batch), DROPOUT)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), options.clip)
        optimizer.step()
        return loss.item()

    batches = plan_batches(corpus.source.lengths, corpus.target.lengths, options.batch, generator(0))
    return {"numseq": lambda rows: trainer.train_on(rows)[0], "torch eager": theirs}, batches


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="sentences, one a line")
    parser.add_argument("--target", type=Path, required=True, help="their translations, line by line")
    parser.add_argument("--steps", type=int, help="stop after so many batches")
    parser.add_argument("--json", type=Path, help="write the results here too")
    options = parser.parse_args()
    describe()
    keep_freed_memory()
    both, batches = sides(options.source, options.target)
    batches = batches[: options.steps]
    seconds, losses = dict.fromkeys(both, 0.0), {side: [] for side in both}
    for start in range(0, len(batches), TURN):
        for side, work in both.items():
            began = time.perf_counter()
            losses[side] += [work(rows) for rows in batches[start : start + TURN]]
            seconds[side] += time.perf_counter() - began
    for side in both:
        last = np.mean(losses[side][-20:])
        print(f"{side:<12} {seconds[side]:7.1f} s for {len(batches)} batches, mean of the last 20 losses {last:.3f}")
    ratio = seconds["torch eager"] / seconds["numseq"]
    print(f"ratio {ratio:.2f}")
    row = {"name": "epoch", "shape": f"{len(batches)} batches", "peer": "torch eager"}
    write(options.json, [row | {"numseq_s": seconds["numseq"], "peer_s": seconds["torch eager"], "ratio": ratio}])


if __name__ == "__main__":
    main()
