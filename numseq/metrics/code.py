"""Is a text well formed: does it parse?"""

import ast
import json
import warnings
from collections.abc import Iterable

from numseq import arguments
from numseq.errors import ConfigError
from numseq.metrics.regex import is_regex


def parses(text: str, language: str) -> bool:
    """Is a text of a language, whatever it means? A text without anything in it is of none.

    Args: language, "python" (what `ast.parse` takes), "json" (RFC 8259, so no NaN) or "regex" (see
        `numseq.metrics.regex_parser`).
    Raises: ArgumentError, when it is no text. ConfigError, when the language is unknown.
    """
    arguments.text(text, "text")
    if language not in LANGUAGES:
        raise ConfigError(f"language is {language!r}: choose one of {', '.join(LANGUAGES)}")
    return bool(text.strip()) and LANGUAGES[language](text)


def share_that_parses(texts: Iterable[str], language: str) -> float:
    """The share of texts that are of a language, from 0 to 1; see `parses`. Raises: also ConfigError, when there is no
    text."""
    texts = arguments.texts(texts, "texts")
    if not texts:
        raise ConfigError("texts has no line: there is nothing to parse")
    return sum(parses(text, language) for text in texts) / len(texts)


def _is_python(text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd, as "\d"
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # MemoryError: brackets within brackets
            return False
    return True


def _is_json(text):
    def refuse(name):
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True


LANGUAGES = {"python": _is_python, "json": _is_json, "regex": is_regex}
