"""A Translation: one line's result, made of what a search found in ids."""

from dataclasses import dataclass, field
from typing import Any

from numseq.backend import Array
from numseq.data.copying import Copyable
from numseq.data.tokens import EOS, SPECIAL, UNK
from numseq.errors import ConfigError
from numseq.search.copied import words_of
from numseq.search.hypotheses import Hypothesis


@dataclass(slots=True)
class Translation:
    """One line's result. alpha (len(target), len(places)): a row for each token said, None without an attention.

    score, what hypotheses are ordered by, and logp, log p(target | source) in nats; None of a line that is empty or too
    long. others: the next best Translations, or the other samples, of the same line. unknown: the tokens of source that
    the model does not know. copied, by a head that copies: for each token said the place in source from which it was
    copied, None where it was generated. ill_formed: whether it had to end where its constraint had not. shortened:
    source is only a part of a line that was too long.
    """

    text: str
    source: list[str]  # tokens
    target: list[str]  # tokens, <eos> last
    alpha: Array | None
    score: float | None = None
    logp: float | None = None
    others: list["Translation"] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    copied: list[int | None] | None = None
    ill_formed: bool = False
    shortened: bool = False

    @property
    def too_long(self) -> bool:
        """Was the line not translated since it has more tokens than `max_length`?"""
        return bool(self.source) and not self.target

    @property
    def places(self) -> list[str]:
        """What alpha's columns are: the source's tokens, or numbers, where an encoder made other places of them."""
        n = self.alpha.shape[1]
        return self.source if n == len(self.source) else [str(place) for place in range(n)]


def translation_of(
    found: Hypothesis, words: list[str], unknown: list[str], tokens: Any, origin: tuple[Copyable, Array] | None = None
) -> Translation:
    """What a search found, as text.

    Args: words, the tokens of the source, and unknown, those that the model does not know. tokens, Tokens of the
        target. origin, of a head that copies: what there was to copy, and from which place each token was, -1 for none.
    Returns: a Translation without others.
    """
    said, copyable, places, copied = found.tokens.tolist(), None, (), None
    if origin is not None:
        copyable, places = origin[0], origin[1][: len(found.tokens)].tolist()
        copied = [None if place < 0 else place for place in places]
    target, text = words_of(tokens, said, copyable, places)
    return Translation(
        text=text,
        source=words,
        target=[*target, SPECIAL[EOS]],
        copied=copied,
        alpha=found.alpha,
        score=found.score,
        logp=found.logp,
        unknown=unknown,
    )


def replace_unknown(translation: Translation, dictionary: dict[str, str], source: Any, target: Any) -> None:
    """Put for each <unk> the translation of the word that it looked at most, or where the dictionary has none, that
    word. Args: source, target: the Tokens of both.

    Raises: ConfigError, where it does not look at the words of the source.
    """
    if translation.alpha is None or translation.places != translation.source:
        raise ConfigError("<unk> is replaced by where the model looks, but here it is not at the words of the source")
    for t, token in enumerate(translation.target):
        if token == SPECIAL[UNK]:
            word = source.bare(translation.source[int(translation.alpha[t].argmax())])
            translation.target[t] = dictionary.get(word, word)
    translation.text = target.join(translation.target[:-1])
