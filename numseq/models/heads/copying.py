"""Heads that copy: a word is generated from the vocabulary, or copied from a place of the source.

    logits_t = dropout(r_t) W + b                                      both

    a_t      = [h_t; context_t; y_t] W_g + b_g                         pointer-generator: generate, or copy with the
    p_t      = sigmoid(a_t) softmax(logits_t), and (1 - sigmoid(a_t)) alpha_t for the places     attention's weights

    psi_tj   = tanh(s_j W_c) . h_t                                     CopyNet: places have scores of their own, s_j
    p_t      = softmax([logits_t; psi_t])                              being the memory's states

What stands at a place is `copies` (S, B): an id of the target's vocabulary, or from V on a word that the vocabulary
lacks. The probability of a word is the sum over all ways to say it (`numseq.layers.losses.copying`).

Source: See, Liu & Manning 2017, section 2.2; Gu et al. 2016, section 3.2. Of CopyNet here are the scores; its selective
read, which shows the decoder what was copied, is not.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from numseq.backend import Array, DType, Generator, array_module, asarray, scatter_add_rows
from numseq.errors import ArgumentError, ConfigError
from numseq.layers.activations import sigmoid, softmax, tanh, tanh_backward
from numseq.layers.attention.products import dots, over_queries, weighted_mean
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.linear import LinearParams, LinearTrace, affine, init_linear, linear, rows
from numseq.layers.losses.copying import (
    CopyNetLossTrace,
    PointerLossTrace,
    copynet_loss,
    pointer_loss,
    ways,
)
from numseq.layers.losses.cross_entropy import exponentials
from numseq.models.heads.vocabulary import HeadGrad
from numseq.models.memory import Memory
from numseq.models.noise import Draws
from numseq.record import Record, Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class Copying(Record):
    """What a head that copies reads of the sources, for all steps."""

    copies: Array  # (S, B), what stands at each place
    width: int | None  # ids that there are, words that only a source has included; None: not counted yet
    mask: Array | None = None  # (S, B); of CopyNet, as what follows
    states: Array | None = None  # (S, B, C)
    keys: Array | None = None  # (S, B, H): tanh(states W_c)

    def select_rows(self, rows: Array) -> Self:
        """The same of other rows of the batch, (N,) integers."""
        parts = {name: getattr(self, name) for name in ("copies", "mask", "states", "keys")}
        return type(self)(
            width=self.width, **{name: part if part is None else part[:, rows] for name, part in parts.items()}
        )


class CopyingHead:
    """What both share. See `numseq.models.seq2seq` for what a head offers; one that copies also offers `read`."""

    copies = True

    def __init__(self, config: "Seq2SeqConfig"):
        self.config = config

    def draw(self, draws: Draws, steps: int, batch: int, params: Any) -> Array | None:
        """A dropout mask of r, or None."""
        return draws.dropout(steps, batch, self.config.features)

    def read(self, memory: Memory, copies: Array | None, params: Any) -> Copying:
        """What there is to copy.

        Args: memory, an encoder's. copies, (S, B): what stands at each place, see `numseq.data.copying`.
        Raises: ArgumentError, without copies; ConfigError, where the memory's places are not those of the source.
        """
        config = self.config
        if copies is None:
            raise ArgumentError(f"copies is None: head {config.head} needs what stands at each place of the source")
        if len(copies) != len(memory.states):
            raise ConfigError(
                f"head {config.head} copies the words of the source, and has {len(copies)} of them, but encoder "
                f"{config.encoder} has {len(memory.states)} places"
            )
        width = copies.max(initial=config.target_vocabulary - 1) + 1 if isinstance(copies, np.ndarray) else None
        return Copying(asarray(copies), width and int(width))


def log_mixture(logits: Array, a: Array, alpha: Array, copying: Copying) -> Array:
    """log p of every word (T, B, V and more), -inf of those that cannot be said.

    Args: logits (T, B, V). a (T, B), whose sigmoid is how probable it is that a word is generated. alpha (T, B, S), of
        the places that can be copied.
    """
    xp, (T, B, V) = array_module(logits), logits.shape
    width = copying.width or max(V, int(copying.copies.max()) + 1)
    copied = alpha * sigmoid(-a)[..., None]
    row = width * xp.arange(T * B).reshape(T, B, 1)
    p = scatter_add_rows(T * B * width, (row + copying.copies.T).reshape(-1), copied.reshape(-1, 1))
    p = p.reshape(T, B, width)
    p[..., :V] += sigmoid(a)[..., None] * softmax(logits)
    return xp.where(p > 0, xp.log(xp.maximum(p, np.finfo(p.dtype).tiny)), -np.inf)


@dataclass(slots=True)
class PointerParams(Record):
    W: Array  # (R, V), of the vocabulary
    b: Array  # (V,)
    W_g: Array  # (H + C + E, 1), of what decides between the two ways
    b_g: Array  # (1,)


@dataclass(slots=True)
class PointerTrace(Trace):
    """What the head computed; a (T, B) and in `mixture` g, share and nll."""

    outputs = ("loss",)
    copying: Copying
    dropout: DropoutTrace
    output: LinearTrace
    gate: LinearTrace
    widths: tuple[int, int, int]  # of h, context and y
    mixture: PointerLossTrace
    loss: Array

    @property
    def logits(self) -> Array:
        """Scores of the vocabulary's tokens at every step, (T, B, V)."""
        return self.output.y

    @property
    def a(self) -> Array:
        return self.gate.y[..., 0]

    @property
    def logp(self) -> Array:
        """Log-probabilities of all words at every step, (T, B, V and more)."""
        return log_mixture(self.logits, self.a, self.mixture.alpha, self.copying)

    def backward(self, dloss: float = 1.0) -> HeadGrad:
        """Mixture; then either way back: through the vocabulary to r, and by a to what it read. alpha is given back."""
        grad = self.mixture.backward(dloss)
        output, gate = self.output.backward(grad.dlogits), self.gate.backward(grad.da[..., None])
        H, C, _ = self.widths
        params = PointerParams(output.params.W, output.params.b, gate.params.W, gate.params.b)
        return HeadGrad(
            params=params,
            dr=self.dropout.backward(output.dx).dx,
            dh=gate.dx[..., :H],
            dcontext=gate.dx[..., H : H + C],
            dalpha=grad.dalpha,
            dy=gate.dx[..., H + C :],
        )


class PointerHead(CopyingHead):
    """The pointer-generator. See `CopyingHead`."""

    def init(self, rng: Generator, dtype: DType) -> PointerParams:
        """First values, PointerParams."""
        config = self.config
        output = init_linear(rng, config.features, config.target_vocabulary, dtype, config.initializer)
        gate = init_linear(rng, config.hidden + config.memory + config.embedding, 1, dtype, config.initializer)
        return PointerParams(output.W, output.b, gate.W, gate.b)

    def loss(
        self, decoded: Any, targets: Array, weights: Array | None, params: PointerParams, noise: Array | None = None
    ) -> PointerTrace:
        """The loss of the right words. Args: those of `VocabularyHead.loss`; targets from V on are words that only the
        source has. Returns: a PointerTrace."""
        dropped = dropout(decoded.r, noise)
        output = linear(dropped.y, LinearParams(params.W, params.b))
        gate = linear(self._seen(decoded), LinearParams(params.W_g, params.b_g))
        copying, widths = decoded.start.copying, tuple(x.shape[-1] for x in (decoded.h, decoded.context, decoded.y))
        mixture = pointer_loss(output.y, gate.y[..., 0], decoded.alpha, copying.copies, targets, weights)
        return PointerTrace(copying, dropped, output, gate, widths, mixture, mixture.loss)

    @staticmethod
    def _seen(decoded):
        return array_module(decoded.h).concatenate([decoded.h, decoded.context, decoded.y], axis=-1)

    def log_probabilities(self, decoded: Any, params: PointerParams) -> Array:
        """log p of every word at every step, (T, B, V and more), for a search."""
        a = affine(self._seen(decoded), params.W_g, params.b_g)[..., 0]
        return log_mixture(affine(decoded.r, params.W, params.b), a, decoded.alpha, decoded.start.copying)


@dataclass(slots=True)
class CopyNetParams(Record):
    W: Array  # (R, V), of the vocabulary
    b: Array  # (V,)
    W_c: Array  # (C, H), of the places


@dataclass(slots=True)
class CopyNetTrace(Trace):
    """What the head computed; psi (T, B, S), and in `copynet` how both ways competed."""

    outputs = ("loss",)
    copying: Copying
    params: CopyNetParams
    dropout: DropoutTrace
    output: LinearTrace
    h: Array
    psi: Array
    copynet: CopyNetLossTrace
    loss: Array

    @property
    def logits(self) -> Array:
        """Scores of the vocabulary's tokens at every step, (T, B, V)."""
        return self.output.y

    @property
    def mixture(self) -> PointerLossTrace:
        """The same as a pointer-generator has it."""
        return self.copynet.mixture

    @property
    def logp(self) -> Array:
        """Log-probabilities of all words at every step, (T, B, V and more)."""
        return log_mixture(self.logits, self.copynet.a, self.copynet.alpha, self.copying)

    def backward(self, dloss: float = 1.0) -> HeadGrad:
        """Both scores back: psi_tj = tanh(s_j W_c) . h_t is a product of two, each of which gets its gradient."""
        grad = self.copynet.backward(dloss)
        output = self.output.backward(grad.dlogits)
        keys, states = self.copying.keys, self.copying.states
        dz = tanh_backward(over_queries(grad.dpsi, self.h), keys)  # (S, B, H)
        params = CopyNetParams(output.params.W, output.params.b, W_c=rows(states).T @ rows(dz))
        return HeadGrad(
            params=params,
            dr=self.dropout.backward(output.dx).dx,
            dh=weighted_mean(grad.dpsi, keys),  # the same sum over places as that of a context
            dstates=affine(dz, self.params.W_c.T),
        )


class CopyNetHead(CopyingHead):
    """CopyNet's scores. See `CopyingHead`."""

    def init(self, rng: Generator, dtype: DType) -> CopyNetParams:
        """First values, CopyNetParams."""
        config = self.config
        output = init_linear(rng, config.features, config.target_vocabulary, dtype, config.initializer)
        W_c = asarray(config.initializer.matrix(rng, config.memory, config.hidden), dtype)
        return CopyNetParams(output.W, output.b, W_c)

    def read(self, memory: Memory, copies: Array | None, params: CopyNetParams) -> Copying:
        copying = super().read(memory, copies, params)
        copying.mask, copying.states = memory.mask, memory.states
        copying.keys = tanh(affine(memory.states, params.W_c))
        return copying

    def loss(
        self, decoded: Any, targets: Array, weights: Array | None, params: CopyNetParams, noise: Array | None = None
    ) -> CopyNetTrace:
        """The loss of the right words. Args: those of `PointerHead.loss`. Returns: a CopyNetTrace."""
        dropped, copying, h = dropout(decoded.r, noise), decoded.start.copying, decoded.h
        output, psi = linear(dropped.y, LinearParams(params.W, params.b)), dots(h, copying.keys)
        copynet = copynet_loss(output.y, psi, copying.copies, targets, weights, mask=copying.mask)
        return CopyNetTrace(copying, params, dropped, output, h, psi, copynet, copynet.loss)

    def log_probabilities(self, decoded: Any, params: CopyNetParams) -> Array:
        """log p of every word at every step, (T, B, V and more), for a search."""
        copying, logits = decoded.start.copying, affine(decoded.r, params.W, params.b)
        alpha, a = ways(logits, exponentials(rows(logits)), dots(decoded.h, copying.keys), copying.mask)
        return log_mixture(logits, a, alpha, copying)
