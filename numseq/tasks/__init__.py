"""What can be learnt: how files become pairs, and corpora that make themselves."""

from numseq.tasks import code, dialogue, questions, summary, translation
from numseq.tasks.dates import make_dates
from numseq.tasks.dialogue import Conversation, Dialogues
from numseq.tasks.questions import Questions
from numseq.tasks.talk import Talk
from numseq.tasks.task import Task

TASKS = {
    "translation": translation.TASK,
    "summary": summary.TASK,
    "dialogue": dialogue.TASK,
    "questions": questions.TASK,
    "code": code.TASK,
}

__all__ = ["TASKS", "Conversation", "Dialogues", "Questions", "Talk", "Task", "make_dates"]
