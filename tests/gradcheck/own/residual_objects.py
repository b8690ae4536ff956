"""A residual block as an object, with its layers in attributes or a list, and as an autograd.Function."""

import numpy as np

from .way import call, grad, normal, way, wrong

# objects: attributes, and a list as in Sequential


class Linear:
    def __init__(self, seed, n_in, n_out):
        self.weight = normal(seed, n_in, n_out)
        self.bias = normal(seed + 1, n_out)
        self.weight_grad = np.zeros_like(self.weight)
        self.bias_grad = np.zeros_like(self.bias)

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, dy):
        self.weight_grad = self.x.T @ dy
        self.bias_grad = dy.sum(0)
        return dy @ self.weight.T


class LinearSign(Linear):
    def backward(self, dy):
        dx = super().backward(dy)
        self.bias_grad = -self.bias_grad
        return dx


class ReLU:
    def forward(self, x):
        self.mask = x > 0
        return np.where(self.mask, x, 0)

    def backward(self, dy):
        return np.where(self.mask, dy, 0)


class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


class TanhOfInput(Tanh):
    def forward(self, x):
        self.x = x
        return super().forward(x)

    def backward(self, dy):
        return dy * (1 - self.x**2)


class ResidualBlock:
    def __init__(self, activation, second=Linear):
        self.fc1 = Linear(55, 3, 4)
        self.act = activation
        self.fc2 = second(57, 4, 3)

    def forward(self, x):
        return x + self.fc2.forward(self.act.forward(self.fc1.forward(x)))

    def backward(self, dy):
        return dy + self.fc1.backward(self.act.backward(self.fc2.backward(dy)))


class Residual:
    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        y = x
        for layer in self.layers:
            y = layer.forward(y)
        return x + y

    def backward(self, dy):
        dx = dy
        for layer in reversed(self.layers):
            dx = layer.backward(dx)
        return dx + dy


class ResidualNotReversed(Residual):
    def backward(self, dy):
        dx = dy
        for layer in self.layers:
            dx = layer.backward(dx)
        return dx + dy


way("residual, object with layers in attributes", lambda: call(ResidualBlock(Tanh()), {"x": normal(50, 5, 3)}))
way("residual, object with layers in attributes, relu", lambda: call(ResidualBlock(ReLU()), normal(50, 5, 3)))
wrong(
    "residual, object with layers in attributes: tanh' of the input",
    lambda: call(ResidualBlock(TanhOfInput()), {"x": normal(50, 5, 3)}),
    r"fc1\.",
)
wrong(
    "residual, object with layers in attributes: sign of one bias",
    lambda: call(ResidualBlock(Tanh(), LinearSign), {"x": normal(50, 5, 3)}),
    r"fc2\.",
    "bias",
    "sign|-1",
)
way(
    "residual, object with a list of layers",
    lambda: call(Residual(Linear(55, 3, 4), Tanh(), Linear(57, 4, 3)), [normal(50, 5, 3)]),
)
wrong(
    "residual, object with a list of layers: not reversed",
    lambda: call(ResidualNotReversed(Linear(55, 3, 3), Tanh(), Linear(57, 3, 3)), [normal(50, 5, 3)]),
    r"layers\W{0,2}0",
)


# autograd.Function


class ResidualReLU:
    @staticmethod
    def forward(ctx, x, w):
        h = np.maximum(x @ w, 0.0)
        ctx.save_for_backward(x, w, h)
        return x + h

    @staticmethod
    def backward(ctx, gy):
        x, w, h = ctx.saved_tensors
        gh = gy * (h > 0)
        return gy + gh @ w.T, x.T @ gh


class ResidualReLUWrong(ResidualReLU):
    @staticmethod
    def backward(ctx, gy):
        x, w, h = ctx.saved_tensors
        gh = gy * (h > 0)
        return gy + gh @ w, x.T @ gh


way("residual, autograd.Function", lambda: call(ResidualReLU, [normal(71, 5, 3), normal(72, 3, 3)]))
wrong(
    "residual, autograd.Function: w not transposed in dx",
    lambda: call(ResidualReLUWrong, [normal(71, 5, 3), normal(72, 3, 3)]),
    grad("x"),
)
