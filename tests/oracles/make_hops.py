"""Write hops.npz: what test_hops.py holds the reading of a memory to.

    python tests/oracles/make_hops.py

The equations of Sukhbaatar et al. 2015 in plain torch operations, row by row, sentence by sentence and word by word,
with the gradients by autograd. Needs PyTorch 2.13 (CPU); nothing of numseq is imported.
"""

import torch
from make_oracles import leaf, prefixed, write

D, K, V, AGES = 5, 3, 9, 4
STORIES = [[[3, 5], [4, 5, 6, 3], [7, 3]], [[8, 4, 4]], [[5, 6, 7], [6, 6], [7, 5, 4], [3, 8]]]  # the question last


def sentence(words, E):
    """Section 4.1: position encoding."""
    J, total = len(words), torch.zeros(D)
    for j, word in enumerate(words, 1):
        l_j = torch.stack([torch.tensor((1 - j / J) - (k / D) * (1 - 2 * j / J)) for k in range(1, D + 1)])
        total = total + l_j * E[word]
    return total


def network():
    """Sections 2.1, 2.2 and 4.1 with adjacent tying: E_k is C of hop k and A of hop k + 1, B is A of the first."""
    inputs = {"E": leaf(K + 1, V, D), "T": leaf(K + 1, AGES, D)}
    E, T = inputs.values()
    ends, looked = [], []
    for *facts, question in STORIES:
        u, rows = sentence(question, E[0]), []
        for k in range(1, K + 1):
            if facts:
                ages = range(len(facts) - 1, -1, -1)
                m = torch.stack([sentence(f, E[k - 1]) + T[k - 1, age] for f, age in zip(facts, ages, strict=True)])
                c = torch.stack([sentence(f, E[k]) + T[k, age] for f, age in zip(facts, ages, strict=True)])
                p = torch.softmax(m @ u, dim=0)
                u = u + p @ c
                rows.append(torch.cat([p, torch.zeros(AGES - len(facts))]))
        ends.append(u)
        looked.append(torch.stack(rows) if rows else torch.zeros(K, AGES))
    u = torch.stack(ends)
    weights = {"du": torch.randn(u.shape)}
    (weights["du"] * u).sum().backward()
    grads = {f"d{name}": array.grad for name, array in inputs.items()}
    return inputs | {"u": u, "p": torch.stack(looked, dim=1)} | weights | grads


if __name__ == "__main__":
    torch.manual_seed(4)
    write("hops", prefixed("network", network()))
