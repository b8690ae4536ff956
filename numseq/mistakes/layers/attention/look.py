"""What the plain equations and the fixtures of all attentions share."""

from numseq.mistakes.fixtures import SOURCE_REAL, B, Case, D, S, T, call, rescaled

C = 4  # width of the values


def softmax_backward(dalpha, alpha):
    return alpha * (dalpha - (dalpha * alpha).sum(axis=-1, keepdims=True))


def rows(x):
    return x.reshape(-1, x.shape[-1])


def look(rng, function, covers, query, params=None, **options):
    """A case of T queries, of a width, that look at ragged sources."""
    normal = rng.standard_normal
    inputs = {"query": normal((T, B, query)), "keys": normal((S, B, D)), "values": normal((S, B, C))}
    if params is not None:
        inputs["params"] = rescaled(rng, params)
    return Case(call(function, **options, mask=SOURCE_REAL), inputs, covers)
