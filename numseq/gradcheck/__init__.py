"""Checking hand-written gradients against numbers, and naming what is wrong with them."""

from numseq.gradcheck.bugs import BUGS, Bug
from numseq.gradcheck.diagnosis import check
from numseq.gradcheck.grade import grade
from numseq.gradcheck.references import TOLERANCE, NotAnalyticError, sweep
from numseq.gradcheck.report import Check, relative_error

__all__ = ["BUGS", "TOLERANCE", "Bug", "Check", "NotAnalyticError", "check", "grade", "relative_error", "sweep"]
