"""What is drawn at random for one batch in training, and what stands for it in evaluation.

A dict by place; a place that is not in it is left alone:

    source, target, readout              dropout masks of embeddings and of what the readout reads
    encoder, decoder                     lists of dropout masks between layers
    encoder_weights, decoder_weights     lists of masks of the recurrent matrices (weight-drop)
    encoder_zoneout, decoder_zoneout     lists of what `Unroll` takes; in evaluation each is the share that goes on
    samples, log_q                       the tokens that stand for the vocabulary, and how likely each was to be drawn

Word dropout is one more factor of the masks of embeddings: a whole token's is 0 (Sennrich et al. 2016, "Edinburgh
neural machine translation systems", section 2.4). Variational dropout draws one mask for all steps (Gal & Ghahramani
2016).
"""

from numseq.backend import device_generator, generator
from numseq.layers.bidirectional import BidirectionalParams
from numseq.layers.dropout import dropout_mask
from numseq.layers.sampled import log_uniform
from numseq.params import common_dtype


def draw_masks(config, params, batch, *seed):
    """Everything random for one batch; the same seed gives the same.

    Args: config, Seq2SeqConfig. params, Seq2SeqParams. batch. seed, integers.
    Returns: a dict, see the module; empty when nothing is dropped.
    """
    rng, dtype = device_generator(*seed), common_dtype(params)
    (S, B), T, H = batch.source.shape, len(batch.target_in), config.hidden
    masks = {}

    def draw(rate, *shape):
        return dropout_mask(rng, shape, rate, dtype)

    def of_steps(steps, width):
        return draw(config.dropout, 1 if config.variational else steps, B, width)

    if config.dropout:
        masks["source"] = of_steps(S, config.embedding)
        masks["encoder"] = [of_steps(S, H) for _ in range(config.layers - 1)]
        masks["target"] = of_steps(T, config.embedding)
        masks["decoder"] = [of_steps(T, H) for _ in range(config.layers - 1)]
        masks["readout"] = of_steps(T, config.features)
    if config.word_dropout:
        for name, steps in (("source", S), ("target", T)):
            words = draw(config.word_dropout, steps, B, 1)
            masks[name] = masks[name] * words if name in masks else words
    cells = {"encoder": params.encoder.rnn, "decoder": params.decoder.cells()}
    if config.weight_drop:
        for name, layers in cells.items():
            masks[f"{name}_weights"] = [draw(config.weight_drop, *_shape_of_W_h(layer)) for layer in layers]
    if config.zoneout:
        for name, steps in (("encoder", S), ("decoder", T)):
            width = H // 2 if name == "encoder" and config.attends else H
            directions = (2,) if isinstance(cells[name][0], BidirectionalParams) else ()
            shape = (steps, *directions, B, width)
            # 1 where a unit goes on, 0 where it keeps its state: as a dropout mask, without its scaling
            masks[f"{name}_zoneout"] = [
                tuple((draw(config.zoneout, *shape) > 0).astype(dtype) for _ in config.states)
                for _ in range(config.layers)
            ]
    if config.samples:
        drawn = log_uniform(generator(*seed, 1), config.target_vocabulary, config.samples, dtype)
        masks["samples"], masks["log_q"] = drawn
    return masks


def expected(config):
    """What stands for the noise in evaluation: only zoneout has something there."""
    if not config.zoneout:
        return {}
    layers = [(1 - config.zoneout,) * len(config.states)] * config.layers
    return {"encoder_zoneout": layers, "decoder_zoneout": layers}


def _shape_of_W_h(layer):
    if isinstance(layer, BidirectionalParams):
        return (2, *layer.ahead.W_h.shape)
    return layer.W_h.shape
