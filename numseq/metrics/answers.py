"""How many questions are answered right, by their kind."""

from collections import Counter
from collections.abc import Hashable, Iterable

from numseq import arguments
from numseq.errors import ConfigError
from numseq.metrics.dialogue import paired

FAILED = 0.05


def answer_errors(
    answers: Iterable[str], references: Iterable[str | Iterable[str]], kinds: Iterable[Hashable]
) -> dict[str, object]:
    """How many answers are wrong, for each kind of question and in the mean of the kinds.

    error of a kind = its answers that equal no reference of theirs / its answers
    mean_error      = mean over kinds, each counting alike

    Args: answers, a text for each question. references, for each a text, or a list of several; how many spaces are
        between words does not count. kinds, for each question which kind it is.
    Returns: a dict: errors, {kind: error from 0 to 1}, in the order in which kinds come; mean_error; failed, how many
        kinds have an error above 5 %; accuracy, the share of all answers that are right; questions, how many.
    Raises: ConfigError, when they do not pair up, or there is none.
    Source: Weston et al. 2015; Sukhbaatar et al. 2015.
    """
    answers, references = paired(answers, references, "answers")
    kinds = arguments.listed(kinds, "kinds", "a list that says of each question which kind it is")
    if len(kinds) != len(answers):
        raise ConfigError(f"kinds has {len(kinds):,} lines, answers {len(answers):,}: they must pair up")
    wrong, asked = Counter(), Counter(kinds)
    for said, wanted, kind in zip(answers, references, kinds, strict=True):
        wrong[kind] += said not in wanted
    errors = {kind: wrong[kind] / count for kind, count in asked.items()}
    return {
        "errors": errors, "mean_error": sum(errors.values()) / len(errors),
        "failed": sum(error > FAILED for error in errors.values()),
        "accuracy": 1 - wrong.total() / len(answers), "questions": len(answers),
    }  # fmt: skip
