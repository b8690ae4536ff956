"""Figures by which a model is chosen: which of them there are, and which way is better."""

from dataclasses import dataclass

from numseq.metrics.captions import CAPTIONS


@dataclass(frozen=True)
class Figure:
    """metric: what of `METRICS` computes it, by translating; None of what follows from the loss. key: its name among
    what `corpus_scores` returns. lower: is less better?"""

    metric: str | None = None
    key: str = ""
    lower: bool = False

    def better(self, value: float, best: float | None) -> bool:
        """Is a value better than the best so far, None where there was none? No number is better than none."""
        return best is None or (value < best if self.lower else value > best)

    def chosen(self, value: float, loss: float | None, best: float | None, best_loss: float | None) -> bool:
        """Is a model with this value and validation loss taken instead of the best so far? Yes if its value is better,
        or as good and its loss smaller; with a loss that is not known, None, the earlier one stays."""
        if self.better(value, best):
            return True
        return value == best and None not in (loss, best_loss) and loss < best_loss  # type: ignore[operator]


def column(name: str) -> str:
    """What a figure is called in a line of metrics.jsonl."""
    return f"valid_{name}" if name in FIGURES and not FIGURES[name].metric else name


FIGURES = {
    "loss": Figure(lower=True),
    "perplexity": Figure(lower=True),
    "bleu": Figure("bleu", "bleu"),
    "chrf": Figure("chrf", "chrf"),
    "ter": Figure("ter", "ter", lower=True),
    "rouge1": Figure("rouge", "rouge1"),
    "rouge2": Figure("rouge", "rouge2"),
    "rougeL": Figure("rouge", "rougeL"),
    "wer": Figure("wer", "wer", lower=True),
    "per": Figure("per", "per", lower=True),
    "word_errors": Figure("per", "word_errors", lower=True),
    "cer": Figure("cer", "cer", lower=True),
    "exact": Figure("exact", "exact_match"),
    "regex_equal": Figure("regex", "regex_equal"),
    **{name: Figure(name, name) for name in CAPTIONS},
}
