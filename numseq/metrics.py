"""How good translations are, by the standard scorers."""

import math

from numseq.data.batches import Pairs
from numseq.models.config import ConfigError
from numseq.search.translate import mean_loss


def evaluate(translator, pairs, tokenize="13a", batch_size=64):
    """Translate the sources of some pairs and score them against the targets.

    Args: translator, a Translator. pairs, a list of (source, reference) strings. tokenize, sacrebleu's tokeniser for
        BLEU: "13a", or "none" for text that is tokenised already.
    Returns: a dict: bleu and chrf (0 to 100) with their signatures, perplexity of the references (per token, <eos>
        included, unknown words counting as <unk>), exact_match (share of lines exactly right), sentences.
    Raises: ConfigError, a tokeniser that is unknown or not installed.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if tokenize not in BLEU.TOKENIZERS:
        raise ConfigError(f"tokenize is {tokenize!r}: choose one of {', '.join(sorted(BLEU.TOKENIZERS))}")
    try:
        bleu, chrf = BLEU(tokenize=tokenize, force=True), CHRF()
    except (ImportError, RuntimeError) as error:  # a tokeniser that needs a package of its own
        raise ConfigError(f"tokenize is {tokenize!r}: {' '.join(str(error).split())}") from None
    references = [reference for _, reference in pairs]
    found = [result.text for result in translator.translate([source for source, _ in pairs], batch_size)]
    coded = Pairs.encode(pairs, translator.source_tokens, translator.target_tokens)
    return {
        "bleu": bleu.corpus_score(found, [references]).score,
        "chrf": chrf.corpus_score(found, [references]).score,
        "perplexity": math.exp(min(mean_loss(translator.model, coded, batch_size), 700)),  # exp of more would overflow
        "exact_match": sum(f == r for f, r in zip(found, references, strict=True)) / len(pairs),
        "sentences": len(pairs),
        "bleu_signature": str(bleu.get_signature()),
        "chrf_signature": str(chrf.get_signature()),
    }
