"""Metrics of a model by its translations: the validation pairs are decoded, and scored by `numseq.metrics`."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from numseq.data.batches import Pairs
from numseq.data.long import kept
from numseq.data.tokens import Tokens
from numseq.errors import ConfigError
from numseq.metrics.figures import FIGURES
from numseq.metrics.scores import corpus_scores
from numseq.models import Seq2Seq
from numseq.search.scoring import EXTRA, MAX_RATIO
from numseq.search.translate import Translator
from numseq.training.options import TrainingOptions
from numseq.training.progress import progress_bar


def scorer_of_validation(
    pairs: Iterable[tuple[str, str]],
    tokens: tuple[Tokens, Tokens],
    options: TrainingOptions,
    max_length: int,
    long: str = "drop",
    say: Callable[[str], Any] = print,
    extra: int = EXTRA,
) -> Callable[[Seq2Seq], tuple[dict[str, float], list[dict[str, str]]]] | None:
    """What a Trainer calls at each validation: greedy translations of the validation pairs, scored, and some shown.

    References are put through the target's vocabulary first (its Unicode form and case), as a model can say nothing
    else.

    Args: pairs, (source, target) strings. tokens, of source and target. options: metric, tokenize, show, batch and
        threads count. max_length, long: sources of more tokens are left out or shortened (`numseq.data.long`). say:
        called with a line about these. extra, of a Translator.
    Returns: f(model), which gives ({name: value}, samples), as a Trainer's `scorer`; None when neither the metric nor
        `show` asks for translations.
    Raises: ConfigError, when the metric needs a package that is not there, there is no such tokeniser, or no pair is
        left.
    """
    figure = FIGURES[options.metric]
    if not (figure.metric or options.show):
        return None
    if figure.metric:
        corpus_scores(["a"], ["a"], figure.metric, options.tokenize)  # raises what it would raise an hour later
    source_tokens, target_tokens = tokens
    pairs = list(pairs)
    parts = [kept(ids, max_length, long, source_tokens) for ids in source_tokens.encode([s for s, _ in pairs])]
    real = [pair for pair, part in zip(pairs, parts, strict=True) if part and part.stop]
    if not real:
        raise ConfigError(f"metric, show: no validation pair has a source of at most {max_length:,} tokens")
    if len(real) < len(pairs):
        say(f"{len(pairs) - len(real):,} validation pairs without a source, or with a longer one, are not translated")
    references = [target_tokens.normalize(target) for _, target in real]
    shown = np.linspace(0, len(real) - 1, min(options.show, len(real))).astype(int).tolist()
    decoded = range(len(real)) if figure.metric else shown

    def score(model):
        translator = Translator(model, source_tokens, target_tokens, extra=extra)
        lines = [real[k][0] for k in decoded]
        found, bar = {}, progress_bar(len(lines), "line", "validation")
        stream = translator.stream(lines, options.rows, max_length=max_length, long=long, threads=options.threads)
        for k, translation in zip(decoded, stream, strict=True):
            found[k] = translation.text
            bar.update()
        bar.close()
        scores = {}
        if figure.metric:
            texts = [target_tokens.normalize(text) for text in found.values()]  # a copied word has a form of its own
            all_scores = corpus_scores(texts, references, figure.metric, options.tokenize)
            scores = {name: all_scores[f.key] for name, f in FIGURES.items() if f.metric == figure.metric}
        samples = [{"source": real[k][0], "translation": found[k], "reference": references[k]} for k in shown]
        return scores, samples

    return score


def extra_for(pairs: Pairs) -> int:
    """The `extra` of a Translator by which no target of these pairs is too long to be said: an answer may
    have many times the tokens of its question. At least what is usual."""
    beyond = pairs.target.lengths - (MAX_RATIO * pairs.source.lengths).astype(np.int64)
    return max(EXTRA, int(beyond.max(initial=0)))
