"""How texts are cut to be scored: the scorers of sacrebleu, and their tokenisers."""

import unicodedata
from collections.abc import Callable
from typing import Any

from numseq.errors import ConfigError


def composed(text: str) -> str:
    """The text in Unicode's form NFC: an accent and its letter are one code point where there is one."""
    return unicodedata.normalize("NFC", text)


def scorer_of(metric: str, tokenize: str, **options: Any) -> Any:
    """sacrebleu's scorer for "bleu", "chrf" or "ter". Raises: ConfigError, when the tokeniser is unknown or not
    installed."""
    from sacrebleu.metrics import BLEU, CHRF, TER

    if tokenize not in BLEU.TOKENIZERS:
        raise ConfigError(f"tokenize is {tokenize!r}: choose one of {', '.join(sorted(BLEU.TOKENIZERS))}")
    if metric != "bleu":
        return {"chrf": CHRF, "ter": TER}[metric](**options)
    try:
        return BLEU(tokenize=tokenize, force=True, **options)
    except (ImportError, RuntimeError) as error:  # a tokeniser that needs a package of its own
        raise ConfigError(f"tokenize is {tokenize!r}: {' '.join(str(error).split())}") from None


def words_of(tokenize: str) -> Callable[[str], list[str]]:
    """The function that cuts a text into words as this tokeniser does. Raises: ConfigError, see `scorer_of`."""
    tokenizer = scorer_of("bleu", tokenize).tokenizer
    return lambda text: tokenizer(text).split()
