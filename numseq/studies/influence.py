"""What moves a score: the gradient of each target token's score by each source vector, beside where the model looked.

    G_tj = || d logit_t / d x_j ||                x_j the vector of source position j, logit_t the score of token y_t
    share_tj = G_tj / sum over k of G_tk          to be held against alpha_tj, which sums to 1 over j as well

T scores need T backward passes. Here they are one: the pair is put T times side by side, and row t of that batch is
asked for the gradient of its own logit_t,

    dlogits[s, t, k] = 1 where s = t and k = y_t, else 0

so that one backward of the model, as training has it, gives all of G.

The score is taken and not its log-probability: of a token that is nearly certain the latter hardly moves, whatever
moved the score.

Source: Simonyan, Vedaldi & Zisserman 2014, section 3 (gradient by the input); Jain & Wallace 2019, section 4.1, who
hold attention weights against it by rank correlations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numseq import arguments
from numseq.backend import array_module, asarray, to_numpy
from numseq.data.tokens import PAD
from numseq.errors import ArgumentError, shown
from numseq.layers.linear import LinearTrace
from numseq.models.seq2seq import Seq2SeqTrace, boxes_of
from numseq.models.tying import tie
from numseq.record import Record


@dataclass(slots=True)
class Influence(Record):
    """Of one pair: size (T, S), the norms G; alpha (T, S), the attention weights, or None; tokens (T,), the ids whose
    scores were taken; logits (T,), these scores. NumPy arrays, of real positions alone."""

    size: np.ndarray
    alpha: np.ndarray | None
    tokens: np.ndarray
    logits: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """The norms of each row divided by their sum, (T, S); 0 where nothing moves the score."""
        return shares(self.size)

    @property
    def correlation(self) -> np.ndarray:
        """For each step the rank correlation of alpha with the norms, (T,); nan where one of them is all the same."""
        if self.alpha is None:
            raise ArgumentError("alpha is None: a plain model attends to nothing")
        return np.array([rank_correlation(a, g) for a, g in zip(self.alpha, self.size, strict=True)])


def influence(trace: Seq2SeqTrace, row: int = 0, tokens: Sequence[int] | None = None) -> Influence:
    """The gradient of each step's score by each source vector.

    Equations: those of the module.

    Args: trace, of a model's forward pass; noise that it had is left out. row, which pair of its batch. tokens, for
        each of its T steps the id whose score is taken, as those that the model would have chosen; None for the right
        ones, <eos> last. What was said before each step is as in the trace.
    Returns: an Influence.
    Raises: ArgumentError, when the head has no scores, or there is no such row or token.
    """
    arguments.one_of(trace, "trace", Seq2SeqTrace)
    batch, xp = trace.target.x.shape[1], array_module(trace.target.x)
    row = arguments.whole(row, "row", least=0, most=batch - 1)
    weights, targets = _targets(trace)
    T = max(1, int((to_numpy(weights)[:, row] != 0).sum()))
    if tokens is None:
        tokens = to_numpy(targets)[:T, row].tolist()
    ids = np.array(arguments.ids(tokens, "tokens", trace.config.target_vocabulary), dtype=np.int64)
    if len(ids) != T:
        raise ArgumentError(f"tokens has {len(ids)} ids: the pair has {T} steps")

    boxes, p = boxes_of(trace.config), tie(trace.params, trace.config.tied)
    read = trace.source.embedding.ids[:, row : row + 1]
    source = boxes.source.forward(read, read != PAD, p.source)  # without any dropout
    x, mask = (xp.repeat(part, T, axis=1) for part in (source.x, source.mask))
    y = xp.repeat(trace.target.embedding.y[:T, row : row + 1], T, axis=1)
    encoder = boxes.encoder.forward(x, mask, p.encoder)
    start = boxes.decoder.start(encoder.memory, p.decoder)
    decoder = boxes.decoder.forward(y, start, p.decoder)
    read = boxes.head.loss(decoder, xp.repeat(asarray(ids)[:, None], T, axis=1), None, p.head)

    each = xp.arange(T)
    dlogits = xp.zeros_like(read.output.y)
    dlogits[each, each, asarray(ids)] = 1
    back = decoder.backward(read.output.backward(dlogits).dx)
    dx = encoder.backward(back.dmemory).dx  # (S, T, E)
    real = to_numpy(mask)[:, 0]
    G = to_numpy(xp.sqrt((dx.astype(np.float64) ** 2).sum(axis=-1))).T[:, real]  # (T, S)
    alpha = None
    if trace.alpha is not None:
        seen = to_numpy(trace.alpha)[:T, row]
        alpha = seen[:, real] if seen.shape[1] == len(x) else seen
    logits = to_numpy(read.output.y[each, each, asarray(ids)])
    return Influence(G, alpha, ids, logits)


def _targets(trace):
    """The weights and the right tokens, (T, B), of a trace whose head has scores."""
    read = getattr(trace.objective, "head", None)
    entropy = getattr(read, "cross_entropy", None)
    if entropy is None or not hasattr(read, "output"):
        raise ArgumentError(f"trace has the objective {shown(read)}: it must be one whose scores are a product, logits")
    if not isinstance(read.output, LinearTrace):
        raise ArgumentError("trace is of training on sampled tokens: use one without noise")
    return entropy.weights, entropy.targets


def shares(size: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; 0 where that is 0."""
    total = size.sum(axis=-1, keepdims=True)
    return np.divide(size, total, out=np.zeros_like(size), where=total > 0)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """How far two lists of numbers have one order, from -1 to 1.

    Equations: the correlation of their ranks; equal numbers share the mean of their ranks.

    Args: a, b, (S,). Returns: nan where all numbers of one are equal.
    Source: Spearman 1904.
    """
    ranks = [ranks_of(np.asarray(one, np.float64)) for one in (a, b)]
    centred = [rank - rank.mean() for rank in ranks]
    size = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    return float((centred[0] * centred[1]).sum() / size) if size > 0 else float("nan")


def ranks_of(values: np.ndarray) -> np.ndarray:
    """The place of each number in their order, from 0; equal ones share the mean of their places."""
    below = (values[:, None] > values).sum(axis=1)
    same = (values[:, None] == values).sum(axis=1)
    return below + (same - 1) / 2
