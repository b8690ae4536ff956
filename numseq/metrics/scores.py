"""How good translations are, by the standard scorers: sacrebleu, rouge-score, jiwer."""

import math
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.data.long import kept
from numseq.errors import ConfigError
from numseq.metrics.captions import CAPTIONS, caption_score
from numseq.metrics.code import share_that_parses
from numseq.metrics.loss import mean_loss
from numseq.metrics.novelty import novel_ngrams
from numseq.metrics.regex import regex_scores
from numseq.metrics.rouge import mean_rouge
from numseq.metrics.tokenizers import composed, scorer_of
from numseq.search.scoring import MAX_LENGTH
from numseq.threads import blas_threads, choose_threads

if TYPE_CHECKING:
    from numseq.search.translate import Translator

METRICS = (
    *("bleu", "chrf", "ter", "rouge", "wer", "cer", "per", "exact", "novel", "regex", "python", "json"),
    *CAPTIONS,
    "ppl",
)
SACREBLEU = ("bleu", "chrf", "ter")
EXTRA = {
    "rouge": "rouge_score",
    "wer": "jiwer",
    "cer": "jiwer",
    "per": "jiwer",
}  # what of them the extra `metrics` brings


def evaluate(
    translator: "Translator",
    pairs: Iterable[tuple[str, str]],
    tokenize: str = "13a",
    batch_size: int = 64,
    *,
    metrics: str | Iterable[str] = ("bleu", "chrf", "exact", "ppl"),
    search: Any = None,
    references: Iterable[str | Iterable[str]] | None = None,
    max_length: int = MAX_LENGTH,
    long: str = "drop",
    progress: Callable[[Iterable, int], Iterable] = lambda found, total: found,
    **options: Any,
) -> dict[str, Any]:
    """Translate the sources of some pairs and score them against the targets.

    Args: translator, a Translator. pairs, a list of (source, reference) strings. tokenize, see `corpus_scores`.
        batch_size, lines worked on together. metrics, some of METRICS, or their names with commas between. search and
        options, see `Translator.stream`. references, further references of each pair (a string, or a list of them), or
        None. max_length, long: what is too long and what becomes of it; see `fitting`. progress, called with the
        Translations as they come and their number; gives them back, as tqdm does.
    Returns: a dict: what `corpus_scores` returns; for "ppl" perplexity, that of the pairs' own references (per
        token, <eos> included, unknown words counting as <unk>), whatever the search; left_out, how many pairs were too
        long, if any was.
    Raises: ConfigError, see `corpus_scores`; and when perplexity is asked of an ensemble, or given an empty source, or
        every pair is too long.
    """
    metrics = _metrics(metrics, METRICS)
    batch_size = arguments.whole(batch_size, "batch_size", least=1)
    if "ppl" in metrics and translator.others:
        raise ConfigError("metrics asks for ppl: perplexity is that of one model, not of several")
    scorer_of("bleu", tokenize)
    pairs = arguments.pairs(pairs, "pairs")
    wanted = [[reference] for _, reference in pairs]
    if references is not None:
        more = _references(pairs, references, "pairs", least=0)
        wanted = [own + others for own, others in zip(wanted, more, strict=True)]
    wanted = _references(pairs, wanted, "pairs")
    fit = fitting(translator, pairs, max_length, "ppl" in metrics, long)
    if not len(fit):
        raise ConfigError(f"every pair has a side of more than {max_length:,} tokens: max_length can be set higher")
    left_out = len(pairs) - len(fit)
    pairs, wanted = [pairs[k] for k in fit], [wanted[k] for k in fit]
    scored = [name for name in metrics if name != "ppl"]
    if "ppl" in metrics:
        coded = translator.encode(pairs, max_length, long)
        if not coded.source.lengths.all():
            line = int(fit[np.argmin(coded.source.lengths)]) + 1
            raise ConfigError(f"pairs has an empty source, number {line:,}: there is no perplexity (ppl) given nothing")
    scores = {"sentences": len(pairs)}
    if scored:
        sources = [source for source, _ in pairs]
        found = translator.stream(sources, batch_size, search, max_length=max_length, long=long, **options)
        texts = [result.text for result in progress(found, len(sources))]
        scores = corpus_scores(texts, wanted, scored, tokenize, sources)
    if "ppl" in metrics:
        with blas_threads(choose_threads(options.get("threads"), translator.model.params, batch_size)):
            loss = mean_loss(translator.model, coded, batch_size)
        scores = {"perplexity": math.exp(min(loss, 700))} | scores  # exp of more would overflow
    return scores | ({"left_out": left_out} if left_out else {})


def fitting(
    translator: "Translator",
    pairs: Iterable[tuple[str, str]],
    max_length: int = MAX_LENGTH,
    references: bool = True,
    long: str = "drop",
) -> np.ndarray:
    """Which pairs can be evaluated, as numbers from 0: those whose source, and reference where that is read too, has at
    most `max_length` tokens. Memory grows with the product of both. Where long sources are shortened, these fit, and
    references may have MAX_LENGTH tokens (`numseq.data.long`).
    """
    sources, targets = zip(*pairs, strict=True)
    tokens = translator.source_tokens
    fit = np.array([kept(ids, max_length, long, tokens) is not None for ids in tokens.encode(sources)], dtype=bool)
    if references:
        most = max_length if long == "drop" else max(max_length, MAX_LENGTH)
        fit &= np.array([len(ids) <= most for ids in translator.target_tokens.encode(targets)], dtype=bool)
    return np.flatnonzero(fit)


def corpus_scores(
    hypotheses: Iterable[str],
    references: Iterable[str | Iterable[str]],
    metrics: str | Iterable[str] = ("bleu", "chrf", "exact"),
    tokenize: str = "13a",
    sources: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Score lines against their references. All text is compared in its composed form (NFC), so that letters are equal
    whether their accents are code points of their own or not.

    Args: hypotheses, a list of strings. references, for each of them a string, or a list of one or more. metrics, some
        of METRICS but "ppl", or their names with commas between. tokenize, sacrebleu's tokeniser for BLEU, or "none"
        for text that is tokenised already. sources, what the lines were made from, which "novel" needs.
    Returns: a dict, with the number of sentences and, by metric:
        bleu, chrf, ter: the figure of that name, sacrebleu's (bleu and chrf 0 to 100, 100 best; ter from 0, the best,
            in edits per 100 words), and its signature (bleu_signature).
        rouge: rouge1, rouge2, rougeL, 0 to 100: F-measure, mean over lines; of several references the best. Tokens
            are rouge-score's own for "13a", lower-cased runs of a-z and 0-9 (so other scripts have none), and those of
            `tokenize` otherwise.
        wer: edits / words of the references, over all lines (jiwer). Of several references the one with the fewest
            edits counts, and among those the longest.
        cer: the same in letters, spaces among them, the letter error rate.
        per: that of words for phones with spaces between, the phone error rate; and word_errors, the share of lines
            that have an edit, which papers on grapheme-to-phoneme conversion call WER.
        exact: exact_match, the share of lines that equal one of their references.
        novel: novel_1 to novel_4, see `novel_ngrams`; and reference_novel_1 to reference_novel_4, those of the first
            reference of each line.
        regex: regex_equal, regex_valid, regex_undecided, see `regex_scores`.
        python, json: python_parses, json_parses, see `share_that_parses`.
        bleu1 to bleu4, rougeL_coco, cider: the figures of captions, see `numseq.metrics.captions`; 0 to 100, and
            cider 0 to 10, 1 being usual. Words have spaces between, in lower case, whatever `tokenize` is.
    Raises: ConfigError, when a metric or tokeniser is unknown or not installed, there is no line, lines, references and
        sources do not pair up, or there are no sources for "novel".
    Source: Papineni et al. 2002; Popović 2015; Snover et al. 2006; Lin 2004; Post 2018; Vedantam et al. 2015.
    """
    metrics = _metrics(metrics, [name for name in METRICS if name != "ppl"])
    scorer_of("bleu", tokenize)
    if "novel" in metrics and sources is None:
        raise ConfigError("metrics has novel: it needs sources, what the lines were made from")
    hypotheses = [composed(line) for line in arguments.texts(hypotheses, "hypotheses")]
    references = _references(hypotheses, references)
    lines = list(zip(hypotheses, references, strict=True))
    scores, signatures = {}, {}
    for name in metrics:
        if name in SACREBLEU:
            scorer = scorer_of(name, tokenize)
            scores[name] = scorer.corpus_score(hypotheses, _streams(references)).score
            signatures[f"{name}_signature"] = str(scorer.get_signature())
        elif name == "rouge":
            scores |= mean_rouge(hypotheses, references, tokenize)
        elif name == "exact":
            scores["exact_match"] = sum(line in wanted for line, wanted in lines) / len(lines)
        elif name == "novel":
            given = [composed(line) for line in arguments.texts(sources, "sources")]
            scores |= novel_ngrams(hypotheses, given, tokenize)
            of_references = novel_ngrams([wanted[0] for wanted in references], given, tokenize)
            scores |= {f"reference_{n}": value for n, value in of_references.items()}
        elif name == "regex":
            scores |= regex_scores(hypotheses, references)
        elif name in ("python", "json"):
            scores[f"{name}_parses"] = share_that_parses(hypotheses, name)
        elif name in CAPTIONS:
            scores[name] = caption_score(name, hypotheses, references)
    if "wer" in metrics or "per" in metrics:
        rate, wrong = _error_rate(lines, "process_words")
        if "wer" in metrics:
            scores["wer"] = rate
        if "per" in metrics:
            scores |= {"per": rate, "word_errors": wrong / len(lines)}
    if "cer" in metrics:
        scores["cer"], _ = _error_rate(lines, "process_characters")
    return scores | {"sentences": len(lines)} | signatures


def compare(
    hypotheses_a: Iterable[str],
    hypotheses_b: Iterable[str],
    references: Iterable[str | Iterable[str]],
    metric: str = "bleu",
    tokenize: str = "13a",
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Is system b better than system a? Paired bootstrap: both are scored on the same lines, drawn with replacement.

    Args: hypotheses_a, hypotheses_b, references, tokenize, see `corpus_scores`. metric, "bleu", "chrf" or "ter".
        samples, how often the corpus is drawn. seed, a number from 0.
    Returns: a dict: score_a, score_b, difference (b - a; for "ter" less is better), p_value (sacrebleu's own; 1 when
        the scores are equal), interval (two numbers that hold 95 % of the differences drawn), samples, and the
        signature of sacrebleu, whose SACREBLEU_SEED is seed + 1, as it takes 0 for none.
    Raises: ConfigError, see `corpus_scores`; also fewer than one sample or a negative seed.
    Needs about 100 bytes a line and sample.
    Source: Koehn 2004; p-value and signature by sacrebleu.significance.
    """
    import os
    from unittest import mock

    from sacrebleu.significance import PairedTest

    if metric not in SACREBLEU:
        raise ConfigError(f"metric is {metric!r}: choose one of {', '.join(SACREBLEU)}")
    samples, seed = arguments.whole(samples, "samples", least=1), arguments.whole(seed, "seed", least=0)
    scorer = scorer_of(metric, tokenize)
    systems = [arguments.texts(hypotheses_a, "hypotheses_a"), arguments.texts(hypotheses_b, "hypotheses_b")]
    systems = [[composed(line) for line in lines] for lines in systems]
    references = _references(systems[0], references, "hypotheses_a")
    streams = _streams(_references(systems[1], references, "hypotheses_b"))
    named = list(zip("ab", systems, strict=True))
    with mock.patch.dict(os.environ, SACREBLEU_SEED=str(seed + 1)):
        signatures, results = PairedTest(named, {metric: scorer}, streams, "bs", samples)()
    [(name, signature)] = signatures.items()
    score_a, score_b = (float(result.score) for result in results[name])
    rows = np.random.default_rng(seed + 1).choice(len(systems[0]), size=(samples, len(systems[0])))  # PairedTest's own
    drawn = []
    for hypotheses in systems:
        statistics = np.array(scorer._extract_corpus_statistics(hypotheses, streams))
        drawn.append([scorer._compute_score_from_stats(statistics[chosen].sum(axis=0)).score for chosen in rows])
    low, high = np.percentile(np.subtract(drawn[1], drawn[0]), [2.5, 97.5])
    return {
        "score_a": score_a,
        "score_b": score_b,
        "difference": score_b - score_a,
        "p_value": 1.0 if score_a == score_b else float(results[name][1].p_value),  # PairedTest has 1 / (samples + 1)
        "interval": [float(low), float(high)],
        "samples": samples,
        "signature": str(signature),
    }


def _metrics(names, known):
    names = [name.strip() for name in arguments.texts(names.split(",") if isinstance(names, str) else names, "metrics")]
    for name in names:
        if name == "ppl" and name not in known:
            raise ConfigError("metrics asks for ppl: perplexity needs a model, not only its translations")
        if name not in known:
            raise ConfigError(f"metrics has {name!r}: choose among {', '.join(known)}")
        if name in EXTRA and not find_spec(EXTRA[name]):
            raise ConfigError(f"metrics has {name!r}, which needs more: pip install jiwer rouge-score")
    if not names:
        raise ConfigError(f"metrics names none: choose among {', '.join(known)}")
    return names


def _references(hypotheses, references, name="hypotheses", least=1):
    """A list of references for each hypothesis; name, what the caller calls those."""
    references = arguments.listed(references, "references", "a list of texts, or of lists of them")
    for k, line in enumerate(references):
        of_line = arguments.text if isinstance(line, str) else arguments.texts
        found = of_line(line, f"references[{k}]")
        references[k] = [composed(one) for one in ([found] if isinstance(found, str) else found)]
    if len(references) != len(hypotheses):
        counts = f"{len(references):,} lines, {name} {len(hypotheses):,}"
        raise ConfigError(f"references has {counts}: they must pair up")
    if not references:
        raise ConfigError(f"{name} has no line: there is nothing to score")
    for number, line in enumerate(references, 1):
        if len(line) < least:
            raise ConfigError(f"references has none for line {number:,}")
    return references


def _streams(references):
    """The first reference of every line, then the second, ...; None where a line has no more: sacrebleu's way."""
    return list(zip_longest(*references))


def _error_rate(lines, process):
    """(edits / words, or characters, of the references; how many lines have an edit). process, a function of jiwer."""
    import jiwer

    edits, sizes = zip(*(_edits(getattr(jiwer, process), *line) for line in lines), strict=True)
    return sum(edits) / max(sum(sizes), 1), sum(n > 0 for n in edits)  # with no word at all, as jiwer: the edits


def _edits(process, line, wanted):
    """(edits, size) of the closest reference."""
    found = [process(reference, line) for reference in wanted]
    counts = [(x.substitutions + x.deletions + x.insertions, x.hits + x.substitutions + x.deletions) for x in found]
    return min(counts, key=lambda count: (count[0], -count[1]))
