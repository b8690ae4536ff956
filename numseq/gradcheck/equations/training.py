"""What stands between layers and an update: shared matrices, clipping."""

import numpy as np

from numseq.gradcheck.equations.change import equations

# Names that no equation here reads are there for the bugs to read.


def tied_embedding(trace, dlogits, change):
    """logits = E[ids] E^T: one matrix, read twice."""
    eq, ids, E = equations(change), trace.ids.reshape(-1), trace.E
    y, d = trace.y.reshape(len(ids), -1), dlogits.reshape(len(ids), -1)
    dy = eq("dy", d @ E)
    looked_up = np.zeros_like(E)
    np.add.at(looked_up, ids, dy)
    read_out = eq("read_out", d.T @ y)
    return {"dE": eq("dE", looked_up + read_out)}


def clip_by_global_norm(trace, largest, change):
    """grads * min(1, largest / norm over all of them), for a dict of arrays."""
    eq, grads = equations(change), trace.grads
    norm = eq("norm", np.sqrt(sum((g**2).sum() for g in grads.values())))
    factor = eq("factor", dict.fromkeys(grads, min(1.0, largest / norm)))
    return {"grads": eq("grads", {name: g * factor[name] for name, g in grads.items()})}
