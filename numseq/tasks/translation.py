"""Translation, or whatever else makes a line of a line: two files, two columns, or JSON."""

from numseq.tasks.task import Task

TASK = Task("translation", metrics=("bleu", "chrf", "exact", "ppl"))
