"""Batch normalisation as an object, and as an autograd.Function."""

import numpy as np

from .batchnorm import arrays
from .way import call, grad, normal, way, wrong

# objects: gamma and dgamma, with running averages beside them; and dicts


class BatchNorm:
    def __init__(self, size, momentum=0.9, eps=1e-5):
        self.gamma = normal(113, size)
        self.beta = normal(114, size)
        self.running_mean = np.zeros(size)
        self.running_var = np.ones(size)
        self.momentum, self.eps = momentum, eps
        self.training = True

    def forward(self, x):
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            mean, var = self.running_mean, self.running_var
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dy):
        n = dy.shape[0]
        self.dgamma = np.sum(dy * self.xhat, axis=0)
        self.dbeta = np.sum(dy, axis=0)
        return self.gamma / (n * self.std) * (n * dy - self.dbeta - self.xhat * self.dgamma)


class BatchNormInference(BatchNorm):
    """Uses the averages as they are, and so its backward is wrong."""

    def __init__(self, size):
        super().__init__(size)
        self.training = False


class BatchNormDegrees(BatchNorm):
    def backward(self, dy):
        n = dy.shape[0] - 1
        self.dgamma = np.sum(dy * self.xhat, axis=0)
        self.dbeta = np.sum(dy, axis=0)
        return self.gamma / (n * self.std) * (n * dy - self.dbeta - self.xhat * self.dgamma)


way("batch norm, object, gamma and dgamma, running averages", lambda: call(BatchNorm(3), {"x": normal(110, 6, 3)}))
wrong(
    "batch norm, object, gamma and dgamma: backward of training, forward of inference",
    lambda: call(BatchNormInference(3), {"x": normal(110, 6, 3)}),
    grad("x"),
)
wrong(
    "batch norm, object, gamma and dgamma: n - 1 for n",
    lambda: call(BatchNormDegrees(3), {"x": normal(110, 6, 3)}),
    grad("x"),
)


class BatchNorm1d:
    def __init__(self, size):
        self.params = {"gamma": normal(115, size), "beta": normal(116, size)}
        self.grads = {"gamma": np.zeros(size), "beta": np.zeros(size)}

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=0) + 1e-5)
        self.xhat = (x - x.mean(axis=0)) / self.std
        return self.params["gamma"] * self.xhat + self.params["beta"]

    def backward(self, dy):
        self.grads["gamma"][:] = (dy * self.xhat).sum(axis=0)
        self.grads["beta"][:] = dy.sum(axis=0)
        dxhat = dy * self.params["gamma"]
        mean = (dxhat * self.xhat).mean(axis=0)
        return (dxhat - dxhat.mean(axis=0) - self.xhat * mean) / self.std


class BatchNorm1dStd(BatchNorm1d):
    def backward(self, dy):
        return super().backward(dy) * self.std


way("batch norm, object, dicts params and grads", lambda: call(BatchNorm1d(3), {"x": normal(110, 6, 3)}))
wrong(
    "batch norm, object, dicts params and grads: 1 / std forgotten",
    lambda: call(BatchNorm1dStd(3), {"x": normal(110, 6, 3)}),
    grad("x"),
    "column|factor|times",
)


# autograd.Function with a mask of the rows that count


class MaskedBatchNorm:
    @staticmethod
    def forward(ctx, x, gamma, beta, mask, eps):
        n = mask.sum()
        mean = x[mask].sum(0) / n
        inv_std = 1 / np.sqrt(((x[mask] - mean) ** 2).sum(0) / n + eps)
        xhat = (x - mean) * inv_std * mask[:, None]
        ctx.save_for_backward(xhat, gamma, inv_std, mask)
        return (gamma * xhat + beta) * mask[:, None]

    @staticmethod
    def backward(ctx, grad_y):
        xhat, gamma, inv_std, mask = ctx.saved_tensors
        n = mask.sum()
        grad_y = grad_y * mask[:, None]
        grad_xhat = grad_y * gamma
        grad_x = grad_xhat - grad_xhat.sum(0) / n - xhat * (grad_xhat * xhat).sum(0) / n
        return grad_x * inv_std * mask[:, None], (grad_y * xhat).sum(0), grad_y.sum(0), None, None


class MaskedBatchNormForgets(MaskedBatchNorm):
    @staticmethod
    def backward(ctx, grad_y):
        xhat, gamma, inv_std, mask = ctx.saved_tensors
        n = mask.sum()
        grad_xhat = grad_y * gamma
        grad_x = grad_xhat - grad_xhat.sum(0) / n - xhat * (grad_xhat * xhat).sum(0) / n
        return grad_x * inv_std, (grad_y * xhat).sum(0), grad_y.sum(0), None, None


def masked():
    return *arrays().values(), np.array([True, True, False, True, True, False]), 1e-5


way("batch norm, autograd.Function, boolean mask", lambda: call(MaskedBatchNorm, masked()))
wrong(
    "batch norm, autograd.Function, boolean mask: mask forgotten in backward",
    lambda: call(MaskedBatchNormForgets, masked()),
    grad("x"),
    grad("beta"),
)
