"""A training step beside processes that do other work, one for each processor, with one thread of BLAS and with all.

Alone and beside them, with the one number and the other, in turn. Two figures of each: how many times as long a step
takes, which depends on how the system shares its processors, and how many times as much of their time it uses, which
does not: threads that spin use it up. With --demo the whole `numseq demo` too, with the number that it chooses.

    python -m benchmarks.busy [--demo] [--json F]
"""

import contextlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.shapes import SHAPES, label, model_and_batch
from benchmarks.timing import arguments, describe, write
from numseq.backend import keep_freed_memory, processors
from numseq.threads import blas_threads, choose_threads
from numseq.training import Adam, clip_by_global_norm

ROUNDS = 7


@contextlib.contextmanager
def others(n):
    """n processes that compute all the time."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def step_of(shape):
    model, batch = model_and_batch(shape)
    optimizer = Adam(model.params)

    def step():
        grads = model.forward(batch).backward().params
        clip_by_global_norm(grads, 1.0)
        optimizer.update(model.params, grads)

    return step, choose_threads(None, model.params, shape[3])


def demo():
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "numseq", "demo", "--out", f"{folder}/run"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def clocks():
    """Seconds that went by, and seconds of processors that this process and those it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return np.array([time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)])


def measured(work, numbers, rounds, warm_up=1):
    """{(number of threads, other processes): what `clocks` tell of each round, a list of arrays (2,)}."""
    times = {(n, beside): [] for n in numbers for beside in (0, processors())}
    for k in range(warm_up + rounds):
        for (n, beside), found in times.items():
            with others(beside), blas_threads(n):
                if warm_up:
                    work()  # as long as it takes the threads and the other processes to be there
                began = clocks()
                work()
                if k >= warm_up:
                    found.append(clocks() - began)
    return times


def row(name, shape, n, times):
    """One result: alone, beside others, and the median of the rounds' own ratios. Prints it too."""
    alone, beside = times[n, 0], times[n, processors()]
    ratio, used = np.median(np.divide(beside, alone), axis=0).tolist()
    (alone, _), (beside, _) = np.median(alone, axis=0).tolist(), np.median(beside, axis=0).tolist()
    print(
        f"{name:<24}threads {n or 'chosen'}: alone {alone:7.3f} s, beside {processors()} others {beside:7.3f} s, "
        f"ratio {ratio:.2f}, of processors' time {used:.2f}",
        flush=True,
    )
    return {
        "name": name, "shape": shape, "threads": n,
        "alone_s": alone, "beside_s": beside, "ratio": ratio, "processors_ratio": used,
    }  # fmt: skip


def main():
    options = arguments(__doc__.splitlines()[0], rounds=ROUNDS, demo="the whole demo too; takes minutes")
    describe()
    keep_freed_memory()
    rows = []
    for name, shape in SHAPES.items():
        step, chosen = step_of(shape)
        print(f"{name}: numseq chooses {chosen}")
        numbers = sorted({1, processors()})
        times = measured(step, numbers, options.rounds)
        rows += [row(f"training step, {name}", label(shape), n, times) for n in numbers]
    if options.demo:
        rows.append(row("demo", "", None, measured(demo, [None], min(options.rounds, 3), warm_up=0)))
    write(options.json, rows)


if __name__ == "__main__":
    main()
