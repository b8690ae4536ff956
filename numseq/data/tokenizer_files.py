"""A tokeniser as JSON text, which every version of the `tokenizers` library reads alike; what is none is refused.

The library takes much that is none, or ends the interpreter over it. So it is given only what numseq itself writes.
"""

import json
import math
import textwrap
from os import PathLike
from typing import Any

from numseq.data.kinds import KINDS, NORMALIZATIONS, SPECIAL, TAG, UNK, TokenError, parts

Form = tuple[str, str, bool]  # kind, normalization, lowercase
Tags = tuple[str, ...]
MODELS = {"word": "WordLevel", "char": "WordLevel", "bpe": "BPE", "unigram": "Unigram"}
FORMS: list[Form] = [(kind, form, lower) for kind in KINDS for form in NORMALIZATIONS for lower in (False, True)]
PLAIN_BPE = {
    "dropout": None, "unk_token": SPECIAL[UNK], "continuing_subword_prefix": None, "end_of_word_suffix": None,
    "fuse_unk": False, "byte_fallback": False,
}  # fmt: skip
ADDED = [
    {"id": k, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
     "special": True}
    for k, token in enumerate(SPECIAL)
]  # fmt: skip


def tokenizer_of(model: dict[str, Any], form: Form, tags: Tags = ()) -> Any:
    """The `tokenizers.Tokenizer` of a model as the library writes it, with the parts around it."""
    return from_text(_text(model, form, tags), "vocabulary")[0]


def to_text(tokenizer: Any, form: Form, tags: Tags) -> str:
    """The JSON text of a tokeniser."""
    return _text(json.loads(tokenizer.to_str())["model"], form, tags)


def _of_tags(tags):
    """What the library is told of tags: they are found before text is cut, in the form that it is brought to, and the
    spaces around them are theirs."""
    return [
        {"id": k, "content": tag, "single_word": False, "lstrip": True, "rstrip": True, "normalized": True,
         "special": False}
        for k, tag in enumerate(tags, len(SPECIAL))
    ]  # fmt: skip


def _text(model, form, tags):
    model = {name: value for name, value in model.items() if name != "ignore_merges"}  # of later versions
    if "merges" in model:  # which write a pair as a list
        model["merges"] = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    if isinstance(model["vocab"], dict):
        model["vocab"] = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    before = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": ADDED + _of_tags(tags)}
    around = parts(*form)
    decoder = around.pop("decoder")
    said = before | around | {"post_processor": None, "decoder": decoder, "model": model}
    return json.dumps(said, indent=2, ensure_ascii=False)


def from_text(text: str, path: str | PathLike) -> tuple[Any, Form, Tags]:
    """(tokenizers.Tokenizer, (kind, normalization, lowercase), tags) of JSON text. path, how an error calls it.

    Raises: TokenError, when numseq would not have written it.
    """
    from tokenizers import Tokenizer

    try:
        said = json.loads(text)
        vocabulary, model = said["model"]["vocab"], said["model"]["type"]
        tokens = [piece for piece, _ in vocabulary] if model == "Unigram" else sorted(vocabulary, key=vocabulary.get)
        special = tokens[: len(SPECIAL)] == list(SPECIAL)
        form = next((form for form in FORMS if _is(said, form)), None)
        added, first = said["added_tokens"], len(SPECIAL)
        tags = tuple(token["content"] for token in added[first:])
        usual = form and [token["id"] for token in added[:first]] == list(range(first))
        usual = usual and added[first:] == _of_tags(tags) and tuple(tokens[first : first + len(tags)]) == tags
        usual = usual and all(map(TAG.fullmatch, tags))
        usual = usual and said["truncation"] is said["padding"] is said["post_processor"] is None
        usual = usual and len(set(tokens)) == len(tokens) and _is_whole(said["model"], vocabulary)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TokenError(f"{path}: not a tokenizer file ({type(error).__name__}: {error})") from None
    if not special:
        raise TokenError(f"{path}: ids 0 to 3 must be {', '.join(SPECIAL)}")
    if not usual:
        raise TokenError(f"{path}: not a vocabulary of words, characters or sub-words that numseq wrote")
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises plain Exception
        raise TokenError(f"{path}: not a tokenizer file ({textwrap.shorten(str(error), 200)})") from None
    # text that merely looks like a special token is text: without this "<eos>" in a line would end the sentence
    tokenizer.encode_special_tokens = True
    return tokenizer, form, tags


def _is(said, form):
    """Are the parts around the model those of this form?"""
    return said["model"]["type"] == MODELS[form[0]] and all(said[name] == part for name, part in parts(*form).items())


def _is_whole(model, vocabulary):
    """Are the model's pieces numbered from 0, and is there nothing else in it than is needed?"""
    if model["type"] == "Unigram":
        scores = [score for _, score in vocabulary]
        usual = model["unk_id"] == UNK and model.get("byte_fallback", False) is False
        return usual and all(type(score) in (int, float) and math.isfinite(score) for score in scores)
    if sorted(vocabulary.values()) != list(range(len(vocabulary))) or model["unk_token"] != SPECIAL[UNK]:
        return False
    if model["type"] == "WordLevel":
        return True
    if any(model[name] != value for name, value in PLAIN_BPE.items()) or model.get("ignore_merges"):
        return False
    pairs = [merge.split(" ") for merge in model["merges"]]
    return all(len(pair) == 2 and {*pair, "".join(pair)} <= vocabulary.keys() for pair in pairs)
