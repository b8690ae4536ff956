"""What a whole process needs: time to import, peak memory of a training step, and memory after a thousand of them.

Each side is measured in processes of its own; memory is the peak resident memory above that after the imports.

    python -m benchmarks.process [--json F]                                                          (Linux only)
"""

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.shapes import SHAPES, label, model_and_batch
from benchmarks.timing import arguments, describe, write
from numseq import params as trees
from numseq.backend import keep_freed_memory
from numseq.training import Adam, clip_by_global_norm

MIB = 1 << 20
STEPS, SETTLED = 20, 200  # in which a step's memory reaches its peak; in which the heap has found its layout


def peak():
    """Peak resident memory of this process, bytes. From /proc, because getrusage's figure begins with the parent's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def numseq_step(shape, **options):
    """One training step, with its optimiser's state, at a shape, of an attention model with further options."""
    keep_freed_memory()
    model, batch = model_and_batch(shape, **options)
    optimizer = Adam(model.params)

    def step():
        grad = model.forward(batch).backward().params
        clip_by_global_norm(grad, 1.0)
        optimizer.update(model.params, grad)

    return step


def torch_step(shape):
    import torch

    from benchmarks.torch_model import Attentive

    model, batch = model_and_batch(shape)
    peer = Attentive(trees.walk(model.params), hidden=shape[2])
    inputs = [torch.tensor(x) for x in (batch.source, batch.target_in, batch.target_out)]
    optimizer = torch.optim.Adam(peer.parameters())

    def step():
        optimizer.zero_grad()
        peer(*inputs).backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()

    return step


def measure(side, shape, steps, more):
    """In this process: print the bytes above import after `steps` steps, and after so many more."""
    if side == "torch":
        from benchmarks import torch_model  # noqa: F401  (counts as import)
    before = peak()
    step = {"numseq": numseq_step, "torch": torch_step}[side](SHAPES[shape])
    for _ in range(steps):
        step()
    first = peak()
    for _ in range(more):
        step()
    print(first - before, peak() - before)


def in_process(*arguments):
    """Run Python, return the numbers that it prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def measured(side, shape, steps=STEPS, more=0):
    return in_process("-m", "benchmarks.process", "--measure", side, shape, str(steps), str(more))


def import_seconds(module):
    code = f"import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
    return in_process("-c", code)[0]


def main():
    options = arguments(__doc__.splitlines()[0])
    describe()
    times = {"numseq": [], "numpy": []}
    for _ in range(options.rounds):
        for module, seconds in times.items():
            seconds.append(import_seconds(module))
    ours, numpy = (statistics.median(times[module]) for module in times)
    print(f"import: numseq {1e3 * ours:.0f} ms, numpy {1e3 * numpy:.0f} ms, difference {1e3 * (ours - numpy):.0f} ms")
    rows = [{"name": "import", "shape": "", "peer": "numpy", "numseq_s": ours, "peer_s": numpy, "ratio": numpy / ours}]
    for name, shape in SHAPES.items():
        ours, theirs = measured("numseq", name)[0], measured("torch", name)[0]
        print(
            f"peak memory, {name}: numseq {ours / MIB:.0f} MiB, torch {theirs / MIB:.0f} MiB, share {ours / theirs:.2f}"
        )
        rows.append({
            "name": "peak memory", "shape": label(shape), "peer": "torch eager",
            "numseq_bytes": ours, "peer_bytes": theirs, "ratio": theirs / ours,
        })  # fmt: skip
    after, later = measured("numseq", "small", SETTLED, 1000)
    print(f"peak memory after {SETTLED} small steps {after / MIB:.2f} MiB, after 1,000 more {later / MIB:.2f} MiB")
    rows.append({
        "name": "growth over 1000 steps", "shape": label(SHAPES["small"]), "peer": f"after {SETTLED} steps",
        "numseq_bytes": later, "peer_bytes": after, "ratio": after / later,
    })  # fmt: skip
    write(options.json, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:4], *map(int, sys.argv[4:]))
    else:
        main()
