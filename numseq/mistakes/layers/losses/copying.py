"""Mistakes in the backward of the two losses of words that can be copied."""

import numpy as np

from numseq import layers
from numseq.layers.activations import MASKED
from numseq.layers.losses.copying import CopyNetLossTrace, PointerLossTrace
from numseq.mistakes.fixtures import REAL, SOURCE_REAL, B, Case, S, T, V, weighed
from numseq.mistakes.layer import Layer, equations, know


def pointer_loss(trace, dloss, change=None):
    eq, logits, alpha, targets, match = equations(change), trace.logits, trace.alpha, trace.targets, trace.match
    V = logits.shape[-1]
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    softmax = e / e.sum(axis=-1, keepdims=True)
    onehot = (targets[..., None] == np.arange(V)) * 1.0  # nothing but 0 for a word from V on
    g = eq("g", trace.g)
    generated = eq("generated", g * (softmax * onehot).sum(axis=-1))
    pointed = eq("pointed", (1 - g) * (alpha * match).sum(axis=-1))
    p = eq("p", generated + pointed)
    share = eq("share", generated / p)
    mask = trace.weights != 0
    weights = eq("weights", trace.weights)
    w = eq("w", weights * dloss)
    dlogits = eq("dlogits", w[..., None] * share[..., None] * (softmax - onehot))
    da_generated = eq("da_generated", -w * share * (1 - g))  # d log g = 1 - g
    da_pointed = eq("da_pointed", w * (1 - share) * g)  # d log (1 - g) = -g
    da = eq("da", da_generated + da_pointed)  # = w * (g - share)
    dalpha = eq("dalpha", -w[..., None] * match * (1 - g[..., None]) / p[..., None])
    return {"dlogits": dlogits, "da": da, "dalpha": dalpha}


def _clipped(v):
    """The one-hot of the targets, words from V on as the last word of the vocabulary."""
    return np.eye(v.V)[np.minimum(v.targets, v.V - 1)]


def _first(match):
    """The first place alone of those where the word stands."""
    return match & (np.cumsum(match, axis=-1) == 1)


know(
    Layer("pointer_loss", pointer_loss, of=PointerLossTrace, says={
        "dlogits": "w * share * (softmax - onehot), where share is how much of p(y) was generated, and "
                   "w = weights * dloss",
        "da": "w * (g - share), where share is how much of p(y) was generated, and w = weights * dloss",
        "dalpha": "-w * (1 - g) / p(y) at the places where y stands, 0 elsewhere, where w = weights * dloss",
    }),
    ("the gate's gradient has its sign turned", "da", lambda v: -v.value,
     "da = g - share: where more of the word was generated than g promised, g must rise, and so da is negative"),
    ("the gate learns as if all words were generated", "da", lambda v: v.w * (v.g - 1),
     "share, not 1, of the word was generated: the rest was copied, and pulls g down"),
    ("the gate's gradient is share alone", "da", lambda v: -v.w * v.share,
     "both ways have a factor of a: d log g = 1 - g and d log (1 - g) = -g; together g - share"),
    ("the gradient by g where that by a belongs", "da",
     lambda v: -v.w * ((v.softmax * v.onehot).sum(axis=-1) - (v.alpha * v.match).sum(axis=-1)) / v.p,
     "g = sigmoid(a): what comes to g goes through g (1 - g)"),
    ("generating and copying are swapped: 1 - share for share", "share", lambda v: 1 - v.value,
     "share is the part of p(y) that was generated; the scores of the vocabulary learn by it"),
    ("g stands where the share belongs", "share", lambda v: v.g,
     "g is how probable generating was before the word was known, share after: Bayes' rule lies between them"),
    ("the generated part is not divided by p", "share", lambda v: v.generated,
     "d log p = dp / p: what explains little of a likely word has little to say"),
    ("the vocabulary learns every word in full", "dlogits",
     lambda v: v.w[..., None] * (v.softmax - v.onehot),
     "the gradient of either way is that of the way alone, times its share of p(y)"),
    ("a word that the vocabulary lacks is learnt as its last word", "dlogits",
     lambda v: v.w[..., None] * (v.share + (v.targets >= v.V))[..., None] * (v.softmax - _clipped(v)),
     "an id from V on has no score in the vocabulary: nothing of it was generated, so its share is 0"),
    ("the one-hot is forgotten beside the copies", "dlogits",
     lambda v: v.w[..., None] * v.share[..., None] * v.softmax, "d log softmax_y = onehot - softmax"),
    ("every place gets the gradient of a copy", "dalpha",
     lambda v: -v.w[..., None] * np.ones_like(v.alpha) * (1 - v.g[..., None]) / v.p[..., None],
     "p(y) has the attention of those places alone where y stands"),
    ("only the first place where the word stands gets the gradient", "dalpha",
     lambda v: v.value * _first(v.match), "a word that stands twice can be copied from either place: p has their sum"),
    ("the last place where the word stands overwrites the others", "dalpha",
     lambda v: v.value * _first(v.match[..., ::-1])[..., ::-1],
     "places of one word are added: `p[ids] += alpha` keeps the last of equal ids, `np.add.at` adds all"),
    ("1 - g is missing from the gradient of alpha", "dalpha",
     lambda v: -v.w[..., None] * v.match / v.p[..., None], "p(y) has (1 - g) alpha_j in it"),
    ("g for 1 - g in the gradient of alpha", "dalpha",
     lambda v: -v.w[..., None] * v.match * v.g[..., None] / v.p[..., None], "p(y) has (1 - g) alpha_j in it"),
    ("1 / p is missing from the gradient of alpha", "dalpha",
     lambda v: -v.w[..., None] * v.match * (1 - v.g[..., None]), "the loss is -log p: d log p = dp / p"),
    ("the gradient of alpha has its sign turned", "dalpha", lambda v: -v.value,
     "more attention where the word stands makes it more probable, and the loss smaller"),
    ("the gradient of alpha as if the word could not be generated", "dalpha",
     lambda v: -v.w[..., None] * v.match * (1 - v.g[..., None]) / (v.pointed[..., None] + 1e-30),
     "p(y) is the sum of both ways: a word that was generated already needs the attention less"),
    ("the loss with copies is summed, not averaged", "weights", lambda v: v.mask * 1.0,
     "forward divided by the number of tokens, so must backward"),
    ("the loss with copies counts padded tokens", "weights", lambda v: np.full(v.mask.shape, v.value.max()),
     "a padded position was not in the loss: its gradient is exactly 0"),
    ("dloss is ignored by the loss with copies", "w", lambda v: v.value / v.dloss,
     "the chain rule begins with what comes from above"),
)  # fmt: skip


def copynet_loss(trace, dloss, change=None):
    eq, logits, psi, mask = equations(change), trace.mixture.logits, trace.psi, trace.mask
    targets, match = trace.mixture.targets, trace.mixture.match
    V = logits.shape[-1]
    of_places = eq("of_places", psi if mask is None else np.where(mask.T, psi, MASKED))
    both = np.concatenate([logits, of_places], axis=-1)
    softmax = layers.softmax(both)
    p = eq("p", softmax[..., :V])
    q = eq("q", softmax[..., V:])
    onehot = (targets[..., None] == np.arange(V)) * 1.0  # nothing but 0 for a word from V on
    p_y = eq("p_y", (p * onehot).sum(axis=-1, keepdims=True) + (q * match).sum(axis=-1, keepdims=True))
    said = eq("said", p * onehot / p_y)
    pointed = eq("pointed", q * match / p_y)
    real = trace.mixture.weights != 0
    weights = eq("weights", trace.mixture.weights)
    w = eq("w", weights * dloss)
    dlogits = eq("dlogits", w[..., None] * (p - said))
    dpsi = eq("dpsi", w[..., None] * (q - pointed))
    return {"dlogits": dlogits, "dpsi": dpsi}


know(
    Layer("copynet_loss", copynet_loss, of=CopyNetLossTrace, says={
        "dlogits": "w * (p - said), where p is each word's part of the one softmax, said how much of p(y) was "
                   "generated, at y, and w = weights * dloss",
        "dpsi": "w * (q - pointed), where q is each place's part of the one softmax, pointed how much of p(y) was "
                "copied from it, and w = weights * dloss",
    }),
    ("the words' softmax does not know of the places", "p", lambda v: layers.softmax(v.logits),
     "Z has the scores of all words and of all places: one softmax over both"),
    ("the places' softmax does not know of the words", "q", lambda v: layers.softmax(v.of_places),
     "Z has the scores of all words and of all places: one softmax over both"),
    ("words do not lose to what was copied", "dlogits", lambda v: -v.w[..., None] * v.said,
     "log Z has every score: a word that was not meant gets its probability, whichever way the right one was made"),
    ("places do not lose to what was generated", "dpsi", lambda v: -v.w[..., None] * v.pointed,
     "log Z has every score: a place that was not meant gets its probability, whichever way the right word was made"),
    ("a word of the vocabulary is taken for generated in full", "said", lambda v: v.onehot,
     "what was copied of p(y) explains the word as well: generating gets its share alone"),
    ("a word that stands in the source is taken for copied in full", "pointed",
     lambda v: v.q * v.match / ((v.q * v.match).sum(axis=-1, keepdims=True) + 1e-30),
     "what was generated of p(y) explains the word as well: copying gets its share alone"),
    ("each place where the word stands gets all the credit", "pointed", lambda v: 1.0 * v.match,
     "places of one word share what was copied, each by its own probability"),
    ("places where the word stands get equal credit", "pointed",
     lambda v: v.value.sum(axis=-1, keepdims=True) * v.match / np.maximum(v.match.sum(axis=-1, keepdims=True), 1),
     "places of one word share what was copied, each by its own probability"),
    ("only the first place where the word stands has credit", "pointed", lambda v: v.value * _first(v.match),
     "a word that stands twice can be copied from either place: p has their sum"),
    ("the places' gradient has its sign turned", "dpsi", lambda v: -v.value,
     "the score of the place that was meant must rise: d nll / d psi = q - pointed"),
    ("the words' gradient has its sign turned", "dlogits", lambda v: -v.value,
     "the score of the word that was meant must rise: d nll / d logits = p - said"),
    ("a word that is only copied is learnt as the vocabulary's last word", "said",
     lambda v: v.value + (v.targets >= v.V)[..., None] * np.eye(v.V)[-1],
     "an id from V on has no score in the vocabulary: it can only be copied"),
    ("padded places compete with the words", "of_places", lambda v: v.psi,
     "a padded place had no part in forward's softmax: its probability and its gradient are exactly 0"),
    ("the loss of CopyNet is summed, not averaged", "weights", lambda v: v.real * 1.0,
     "forward divided by the number of tokens, so must backward"),
    ("the loss of CopyNet counts padded tokens", "weights", lambda v: np.full(v.real.shape, v.value.max()),
     "a padded position was not in the loss: its gradient is exactly 0"),
    ("dloss is ignored by the loss of CopyNet", "w", lambda v: v.value / v.dloss,
     "the chain rule begins with what comes from above"),
)  # fmt: skip


def cases(rng):
    # Words of the vocabulary that the source has or lacks, and two (V, V + 1) that only some sources have; all may
    # stand at several places, at padded ones too, from where nothing is copied.
    copies = np.where(rng.random((S, B)) < 0.7, rng.choice([4, 5, V, V + 1], size=(S, B)), rng.integers(V, size=(S, B)))
    place = rng.integers(S, size=(T, B)) % SOURCE_REAL.sum(axis=0)
    targets = np.where(rng.random((T, B)) < 0.6, copies[place, np.arange(B)], rng.integers(V, size=(T, B)))
    scores = {"logits": rng.standard_normal((T, B, V)), "psi": 2 * rng.standard_normal((T, B, S))}
    mixed = {
        "logits": scores["logits"],
        "a": rng.standard_normal((T, B)),
        "alpha": layers.softmax(rng.standard_normal((T, B, S))),  # none 0: no difference makes a probability negative
    }

    def pointer(weights=REAL):
        function = lambda logits, a, alpha: layers.pointer_loss(logits, a, alpha, copies, targets, weights)  # noqa: E731
        return Case(function, mixed, ("pointer_loss",))

    def copynet(weights=REAL, mask=SOURCE_REAL):
        function = lambda logits, psi: layers.copynet_loss(logits, psi, copies, targets, weights, mask=mask)  # noqa: E731
        return Case(function, scores, ("copynet_loss",))

    return {
        "pointer_loss": pointer(),
        "pointer_loss, weighed": pointer(weighed(rng)),
        "copynet_loss": copynet(),
        "copynet_loss, weighed": copynet(weighed(rng)),
        "copynet_loss, unmasked": copynet(mask=None),
    }
