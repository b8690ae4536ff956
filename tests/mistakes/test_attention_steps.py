"""What a step says of the quantities inside: each has its place in forward, and is blamed for itself alone."""

import sys

import numpy as np
import pytest
from helpers import few_fast, output_gradients
from helpers_edit import edited

from numseq import layers
from numseq.gradcheck import check
from numseq.layers.attention.base import Attention, AttentionStepGrad
from numseq.layers.attention.location import PositionAttention
from numseq.mistakes import cases
from numseq.record import StepGrad, Steps, keep_gradients, names

TABLE = cases()


def kinds_of(base):
    """numseq's classes made from a base; not those that `@dataclass(slots=True)` made anew and left behind."""
    for kind in base.__subclasses__():
        if getattr(sys.modules[kind.__module__], kind.__name__, None) is kind and kind.__module__.startswith("numseq."):
            yield kind
        yield from kinds_of(kind)


def undone():
    """(record, StepGrad) of every step that the table undoes."""
    for case in TABLE.values():
        trace = case.function(**case.inputs)
        with keep_gradients() as inside:
            trace.backward(**output_gradients(trace))
        yield from ((record, grad) for record, grad, _ in inside._found.values())
        decoder = getattr(trace, "decoder", None)
        if decoder is not None and not isinstance(decoder.read, Steps):  # a readout is no step of a sequence
            yield decoder.read, decoder.readout.backward(decoder.read, np.ones_like(decoder.r))[0]


def without_place(pairs):
    """Gradients that are said of nothing which the record has: (class, name)."""
    return {
        (type(grad).__name__, name)
        for record, grad in pairs
        for name in names(type(grad))
        if getattr(grad, name) is not None and getattr(record, name[1:], None) is None
    }


def test_every_gradient_inside_a_step_is_of_a_quantity_that_forward_assigns():
    pairs = list(undone())
    assert {type(grad) for _, grad in pairs} == set(kinds_of(StepGrad)) - {AttentionStepGrad}  # which is a base
    assert without_place(pairs) == set()
    said = {(type(grad), name) for _, grad in pairs for name in names(type(grad)) if getattr(grad, name) is not None}
    assert said >= {(kind, name) for kind in {type(grad) for _, grad in pairs} for name in names(kind)}


def test_a_gradient_of_nothing_is_found():
    trace = TABLE["additive_attention"].function(**TABLE["additive_attention"].inputs)
    with keep_gradients() as inside:
        trace.backward(**output_gradients(trace))
    record, grad = trace.steps[0], inside[trace].records[0]
    record.projected = None
    assert without_place([(record, grad)]) == {("AdditiveStepGrad", "dprojected")}


LOCAL, HEADS = layers.LocalAttention, layers.MultiHeadAttention
ADDITIVE, COVERAGE, LOCATION = layers.AdditiveAttention, layers.CoverageAttention, layers.LocationAttention
LOSES_DALPHA = ("through_context + dalpha", "through_context")

EQUATIONS = {  # of an attention the gradients of a look: (class, function, what is right there, what is written)
    "additive_attention": {
        "dalpha": (Attention, "backward", *LOSES_DALPHA),
        "de": (Attention, "backward", "softmax_backward(grad.dalpha, s.alpha)", "grad.dalpha * s.alpha"),
        "dprojected": (ADDITIVE, "score_backward", "dz.sum(axis=0)", "dz.mean(axis=0)"),
        "dquery": (ADDITIVE, "score_backward", "grad.dprojected @ p.W_q.T", "0.9 * grad.dprojected @ p.W_q.T"),
    },
    "dot_attention": {
        "dalpha": (Attention, "backward", *LOSES_DALPHA),
        "de": (Attention, "backward", "softmax_backward(grad.dalpha, s.alpha)", "grad.dalpha * s.alpha"),
        "dquery": (layers.DotAttention, "score_backward", "self.scale * ", "0.9 * self.scale * "),
    },
    "local_attention": {
        "dalpha": (LOCAL, "backward", *LOSES_DALPHA),
        "dalign": (LOCAL, "backward", "grad.dalpha * s.gauss", "grad.dalpha"),
        "de": (LOCAL, "backward", "softmax_backward(grad.dalign, s.align)", "grad.dalign * s.align"),
        "dp": (LOCAL, "backward", "/ self.sigma**2", "/ self.sigma"),
        "dfraction": (LOCAL, "backward", "self.lengths[0] * grad.dp", "grad.dp"),
        "du": (LOCAL, "backward", "self._to_sigma(s, grad)[..., None]", "grad.dfraction[..., None]"),
        "dquery": (LOCAL, "backward", "dquery + affine(", "affine("),
    },
    "multihead_attention": {
        "dmixed": (HEADS, "backward", "self._if_seen(dcontext)", "-self._if_seen(dcontext)"),
        "dalpha": (HEADS, "backward", "else dalpha", "else 0 * dalpha"),
        "dhead_alpha": (HEADS, "backward", " / self.heads", ""),
        "de": (HEADS, "backward", "softmax_backward(grad.dhead_alpha, s.head_alpha)", "grad.dhead_alpha"),
        "dq": (HEADS, "backward", "dq = self.scale * ", "dq = "),
        "dquery": (HEADS, "backward", "affine(grad.dq, p.W_q.T)", "affine(0.9 * grad.dq, p.W_q.T)"),
    },
    "location_attention": {
        "dalpha": (PositionAttention, "backward", "dalpha + dnext", "dnext"),
        "de": (Attention, "backward", "softmax_backward(grad.dalpha, s.alpha)", "grad.dalpha * s.alpha"),
        "dprojected": (PositionAttention, "score_backward", "dz.sum(axis=0)", "dz.mean(axis=0)"),
        "dquery": (PositionAttention, "score_backward", "= grad.dprojected @", "= 0.9 * grad.dprojected @"),
        "df": (PositionAttention, "score_backward", "self.U * p.w", "self.U"),
        "dalpha_prev": (LOCATION, "features_backward", "windows_backward(dwindows)", "dwindows.sum(axis=-1)"),
    },
    "coverage_attention": {
        "dalpha": (PositionAttention, "backward", "dalpha + dnext", "dnext"),
        "de": (Attention, "backward", "softmax_backward(grad.dalpha, s.alpha)", "grad.dalpha * s.alpha"),
        "dprojected": (PositionAttention, "score_backward", "dz.sum(axis=0)", "dz.mean(axis=0)"),
        "dquery": (PositionAttention, "score_backward", "= grad.dprojected @", "= 0.9 * grad.dprojected @"),
        "df": (PositionAttention, "score_backward", "self.U * p.w", "self.U"),
        "dcoverage": (COVERAGE, "features_backward", "grad.df[:, :, 0].T + dcarried", "grad.df[:, :, 0].T"),
    },
}


EACH = [(name, d) for name, found in EQUATIONS.items() for d in found]
# of every second attention one, and each time another gradient
FAST = [(name, list(found)[k % len(found)]) for k, (name, found) in enumerate(EQUATIONS.items())][::2]


@pytest.mark.parametrize("which", few_fast(EACH, FAST))
def test_a_wrong_equation_of_a_look_is_blamed_for_itself(monkeypatch, which):
    name, gradient = which
    owner, function, *change = EQUATIONS[name][gradient]
    monkeypatch.setattr(owner, function, edited(owner, function, *change))
    result = check(TABLE[name].function, TABLE[name].inputs, name=name)
    assert not result.ok and not result.problems and result.first_wrong[0] == gradient, str(result)


def test_every_gradient_of_a_look_has_its_edit():
    for name, edits in EQUATIONS.items():
        trace = TABLE[name].function(**TABLE[name].inputs)
        assert edits.keys() == set(names(trace.attention.grad)) - {"dcontext"}  # which is given
