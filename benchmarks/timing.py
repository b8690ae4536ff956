"""Timing two sides in turn, so that what else the machine does falls on both alike."""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

from numseq.backend import array_module, processors

SETTLE = 0.05


def in_turn(sides, rounds=15, warm_up=3, clock=time.perf_counter):
    """Time each of the named functions once a round; returns a dict of lists of seconds.

    clock: time.process_time counts what this process computed, whatever else the machine did meanwhile.

    Before it is timed, a side runs untimed for SETTLE seconds, as it would in training: OpenBLAS and PyTorch keep their
    threads busy waiting for a while after their last work, and those of the side before must have gone to sleep.
    """
    times = {name: [] for name in sides}
    for k in range(warm_up + rounds):
        for name, function in sides.items():
            settled = time.perf_counter() + SETTLE
            while time.perf_counter() < settled:
                function()
            began = clock()
            function()
            if k >= warm_up:
                times[name].append(clock() - began)
    return times


def row(name, shape, peer, times):
    """One result; ratio above 1 means that numseq is faster. Prints it too."""
    numseq_s, peer_s = (statistics.median(times[side]) for side in ("numseq", peer))
    low, high = np.quantile(np.array(times[peer]) / np.array(times["numseq"]), [0.25, 0.75])
    print(
        f"{name:<22}{shape:<34}numseq {1e3 * numseq_s:8.2f} ms   {peer} {1e3 * peer_s:8.2f} ms   "
        f"ratio {peer_s / numseq_s:.2f} (quartiles {low:.2f} to {high:.2f})",
        flush=True,
    )
    return {
        "name": name, "shape": shape, "peer": peer,
        "numseq_s": numseq_s, "peer_s": peer_s, "ratio": peer_s / numseq_s,
    }  # fmt: skip


def describe():
    """Print versions and thread counts."""
    try:
        import torch
    except ImportError:
        peer = "no PyTorch"
    else:
        peer = f"PyTorch {torch.__version__} with {torch.get_num_threads()} threads"
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__} ({blas['name']} {blas['version']}), "
        f"{peer}, {processors()} processors, "
        f"OPENBLAS_NUM_THREADS {os.environ.get('OPENBLAS_NUM_THREADS', 'unset')}"
    )


def arguments(description, backend=False, rounds=15, **switches):
    """The command line that every benchmark has; with `backend`, one that runs on a GPU too. switches: {name: help}."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the results here too")
    parser.add_argument("--rounds", type=int, default=rounds, help="of which the median counts")
    if backend:
        parser.add_argument("--backend", choices=["numpy", "cupy"], default="numpy")
    for name, help in switches.items():
        parser.add_argument(f"--{name}", action="store_true", help=help)
    return parser.parse_args()


def write(path, rows):
    if path:
        path.write_text(json.dumps(rows, indent=2) + "\n")


def wait(array):
    """Wait until a GPU has computed `array`; on the host nothing."""
    if array_module(array) is not np:
        array_module(array).cuda.Stream.null.synchronize()
