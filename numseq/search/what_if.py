"""What if: a translation decoded again after something was changed, all else being as it was.

    source   {j: token}          position j of the source has another token
    forced   {t: token}          step t says this token: p(token) = 1, and <eos> comes no earlier
    looks    {t: alpha}          at step t the attention's weights are these, and context_t = sum_j alpha_j v_j

What follows from a change is the model's own: each later step is decoded with the states that the change has led to.
Scores are the model's too: a token that is forced has the log-probability that the model gave it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array, array_module, asarray, to_numpy
from numseq.data.copying import Copier
from numseq.data.tokens import BOS, EOS, PAD, SPECIAL, UNK
from numseq.errors import ArgumentError, shown
from numseq.layers.attention.base import Attention, AttentionStep
from numseq.record import Record
from numseq.search.beam import BeamOptions, beam_search
from numseq.search.constraints import Constraint
from numseq.search.copied import copied_from, words_of
from numseq.search.scoring import MAX_RATIO
from numseq.search.translate import Translator
from numseq.search.tree import Node, nodes


class Directed:
    """An attention that looks where it is told. The weights are given, and so is the context; all else is that of the
    attention within, which sees its queries, carries what it carries, and has its own scores in the record.

    Args: attention, an Attention. alpha, (S,), for all rows.
    """

    def __init__(self, attention: Attention, alpha: Array):
        self.attention, self.alpha = attention, alpha

    def __getattr__(self, name: str) -> Any:
        return getattr(self.attention, name)

    def forward(self, query: Array, carried: tuple[Array, ...] = ()) -> AttentionStep:
        s = self.attention.forward(query, carried)
        s.alpha = 0 * s.alpha + asarray(self.alpha, s.alpha.dtype)
        s.context = self.attention.context_of(s.alpha)
        return s


class Intervened:
    """A model for searches in which some steps say or look at what they are told; see `Seq2Seq.start` and `step`.

    Args: model, a Seq2Seq. forced, {t: id}. looks, {t: alpha (S,)}.
    """

    def __init__(self, model: Any, forced: Mapping[int, int], looks: Mapping[int, Array]):
        self.model, self.forced, self.looks = model, forced, looks
        self.last = max(forced, default=-1)

    def start(self, source: Array, source_mask: Array | None, copies: Array | None = None) -> tuple[Any, Any]:
        memory, state = self.model.start(source, source_mask, copies)
        return memory, (state, array_module(source).zeros(source.shape[1], dtype=np.int64))  # and the step, of each row

    def step(self, ids: Array, state: Any, memory: Any) -> tuple[Array, Any, Array | None]:
        state, steps = state
        t = int(steps[0])  # the rows of a search are all at one step
        if t in self.looks:
            memory = memory._replace(attention=Directed(memory.attention, self.looks[t]))
        logp, state, alpha = self.model.step(ids, state, memory)
        if t <= self.last:
            logp = self._told(logp, t)
        return logp, (state, steps + 1), alpha

    def _told(self, logp, t):
        token, xp = self.forced.get(t), array_module(logp)
        allowed = xp.ones(logp.shape[1], dtype=bool) if token is None else xp.arange(logp.shape[1]) == token
        allowed[EOS] = token == EOS
        return xp.where(allowed, logp, -xp.inf)

    def select_rows(self, memory: Any, state: Any, rows: Array) -> tuple[Any, Any]:
        return self.model.select_rows(memory, state, rows)


@dataclass(slots=True)
class WhatIf(Record):
    """What was decoded: source and target, tokens, <eos> last; the text, and log p of it in nats, as the model has it.

    alpha (T, S), or None. best: for each step of the target the most probable tokens that can be said, and their
    probabilities, before anything was forced. tree: the search, `numseq.search.tree.nodes`. others: the next best texts
    with their logp. limit: the most tokens before <eos>.
    """

    source: list[str]
    target: list[str]
    text: str
    logp: float
    alpha: np.ndarray | None
    best: list[list[tuple[str, float]]]
    tree: list[list[Node]]
    others: list[tuple[str, float]]
    limit: int


def what_if(
    translator: Translator,
    line: str,
    *,
    source: Mapping[int, str] | None = None,
    forced: Mapping[int, str] | None = None,
    looks: Mapping[int, int | Sequence[float]] | None = None,
    beam: int = 5,
    most: int = 5,
    max_ratio: float = MAX_RATIO,
    extra: int | None = None,
    constraint: Constraint | None = None,
) -> WhatIf:
    """Translate a line with something changed.

    Equations: those of the module.

    Args: translator, of one model. line, a text. source, {position: its new token}. forced, {step: the token that it
        says, "<eos>" ends}. looks, {step: where it looks}, a position that gets all weight, or S weights that sum to 1;
        positions are those of the source, or of the memory, where an encoder made other places of them. Steps and
        positions count from 0. beam: of the search. most: tokens in `best`. max_ratio, extra: as of
        `Translator.stream`. constraint, too, which sees the line that was changed.
    Returns: a WhatIf. Without a change it is what `translate` finds with the same beam.
    Raises: ArgumentError, for a step or position that is not there, a token that neither the vocabulary has nor, where
        the model copies, the source, or that the constraint does not allow there, weights that are none, or an empty
        line.
    """
    arguments.one_of(translator, "translator", Translator)
    if translator.others:
        raise ArgumentError("translator is an ensemble: ask one of its models")
    most = arguments.whole(most, "most", least=1)
    words, ids = _read(translator, line, source or {})
    translator.check_constraint(constraint)
    copyable = _copyable(translator, line, source or {})
    copies = copyable and np.array(copyable.ids)[:, None]
    text, more = translator.source_tokens.join(words), copyable and [list(copyable.new)]
    kept = None if constraint is None else constraint.rows([text], more)
    extra = translator.extra if extra is None else arguments.whole(extra, "extra", least=0)
    limit = int(arguments.number(max_ratio, "max_ratio", least=0) * len(ids)) + extra
    limit, told = max(limit, int(kept.fewest[0]) if kept else 0), {}
    for t, token in (forced or {}).items():
        k = _token_id(translator.target_tokens, token, f"forced[{t}]", copyable)
        told[_step(t, "forced", limit - (k != EOS))] = k  # at the limit there is <eos> alone
    model = translator.model
    given, mask = asarray(np.array(ids)[:, None]), asarray(np.ones((len(ids), 1), bool))
    memory, _ = model.start(given, mask, copies)
    if looks and memory.attention is None:
        raise ArgumentError("looks: a plain model attends to nothing")
    places = 0 if memory.attention is None else len(memory.attention.values)
    turned = {_step(t, "looks", limit): _weights(alpha, f"looks[{t}]", places) for t, alpha in (looks or {}).items()}

    under_orders: Any = Intervened(model, told, turned)  # which a search calls as a Seq2Seq
    how = BeamOptions(beam=beam)
    found = beam_search(
        under_orders, given, mask, np.array([limit]), how, keep_steps=True, copies=copies, constraint=kept
    )
    word = partial(_word, translator.target_tokens, copyable)
    first, *others = found.of_sentence(0)
    said = [*first.tokens.tolist(), EOS]
    for t in [t for t, k in told.items() if said[t : t + 1] != [k]]:
        raise ArgumentError(f"forced[{t}] is {shown(forced[t])}: the constraint does not allow it there")
    best, logp = _most_probable(Intervened(model, {}, turned), (given, mask, copies), said, most, word)
    texts = _texts(translator, found, copyable, copied_from(model, given, mask, copies, found) if copyable else None)
    return WhatIf(
        source=words,
        target=[*texts[0][0], SPECIAL[EOS]],
        text=texts[0][1],
        logp=logp,
        alpha=first.alpha,
        best=best,
        tree=nodes(found, 0, word),
        others=[(text, one.logp) for (_, text), one in zip(texts[1:], others, strict=True)],
        limit=limit,
    )


def _read(translator, line, changes):
    """The tokens and ids of a line with other tokens at some positions."""
    tokens = translator.source_tokens
    words = tokens.split(arguments.text(line, "line"))
    [ids] = tokens.encode([line])
    if not words:
        raise ArgumentError("line is empty: there is nothing to change")
    for j, token in changes.items():
        j = arguments.whole(j, "a position of source", least=0, most=len(words) - 1)
        known = tokens.id(arguments.text(token, f"source[{j}]"))
        [of_token] = tokens.encode([token]) if known is None else [[known]]
        if len(of_token) != 1:
            raise ArgumentError(f"source is {shown(changes)}: each position must have one token, neither more nor none")
        words[j], ids[j] = token, of_token[0]
    return words, ids


def _step(t, called, limit):
    return arguments.whole(t, f"a step of {called}", least=0, most=limit)


def _copyable(translator, line, changes):
    """What can be copied of the line with other tokens at some positions, Copyable; None by a model that does not."""
    if not translator.copies:
        return None
    copier = Copier(translator.source_tokens, translator.target_tokens)
    return copier.of([changes.get(j, token) for j, token in enumerate(copier.written(line))])


def _texts(translator, found, copyable, copied):
    """(tokens, text) of each hypothesis. copied: see `copied_from`, which knows of no looks."""
    said = [one.tokens.tolist() for one in found.of_sentence(0)]
    places = [()] * len(said) if copied is None else [copied[: len(ids), 0, k].tolist() for k, ids in enumerate(said)]
    return [words_of(translator.target_tokens, ids, copyable, of) for ids, of in zip(said, places, strict=True)]


def _word(tokens, copyable, k):
    """The token with id k, one of the vocabulary or one that only the source has."""
    return tokens.token(k) if k < len(tokens) else copyable.word(k)


def _token_id(tokens, token, called, copyable):
    if arguments.text(token, called) in (SPECIAL[UNK], SPECIAL[EOS]):
        return SPECIAL.index(token)
    k = tokens.id(token)
    if k is None and copyable:
        k = copyable.new.get(tokens.normalize(token))
    if k is None:
        has = "neither the vocabulary nor the source has such a" if copyable else "the vocabulary has no such"
        raise ArgumentError(f"{called} is {shown(token)}: {has} token")
    return k


def _weights(alpha, called, places):
    """(S,): those given, or all at one position."""
    if np.ndim(alpha) == 0:
        j = arguments.whole(alpha, called, least=0, most=places - 1)
        return np.eye(places)[j]
    alpha = arguments.numbers(alpha, called, "S")
    if len(alpha) != places:
        raise ArgumentError(f"{called} has {len(alpha)} weights: there are {places} positions")
    if not (alpha >= 0).all() or abs(alpha.sum() - 1) > 1e-3:
        raise ArgumentError(f"{called} must be weights from 0 that sum to 1, not to {alpha.sum():.4g}")
    return np.asarray(alpha, np.float64) / alpha.sum()


def _most_probable(model, given, said, most, word):
    """(for each step the most probable tokens with their probabilities, log p of all that was said). given: what
    `Seq2Seq.start` takes."""
    (memory, state), ids, best, total = model.start(*given), [BOS, *said[:-1]], [], 0.0
    for before, token in zip(ids, said, strict=True):
        logp, state, _ = model.step(asarray(np.array([before])), state, memory)
        logp = to_numpy(logp)[0]
        order = [k for k in np.argsort(-logp, kind="stable").tolist() if k not in (PAD, BOS)][:most]
        best.append([(word(k), float(np.exp(logp[k]))) for k in order])
        total += float(logp[token])
    return best, total
