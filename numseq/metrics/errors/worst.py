"""The worst lines: those with the most edits, the wrong ones that the model was surest of, and the least sure of."""

from collections.abc import Callable, Sequence
from typing import Any

from numseq.metrics.errors.lines import Line
from numseq.metrics.errors.table import Examples


def worst_lines(lines: Sequence[Line], key: Callable[[Line], Any], many: int) -> list[Line]:
    """The wrong lines by a key, the smallest first."""
    return sorted((line for line in lines if line.wrong), key=key)[:many]


def worst(lines: Sequence[Line], many: int) -> dict[str, Examples]:
    """The tables `worst`, `sure_and_wrong` and `least_sure`."""
    scored = [line for line in lines if line.probability is not None]
    sure = "probability: the mean (geometric) of what the model gave to each token that it said"
    return {
        "worst": _examples("Most edits", worst_lines(lines, lambda x: (-x.wrong, x.number), many), ""),
        "sure_and_wrong": _examples(
            "Sure and wrong", worst_lines(scored, lambda x: (-x.probability, x.number), many), sure
        ),
        "least_sure": _examples("Least sure", worst_lines(scored, lambda x: (x.probability, x.number), many), sure),
    }


def _examples(title, lines, note):
    return Examples(title, [
        {
            "line": line.number, "edits": line.wrong, "of_tokens": line.wanted, "probability": line.probability,
            "source": line.source, "reference": line.reference, "said": line.said,
        }
        for line in lines
    ], note)  # fmt: skip
