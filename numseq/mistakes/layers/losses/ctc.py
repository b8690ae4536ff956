"""Mistakes in the backward of the CTC loss.

The equations are here as in the paper: of probabilities, which are rescaled at every frame, in place of logs.
"""

import numpy as np

from numseq import layers
from numseq.layers.losses.ctc import CTCTrace
from numseq.mistakes.fixtures import Case
from numseq.mistakes.layer import Layer, equations, know


def ctc_loss(trace, dloss, change=None):
    eq, logits, lengths = equations(change), trace.logits, trace.lengths
    (S, B, V), (U, _) = logits.shape, trace.skip.shape
    mask = np.ones((S, B), dtype=bool) if trace.mask is None else trace.mask
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = eq("p", e / e.sum(axis=-1, keepdims=True))
    tokens = np.zeros((U, B), dtype=int)
    tokens[1::2] = trace.targets
    onehot = np.eye(V)[tokens]
    y = eq("y", (p[:, None] * onehot).sum(axis=-1))  # (S, U, B)
    after = 2 * lengths - np.arange(U)[:, None]  # states behind each of its target's
    skip = eq("skip", np.concatenate([trace.skip[2:] == 0, np.zeros((2, B), dtype=bool)]))
    beta, tiny = np.zeros((S, U, B)), 1e-300  # where nothing is possible, nothing is divided by 0
    beta[S - 1 :] = eq("ends", 1.0 * ((after == 0) | (after == 1)))
    for s in reversed(range(1, S)):
        q = eq("q", y[s] * beta[s])
        one, two = np.concatenate([q[1:], 0 * q[:1]]), np.concatenate([q[2:], 0 * q[:2]])
        following = eq("following", q + one + skip * two)
        real = eq("real", mask[s])
        beta[s - 1] = np.where(real, following / (following.sum(axis=0) + tiny), beta[s])
    alpha = np.exp(trace.alpha)
    through = eq("through", alpha * beta)
    occupancy = eq("occupancy", through / (through.sum(axis=1, keepdims=True) + tiny))
    said = eq("said", (occupancy[..., None] * onehot).sum(axis=1))
    weights = eq("weights", trace.weights)
    w = eq("w", weights * mask * dloss)
    dlogits = eq("dlogits", w[..., None] * (p - said))
    return {"dlogits": dlogits}


LAST_TWO = "a target is said when its last token is, with a blank behind it or not: so beta begins in two states"
SKIP = "a path may leave out a blank only on its way to another token"

know(
    Layer("ctc_loss", ctc_loss, of=CTCTrace, says={
        "dlogits": "w * (p - said), where p is the softmax, said the sum of the occupancy of all states that say a "
                   "token, and w = weights * mask * dloss",
    }),
    ("the occupancy is not subtracted", "dlogits", lambda v: v.w[..., None] * v.p,
     "what the target's paths say must rise: d nll / d logits = p - said"),
    ("the occupancy is added", "dlogits", lambda v: v.w[..., None] * (v.p + v.said),
     "what the target's paths say must rise: d nll / d logits = p - said"),
    ("the gradient by the probabilities where that by the logits belongs", "dlogits",
     lambda v: -v.w[..., None] * v.said / v.p,
     "-said / p is the gradient by the probability; the softmax's Jacobian makes p - said of it"),
    ("the softmax of CTC is taken over the frames", "p",
     lambda v: layers.softmax(v.logits.swapaxes(0, -1)).swapaxes(0, -1),
     "one softmax for each frame: sum over the last axis, axis=-1"),
    ("what comes before a frame alone decides its states", "through", lambda v: v.alpha,
     "alpha knows the frames so far, beta those to come: a path that says the target has both"),
    ("what comes after a frame alone decides its states", "through", lambda v: v.beta,
     "alpha knows the frames so far, beta those to come: a path that says the target has both"),
    ("a frame's own probability is counted twice", "through", lambda v: v.alpha * v.beta * v.y,
     "alpha has the frame in it already; if beta has it too, as in the paper, divide by it once"),
    ("beta has its own frame's probability, not the next one's", "q", lambda v: v.y[v.s - 1] * v.beta[v.s],
     "beta of frame s - 1 is of what follows: the frame s, and what follows that"),
    ("beta forgets the frames' probabilities", "q", lambda v: v.beta[v.s],
     "what follows is a path: the product of its frames' probabilities"),
    ("beta leaves out no blank", "following", lambda v: v.q + v.one, SKIP + ", and often does"),
    ("beta leaves out a blank between equal tokens, and tokens between blanks", "skip",
     lambda v: np.ones(v.value.shape), SKIP),
    ("beta asks the state that is left whether a blank may be left out", "skip", lambda v: v.trace.skip == 0,
     SKIP + ": that of the state two further on, skip_{u+2}"),
    ("beta goes on by a state at every frame", "following", lambda v: v.one + v.skip * v.two,
     "a state lasts as many frames as it likes"),
    ("beta ends in the blank alone", "ends", lambda v: 1.0 * (v.after == 0), LAST_TWO),
    ("beta ends in the token alone", "ends",
     lambda v: 1.0 * ((v.after == 1) | (v.lengths == 0) & (v.after == 0)), LAST_TWO),
    ("beta begins at the longest target's end in every row", "ends",
     lambda v: np.broadcast_to(1.0 * (np.arange(v.U) >= v.U - 2)[:, None], v.value.shape).copy(), LAST_TWO),
    ("beta may end in any state", "ends", lambda v: np.ones(v.value.shape), LAST_TWO),
    ("beta goes through padded frames", "real", lambda v: True,
     "beta begins at an utterance's last frame: behind it nothing is said"),
    ("all states of a frame that are in reach count alike", "through", lambda v: 1.0 * (v.value > 0),
     "the occupancy is a probability: by how much each state's paths have of all"),
    ("the best state of a frame gets all", "occupancy", lambda v: 1.0 * (v.value == v.value.max(axis=1, keepdims=True)),
     "the loss is of the sum over all paths, not of the best: each gets its share"),
    ("the blank's states get nothing", "said", lambda v: v.value * (np.arange(v.V) > 0),
     "a path says blanks as well: occupancy of all states goes to what they say"),
    ("a token that a target has twice is learnt where it stands last", "said", lambda v: _last(v.occupancy, v.onehot),
     "the states of one token are added: `said[ids] += occupancy` keeps the last of equal ids, `np.add.at` adds all"),
    ("a target's tokens are read by columns", "said",
     lambda v: (v.occupancy[..., None] * v.onehot[:, ::-1]).sum(axis=1), "each row says its own target"),
    ("the loss of CTC is summed, not averaged", "weights", lambda v: 1.0 * (v.value != 0),
     "forward divided by the number of tokens, so must backward"),
    ("the loss of CTC is averaged over frames", "w", lambda v: v.value / v.mask.sum(axis=0),
     "a row's nll is one number, of all its frames together"),
    ("padded frames learn", "w", lambda v: np.broadcast_to(v.weights * v.dloss, v.value.shape),
     "a frame that is not real was not in the loss: its gradient is exactly 0"),
    ("a target that is impossible pulls all tokens down", "weights",
     lambda v: np.where(v.trace.impossible, v.value.max(), v.value),
     "its nll was left out of the loss: its gradient is exactly 0"),
    ("dloss is ignored by the loss of CTC", "w", lambda v: v.value / v.dloss,
     "the chain rule begins with what comes from above"),
)  # fmt: skip


def _last(occupancy, onehot):
    """What each token has of the last of its states alone."""
    later = np.cumsum(onehot[::-1], axis=0)[::-1] - onehot  # how many states behind say the same
    return (occupancy[..., None] * (onehot * (later == 0))).sum(axis=1)


ROWS = [(8, [1, 2, 1]), (6, [3, 3]), (7, [2, 2, 4]), (3, []), (4, [4]), (2, [1, 1])]  # frames, target; one is too long


def cases(rng):
    S, T, B, V = 8, 3, len(ROWS), 5
    mask = np.arange(S)[:, None] < np.array([frames for frames, _ in ROWS])
    target_mask = np.arange(T)[:, None] < np.array([len(target) for _, target in ROWS])
    targets = np.zeros((T, B), dtype=int)
    targets.T[target_mask.T] = [k for _, target in ROWS for k in target]

    def loss(weights=None, mask=mask):
        function = lambda logits: layers.ctc_loss(logits, targets, target_mask, weights, mask=mask)  # noqa: E731
        return Case(function, {"logits": 2 * rng.standard_normal((S, B, V))}, ("ctc_loss",))

    return {
        "ctc_loss": loss(),
        "ctc_loss, weighed": loss(weights=np.where(np.arange(B) == 2, 0, rng.standard_normal(B))),
        "ctc_loss, unmasked": loss(mask=None),
    }
