"""Checking hand-written gradients against numbers, and naming what is wrong with them.

What is known of the library's own layers lies in `numseq.mistakes`, and can be had here as well: BUGS, Bug, grade.
"""

from typing import Any

from numseq.gradcheck.core import assert_gradients, check
from numseq.gradcheck.naming import mistakes
from numseq.gradcheck.probes import probe
from numseq.gradcheck.references import TOLERANCE, NotAnalyticError, sweep
from numseq.gradcheck.report import Check, relative_error

__all__ = [
    "BUGS",
    "TOLERANCE",
    "Bug",
    "Check",
    "NotAnalyticError",
    "assert_gradients",
    "check",
    "grade",
    "probe",
    "relative_error",
    "sweep",
]


def __getattr__(name: str) -> Any:  # only called for what is not here yet
    if name in ("BUGS", "Bug", "grade"):
        return getattr(mistakes(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
