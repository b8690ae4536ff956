"""Matrices that are used in two boxes: the boxes know nothing of it.

    tied "target":  head.W = target.W^T                 one vector a token, to read it and to say it
    tied "all":     source.W = target.W besides         of one vocabulary

A parameter that is another's is None in the tree that is trained. Before the forward pass it is put in its place, and
after the backward pass its gradient is added to the other's: a matrix that is used twice gets both gradients.

Source: Press & Wolf 2017, "Using the output embedding to improve language models".
"""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numseq.models.seq2seq import Seq2SeqParams


def tie(params: "Seq2SeqParams", tied: str) -> "Seq2SeqParams":
    """The parameters with every box's own in place, as the boxes take them."""
    if tied == "none":
        return params
    source = params.target if tied == "all" else params.source
    return replace(params, source=source, head=replace(params.head, W=params.target.W.T))


def untie(params: "Seq2SeqParams", tied: str) -> "Seq2SeqParams":
    """The same for first values, or for gradients that are to be added: what is tied is None."""
    if tied == "none":
        return params
    source = None if tied == "all" else params.source
    return replace(params, source=source, head=replace(params.head, W=None))


def untie_gradients(grad: "Seq2SeqParams", tied: str) -> "Seq2SeqParams":
    """The gradient of what is trained from that of what the boxes took."""
    if tied == "none":
        return grad
    dW = grad.target.W + grad.head.W.T
    if tied == "all":
        dW += grad.source.W
    return untie(replace(grad, target=replace(grad.target, W=dW)), tied)
