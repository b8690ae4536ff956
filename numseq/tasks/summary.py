"""Summaries: a text and what is said of it in short, two fields of JSON lines, or two columns.

A long text is cut: its first --max-length tokens are read, where a model is trained as where it is used.

Source: See et al. 2017, who read 400 tokens.
"""

from numseq.tasks.task import Task

TASK = Task("summaries", data={"long": "cut", "max_length": 400}, metrics=("rouge", "novel", "ppl"))
