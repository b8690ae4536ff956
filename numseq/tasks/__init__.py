"""Built-in tasks: corpora that make themselves."""

from numseq.tasks.dates import make_dates

__all__ = ["make_dates"]
