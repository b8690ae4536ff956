"""Write copying.npz: what test_copying_losses.py holds the losses of words that can be copied to.

    python tests/oracles/make_copying.py

See, Liu & Manning 2017, equations 4, 8 and 9, and Gu et al. 2016, equations 4 to 6: one row, one step and one word at a
time, each distribution over a vocabulary that is extended by the words that the row's source alone has. The gradients
are autograd's. Needs PyTorch 2.13 (CPU); nothing of numseq is imported.
"""

import torch
from make_oracles import leaf, lengths_to_mask, prefixed, write

S, T, B, V = 5, 4, 3, 7
LENGTHS, TARGET_LENGTHS = [5, 3, 4], [4, 2, 3]
# One column for each row. From V on are words that a source alone has: 7, twice, in the first, 8 and 7 in the last.
# Of the vocabulary, 5 stands twice in the second source and 4 in the last; 3 stands nowhere. Behind the lengths is
# padding: an 8 in the last, from where nothing can be copied.
COPIES = torch.tensor([[7, 5, 8], [4, 6, 7], [7, 5, 4], [6, 0, 4], [5, 0, 8]])
TARGETS = torch.tensor([[7, 5, 4], [3, 6, 7], [4, 0, 8], [6, 0, 0]])


def summed(p):
    """The mean of -log p over the words of all rows, and -log p of each; p(t, b) is the probability of one word."""
    real = lengths_to_mask(TARGET_LENGTHS, T)
    none = torch.zeros(())
    nll = torch.stack([torch.stack([-p(t, b).log() if real[t, b] else none for b in range(B)]) for t in range(T)])
    loss = nll.sum() / real.sum()
    loss.backward()
    return {"loss": loss, "nll": nll, "copies": COPIES, "targets": TARGETS, "target_mask": real}


def extended(p_vocabulary, p_places, b):
    """One distribution over V words and those that the source b alone has."""
    p = torch.cat([p_vocabulary, torch.zeros(int(COPIES.max()) + 1 - V)])
    for j in range(LENGTHS[b]):
        p = p + p_places[j] * (torch.arange(len(p)) == COPIES[j, b])
    return p


def pointer_generator():
    """Of See et al.: p_gen = sigmoid(a), and the attention is what a softmax over the real places makes of e."""
    inputs = {"logits": leaf(T, B, V), "a": leaf(T, B)}
    alpha = torch.zeros(T, B, S)
    for b in range(B):
        alpha[:, b, : LENGTHS[b]] = torch.softmax(torch.randn(T, LENGTHS[b]), dim=-1)
    inputs["alpha"] = alpha.requires_grad_()

    def p(t, b):
        p_gen = torch.sigmoid(inputs["a"][t, b])
        p_vocabulary = torch.softmax(inputs["logits"][t, b], dim=-1)
        return extended(p_gen * p_vocabulary, (1 - p_gen) * inputs["alpha"][t, b], b)[TARGETS[t, b]]

    outputs = summed(p)
    return inputs | outputs | {f"d{name}": array.grad for name, array in inputs.items()}


def copynet():
    """Of Gu et al.: one sum of exponentials, Z, of the scores of all words and of all real places."""
    inputs = {"logits": leaf(T, B, V), "psi": leaf(T, B, S)}

    def p(t, b):
        of_words, of_places = inputs["logits"][t, b].exp(), inputs["psi"][t, b, : LENGTHS[b]].exp()
        Z = of_words.sum() + of_places.sum()
        return extended(of_words / Z, of_places / Z, b)[TARGETS[t, b]]

    outputs = summed(p)
    mask = {"mask": lengths_to_mask(LENGTHS, S)}
    return inputs | outputs | mask | {f"d{name}": array.grad for name, array in inputs.items()}


if __name__ == "__main__":
    torch.manual_seed(6)
    write("copying", prefixed("pointer", pointer_generator()) | prefixed("copynet", copynet()))
