"""A pool of lines, translated: sorted by length into batches, searched batch by batch, and given back in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq.backend import asarray
from numseq.data.batches import Ragged, plan_batches
from numseq.data.copying import Copier, Sources
from numseq.data.long import kept
from numseq.data.tokens import UNK
from numseq.search.beam import BeamOptions, beam_search
from numseq.search.constraints import Constraint
from numseq.search.copied import copied_from
from numseq.search.greedy import greedy
from numseq.search.sampling import SamplingOptions, sample
from numseq.search.translation import Translation, replace_unknown, translation_of
from numseq.threads import blas_threads

if TYPE_CHECKING:
    from numseq.search.translate import Translator

CELLS = 1 << 23  # of a batch, sentences * hypotheses * squared tokens of the source: where hypotheses looked is kept


@dataclass(slots=True)
class How:
    """How lines are translated: what `Translator.stream` was asked for."""

    batch_size: int
    search: Any
    replace_unk: dict[str, str] | None
    max_ratio: float
    extra: int
    max_length: int
    long: str
    threads: int
    constraint: Constraint | None


def translated(translator: "Translator", lines: list[str], first: int, how: How) -> Iterator[Translation]:
    """A Translation of each line, in order, as soon as those before it are there. first: the first line's number."""
    tokens = translator.source_tokens
    coded = tokens.encode(lines)
    parts = [kept(ids, how.max_length, how.long, tokens) for ids in coded]
    sources = Ragged([ids[part] if part else [] for ids, part in zip(coded, parts, strict=True)])
    done = sources.lengths == 0
    results = [Translation("", [], [], None) for _ in lines]
    for k in np.flatnonzero(done):
        results[k].source = tokens.split(lines[k])
    real = np.flatnonzero(~done)
    lengths = sources.lengths[real]
    most = (how.max_ratio * sources.lengths + how.extra).astype(np.int64)
    cells = CELLS / (getattr(how.search, "beam", 1) * getattr(how.search, "samples", 1))
    said = 0
    for batch in plan_batches(lengths, lengths, how.batch_size, max_cells=cells) if len(real) else []:
        rows = real[batch]
        for k, result in _batch(translator, sources, parts, rows, lines, most[rows], first, how):
            results[k] = result
            result.shortened = len(coded[k]) > len(result.source)
        done[rows] = True
        while said < len(lines) and done[said]:
            yield results[said]
            said += 1
    yield from results[said:]


def _batch(translator, sources, parts, rows, lines, limits, first, how):
    """(number in the pool, Translation) of the lines of a batch. rows: their numbers; parts: what is read of a line."""
    model, of_source, of_target = translator.model, translator.source_tokens, translator.target_tokens
    source, mask = (asarray(array) for array in sources.pad(rows))
    copier = Copier(of_source, of_target) if translator.copies else None
    copyable = Sources.of([copier.read(lines[k], parts[k]) for k in rows]) if copier else None
    copies, more = (copyable.copies, [list(one.new) for one in copyable.each]) if copyable else (None, None)
    allowed = None if how.constraint is None else how.constraint.rows([lines[k] for k in rows], more)
    with blas_threads(how.threads):
        given = [model, *translator.others], source, mask, limits
        found = _searched(given, how.search, first + rows, {"copies": copies, "constraint": allowed})
        copied = copied_from(model, source, mask, copies, found) if copyable else None
    for b, k in enumerate(rows):
        words = of_source.split(lines[k])[parts[k]]
        known = source[: len(words), b].tolist()
        unknown = [word for word, k in zip(words, known, strict=True) if k == UNK]
        hypotheses = []
        for n, one in enumerate(found.of_sentence(b)):
            if one.alpha is not None and found.places is not None:
                one.alpha = one.alpha[:, found.places[b]]
            origin = (copyable.each[b], copied[:, b, n]) if copyable else None
            hypotheses.append(translation_of(one, words, unknown, of_target, origin))
            hypotheses[-1].ill_formed = allowed is not None and not allowed.accepts(b, one.tokens)
        if how.replace_unk is not None:
            for hypothesis in hypotheses:
                replace_unknown(hypothesis, how.replace_unk, of_source, of_target)
        hypotheses[0].others = hypotheses[1:]
        yield k, hypotheses[0]


def _searched(given, options, numbers, more):
    models, source, mask, limits = given
    if isinstance(options, BeamOptions):
        return beam_search(models, source, mask, limits, options, **more)
    if isinstance(options, SamplingOptions):
        return sample(models, source, mask, limits, options, numbers, **more)
    return greedy(models, source, mask, limits, options, **more)
