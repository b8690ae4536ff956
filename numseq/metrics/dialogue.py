"""How good the responses of a dialogue are: right to the letter, and right about names."""

from collections.abc import Hashable, Iterable

from numseq import arguments
from numseq.errors import ConfigError
from numseq.metrics.tokenizers import composed


def response_accuracy(
    responses: Iterable[str], references: Iterable[str | Iterable[str]], dialogues: Iterable[Hashable]
) -> dict[str, float]:
    """How many responses are right, and how many dialogues in which all of them are.

    per_response = responses that equal their reference / responses
    per_dialogue = dialogues all of whose responses equal their reference / dialogues

    Args: responses, a text for each turn of the system. references, for each a text, or a list of several, one of which
        is to be equalled; how many spaces are between words does not count. dialogues, for each turn which dialogue it
        is of: anything that can be compared, as a number.
    Returns: a dict: per_response, per_dialogue, from 0 to 1; responses, dialogues, how many.
    Raises: ConfigError, when they do not pair up, or there is none.
    Source: Bordes et al. 2017.
    """
    responses, references = paired(responses, references)
    dialogues = arguments.listed(dialogues, "dialogues", "a list that says of each response which dialogue it is of")
    if len(dialogues) != len(responses):
        raise ConfigError(f"dialogues has {len(dialogues):,} lines, responses {len(responses):,}: they must pair up")
    right = [said in wanted for said, wanted in zip(responses, references, strict=True)]
    whole = dict.fromkeys(dialogues, True)
    for dialogue, one in zip(dialogues, right, strict=True):
        whole[dialogue] &= one
    return {
        "per_response": sum(right) / len(right), "per_dialogue": sum(whole.values()) / len(whole),
        "responses": len(right), "dialogues": len(whole),
    }  # fmt: skip


def entity_f1(
    responses: Iterable[str], references: Iterable[str | Iterable[str]], entities: Iterable[str]
) -> dict[str, float]:
    """How many of the names that were wanted have been said, and of those that were said, how many were wanted.

    tp = names of the reference that the response has     as often as the reference has them
    fn = names of the reference that it does not have
    fp = names of the response that the reference does not have, each once
    precision = tp / (tp + fp)      recall = tp / (tp + fn)      f1 = 2 tp / (2 tp + fp + fn)

    entity_f1 has the sums of tp, fp and fn over all responses: the micro-average. entity_f1_mean is the mean of the f1
    of each response whose reference has a name, which is what the published program of Mem2Seq computes under the name
    F1; what a response says where the reference has no name does not count there.

    Args: responses, references, see `response_accuracy`; of several references the first counts. entities, all names
        that count, such as those of the knowledge base; words with spaces between, compared as they are written.
    Returns: a dict: entity_f1, entity_precision, entity_recall, entity_f1_mean, from 0 to 1 and 0 where there is none;
        entities, how many names the references have.
    Raises: ConfigError, when they do not pair up, or there is no line or no name.
    Source: Eric & Manning 2017; Madotto et al. 2018.
    """
    responses, references = paired(responses, references)
    names = {tuple(composed(name).split()) for name in arguments.texts(entities, "entities")} - {()}
    if not names:
        raise ConfigError("entities has no name: there is nothing to look for")
    lengths = sorted({len(name) for name in names})
    all_tp = all_fp = all_fn = 0
    of_responses = []
    for said, wanted in zip(responses, references, strict=True):
        found, right = (_names(text.split(), names, lengths) for text in (said, wanted[0]))
        tp = sum(name in found for name in right)
        fn, fp = len(right) - tp, len({*found} - {*right})
        all_tp, all_fp, all_fn = all_tp + tp, all_fp + fp, all_fn + fn
        if right:
            of_responses.append(_share(2 * tp, 2 * tp + fp + fn))
    return {
        "entity_f1": _share(2 * all_tp, 2 * all_tp + all_fp + all_fn),
        "entity_precision": _share(all_tp, all_tp + all_fp), "entity_recall": _share(all_tp, all_tp + all_fn),
        "entity_f1_mean": _share(sum(of_responses), len(of_responses)), "entities": all_tp + all_fn,
    }  # fmt: skip


def paired(
    said: Iterable[str], wanted: Iterable[str | Iterable[str]], name: str = "responses"
) -> tuple[list[str], list[list[str]]]:
    """Texts, and the references of each in a list: composed, with one space between words. Args: name, what the caller
    calls `said`. Raises: ConfigError."""
    said = arguments.texts(said, name)
    wanted = arguments.listed(wanted, "references", "a list of texts, or of lists of them")
    if len(said) != len(wanted):
        raise ConfigError(f"references has {len(wanted):,} lines, {name} {len(said):,}: they must pair up")
    if not said:
        raise ConfigError(f"{name} has no line: there is nothing to score")
    references = []
    for k, line in enumerate(wanted):
        one = f"references[{k}]"
        lines = [arguments.text(line, one)] if isinstance(line, str) else arguments.texts(line, one)
        if not lines:
            raise ConfigError(f"references has none for line {k + 1:,}")
        references.append([_plain(text) for text in lines])
    return [_plain(text) for text in said], references


def _plain(text):
    return " ".join(composed(text).split())


def _names(words, names, lengths):
    """All names in a text, where they stand."""
    places = ((k, n) for k in range(len(words)) for n in lengths)
    return [tuple(words[k : k + n]) for k, n in places if k + n <= len(words) and tuple(words[k : k + n]) in names]


def _share(part, whole):
    return part / whole if whole else 0.0
