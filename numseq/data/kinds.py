"""What every vocabulary has: the special tokens, the ways to cut text, and the forms that text is brought to first."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from numseq.errors import NumseqError

PAD, UNK, BOS, EOS = range(4)
SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")
SUBWORDS = ("bpe", "unigram")
KINDS = ("word", "char", *SUBWORDS)
NORMALIZATIONS = ("nfc", "nfkc", "nfd", "none")
TAG = re.compile(r"<[^<>\s]+>")  # what a tag looks like
LESS = re.compile("[<\ufe64\uff1c]")
MARK = "▁"  # stands for a space in sub-words, at the beginning of a word


class TokenError(NumseqError):
    """A vocabulary that cannot be built or read."""


def checked_kind(kind: str, normalization: str) -> None:
    """Raise TokenError, unless text can be cut, and brought to a form, in this way."""
    if kind not in KINDS:
        raise TokenError(f"tokens are {kind!r}: choose one of {', '.join(KINDS)}")
    if normalization not in NORMALIZATIONS:
        raise TokenError(f"normalization is {normalization!r}: choose one of {', '.join(NORMALIZATIONS)}")


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags as they are kept. Raises: TokenError, when one is none, is a special token, or comes twice."""
    tags = tuple(tags)
    for k, tag in enumerate(tags):
        if not (isinstance(tag, str) and TAG.fullmatch(tag)) or tag in SPECIAL:
            raise TokenError(f"tags[{k}] is {tag!r}: a tag is a word between < and >, and not {', '.join(SPECIAL)}")
        if tag in tags[:k]:
            raise TokenError(f"tags[{k}] is {tag}, as one before")
    return tags


def plain(text: str, tags: Iterable[str]) -> str:
    """The text with what looks like one of the tags taken apart, "<user>" to "< user>", in whatever form and case."""
    found = unicodedata.normalize("NFKC", text).casefold()
    return LESS.sub(r"\g<0> ", text) if any(tag.casefold() in found for tag in tags) else text


def parts(kind: str, normalization: str, lowercase: bool) -> dict[str, Any]:
    """What comes before and after the model of a tokeniser, as the `tokenizers` library writes it.

    The form is taken before small letters are made, which Unicode says of composed ones, and after, since the small
    letters of J and a caron are one letter and their capitals two.
    """
    form = [] if normalization == "none" else [{"type": normalization.upper()}]
    steps = [*form, {"type": "Lowercase"}, *form] if lowercase else form
    normalizer: Any = {"type": "Sequence", "normalizers": steps} if len(steps) > 1 else (steps or [None])[0]
    if kind == "word":
        return {"normalizer": normalizer, "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": None}
    if kind == "char":
        each = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
        return {"normalizer": normalizer, "pre_tokenizer": each, "decoder": {"type": "Fuse"}}
    # both names of one setting: versions of the library know the one or the other
    spaces = {"type": "Metaspace", "replacement": MARK, "add_prefix_space": True, "prepend_scheme": "always"}
    return {"normalizer": normalizer, "pre_tokenizer": spaces, "decoder": spaces}
