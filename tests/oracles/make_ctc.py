"""Write ctc.npz: what test_ctc.py holds the CTC loss to.

    python tests/oracles/make_ctc.py

PyTorch's own ctc_loss, with the gradient by autograd through its log_softmax. Needs PyTorch 2.13 (CPU); nothing of
numseq is imported.
"""

import torch
from make_oracles import leaf, lengths_to_mask, prefixed, write

# name: (V, frames, targets). Id 0 is the blank. Equal neighbours, an empty target, targets with no frame to spare, and
# in "impossible" one that is a frame too long, since its two equal tokens need a blank between them.
CASES = {
    "ragged": (5, [9, 7, 6, 4, 1], [[1, 2, 1, 4], [3, 3, 2], [2, 2, 2], [], [4]]),
    "impossible": (4, [8, 3, 2], [[1, 3, 2], [1, 1, 2], [1, 3]]),
    "long": (7, [40, 33], [[1 + k * k % 6 for k in range(13)], [6, 6, 5, 5, 1]]),
}


def case(V, frames, rows):
    S, T, B = max(frames), max(map(len, rows)), len(rows)
    logits = leaf(S, B, V)
    targets = torch.zeros(T, B, dtype=torch.long)
    for b, row in enumerate(rows):
        targets[: len(row), b] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in rows])
    nll = torch.nn.functional.ctc_loss(
        torch.log_softmax(2 * logits, dim=-1), targets.T, torch.tensor(frames), lengths,
        reduction="none", zero_infinity=True,
    )  # fmt: skip
    loss = nll.sum() / lengths.sum()
    loss.backward()
    masks = {"mask": lengths_to_mask(frames, S), "target_mask": lengths_to_mask(lengths.tolist(), T)}
    return {
        "logits": 2 * logits, "targets": targets, "nll": nll, "loss": loss, "dlogits": logits.grad / 2,
    } | masks  # fmt: skip


if __name__ == "__main__":
    torch.manual_seed(8)
    write("ctc", {key: array for name, one in CASES.items() for key, array in prefixed(name, case(*one)).items()})
