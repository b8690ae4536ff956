"""Parts by name: what an option such as `cell` may be called, and the reader's own parts among them.

A part of one's own is handed in as an object wherever a name is taken, or registered under a name:

    Seq2SeqConfig(9000, 9000, cell=LSTM(step=my_step))
    CELLS.register(LSTM(step=my_step), "coupled")

Either way a configuration holds names only, so it can be saved; a saved model that names a part which is not known is
refused, for it cannot be computed without it.
"""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

from numseq.errors import ConfigError
from numseq.show import fields_of

if TYPE_CHECKING:
    Part: TypeAlias = Any  # what an option takes that names a part: its name, or the part itself
else:
    Part = str  # what it is from then on


class Registry(dict):
    """The parts of one kind by name. kind: what an option calls them, "cell". offers: the names of what
    each must have, so that a list or a mistake is not taken for one."""

    def __init__(self, kind: str, parts: dict[str, Any], offers: Iterable[str] = ()):
        super().__init__(parts)
        self.kind, self.offers = kind, offers

    def register(self, part: Any, name: str | None = None) -> str:
        """Make a part known, by `name` or by its qualified name; returns the name. A part that is known by the name
        already, as after running a cell of a notebook again, is replaced by the new one.

        Raises: ConfigError, when it is no such part, has no name that another process could know it by, or shares that
            name with another one, made by the same lines: a model of that one would from now on compute with this one.
        """
        if missing := [attribute for attribute in self.offers if not hasattr(part, attribute)]:
            own = f"or give one of your own, which this is not: it has no {missing[0]}"
            raise ConfigError(f"{self.kind} is {part!r}: choose one of {', '.join(self)}, {own}")
        of_classes = any(isinstance(other, type) for other in self.values())
        if isinstance(part, type) and not of_classes:
            raise ConfigError(f"{self.kind} is the class {part.__name__}: give one made of it, {part.__name__}(...)")
        if of_classes and not isinstance(part, type):
            raise ConfigError(f"{self.kind} is made of {type(part).__name__} already: give the class itself")
        if name is None:
            name = qualified_name(part)
            if name in self and _made_by(self[name]) == _made_by(part) and not _alike(self[name], part):
                raise ConfigError(
                    f"another {self.kind} is called {name} already: give this one a name of its own, "
                    f"{self.kind.upper()}S.register(part, name)"
                )
        self[name] = part
        return name

    def name_of(self, part: Any) -> str | None:
        """The name of a part, which may be a name already, or None; one of the reader's own is registered.

        Raises: ConfigError, for a name that is not known; see `register`.
        """
        if isinstance(part, str):
            self.find(part)
        if part is None or isinstance(part, str):
            return part
        known = next((name for name, other in self.items() if other is part or _alike(other, part)), None)
        return known or self.register(part)

    def find(self, name: str) -> Any:
        """The part of a name.

        Raises: ConfigError, when there is none.
        """
        if name in self:
            return self[name]
        if "." in name:
            raise ConfigError(
                f"{self.kind} is {name!r}, a part of somebody's own that is not known here: import it and register it, "
                f"{self.kind.upper()}S.register(part, {name!r})"
            )
        raise ConfigError(f"{self.kind} is {name!r}: choose one of {', '.join(self)}")


def qualified_name(part: Any) -> str:
    """`module.Class`, or `module.function`; of a dataclass's instance also which functions and classes it was made of.

    Raises: ConfigError, for a lambda or a partial.
    """
    if isinstance(part, partial):
        raise ConfigError("a partial has no name that a saved model could know it by: define a function with def")
    own = part if hasattr(part, "__qualname__") else type(part)
    name = f"{own.__module__}.{own.__qualname__}"
    if "<lambda>" in name:
        raise ConfigError("a lambda has no name that a saved model could know it by: define it with def")
    if own is not part and is_dataclass(part):
        given = [(f.name, getattr(part, f.name)) for f in fields(part) if getattr(part, f.name) != f.default]
        parts = (f"{key}={qualified_name(value) if callable(value) else repr(value)}" for key, value in given)
        name += f"({', '.join(parts)})"
    return name


def _alike(a, b):
    """Were two parts made by the same lines, and do they hold the same?"""
    try:
        return _made_by(a) == _made_by(b) and bool(_held(a) == _held(b))
    except ValueError:  # of arrays, whose equality is no single answer
        return False


def _made_by(part):
    """The class of an object or the code of a function, and of the functions and objects to call that it holds. What is
    defined anew, though in the same words, is another."""
    if isinstance(part, FunctionType):
        return [id(part.__code__)]
    if hasattr(part, "__qualname__"):  # a class, or what is written in C
        return [part]
    return [type(part), *(_made_by(value) for _, value in fields_of(part) if callable(value))]


def _held(part):
    """What tells an object or a function from others that were made by the same lines."""
    if isinstance(part, FunctionType):
        return [part.__defaults__, part.__kwdefaults__, [cell.cell_contents for cell in part.__closure__ or ()]]
    if hasattr(part, "__qualname__"):
        return []
    return [(name, _held(value) if callable(value) else value) for name, value in fields_of(part)]
