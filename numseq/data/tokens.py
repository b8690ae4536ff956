"""Tokens: text to ids and back, by words or by characters, through the `tokenizers` library.

Four special tokens come first in every vocabulary: padding, unknown, begin and end of sequence.
"""

import json
import textwrap
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Self

from numseq import arguments
from numseq.errors import NumseqError

PAD, UNK, BOS, EOS = range(4)
SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")
KINDS = ("word", "char")
NORMALIZATIONS = ("nfc", "nfkc", "none")


class TokenError(NumseqError):
    """A vocabulary that cannot be built or read."""


class Tokens:
    """A vocabulary with the rule that cuts text into tokens; wraps a `tokenizers.Tokenizer`.

    Words are what white space separates; characters are Unicode code points, spaces included. Joining words by one
    space, or characters by nothing, gives the text back when nothing in it was unknown or an odd space.

    A letter with an accent can be written as one code point or as two. "nfc" composes all text that comes in, "nfkc"
    makes one also of what only looks different, as a no-break space and a space; "none" takes text as it is. The form
    is kept with the vocabulary. Source: Unicode Standard Annex 15.
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, lines: Iterable[str], kind: str, min_count: int = 1, normalization: str = "none") -> Self:
        """Build the vocabulary of the tokens that occur at least `min_count` times, most frequent first.

        Args: lines, an iterable of str. kind, "word" or "char". min_count, rarer tokens become <unk>.
            normalization, "nfc", "nfkc" or "none".
        Raises: TokenError, unknown kind or normalization, or no token occurs often enough; ArgumentError, when lines
            are not strings.
        """
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

        lines, min_count = arguments.texts(lines, "lines"), arguments.whole(min_count, "min_count", least=1)
        if kind not in KINDS:
            raise TokenError(f"tokens are {kind!r}: choose one of {', '.join(KINDS)}")
        if normalization not in NORMALIZATIONS:
            raise TokenError(f"normalization is {normalization!r}: choose one of {', '.join(NORMALIZATIONS)}")
        tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIAL[UNK]))
        if normalization != "none":
            tokenizer.normalizer = {"nfc": normalizers.NFC, "nfkc": normalizers.NFKC}[normalization]()
            lines = map(tokenizer.normalizer.normalize_str, lines)  # before it is seen what looks like a special token
        if kind == "word":
            tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
            tokenizer.decoder = decoders.Fuse()
        trainer = trainers.WordLevelTrainer(
            vocab_size=1 << 31, min_frequency=min_count, special_tokens=list(SPECIAL), show_progress=False
        )
        if kind == "word":  # a word that looks like a special token gets no id of its own: it is unknown
            lines = (" ".join(word for word in line.split() if word not in SPECIAL) for line in lines)
        tokenizer.train_from_iterator(lines, trainer)
        if tokenizer.get_vocab_size() == len(SPECIAL):
            raise TokenError(f"no {kind} occurs {min_count} times or more: nothing to build a vocabulary from")
        # Text that merely looks like a special token is text: without this "<eos>" in a line would end the sentence.
        tokenizer.encode_special_tokens = True
        return cls(tokenizer)

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, lines: Iterable[str]) -> list[list[int]]:
        """The ids of each line, a list of lists, without <bos> and <eos>.

        Raises: ArgumentError, when lines are not strings.
        """
        coded = self._tokenizer.encode_batch(arguments.texts(lines, "lines"))
        return [[k if k > EOS else UNK for k in encoding.ids] for encoding in coded]  # "<eos>" in a text is no end

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids; <pad>, <bos> and <eos> are left out, <unk> is shown.

        Raises: ArgumentError, when one is no id of the vocabulary.
        """
        ids = arguments.ids(ids, "ids", len(self))
        return self._tokenizer.decode([k for k in ids if k not in (PAD, BOS, EOS)], skip_special_tokens=False)

    def normalize(self, line: str) -> str:
        """The line in the Unicode form of this vocabulary."""
        normalizer = self._tokenizer.normalizer
        return normalizer.normalize_str(line) if normalizer else line

    def split(self, line: str) -> list[str]:
        """The tokens of a line as they are written there, in the form of `normalize`, unknown ones too; as many as
        `encode` gives."""
        line = self.normalize(arguments.text(line, "line"))  # else offsets would leave accents out
        return [line[start:end] for start, end in self._tokenizer.encode(line).offsets]

    def join(self, tokens: Iterable[str]) -> str:
        """The text of some tokens as they are written."""
        return ("" if self._tokenizer.decoder else " ").join(arguments.texts(tokens, "tokens"))

    def token(self, k: int) -> str:
        """The token with id k, as text. Raises: ArgumentError, when there is none."""
        return self._tokenizer.id_to_token(arguments.an_id(k, "k", len(self)))

    def to_json(self) -> str:
        """The vocabulary as the JSON text that the `tokenizers` library reads."""
        return self._tokenizer.to_str(pretty=True)

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

        Raises: TokenError, when the text is no vocabulary of numseq: the library takes much that is none, or ends the
            interpreter over it.
        """
        from tokenizers import Tokenizer

        try:
            said = json.loads(text)
            vocabulary = said["model"]["vocab"]
            special = [vocabulary.get(token) for token in SPECIAL] == list(range(len(SPECIAL)))
            usual = (
                said["model"]["type"] == "WordLevel"
                and said["model"]["unk_token"] == SPECIAL[UNK]
                and sorted(vocabulary.values()) == list(range(len(vocabulary)))
                and [token["id"] for token in said["added_tokens"]] == list(range(len(SPECIAL)))
                and said["pre_tokenizer"]["type"] in ("WhitespaceSplit", "Split")
                and said["normalizer"] in (None, {"type": "NFC"}, {"type": "NFKC"})
                and said["truncation"] is said["padding"] is said["post_processor"] is None
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TokenError(f"{path}: not a tokenizer file ({type(error).__name__}: {error})") from None
        if not special:
            raise TokenError(f"{path}: ids 0 to 3 must be {', '.join(SPECIAL)}")
        if not usual:
            raise TokenError(f"{path}: not a vocabulary of words or characters, numbered from 0 and with nothing else")
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception
            raise TokenError(f"{path}: not a tokenizer file ({textwrap.shorten(str(error), 200)})") from None
        tokenizer.encode_special_tokens = True
        return cls(tokenizer)
