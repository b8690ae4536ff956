"""Random plain code with a right backward, made by composing right rules; or with one wrong rule."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from random_rules import KEPT_REAL, KINKED, RULES, WRONG

from numseq.gradcheck import probe

ELEMENTWISE = ("tanh", "sigmoid", "steep", "exp", "softplus", "sin", "square", "root", "gelu", "relu", "leaky", "abs",
               "np.abs", "clip", "hinge", "scaled", "dropout")  # fmt: skip
ROWWISE = ("softmax", "masked", "added mask", "log softmax", "log-sum-exp", "normalise", "batch norm", "unit", "norm",
           "np.linalg.norm", "sum", "mean", "max", "np.max", "cumulative sum", "turned", "reversed", "rows by id",
           "doubled")  # fmt: skip
PAIRED = ("plus", "minus", "times", "over", "maximum", "product")
WEIGHED = ("affine", "affine", "affine", "bias", "gain", "temperature", "layer norm", "recurrence")
INVARIANT = ("softmax", "log softmax", "normalise", "batch norm")  # what a constant before them does not reach


@dataclass
class Step:
    """One operation: y = rule(o, values and parameters); reads, the names of both."""

    rule: str
    reads: list[str]
    o: Any = None


@dataclass
class Program:
    """Steps over named values. inputs, {name: array}; outputs, names of values. wrong, (which step, how) or None."""

    inputs: dict[str, np.ndarray]
    steps: list[Step] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    wrong: tuple | None = None

    def forward(self, inputs, named=False):
        values = dict(inputs)
        for k, step in enumerate(self.steps):
            y = RULES[step.rule][0](step.o, *(values[name] for name in step.reads))
            values[f"v{k}"] = probe(f"v{k}", y) if named else y
        return values

    def backward(self, values, upstream, named=False):
        """{d of each name}, of inputs and of values."""
        grads = {name: np.zeros_like(np.asarray(value)) for name, value in values.items()}
        for name, d in zip(self.outputs, upstream, strict=True):
            grads[name] = grads[name] + d
        for k, step in reversed(list(enumerate(self.steps))):
            if named:
                probe(f"dv{k}", grads[f"v{k}"])
            given = [values[name] for name in step.reads]
            how = self.wrong[1] if self.wrong and self.wrong[0] == k else None
            back = WRONG[step.rule] if how == "rule" else RULES[step.rule][1]
            parts = list(back(step.o, grads[f"v{k}"], values[f"v{k}"], *given))
            if isinstance(how, tuple):
                parts[how[0]] = how[1] * parts[how[0]]
            for name, part in zip(step.reads, parts, strict=True):
                grads[name] = part + (0 if how == "overwrites" else grads[name])
        return {f"d{name}": grads[name] for name in grads}

    @property
    def analytic(self):
        return not any(step.rule in KEPT_REAL for step in self.steps)

    @property
    def smooth(self):
        return not any(step.rule in KINKED for step in self.steps)

    def __str__(self):
        said = [f"v{k} = {step.rule}({', '.join(step.reads)})" for k, step in enumerate(self.steps)]
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.inputs.items())
        return f"{shapes}: {'; '.join(said)} -> {', '.join(self.outputs)}" + (f"; {self.wrong}" if self.wrong else "")


def some(rng, shape, scale):
    """Numbers of a scale, at times with zeros, all rough, all equal, or all zero."""
    x = scale * rng.standard_normal(shape)
    kind = rng.random()
    if kind < 0.1:
        x = x * (rng.random(shape) < 0.6)
    elif kind < 0.2:
        x = np.round(x * 4) / 4
    elif kind < 0.23:
        x = 0 * x + scale
    elif kind < 0.26:
        x = 0 * x
    return x + np.zeros(shape)


def drawn_scale(rng):
    return float(np.exp(rng.uniform(np.log(0.001), np.log(5))))


def program(rng):
    """A random Program that gives finite numbers, with a right backward."""
    while True:
        try:
            with np.errstate(all="raise", under="ignore"):
                made = _program(rng)
                values = made.forward(made.inputs)
                grads = made.backward(values, [np.ones_like(values[name]) for name in made.outputs])
        except FloatingPointError:
            continue
        sizes = [np.abs(a).max(initial=0) for a in [*values.values(), *grads.values()]]
        if (
            all(a.size for a in values.values())
            and max(sizes) < 1e12
            and sum(a.size for a in made.inputs.values()) < 150
        ):
            return made


def _program(rng):
    scale, own = drawn_scale(rng), rng.random() < 0.5

    def draw(*shape):
        return some(rng, shape, drawn_scale(rng) if own else scale)

    sizes = [int(rng.integers(1, 5)) for _ in range(3)]
    shape = tuple(sizes[: 2 + (rng.random() < 0.3)])
    if rng.random() < 0.1:
        shape = (int(rng.integers(8, 16)), *shape[1:])  # so many steps that rounding can grow
    made = Program({"x": draw(*shape)})
    if rng.random() < 0.4:
        made.inputs["z"] = draw(*shape)
    shapes = {name: array.shape for name, array in made.inputs.items()}
    for k in range(int(rng.integers(1, 9))):
        step = _step(rng, made, shapes, draw)
        made.steps.append(step)
        shapes[f"v{k}"] = made.forward(made.inputs)[f"v{k}"].shape
    last = f"v{len(made.steps) - 1}"
    if rng.random() < 0.2 and len(shapes[last]) > 1:
        rule = str(rng.choice(["mean of all", "cross-entropy"]))
        *lead, V = shapes[last]
        made.steps.append(Step(rule, [last], rng.integers(0, V, (*lead, 1)) if rule == "cross-entropy" else None))
        last = f"v{len(made.steps) - 1}"
    made.outputs = [last]
    if len(made.steps) > 2 and rng.random() < 0.2:
        made.outputs.append(f"v{int(rng.integers(0, len(made.steps) - 1))}")
    return made


def _step(rng, made, shapes, draw):
    values = [name for name in shapes if not name.startswith("p")]
    x = values[-1] if rng.random() < 0.8 else str(rng.choice(values))
    shape, kind = shapes[x], rng.random()
    if kind < 0.3:
        names = WEIGHED
    elif kind < 0.5:
        names = ELEMENTWISE
    else:
        names = ROWWISE if kind < 0.8 else PAIRED
    rule = str(rng.choice(names))
    if made.steps and made.steps[-1].rule in ("bias", "temperature") and rng.random() < 0.5:
        rule = str(rng.choice(INVARIANT))

    def parameter(*size):
        name = f"p{sum(each.startswith('p') for each in made.inputs)}"
        made.inputs[name] = draw(*size)
        shapes[name] = size
        return name

    D, K = shape[-1], int(rng.integers(1, 5))
    if rule == "affine":
        return Step(rule, [x, parameter(D, K), parameter(K)])
    if rule == "recurrence":
        return Step(rule, [x, parameter(D, K), parameter(K, K), parameter(K)])
    if rule == "layer norm":
        return Step(rule, [x, parameter(D), parameter(D)], float(rng.choice([1e-5, 1e-8])))
    if rule in ("bias", "gain"):
        return Step(rule, [x, parameter(*[(D,), shape, (*shape[:-1], 1), ()][rng.integers(4)])])
    if rule == "temperature":
        return Step(rule, [x, parameter(*[(), (1,)][rng.integers(2)])])
    if rule in PAIRED:
        fit = [name for name in values if _fits(shapes[name], shape, rule)]
        return Step(rule, [x, str(rng.choice(fit))])
    axis = int(rng.integers(len(shape)))
    o = {
        "steep": float(rng.choice([3, 50])), "leaky": 0.1, "clip": 1.0,
        "scaled": float(rng.choice([-1, 0.5, 1e-3, 30])),
        "dropout": (rng.random(shape) < 0.7) / 0.7, "masked": rng.random(shape) < 0.7,
        "added mask": np.maximum(rng.random(shape) < 0.7, np.arange(D) == 0).astype(float),  # 1e9 takes x's digits
        "normalise": float(rng.choice([1e-5, 1e-8])),
        "batch norm": float(rng.choice([1e-5, 1e-8])), "rows by id": rng.integers(0, shape[0], int(rng.integers(1, 5))),
    }  # fmt: skip
    return Step(rule, [x], o.get(rule, axis))


def _fits(other, shape, rule):
    if rule == "product":
        return other[:-2] == shape[:-2] and other[-1] == shape[-1]
    try:
        return np.broadcast_shapes(other, shape) == shape
    except ValueError:
        return False


def with_a_wrong_rule(rng, made):
    """The same program, whose backward has a mistake in one step."""
    k = int(rng.integers(len(made.steps)))
    step, kind = made.steps[k], rng.random()
    how: Any = int(rng.integers(len(step.reads))), float(rng.choice([1.01, -1, 0, 0.5]))
    if kind < 0.4 and step.rule in WRONG:
        how = "rule"
    elif kind < 0.6 and any(
        name in other.reads
        for other in made.steps[k + 1 :]
        for name in [*step.reads, *made.outputs]
        if name in step.reads
    ):
        how = "overwrites"
    return replace(made, wrong=(k, how))
