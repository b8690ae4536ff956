"""What a backward hands to the parts that it calls."""

import inspect
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from numseq import params as trees


class Handed:
    """`with Handed(owners) as handed:` notes what each of some traces' or records' backward is first called with."""

    def __init__(self, owners: list[Any]):
        self.owners = owners
        self.kinds = {type(owner) for owner in owners}
        self.given: dict[int, dict] = {}  # by id of the owner

    def of_owners(self) -> list[tuple[Any, dict]]:
        """(owner, given) of each, with nothing given where it was not called."""
        return [(owner, self.given.get(id(owner), {})) for owner in self.owners]

    def __enter__(self) -> Self:
        self.before = {kind: vars(kind).get("backward") for kind in self.kinds}
        for kind in self.kinds:
            kind.backward = self._noted(kind.backward)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for kind, backward in self.before.items():
            if backward is None:
                del kind.backward
            else:
                kind.backward = backward

    def _noted(self, backward):
        arguments = inspect.signature(backward)

        def noted(owner, *args, **kw):
            given = list(arguments.bind(owner, *args, **kw).arguments.items())[1:]
            self.given.setdefault(id(owner), dict(given))
            return backward(owner, *args, **kw)

        return noted


def handed(parts: Iterable[tuple[Any, dict]]) -> dict[str, np.ndarray]:
    """The leaves of what each part was given. A state counts as the plain tuple that it may be, too."""
    found = {}
    for k, (_, given) in enumerate(parts):
        for name, tree in given.items():
            found |= {f"handed.{k}.{name}{leaf}": a for leaf, a in _by_position(tree)}
    return {leaf: np.asarray(trees.to_host(a)) for leaf, a in found.items()}


def _by_position(tree):
    if isinstance(tree, list | tuple):
        for k, part in enumerate(tree):
            yield from ((f".{k}{leaf}", a) for leaf, a in _by_position(part))
    else:
        yield from ((f".{leaf}" if leaf else "", a) for leaf, a in trees.walk(tree))
