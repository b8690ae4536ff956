"""Cases of whole models: in some model every two values of options that may stand together do.

A box, a cell or an attention that comes with the library is among the values by being registered.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import params as trees
from numseq.backend import Generator
from numseq.data.tokens import BOS, EOS, UNK
from numseq.errors import ConfigError
from numseq.mistakes.fixtures import (
    REAL,
    SOURCE_REAL,
    Case,
    D,
    fit,
    numbered,
    often_on,
    own_generator,
    rescaled,
    unmade,
)
from numseq.mistakes.kinks import is_off, nearest_kink
from numseq.mistakes.pairs import Row, covering

if TYPE_CHECKING:
    from numseq.models import Seq2SeqConfig

SEED = 8  # such that no gradient is hardly there, as a test holds; another one does when options change
SEPARATOR = 6  # of sentences; no token is it
CLEAR = 1e-3  # how far from a kink: a hundred times the step of a difference along one direction
HIDDEN = 4
SELF, WIDE = "self-attention", {"embedding": HIDDEN}  # its blocks add to the embeddings
VALUES: dict[str, tuple] = {  # of a configuration's options, beside the parts; the first is the option's off
    "hops": (1, 2),
    "readout": ("tanh", "maxout", "linear"),
    "readout_context": (True, False),
    "readout_embedding": (False, True),
    "layers": (1, 2, 3),
    "norm": ("pre", "post"),
    "residual": (False, True),
    "tied": ("none", "target", "all"),
    "embedding": (D, HIDDEN),  # as wide as a layer it has the lowest layer residual too
    "dropout": (0.0, 0.3),
    "variational": (False, True),
    "word_dropout": (0.0, 0.2),
    "weight_drop": (0.0, 0.3),
    "zoneout": (0.0, 0.3),
    "samples": (0, 4),
    "label_smoothing": (0.0, 0.1),
    "confidence_penalty": (0.0, 0.2),
    "coverage_loss": (0.0, 0.7),
}
ALONE = {  # options that are tried with one value, and why that is enough
    "source_vocabulary": "a size", "target_vocabulary": "a size", "hidden": "a size", "attention_size": "a size",
    "heads": "a size", "window": "a size", "feed_forward": "a size", "init": "first values, which the cases replace",
    "recurrent_init": "first values, which the cases replace", "forget_bias": "first values, which the cases replace",
    "source": "that of the encoder", "empty_memories": "of encoder hops, where it is always on",
    "encoder_hops": "a size", "sentences": "a size", "separator": "an id",
}  # fmt: skip
REAL_SOURCES = {  # (S, B): padding at the end, within, and a row of it alone
    "ragged": np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1], [1, 0, 0, 0]], dtype=bool),
    "holes": np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1], [1, 0, 1, 0]], dtype=bool),
    "nothing": np.array([[1, 0, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1]], dtype=bool),
}
REAL_TARGETS = {  # (T, B)
    "ragged": np.array([[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0]], dtype=bool),
    "holes": np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 0], [1, 0, 1, 1]], dtype=bool),
}
SENTENCES: dict[str, dict[str, Any]] = {
    "attention, 1 layer": {"dropout": 0.3},
    # sizes all differ, but here, so that what goes by sizes where it should go by options shows
    "target tied, sizes alike": {"tied": "target", "target_vocabulary": 9, "embedding": HIDDEN},
    "self-attention": {"encoder": SELF, "decoder": SELF, "layers": 2, "dropout": 0.3} | WIDE,
    "self-attention, post-norm": {"encoder": SELF, "decoder": SELF, "norm": "post"} | WIDE,
}


def cases(rng: Generator) -> dict[str, Case]:
    from numseq.models.config import PARTS

    start, table = SEED + int(rng.integers(1 << 32)), {}

    def put(name, said, training=True, source_real=SOURCE_REAL, real=REAL):
        own = own_generator(start, name)
        try:
            table[name] = _case(_config(said), _batch(own, source_real, real), own, training)
        except Exception as error:
            table[name] = unmade(error)
        return table[name]

    for name, said in SENTENCES.items():
        put(name, said)
    for kind, name in _boxes_of_others():
        put(f"{kind} {name}", {kind: name})
    for decoder in PARTS["decoder"]:  # in evaluation nothing but zoneout does anything
        said = {"decoder": decoder, "layers": 2, "zoneout": 0.3}
        put(f"{decoder}, evaluation", said | (WIDE if decoder == SELF else {}), training=False)
    for name, row in numbered((_name(row), row) for row in covering(options(), allowed, follows=follows)):
        masks = REAL_SOURCES[row["source_mask"]], REAL_TARGETS[row["target_mask"]]
        put(name, _said(row), True, *masks).options = row
    return {f"seq2seq, {name}": case for name, case in table.items()}


def options() -> dict[str, tuple]:
    """What is tried in pairs: the parts that come with the library, VALUES, and the padding of either side."""
    from numseq.models.config import PARTS

    tried = {kind: parts for kind, parts in PARTS.items() if kind not in ALONE}
    ours = {kind: tuple(name for name, part in parts.items() if _is_ours(part)) for kind, parts in tried.items()}
    return ours | VALUES | {"source_mask": tuple(REAL_SOURCES), "target_mask": tuple(REAL_TARGETS)}


def allowed(row: Row) -> bool:
    """May these values stand together? Not what a configuration refuses, nor what then does nothing."""
    from numseq.models.registry import DECODERS

    attends = row["attention"] != "none"
    if DECODERS[row["decoder"]].attends != attends:  # the most frequent reasons, and quickly seen
        return False
    if not attends and (row["hops"] > 1 or row["coverage_loss"]):
        return False
    if row["residual"] and row["layers"] == 1 and not _residual_alone(row):
        return False
    try:
        _config(_said(row))
    except ConfigError:
        return False
    return True


def _residual_alone(row):
    """Is there a lowest layer whose input is as wide as its output?"""
    encoder, decoder = row["encoder"] not in ("hops", SELF), row["decoder"] not in ("bahdanau", "vector", SELF)
    return row["embedding"] == HIDDEN and (encoder or decoder)


def follows(row: Row) -> Row:
    """The values that a decoder without attention demands, and blocks of self-attention: hardly a draw has them all."""
    from numseq.models.registry import DECODERS

    blocks = [kind for kind in ("encoder", "decoder") if row[kind] == SELF]
    demanded: Row = WIDE if blocks else {"norm": VALUES["norm"][0]}
    if not DECODERS[row["decoder"]].attends:
        return demanded | {"attention": "none", "coverage_loss": 0.0}
    if "decoder" in blocks:
        demanded = demanded | {"attention": "multi-head", "hops": 1}
    if row["decoder"] == SELF and row["encoder"] == SELF:  # there are no cells
        demanded = demanded | {"cell": "lstm", "residual": False, "weight_drop": 0.0, "zoneout": 0.0}
    return demanded


def _is_ours(part):
    return part is None or getattr(part, "__module__", "").startswith("numseq.")


def _boxes_of_others():
    """(kind, name) of the boxes that somebody registered: they are checked all the same."""
    from numseq.models.config import PARTS

    for kind in ("source", "encoder", "target", "decoder", "head"):
        yield from ((kind, name) for name, part in PARTS[kind].items() if not _is_ours(part))


def _name(row):
    return ", ".join(row[kind] for kind in ("decoder", "attention", "cell") if row[kind] != "none")


def _said(row):
    """What a row says to a configuration."""
    return {name: value for name, value in row.items() if not name.endswith("_mask")}


def _batch(rng, source_real, real):
    """Few ids, so that they repeat, in some row too, with <unk>, <bos> and <eos> where text has them. They are 0 behind
    the last real one; a step within that does not count is read all the same."""

    def ids(special, mask):
        within, repeats = np.logical_or.accumulate(mask[::-1])[::-1], False
        while not repeats:
            drawn = np.where(within, rng.permuted(np.resize([*special, 4, 4, 5, 4], mask.shape)), 0)
            rows = [row[real] for row, real in zip(drawn.T, mask.T, strict=True)]
            repeats = any(len(set(row.tolist())) < len(row) for row in rows)
        return drawn

    return SimpleNamespace(
        source=ids([UNK], source_real),
        source_mask=source_real,
        target_in=ids([UNK, BOS], real),
        target_out=ids([UNK, EOS], real),
        target_mask=real,
        copies=None,
    )


def _with_copies(batch, V):
    """The same batch with words to copy: those of the source, and V in the place of 5, which is said where its source
    has it."""
    batch.copies = np.where(batch.source == 5, V, batch.source)
    there = ((batch.copies == V) & batch.source_mask).any(axis=0)
    for name in ("target_in", "target_out"):
        ids = getattr(batch, name)
        setattr(batch, name, np.where((ids == 5) & there, V, ids))
    return batch


def _told(batch):
    """The same whose source is sentences: each of its tokens is one, of two words, with the separator behind it. No
    word is 0, which is padding alone: where the row that lends the second has ended, it is 5."""
    words, real = batch.source, np.repeat(batch.source_mask, 3, axis=0)
    lent = np.roll(words, 1, axis=1)
    others = np.where(lent == 0, 5, lent)
    line = np.stack([words, others, np.full_like(words, SEPARATOR)], axis=1).reshape(real.shape)
    return SimpleNamespace(**vars(batch) | {"source": np.where(real, line, 0), "source_mask": real})


def _config(said) -> "Seq2SeqConfig":
    from numseq.models import Seq2SeqConfig  # not before a whole model is asked for

    vocabularies = {"source_vocabulary": 9, "target_vocabulary": 9 if said.get("tied") == "all" else 10}
    sizes: dict[str, Any] = {"embedding": D, "hidden": HIDDEN, "attention_size": 8, "window": 2}
    sizes |= {"encoder_hops": 2, "sentences": 6, "separator": SEPARATOR}
    sizes |= {"empty_memories": 0.4} if said.get("encoder") == "hops" else {}
    if SELF in (said.get("encoder"), said.get("decoder")):
        sizes["feed_forward"] = 12
    return Seq2SeqConfig(**vocabularies | sizes | said)


def apart(params: Any) -> Any:
    """Parameters with which blocks of self-attention keep positions apart: what they add to all alike is small. Else,
    after a few of them, it makes no difference where a decoder looks."""

    def kept(name, leaf):
        if not name.startswith(("encoder.blocks.", "decoder.blocks.")):
            return leaf
        if name.endswith(".g"):
            return leaf + np.sign(leaf) / 2
        return leaf * (0.2 if leaf.ndim == 1 else 0.6 if name.endswith(("W_o", "W_2")) else 1)

    return trees.replace(params, {name: kept(name, leaf) for name, leaf in trees.walk(params)})


def _case(config, batch, rng, training):
    from numseq.models import Seq2Seq, draw_noise, forward

    if config.copies:
        batch = _with_copies(batch, config.target_vocabulary)
    if config.source == "sentences":
        batch = _told(batch)
    params = Seq2Seq.create(config, dtype=np.float64).params
    noise = draw_noise(config, params, batch, 0) if training else None
    function = lambda params: forward(params, batch, config, noise)  # noqa: E731

    def draw():
        drawn = apart(often_on(rescaled(rng, params), config.cell_part))
        return Case(function, {"params": drawn}, ("Seq2Seq", "forward", "draw_noise"))

    return fit(draw, lambda trace: nearest_kink(trace) > CLEAR and not is_off(trace))
