"""Batch normalisation as people write it: y = gamma (x - mean) / sqrt(var + eps) + beta."""

from dataclasses import dataclass

import numpy as np

from .way import call, grad, normal, way, wrong


def arrays():
    return {"x": normal(110, 6, 3), "gamma": normal(111, 3), "beta": normal(112, 3)}


# cs231n: bn_param, a tuple for a cache, all steps one by one


def batchnorm_forward(x, gamma, beta, bn_param):
    eps = bn_param.get("eps", 1e-5)
    mu = np.mean(x, axis=0)
    xmu = x - mu
    var = np.mean(xmu**2, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta
    return out, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)


def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / sqrtvar**2 * divar
    dvar = 0.5 / np.sqrt(var + eps) * dsqrtvar
    dsq = np.ones((N, D)) / N * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = np.ones((N, D)) / N * dmu
    return dx1 + dx2, dgamma, dbeta


def batchnorm_backward_variance(dout, cache):
    """The variance is taken for a constant."""
    xhat, gamma, _xmu, ivar, _sqrtvar, _var, _eps = cache
    dxhat = dout * gamma
    dx = ivar * (dxhat - dxhat.mean(axis=0))
    return dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0)


def batchnorm_backward_swapped(dout, cache):
    dx, dgamma, dbeta = batchnorm_backward(dout, cache)
    return dx, dbeta, dgamma


def batchnorm_forward_running(x, gamma, beta, bn_param):
    """As in the homework: the running averages are put into bn_param."""
    momentum = bn_param.get("momentum", 0.9)
    running_mean = bn_param.get("running_mean", np.zeros(x.shape[1], dtype=x.dtype))
    if bn_param["mode"] == "train":
        mean = x.mean(axis=0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        out, cache = batchnorm_forward(x, gamma, beta, bn_param)
    else:
        out, cache = gamma * (x - running_mean) + beta, None
    bn_param["running_mean"] = running_mean
    return out, cache


def with_options(**options):
    return {**arrays(), "bn_param": {"mode": "train", "eps": 1e-3, **options}}


way(
    "batch norm, cs231n pair, options in a dict",
    lambda: call(batchnorm_forward, with_options(), backward=batchnorm_backward),
)
way(
    "batch norm, cs231n pair, forward writes the running mean into its options",
    lambda: call(batchnorm_forward_running, with_options(momentum=0.9), backward=batchnorm_backward),
    says=["bn_param|running_mean"],
)
wrong(
    "batch norm, cs231n pair, options in a dict: the variance a constant",
    lambda: call(batchnorm_forward, with_options(), backward=batchnorm_backward_variance),
    grad("x"),
)
wrong(
    "batch norm, cs231n pair, options in a dict: dgamma and dbeta swapped",
    lambda: call(batchnorm_forward, with_options(), backward=batchnorm_backward_swapped),
    grad("gamma"),
    grad("beta"),
    "swap|order|exchange|of the other|gradient of",
)


# named intermediates


def bn_forward(x, gamma, beta, eps=1e-5):
    cache = {"gamma": gamma}
    cache["mean"] = x.mean(axis=0)
    cache["centred"] = x - cache["mean"]
    cache["var"] = (cache["centred"] ** 2).mean(axis=0)
    cache["std"] = np.sqrt(cache["var"] + eps)
    cache["xhat"] = cache["centred"] / cache["std"]
    return gamma * cache["xhat"] + beta, cache


def bn_backward(dy, cache):
    centred, std, xhat = cache["centred"], cache["std"], cache["xhat"]
    grads = {"dgamma": (dy * xhat).sum(0), "dbeta": dy.sum(0)}
    grads["dxhat"] = dy * cache["gamma"]
    grads["dstd"] = -(grads["dxhat"] * centred).sum(0) / std**2
    grads["dvar"] = grads["dstd"] / (2 * std)
    grads["dcentred"] = grads["dxhat"] / std + 2 * centred * grads["dvar"] / len(dy)
    grads["dmean"] = -grads["dcentred"].sum(0)
    grads["dx"] = grads["dcentred"] + grads["dmean"] / len(dy)
    return grads


def bn_backward_half(dy, cache):
    centred, std, xhat = cache["centred"], cache["std"], cache["xhat"]
    grads = {"dgamma": (dy * xhat).sum(0), "dbeta": dy.sum(0)}
    grads["dxhat"] = dy * cache["gamma"]
    grads["dstd"] = -(grads["dxhat"] * centred).sum(0) / std**2
    grads["dvar"] = grads["dstd"] / std
    grads["dcentred"] = grads["dxhat"] / std + 2 * centred * grads["dvar"] / len(dy)
    grads["dmean"] = -grads["dcentred"].sum(0)
    grads["dx"] = grads["dcentred"] + grads["dmean"] / len(dy)
    return grads


way("batch norm, named intermediates", lambda: call(bn_forward, {**arrays(), "eps": 1e-3}, backward=bn_backward))
wrong(
    "batch norm, named intermediates: dvar twice as large",
    lambda: call(bn_forward, {**arrays(), "eps": 1e-3}, backward=bn_backward_half),
    r"\bdvar\b",
    "first",
    r"factor|times|twice|\b2\b",
)


# the short formula, without a cache; grad_ names


def batch_norm(x, gamma, beta):
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + beta  # np.var takes abs


def batch_norm_backward(dy, x, gamma):
    std = np.sqrt(x.var(0) + 1e-5)
    xhat = (x - x.mean(0)) / std
    grad_gamma = (dy * xhat).sum(0)
    grad_x = gamma / std * (dy - dy.mean(0) - xhat * grad_gamma / len(x))
    return {"grad_x": grad_x, "grad_gamma": grad_gamma, "grad_beta": dy.sum(0)}


def batch_norm_backward_mean(dy, x, gamma):
    std = np.sqrt(x.var(0) + 1e-5)
    xhat = (x - x.mean(0)) / std
    grad_gamma = (dy * xhat).sum(0)
    grad_x = gamma / std * (dy - xhat * grad_gamma / len(x))
    return {"grad_x": grad_x, "grad_gamma": grad_gamma, "grad_beta": dy.sum(0)}


way(
    "batch norm, no cache, grad_ names",
    lambda: call(batch_norm, arrays(), backward=batch_norm_backward),
    says=[r"\bvar\b"],
)
wrong(
    "batch norm, no cache, grad_ names: the mean a constant",
    lambda: call(batch_norm, arrays(), backward=batch_norm_backward_mean),
    grad("x"),
)


# a trace, parameters a dataclass, and so their gradients


@dataclass
class NormParams:
    gamma: np.ndarray
    beta: np.ndarray


@dataclass
class NormGrad:
    x: np.ndarray
    params: NormParams


@dataclass
class NormTrace:
    y: np.ndarray
    xhat: np.ndarray
    std: np.ndarray
    params: NormParams
    outputs = ("y",)

    def backward(self, dy):
        d = dy * self.params.gamma
        dx = (d - d.mean(0) - self.xhat * (d * self.xhat).mean(0)) / self.std
        return NormGrad(dx, NormParams(gamma=(dy * self.xhat).sum(0), beta=dy.sum(0)))


def norm(x, params, eps=1e-5):
    centred = x - x.mean(0)
    std = np.sqrt((centred * centred).mean(0) + eps)
    xhat = centred / std
    return NormTrace(params.gamma * xhat + params.beta, xhat, std, params)


class NormTraceBeta(NormTrace):
    def backward(self, dy):
        grad = super().backward(dy)
        grad.params.beta = grad.params.beta / len(dy)
        return grad


def norm_beta(x, params, eps=1e-5):
    trace = norm(x, params, eps)
    return NormTraceBeta(trace.y, trace.xhat, trace.std, params)


def norm_inputs():
    return {"x": normal(110, 6, 3), "params": NormParams(normal(111, 3), normal(112, 3))}


way("batch norm, dataclass trace, params a dataclass", lambda: call(norm, norm_inputs()))
wrong(
    "batch norm, dataclass trace, params a dataclass: dbeta a mean",
    lambda: call(norm_beta, norm_inputs()),
    r"params.*beta",
    r"factor|times|1/6|0\.16|divided",
)


# JAX, channels last of three axes; a closure


def spatial_bn_fwd(x, scale, offset):
    mean = x.mean(axis=(0, 1))
    inv = 1 / np.sqrt(((x - mean) ** 2).mean(axis=(0, 1)) + 1e-5)
    xhat = (x - mean) * inv
    return xhat * scale + offset, (xhat, inv, scale)


def spatial_bn_bwd(residuals, ct):
    xhat, inv, scale = residuals
    n = xhat.shape[0] * xhat.shape[1]
    ct_offset = ct.sum(axis=(0, 1))
    ct_scale = (ct * xhat).sum(axis=(0, 1))
    return scale * inv * (ct - ct_offset / n - xhat * ct_scale / n), ct_scale, ct_offset


def spatial_bn_bwd_axis(residuals, ct):
    xhat, inv, scale = residuals
    n = xhat.shape[0]
    ct_offset = ct.sum(axis=(0, 1))
    ct_scale = (ct * xhat).sum(axis=(0, 1))
    return scale * inv * (ct - ct_offset / n - xhat * ct_scale / n), ct_scale, ct_offset


def spatial():
    return normal(117, 4, 5, 3), normal(118, 3), normal(119, 3)


way("batch norm, fwd and bwd of JAX, three axes", lambda: call(spatial_bn_fwd, spatial(), backward=spatial_bn_bwd))
wrong(
    "batch norm, fwd and bwd of JAX, three axes: n counts the batch alone",
    lambda: call(spatial_bn_fwd, spatial(), backward=spatial_bn_bwd_axis),
    grad("x"),
)


def normalise(x):
    mean, std = x.mean(0), np.sqrt(x.var(0) + 1e-5)
    xhat = (x - mean) / std

    def pullback(d):
        return (d - d.mean(0) - xhat * (d * xhat).mean(0)) / std

    return xhat, pullback


way("batch norm, closure, one array", lambda: call(normalise, normal(120, 6, 3)))
