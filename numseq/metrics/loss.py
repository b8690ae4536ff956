"""The loss of a model on a whole corpus."""

from typing import Any

from numseq import arguments
from numseq.data.batches import Pairs
from numseq.errors import ArgumentError
from numseq.models import Seq2Seq, Seq2SeqConfig


def mean_loss(model: Seq2Seq, corpus: Any, size: int = 64, objective: Any = None, **how: Any) -> float:
    """The mean loss of a corpus by weight: for pairs of sentences nats per target token (<eos> counts), whose exp is
    the perplexity.

    Args: model, a Seq2Seq. corpus, such as Pairs. size, rows computed together. objective, None for cross-entropy.
        how, what else the corpus's `plan` takes: by="tokens", and size counts tokens.
    Raises: ArgumentError, when one of these is of another kind, or the corpus is empty or not of the model.
    """
    arguments.one_of(model, "model", Seq2Seq)
    check_corpus(corpus, "corpus", model.config)
    size = arguments.whole(size, "size", least=1)
    total = weight = 0
    for rows in corpus.plan(size, **how):
        batch = corpus.batch(rows)
        total += float(model.forward(batch, objective=objective).loss) * batch.weight
        weight += batch.weight
    return total / weight


def check_corpus(corpus: Any, called: str, config: Seq2SeqConfig) -> None:
    """Raise ArgumentError, unless it is a corpus, and has something that the model knows."""
    arguments.having(corpus, called, "Pairs, or a corpus like it", "plan", "batch", "padding")
    if isinstance(corpus, Pairs):
        corpus.fit(called, config.source_vocabulary, config.target_vocabulary)
        if not len(corpus):
            raise ArgumentError(f"{called} has no pair in it")
        if not corpus.source.lengths.all():
            first = int(corpus.source.lengths.argmin())
            raise ArgumentError(
                f"{called} has a pair without a source, the first is number {first + 1:,}: leave it out"
            )
