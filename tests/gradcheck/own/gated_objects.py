"""Gated units as objects, and as an autograd.Function."""

import numpy as np

from .way import call, grad, normal, sigmoid, way, wrong

# layers inside a layer, in attributes


class Linear:
    def __init__(self, seed, n_in, n_out):
        self.W, self.b = normal(seed, n_in, n_out), normal(seed + 1, n_out)
        self.grad_W, self.grad_b = None, None

    def forward(self, x):
        self._x = x
        return x @ self.W + self.b

    def backward(self, grad_y):
        self.grad_W = self._x.T @ grad_y
        self.grad_b = grad_y.sum(0)
        return grad_y @ self.W.T


class Sigmoid:
    def forward(self, x):
        self.out = 1.0 / (1.0 + np.exp(-x))
        return self.out

    def backward(self, grad):
        return grad * self.out * (1 - self.out)


class GLU:
    def __init__(self):
        self.value = Linear(33, 3, 4)
        self.gate = Linear(35, 3, 4)
        self.sigmoid = Sigmoid()

    def forward(self, x):
        self.a = self.value.forward(x)
        self.g = self.sigmoid.forward(self.gate.forward(x))
        return self.a * self.g

    def backward(self, dout):
        dx = self.value.backward(dout * self.g)
        dx += self.gate.backward(self.sigmoid.backward(dout * self.a))
        return dx


class GLUAssigns(GLU):
    def backward(self, dout):
        dx = self.value.backward(dout * self.g)
        dx = self.gate.backward(self.sigmoid.backward(dout * self.a))
        return dx


class GLUWrongGate(GLU):
    def backward(self, dout):
        dx = self.value.backward(dout * self.g)
        dx += self.gate.backward(self.sigmoid.backward(dout * self.g))
        return dx


way("gated, object with layers in attributes", lambda: call(GLU(), {"x": normal(37, 6, 3)}))
wrong(
    "gated, object with layers in attributes: = for +=", lambda: call(GLUAssigns(), {"x": normal(37, 6, 3)}), grad("x")
)
wrong(
    "gated, object with layers in attributes: g for a",
    lambda: call(GLUWrongGate(), {"x": normal(37, 6, 3)}),
    r"gate\.",
    "W",
)


# autograd.Function, which has no parameters: both halves come in


class SwiGLU:
    @staticmethod
    def forward(ctx, a, s):
        silu = s * sigmoid(s)
        ctx.save_for_backward(a, s)
        ctx.silu = silu
        return a * silu

    @staticmethod
    def backward(ctx, grad_output):
        a, s = ctx.saved_tensors
        g = sigmoid(s)
        return grad_output * ctx.silu, grad_output * a * (g + s * g * (1 - g))


class SwiGLUDropped(SwiGLU):
    @staticmethod
    def backward(ctx, grad_output):
        a, s = ctx.saved_tensors
        return grad_output * ctx.silu, grad_output * a * sigmoid(s)


way("gated, autograd.Function", lambda: call(SwiGLU, (normal(38, 6, 3), normal(39, 6, 3))))
wrong(
    "gated, autograd.Function: the product rule's second term dropped",
    lambda: call(SwiGLUDropped, (normal(38, 6, 3), normal(39, 6, 3))),
    grad("s"),
)
