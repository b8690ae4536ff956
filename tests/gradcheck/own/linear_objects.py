"""A linear layer as an object with forward and backward, and as an autograd.Function."""

import numpy as np

from .way import call, grad, normal, way, wrong

# "Deep Learning from Scratch 2": params and grads are lists, filled in place


class Affine:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.x = None

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, _b = self.params
        dx = np.dot(dout, W.T)
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return dx


class AffineForgetsBias(Affine):
    def backward(self, dout):
        W, _b = self.params
        dx = np.dot(dout, W.T)
        self.grads[0][...] = np.dot(self.x.T, dout)
        return dx


way("linear, object, lists params and grads", lambda: call(Affine(normal(2, 3, 4), normal(3, 4)), normal(1, 5, 3)))
wrong(
    "linear, object, lists params and grads: the gradient of b stays zero",
    lambda: call(AffineForgetsBias(normal(2, 3, 4), normal(3, 4)), normal(1, 5, 3)),
    r"(grads|params)\W{0,2}1",
    "zero|0",
)


# params and grads are dicts


class LinearLayer:
    def __init__(self, n_in, n_out, seed=0):
        rng = np.random.default_rng(seed)
        self.params = {"W": rng.normal(size=(n_in, n_out)), "b": rng.normal(size=n_out)}
        self.grads = {}

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.params["W"] + self.params["b"]

    def backward(self, grad):
        self.grads["b"] = np.sum(grad, axis=0)
        self.grads["W"] = self.inputs.T @ grad
        return grad @ self.params["W"].T


way("linear, object, dicts params and grads", lambda: call(LinearLayer(3, 4), {"inputs": normal(1, 5, 3)}))


# W and dW


class Linear:
    def __init__(self, n_in, n_out):
        self.W = normal(9, n_in, n_out)
        self.b = normal(10, 1, n_out)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0, keepdims=True)
        return dy @ self.W.T

    __call__ = forward


class AccumulatingLinear(Linear):
    def zero_grad(self):
        self.dW[...] = 0
        self.db[...] = 0

    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db += dy.sum(axis=0, keepdims=True)
        return dy @ self.W.T


class LinearKeepdims(Linear):
    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


class LinearReads(Linear):
    def backward(self, dy):
        dx = dy @ self.dW.T
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0, keepdims=True)
        return dx


way("linear, object, W and dW", lambda: call(Linear(3, 4), {"x": normal(11, 5, 3)}))
way("linear, object, dW += ... and zero_grad", lambda: call(AccumulatingLinear(3, 4), {"x": normal(11, 5, 3)}))
wrong(
    "linear, object, W and dW: db without keepdims",
    lambda: call(LinearKeepdims(3, 4), {"x": normal(11, 5, 3)}),
    grad("b"),
    "shape",
)
wrong(
    "linear, object, W and dW: dx by dW in place of W",
    lambda: call(LinearReads(3, 4), {"x": normal(11, 5, 3)}),
    grad("x"),
)


# "Neural Networks from Scratch": output and dinputs are attributes, and nothing is returned


class Layer_Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights = normal(12, n_inputs, n_neurons)
        self.biases = normal(13, 1, n_neurons)

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class Layer_Dense_Returns(Layer_Dense):
    def forward(self, inputs):
        super().forward(inputs)
        return self.output


class Layer_Dense_Regularised(Layer_Dense_Returns):
    weight_regularizer_l2 = 0.1

    def backward(self, dvalues):
        super().backward(dvalues)
        self.dweights += 2 * self.weight_regularizer_l2 * self.weights


way("linear, object, dweights and dinputs", lambda: call(Layer_Dense_Returns(3, 4), {"inputs": normal(14, 5, 3)}))
way("linear, object, output in an attribute", lambda: call(Layer_Dense(3, 4), {"inputs": normal(14, 5, 3)}))
wrong(
    "linear, object, dweights and dinputs: with the gradient of a penalty",
    lambda: call(Layer_Dense_Regularised(3, 4), {"inputs": normal(14, 5, 3)}),
    "d?weights",
)


# torch's own example of an autograd.Function


class LinearFunction:
    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input @ weight.T
        if bias is not None:
            output += bias
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output @ weight
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.T @ input
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class LinearFunctionTransposed(LinearFunction):
    @staticmethod
    def backward(ctx, grad_output):
        input, weight, _bias = ctx.saved_tensors
        return grad_output @ weight, input.T @ grad_output, grad_output.sum(0)


way(
    "linear, autograd.Function",
    lambda: call(LinearFunction, {"input": normal(1, 5, 3), "weight": normal(2, 4, 3), "bias": normal(3, 4)}),
)
way(
    "linear, autograd.Function, bias None",
    lambda: call(LinearFunction, (normal(1, 5, 3), normal(2, 4, 3), None)),
)
wrong(
    "linear, autograd.Function: grad_weight transposed",
    lambda: call(LinearFunctionTransposed, (normal(1, 5, 3), normal(2, 4, 3), normal(3, 4))),
    grad("weight"),
    "transpos",
)


class NotStatic:
    def forward(ctx, x, W):
        ctx.save_for_backward(x, W)
        return x @ W

    def backward(ctx, grad_y):
        x, W = ctx.saved_tensors
        return grad_y @ W.T, x.T @ grad_y


way(
    "linear, autograd.Function, static methods without the decorator",
    lambda: call(NotStatic, (normal(1, 5, 3), normal(2, 3, 4))),
)
