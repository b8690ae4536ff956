"""Talking with a model: its answers, given all that was said before."""

from typing import Any

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.search.translate import Translator
from numseq.search.translation import Translation
from numseq.tasks.dialogue import BOT, FACT, TAGS, USER, Conversation


class Talk:
    """A conversation with a model that was trained on dialogues.

    Args: translator, a Translator. speaker, who answers, of a model that was trained with speakers: "anna" of <anna>.
        options, of `Translator.translate`: search, and max_length and long, by which the oldest turns are left out.
    Raises: ArgumentError, when the model knows no turns, or no such speaker.
    """

    def __init__(self, translator: Translator, speaker: str | None = None, **options: Any):
        arguments.one_of(translator, "translator", Translator)
        self.translator, self.options = translator, options
        tags = translator.source_tokens.tags
        if tags[: len(TAGS)] != TAGS:
            raise ArgumentError(f"translator was not trained on dialogues: it knows no {', '.join(TAGS)}")
        names = [tag[1:-1] for tag in tags[len(TAGS) :]]
        if (speaker not in names) if names or speaker is not None else False:
            known = f"choose one of {', '.join(names)}" if names else "the model has no speakers"
            raise ArgumentError(f"speaker is {speaker!r}: {known}")
        self.speaker = f"<{speaker}>" if speaker else None
        self.begin()

    def begin(self) -> None:
        """Forget what was said."""
        self.conversation = Conversation(self.translator.source_tokens.tags)

    def know(self, fact: str) -> None:
        """Tell what is known, as a line without a tab does in training."""
        self.conversation.add(FACT, fact.strip())

    def say(self, text: str) -> Translation:
        """The answer to what a user says; both are remembered."""
        self.conversation.add(USER, text.strip())
        source = self.conversation.source(self.speaker)
        [answer] = self.translator.translate([source], 1, **self.options)
        self.conversation.add(self.speaker or BOT, answer.text)
        return answer
