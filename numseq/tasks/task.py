"""What a task is: how its files become pairs, what options are by default for it, and what is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from numseq.tasks.numbered import Numbered

Measures = Callable[[Sequence[str], Sequence[Sequence[str]], Sequence[int] | None], dict[str, float]]


@dataclass(frozen=True)
class Task:
    """A task.

    what: what is learnt, a few words. text: the Corpus of files of numbered lines, None where its pairs are two files,
    columns, or JSON. tags: what its sources have besides text; a task with tags has turns. data:
    {option: value}, the DataOptions that suit it. metrics: what `numseq evaluate` computes, where nothing is said.
    measures: what it computes besides, None or f(hypotheses, references, groups) -> {name: value}, where references are
    lists, and groups the dialogue or story of each, or None.
    """

    what: str
    text: type[Numbered] | None = None
    tags: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    metrics: tuple[str, ...] = ("bleu", "chrf", "exact")
    measures: Measures | None = None
