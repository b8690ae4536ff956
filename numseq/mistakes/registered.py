"""Cells and attentions that are registered, and of which nothing is known yet: what can be tried of any.

A part that comes with the library without a file in `numseq.mistakes.layers` is checked all the same, but no mistake in
it has a name. A cell and an attention may have one name.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from numseq import layers
from numseq.backend import Generator
from numseq.mistakes.fixtures import A, Case, D, H
from numseq.mistakes.layer import LAYERS
from numseq.mistakes.layers.attention.look import look
from numseq.mistakes.layers.cells import fixtures

if TYPE_CHECKING:
    from numseq.registry import Registry


def cases(rng: Generator) -> dict[str, Case]:
    from numseq.models.registry import ATTENTIONS, CELLS

    table = {}
    for name, cell in unknown(CELLS).items():
        each = SimpleNamespace(name=name, cell=cell, hidden=H, function=layers.sequence, covers=())
        table |= fixtures.recurrent(rng, each)
    for name, kind in unknown(ATTENTIONS).items():
        params = kind.init(rng, D, D, A, float)
        table[f"{name}, attention"] = look(rng, looking(kind), (), D, params)
    return table


def unknown(registry: "Registry") -> dict[str, Any]:
    """The parts of a registry that come with the library and whose equations are not known."""
    ours = {name: part for name, part in registry.items() if getattr(part, "__module__", "").startswith("numseq.")}
    return {name: part for name, part in ours.items() if getattr(part, "equations", None) not in LAYERS}


def looking(kind: type) -> Callable[..., Any]:
    """A function that looks with an attention of a kind."""

    def attend(query, keys, values, params=None, mask=None):
        return layers.attend(kind(keys, values, params, mask), query)

    return attend
