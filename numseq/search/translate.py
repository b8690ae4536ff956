"""Lines of text in, lines of text out: tokens, batches, search, and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import asarray
from numseq.data.batches import Ragged, plan_batches
from numseq.data.tokens import EOS, SPECIAL
from numseq.search.greedy import greedy

Array = Any


@dataclass(slots=True)
class Translation:
    """One line's result. alpha (len(target), len(source)): a row for each token said, None for the plain model."""

    text: str
    source: list[str]  # tokens
    target: list[str]  # tokens, <eos> last
    alpha: Array | None


@dataclass(slots=True)
class Translator:
    """A model with its two vocabularies."""

    model: Any
    source_tokens: Any
    target_tokens: Any

    def translate(self, lines, batch_size=64):
        """Translate lines; the order is kept, an empty line gives an empty line.

        A line may become at most twice as many tokens as it has, and ten more.
        """
        sources = Ragged(self.source_tokens.encode([line.strip() for line in lines]))
        results = [Translation("", [], [], None)] * len(lines)
        real = np.flatnonzero(sources.lengths)
        lengths = sources.lengths[real]
        for batch in plan_batches(lengths, lengths, batch_size) if len(real) else []:
            for k, result in self._batch(sources, real[batch]):
                results[k] = result
        return results

    def _batch(self, sources, rows):
        source, mask = sources.pad(rows)
        limits = 2 * sources.lengths[rows] + 10
        found = greedy(self.model, asarray(source), asarray(mask), limits)
        for b, k in enumerate(rows):
            said = found.ids[: found.lengths[b], b].tolist()
            words = [self.source_tokens.token(s) for s in source[: sources.lengths[k], b]]
            alpha = None if found.alpha is None else found.alpha[: len(said) + 1, b, : len(words)]
            target = [self.target_tokens.token(t) for t in said] + [SPECIAL[EOS]]
            yield k, Translation(self.target_tokens.decode(said), words, target, alpha)


def mean_loss(model, pairs, batch_size=64):
    """Mean negative log-likelihood of the targets, nats per token (<eos> counts); perplexity is its exp.

    Args: model, a Seq2Seq. pairs, a Pairs. batch_size, rows computed together.
    """
    total = tokens = 0
    for rows in plan_batches(pairs.source.lengths, pairs.target.lengths, batch_size):
        batch = pairs.batch(rows)
        total += float(model.forward(batch).loss) * batch.tokens
        tokens += batch.tokens
    return total / tokens
