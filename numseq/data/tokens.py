"""Tokens: text to ids and back, by words, characters or sub-words, through the `tokenizers` library.

Four special tokens come first in every vocabulary: padding, unknown, begin and end of sequence.
"""

import unicodedata
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Self

from numseq import arguments
from numseq.data.kinds import (
    BOS,
    EOS,
    KINDS,
    MARK,
    NORMALIZATIONS,
    PAD,
    SPECIAL,
    SUBWORDS,
    UNK,
    TokenError,
    checked_kind,
    checked_tags,
    plain,
)
from numseq.data.learning import learn, normalizer_of
from numseq.data.tokenizer_files import Form, Tags, from_text, to_text, tokenizer_of

__all__ = ["BOS", "EOS", "KINDS", "NORMALIZATIONS", "PAD", "SPECIAL", "UNK", "TokenError", "Tokens"]


class Tokens:
    """A vocabulary with the rule that cuts text into tokens; wraps a `tokenizers.Tokenizer`.

    Words are what white space separates; characters are Unicode code points, spaces included. Sub-words ("bpe",
    "unigram") are pieces of words, of which a word's first begins with ▁: "▁bicy", "cle". What `decode` gives is text
    again: the same, where nothing in it was unknown, and no word stood behind an odd space.

    A letter with an accent can be written as one code point or as two. "nfc" composes all text that comes in, "nfkc"
    makes one also of what only looks different, as a no-break space and a space; "nfd" decomposes, so that a letter and
    its accent are two characters, which are composed again in text that comes out; "none" takes text as it is. The form
    is kept with the vocabulary. Source: Unicode Standard Annex 15.

    Tags, such as "<user>", are tokens that no text is cut into otherwise, with ids after the special tokens', whatever
    text is cut into. The spaces around them are theirs. `plain` takes apart what only looks like one.
    """

    def __init__(self, tokenizer: Any, form: Form, tags: Tags = ()):
        self._tokenizer = tokenizer
        self._form = form
        self.tags = tags
        self.kind, self.normalization, self.lowercase = form
        self._normalize = normalizer_of(self.normalization, self.lowercase)

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        kind: str,
        min_count: int = 1,
        normalization: str = "none",
        max_vocabulary: int | None = None,
        lowercase: bool = False,
        tags: Iterable[str] = (),
    ) -> Self:
        """Build the vocabulary of lines.

        Args: lines, an iterable of str, gone over once, and twice for sub-words. kind, "word", "char", "bpe" or
            "unigram". min_count: rarer words become <unk>, and of sub-words rarer characters. normalization, "nfc",
            "nfkc", "nfd" or "none". max_vocabulary, most tokens, special ones included; None for all, or for 8,000
            sub-words. lowercase, make small letters of all text. tags, strings as "<user>".
        Raises: TokenError, unknown kind or normalization, or no token occurs often enough; ArgumentError, when lines
            are not strings.
        """
        min_count = arguments.whole(min_count, "min_count", least=1)
        tags = checked_tags(tags)
        if max_vocabulary is not None:
            max_vocabulary = arguments.whole(max_vocabulary, "max_vocabulary", least=len(SPECIAL) + len(tags) + 2)
        arguments.one_of(lowercase, "lowercase", bool)
        checked_kind(kind, normalization)
        if kind in SUBWORDS and iter(lines) is lines:
            lines = list(lines)  # gone over twice
        model = learn(arguments.Texts(lines, "lines"), kind, min_count, max_vocabulary, normalization, lowercase, tags)
        form = kind, normalization, lowercase
        return cls(tokenizer_of(model, form, tags), form, tags)

    @classmethod
    def of(
        cls,
        tokens: Iterable[str],
        kind: str,
        normalization: str = "none",
        lowercase: bool = False,
        tags: Iterable[str] = (),
    ) -> Self:
        """The vocabulary of words or characters that are given, in their order.

        Args: tokens, an iterable of str; special tokens in it have their places already, and what is the same in this
            form counts once. The others: see `train`.
        Raises: TokenError, when one can never be found in a text, or there is none; ArgumentError.
        """
        checked_kind(kind, normalization)
        tags = checked_tags(tags)
        if kind in SUBWORDS:
            raise TokenError(f"a list of tokens does not say how {kind} cuts words: give a file *.tokens.json of a run")
        first = *SPECIAL, *tags
        vocabulary = {token: k for k, token in enumerate(first)}
        form = kind, normalization, lowercase
        bare = cls(tokenizer_of({"type": "WordLevel", "vocab": vocabulary, "unk_token": SPECIAL[UNK]}, form), form)
        for k, token in enumerate(arguments.texts(tokens, "tokens")):
            if token in first:
                continue
            token = bare.normalize(token)
            if bare.split(token) != [token]:
                what = "word" if kind == "word" else "character"
                raise TokenError(f"tokens[{k}] is {token!r}: not one {what}")
            vocabulary.setdefault(token, len(vocabulary))
        if len(vocabulary) == len(first):
            raise TokenError("tokens has none: nothing to build a vocabulary from")
        return cls(
            tokenizer_of({"type": "WordLevel", "vocab": vocabulary, "unk_token": SPECIAL[UNK]}, form, tags), form, tags
        )

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, lines: Iterable[str]) -> list[list[int]]:
        """The ids of each line, a list of lists, without <bos> and <eos>.

        Raises: ArgumentError, when lines are not strings.
        """
        coded = self._tokenizer.encode_batch(arguments.texts(lines, "lines"))
        return [_known(encoding.ids) for encoding in coded]

    def read(self, lines: Iterable[str]) -> tuple[list[list[int]], list[list[tuple[int, str]]]]:
        """The same, and for each line which tokens are unknown: (place, as it is written)."""
        lines = [self.normalize(line) for line in arguments.texts(lines, "lines")]  # see `split`
        coded = self._tokenizer.encode_batch(lines)
        ids = [_known(encoding.ids) for encoding in coded]
        unknown: list[list[tuple[int, str]]] = [[] for _ in lines]
        for line, encoding, of_line, found in zip(lines, coded, ids, unknown, strict=True):
            if UNK in of_line:
                offsets = encoding.offsets
                found += [(k, line[slice(*offsets[k])]) for k, known in enumerate(of_line) if known == UNK]
        return ids, unknown

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids; <pad>, <bos> and <eos> are left out, <unk> is shown.

        Raises: ArgumentError, when one is no id of the vocabulary.
        """
        ids = arguments.ids(ids, "ids", len(self))
        return self._composed(
            self._tokenizer.decode([k for k in ids if k not in (PAD, BOS, EOS)], skip_special_tokens=False)
        )

    def normalize(self, line: str) -> str:
        """The line in the form of this vocabulary: Unicode's, and small letters if it has no others."""
        if line.isascii() and not self.lowercase:  # all forms are one
            return line
        return self._normalize(line)

    def plain(self, line: str) -> str:
        """The line with what looks like a tag taken apart, "<user>" to "< user>", so that it is text."""
        return plain(line, self.tags)

    def split(self, line: str) -> list[str]:
        """The tokens of a line in the form of `normalize`, unknown ones as they are written there; as many as `encode`
        gives."""
        line = self.normalize(arguments.text(line, "line"))  # else offsets would leave accents out
        coded = self._tokenizer.encode(line)
        return [
            token.strip() if EOS < k <= EOS + len(self.tags) else token if k > EOS else line[start:end]
            for k, token, (start, end) in zip(coded.ids, coded.tokens, coded.offsets, strict=True)
        ]

    def join(self, tokens: Iterable[str]) -> str:
        """The text of some tokens as `split` gives them."""
        tokens = arguments.texts(tokens, "tokens")
        return self._composed(self._tokenizer.decoder.decode(tokens) if self._tokenizer.decoder else " ".join(tokens))

    def bare(self, token: str) -> str:
        """A token without what says that a word begins with it."""
        return token.replace(MARK, "") if self.kind in SUBWORDS else token

    def token(self, k: int) -> str:
        """The token with id k, as text. Raises: ArgumentError, when there is none."""
        return self._tokenizer.id_to_token(arguments.an_id(k, "k", len(self)))

    def id(self, token: str) -> int | None:
        """The id of a token; None where the vocabulary has no such token, and of special ones."""
        k = self._tokenizer.token_to_id(arguments.text(token, "token"))
        return k if k is not None and k > EOS else None

    def _composed(self, text):
        return unicodedata.normalize("NFC", text) if self.normalization == "nfd" else text

    def to_json(self) -> str:
        """The vocabulary as JSON text that every version of the `tokenizers` library reads."""
        return to_text(self._tokenizer, self._form, self.tags)

    @classmethod
    def load(cls, path: str | PathLike) -> Self:
        """Read a file that holds what `to_json` gave. Raises: see `from_json`."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(f"{path}: not a tokenizer file ({error})") from None
        return cls.from_json(text, path)

    @classmethod
    def from_json(cls, text: str, path: str | PathLike = "vocabulary") -> Self:
        """The Tokens of which `to_json` gave the text. path, how an error calls it.

        Raises: TokenError, when the text is no vocabulary of numseq.
        """
        return cls(*from_text(text, path))


def _known(ids):
    """What looks like a special token in a text is no such token: "<eos>" there is no end."""
    return [k if k > EOS else UNK for k in ids]
