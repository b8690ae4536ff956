"""One training step (forward, backward, clip, Adam) of the attention model against PyTorch, eager and compiled.

python -m benchmarks.training_step [--json F] [--backend cupy]
"""

from types import SimpleNamespace

import numpy as np
import torch

import numseq
from benchmarks.timing import arguments, describe, in_turn, row, wait, write
from benchmarks.torch_model import Attentive
from numseq import params as trees
from numseq.backend import asarray, keep_freed_memory, to_numpy
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import Adam, clip_by_global_norm

SHAPES = {  # V, E, H = A, B, S, T
    "large": (8000, 256, 256, 64, 15, 15),
    "middle": (60, 64, 128, 64, 30, 12),
    "small": (60, 32, 64, 32, 20, 12),
}


def model_and_batch(shape):
    V, E, H, B, S, T = shape
    model = Seq2Seq.create(Seq2SeqConfig(V, V, embedding=E, hidden=H, attention=H))
    rng = np.random.default_rng(0)
    source, target = rng.integers(4, V, size=(S, B)), rng.integers(4, V, size=(T + 1, B))
    batch = SimpleNamespace(
        source=asarray(source), source_mask=None, target_in=asarray(target[:-1]),
        target_out=asarray(target[1:]), target_mask=None,
    )  # fmt: skip
    return model, batch


def sides(shape, device):
    """The two training steps as functions, after a check that loss and gradients are equal."""
    model, batch = model_and_batch(shape)
    hidden = shape[2]
    peer = Attentive(trees.walk(trees.to_host(model.params)), hidden).to(device)
    inputs = [torch.tensor(to_numpy(ids), device=device) for ids in (batch.source, batch.target_in, batch.target_out)]

    trace, loss = model.forward(batch), peer(*inputs)
    grads = dict(trees.walk(trace.backward().params))
    loss.backward()
    assert abs(float(trace.loss) - loss.item()) < 1e-5 * loss.item()
    for name, theirs in peer.gradients().items():
        ours, theirs = to_numpy(grads[name]), theirs.cpu().numpy()
        assert np.abs(ours - theirs).max() < 2e-4 * np.abs(theirs).max(), name  # float32 sums of thousands of terms

    optimizer = Adam(model.params)
    their_optimizer = torch.optim.Adam(peer.parameters())

    def numseq_step():
        grad = model.forward(batch).backward().params
        clip_by_global_norm(grad, 1.0)
        optimizer.update(model.params, grad)
        wait(trees.leaves(model.params)[0])

    def torch_step(run):
        their_optimizer.zero_grad()
        run(*inputs).backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        their_optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    both = {"numseq": numseq_step, "torch eager": lambda: torch_step(peer)}
    try:
        compiled = torch.compile(peer)
        torch_step(compiled)
    except Exception as error:  # no compiler on this machine, or a graph that it cannot take
        print(f"torch.compile does not work here: {str(error).splitlines()[0]}")
    else:
        both["torch compiled"] = lambda: torch_step(compiled)
    return both


def main():
    options = arguments(__doc__.splitlines()[0], backend=True)
    describe()
    numseq.use(options.backend)
    keep_freed_memory()
    rows = []
    for name, shape in SHAPES.items():
        both = sides(shape, "cuda" if options.backend == "cupy" else "cpu")
        times = in_turn(both, options.rounds)
        label = "V {} E {} H {} B {} S {} T {}".format(*shape)
        rows += [row(name, label, peer, times) for peer in both if peer != "numseq"]
    write(options.json, rows)


if __name__ == "__main__":
    main()
