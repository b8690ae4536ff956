"""Options of a model that do not go together, or would do nothing, each with a sentence that says why."""

from dataclasses import fields
from typing import TYPE_CHECKING

from numseq.errors import ConfigError

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


def refuse_contradictions(config: "Seq2SeqConfig") -> None:
    """Raises: ConfigError, for the first contradiction of a Seq2SeqConfig."""
    for refused, why in _contradictions(config):
        if refused:
            raise ConfigError(why)


def _contradictions(config):
    """(does it apply, why it is refused), one after the other: a later one may count on the earlier."""
    c, attends, recurrent = config, config.attends, config.recurrent
    usual = {field.name: field.default for field in fields(c)}
    blocks = "encoder" if not recurrent[0] else "decoder"  # which box is made of self-attention, if one is
    yield (
        not attends and c.decoder_part.attends,
        f"decoder {c.decoder} looks with an attention, but attention is none: choose one, or decoder plain or vector",
    )
    yield (
        attends and not c.decoder_part.attends,
        f"attention is {c.attention}, but decoder {c.decoder} looks at nothing: leave one of them out",
    )
    yield (
        not recurrent[1] and c.attention != "multi-head",
        f"decoder {c.decoder} looks at the source with multi-head attention, but attention is {c.attention}: leave it "
        "out",
    )
    yield (
        not recurrent[1] and c.hops > 1,
        f"hops is {c.hops}, but decoder {c.decoder} looks once in each of its layers: leave it out",
    )
    yield (
        not all(recurrent) and c.embedding != c.hidden,
        f"{blocks} {getattr(c, blocks)} adds what it finds to the embeddings, so embedding, which is {c.embedding}, "
        f"and hidden, which is {c.hidden}, must be equal",
    )
    yield (
        not recurrent[1] and c.encoder == "hops",
        f"decoder {c.decoder} looks at the memory alone, but what encoder hops found for the question is how its "
        "reading ended: choose a decoder with cells, or encoder self-attention",
    )
    yield (
        not recurrent[1] and c.memory != c.hidden,
        f"decoder {c.decoder} adds what it sees of the memory to its own states, so the encoder's must have hidden "
        f"numbers, {c.hidden}, not {c.memory}",
    )
    for name in ("feed_forward", "norm"):
        yield (
            all(recurrent) and getattr(c, name) != usual[name],
            f"{name} is about self-attention, but encoder is {c.encoder} and decoder {c.decoder}: leave it out, or "
            "choose self-attention for one of them",
        )
    for name in ("cell", "residual", "recurrent_init", "forget_bias", "weight_drop", "zoneout"):
        yield (
            not any(recurrent) and getattr(c, name) != usual[name],
            f"{name} is about recurrent layers, but encoder and decoder have none: leave it out",
        )
    yield (
        c.encoder_part.two_ways and c.hidden % 2,
        f"hidden is {c.hidden}: it must be even, for the encoder's two directions",
    )
    yield (
        c.coverage_loss and not attends,
        "coverage_loss is about where the model looks, but attention is none: choose an attention, or leave "
        "coverage_loss out",
    )
    yield (
        c.attention in ("dot", "scaled-dot") and c.memory != c.hidden,
        f"attention {c.attention} multiplies states of {c.hidden} numbers with a memory of {c.memory}: choose "
        f"general, or make hidden and what encoder {c.encoder} gives equally wide",
    )
    yield (
        c.hops > 1 and not attends,
        "hops are looks at the source, but attention is none: choose an attention, or leave hops out",
    )
    yield (
        "sentences" in (c.source, c.encoder_part.source) and c.source != c.encoder_part.source,
        f"source is {c.source}, but encoder {c.encoder} reads {c.encoder_part.source}: leave source out",
    )
    yield (
        c.source == "sentences" and c.separator >= c.source_vocabulary,
        f"separator is {c.separator}, but the source vocabulary has {c.source_vocabulary} tokens: choose one of them",
    )
    yield (
        c.source == "sentences" and c.tied == "all",
        "tied is all, but encoder hops has several embeddings of its own: choose tied target or none",
    )
    yield (
        c.source == "sentences" and c.copies,
        f"head {c.head} copies words of the source, but the memory of encoder {c.encoder} has sentences: choose head "
        "vocabulary or another encoder",
    )
    yield (
        c.empty_memories and c.encoder != "hops",
        f"empty_memories are of encoder hops, but encoder is {c.encoder}: leave one of them out",
    )
    yield (
        not c.readout_context and not c.context,
        "without attention there is no context that readout_context could leave out: do without it",
    )
    yield (
        c.decoder == "luong-feeding" and c.cell == "lstm-layernorm" and c.layers > 1,
        "lstm-layernorm normalises the inputs of all steps at once, which decoder luong-feeding allows in the lowest "
        "layer alone: choose layers 1 or another cell",
    )
    yield (
        c.decoder in ("luong", "luong-feeding") and not c.readout_context,
        f"with decoder {c.decoder} the context is read by the readout alone, so readout_context cannot be false",
    )
    yield (
        (c.attention == "multi-head" or not recurrent[0]) and c.attention_size % c.heads,
        f"heads is {c.heads}: it must divide attention_size, which is {c.attention_size}: choose another number for "
        "one of them",
    )
    yield (
        c.variational and not c.dropout,
        "variational says how dropout is drawn, but dropout is 0: give dropout a rate",
    )
    yield (
        c.samples >= c.target_vocabulary,
        f"samples is {c.samples}, but the target vocabulary has {c.target_vocabulary} tokens: choose fewer",
    )
    yield (
        c.samples and (c.label_smoothing or c.confidence_penalty),
        "label_smoothing and confidence_penalty read the probabilities of all tokens, but samples computes few: choose "
        "one or the other",
    )
    yield (
        c.head == "pointer-generator" and not attends,
        "head pointer-generator copies what the attention looks at, but attention is none: choose an attention, or "
        "another head",
    )
    yield (
        c.head == "pointer-generator" and c.attention == "local-p",
        "head pointer-generator copies by the attention's weights, but those of local-p do not sum to 1: choose "
        "another attention, or head copynet",
    )
    yield (
        c.copies and (c.samples or c.label_smoothing or c.confidence_penalty),
        "samples, label_smoothing and confidence_penalty are of a softmax over the vocabulary alone, but head "
        f"{c.head} copies words besides: leave them out, or choose head vocabulary",
    )
    yield (
        c.tied == "all" and c.source_vocabulary != c.target_vocabulary,
        f"tied is all, so source and target must share one vocabulary, but theirs have {c.source_vocabulary} and "
        f"{c.target_vocabulary} tokens",
    )
    yield (
        c.tied != "none" and c.features != c.embedding,
        f"a tied readout gets {c.features} numbers and an embedding has {c.embedding}: make them equal, or choose the "
        "readout tanh or maxout",
    )
    yield (
        c.forget_bias != 1 and "c" not in c.cell_part.State._fields,
        f"forget_bias is for an LSTM, but cell is {c.cell}: leave it out, or choose an LSTM",
    )
