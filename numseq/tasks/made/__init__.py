"""Corpora that make themselves, one for each task: small worlds whose rule is exact, so that every answer is known."""

from numseq.tasks.made.chinese import make_chinese
from numseq.tasks.made.code import make_code
from numseq.tasks.made.dialogue import make_dialogues
from numseq.tasks.made.draw import Made
from numseq.tasks.made.pictures import Picture, make_pictures, write_pictures
from numseq.tasks.made.questions import make_questions
from numseq.tasks.made.series import make_series, make_windows, mean_absolute_error, naive_seasonal
from numseq.tasks.made.speech import Utterance, Voice, make_speech, speak, write_speech
from numseq.tasks.made.summary import make_summaries

__all__ = [
    "Made", "Picture", "Utterance", "Voice", "make_chinese", "make_code", "make_dialogues", "make_pictures",
    "make_questions", "make_series", "make_speech", "make_summaries", "make_windows", "mean_absolute_error",
    "naive_seasonal", "speak", "write_pictures", "write_speech",
]  # fmt: skip
