"""Checking hand-written gradients against numbers."""

from numseq.gradcheck.core import TOLERANCE, Check, check, relative_error

__all__ = ["TOLERANCE", "Check", "check", "relative_error"]
