"""Sequence-to-sequence learning in NumPy, with backpropagation written by hand."""

from numseq.backend import BackendError, array_module, to_numpy, use

__version__ = "0.1.0"
__all__ = ["BackendError", "array_module", "to_numpy", "use"]
