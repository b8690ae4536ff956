"""Programs: a sentence and the program that does what it says, two files, two columns, or JSON."""

from numseq.tasks.task import Task

TASK = Task("programs from sentences", data={"min_count": 1}, metrics=("exact", "bleu", "ppl"))
