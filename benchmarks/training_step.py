"""One training step (forward, backward, clip, Adam) of the attention model against PyTorch, eager and compiled.

Then its end alone, the clipping and Adam.

    python -m benchmarks.training_step [--json F] [--backend cupy]
"""

from itertools import count

import torch

import numseq
from benchmarks.shapes import SHAPES, label, model_and_batch
from benchmarks.timing import arguments, describe, in_turn, row, wait, write
from benchmarks.torch_model import Attentive
from numseq import params as trees
from numseq.backend import keep_freed_memory, to_numpy
from numseq.training import Adam, clip_by_global_norm


class Both:
    """The same model on both sides, after a check that loss and gradients are equal."""

    def __init__(self, model, batch, peer, device="cpu"):
        self.model, self.batch, self.peer, self.device = model, batch, peer.to(device), device
        ids = (self.batch.source, self.batch.target_in, self.batch.target_out)
        self.inputs = [torch.tensor(to_numpy(x), device=device) for x in ids]

        trace, loss = self.model.forward(self.batch), self.peer(*self.inputs)
        self.grads = trace.backward().params
        loss.backward()
        assert abs(float(trace.loss) - loss.item()) < 1e-5 * loss.item()
        self.peer.assert_gradients(self.grads)

        self.optimizer = Adam(self.model.params)
        self.their_optimizer = torch.optim.Adam(self.peer.parameters())

    def update(self, grads, largest=1.0):
        clip_by_global_norm(grads, largest)
        self.optimizer.update(self.model.params, grads)
        wait(trees.leaves(self.model.params)[0])

    def their_update(self, largest=1.0):
        torch.nn.utils.clip_grad_norm_(self.peer.parameters(), largest)
        self.their_optimizer.step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def their_step(self, run):
        self.their_optimizer.zero_grad()
        run(*self.inputs).backward()
        self.their_update()

    def eager(self):
        return {
            "numseq": lambda: self.update(self.model.forward(self.batch).backward().params),
            "torch eager": lambda: self.their_step(self.peer),
        }

    def steps(self):
        sides = self.eager()
        try:
            compiled = torch.compile(self.peer)
            self.their_step(compiled)
        except Exception as error:  # no compiler on this machine, or a graph that it cannot take
            print(f"torch.compile does not work here: {str(error).splitlines()[0]}")
        else:
            sides["torch compiled"] = lambda: self.their_step(compiled)
        return sides

    def updates(self):
        """Clipping and Adam on gradients that are there; each time to a lower norm, so that every call clips."""
        ours, theirs = ((1e-3 * 0.99**k for k in count()) for _ in range(2))
        return {
            "numseq": lambda: self.update(self.grads, next(ours)),
            "torch eager": lambda: self.their_update(next(theirs)),
        }


def main():
    options = arguments(__doc__.splitlines()[0], backend=True)
    describe()
    numseq.use(options.backend)
    keep_freed_memory()
    rows = []
    for shape in SHAPES.values():
        model, batch = model_and_batch(shape)
        peer = Attentive(trees.walk(trees.to_host(model.params)), hidden=shape[2])
        both = Both(model, batch, peer, "cuda" if options.backend == "cupy" else "cpu")
        for name, sides in (("training step", both.steps()), ("clip and Adam", both.updates())):
            times = in_turn(sides, options.rounds)
            rows += [row(name, label(shape), peer, times) for peer in sides if peer != "numseq"]
    write(options.json, rows)


if __name__ == "__main__":
    main()
