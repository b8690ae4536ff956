"""What a model gets wrong, and when: tables by length, frequency and attention, and two models side by side."""

from numseq.metrics.errors.analysis import ErrorAnalysis, analyse
from numseq.metrics.errors.comparison import ErrorComparison, compare_errors
from numseq.metrics.errors.table import Table

__all__ = ["ErrorAnalysis", "ErrorComparison", "Table", "analyse", "compare_errors"]
