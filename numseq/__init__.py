"""Sequence-to-sequence learning in NumPy, with backpropagation written by hand."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numseq.backend import BackendError, array_module, to_numpy, use

__version__ = "0.1.0"
__all__ = ["BackendError", "array_module", "to_numpy", "use"]


def __getattr__(name: str) -> Any:
    """These come when they are asked for: importing NumPy takes a while, and the command line begins before it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from numseq import backend

    return getattr(backend, name)
