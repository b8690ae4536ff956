"""Is a hand-written backward right? Compare it with numbers that need no backward, and find where it goes wrong.

For any function, brought in any of the usual styles (`numseq.gradcheck.styles`): with fixed random weights r, the
scalar L = sum over outputs of <r, output> has the gradient that backward claims when it is handed r.

1. Every result, number by number, against a reference (`numseq.gradcheck.references`).
2. Every named quantity at every step that backward says something of, along a random direction, against a probe
   (`numseq.gradcheck.watch`). Walking back from the loss, the first that is wrong is where to look.
3. What differs is a mistake if the difference is there again with more digits, and beside the inputs
   (`numseq.gradcheck.doubt`); else it is rounding.
4. The inputs themselves: what they could not have shown (`numseq.gradcheck.audit`).
5. Of something wrong, its name, if it is a known mistake (`numseq.gradcheck.naming`).
"""

from collections.abc import Callable, Iterable
from typing import Any

from numseq.gradcheck.checking import Checking
from numseq.gradcheck.inputs import Inputs
from numseq.gradcheck.kinks import KinkError, move_off
from numseq.gradcheck.references import METHODS, NotAnalyticError
from numseq.gradcheck.report import Check
from numseq.gradcheck.styles import as_function

TRIES = 3  # to get off a kink


def check(
    function: Any,
    inputs: Any,
    *,
    backward: Callable[..., Any] | None = None,
    name: str | None = None,
    outputs: Iterable[str] | None = None,
    method: str | None = None,
    seed: int = 0,
) -> Check:
    """Check the backward of a function, or of a layer.

    Equations: see the module. The relative error of an array is max|a - n| / max(|a|, |n|) over it; along a direction
    v it is |<a, v> - n| / max(|a|, |n|).

    Args: function, one that returns a trace, or (y, callback); a forward with its `backward` beside it; an object with
        methods forward and backward (see `numseq.gradcheck.styles`). inputs, of float64: arrays, or trees of them, by
        argument name in a dict, or in order in a list, or one array; what has no gradient (masks, ids, options) is
        handed on as it is. outputs, names of the differentiable outputs; by default the trace's own `outputs`.
        method, "complex-step", "central" or "richardson"; by default the complex step, and where forward is not fit for
        it Richardson's differences, which a note says. Or "directional": one complex step for each array along a
        random direction, which says only which arrays are right, for large models; with it, the inputs may be float32,
        and are held to float64. seed, of the weights r and the directions.
    Returns: a Check. The gradient of an input `x` is looked for as `dx`, `x` or `grad_x` in what `backward` returns, a
        record or a dict, or in the order of the inputs in a tuple; that of a tree of parameters as `params`.
    Raises: TypeError and ValueError, which name what of the function or the inputs is of no use here;
        NotAnalyticError, when the forward pass is not fit for the complex step that was asked for; whatever the
        function itself raises going forward.
    """
    if method not in (None, *METHODS):
        raise ValueError(f"method is {method!r}: choose one of {', '.join(METHODS)}")
    given = Inputs(inputs, function)
    traced = as_function(function, given, backward)
    name = name or getattr(function, "__name__", None) or type(function).__name__
    names = (outputs,) if isinstance(outputs, str) else outputs
    notes, kinks, by = [], 0, method or "complex-step"
    while True:
        try:
            result = Checking(traced, given, name, names, by, seed).run()
            break
        except NotAnalyticError as error:
            if method:
                raise
            notes.append(f"checked by Richardson's differences, since {error.because}")
            by = "richardson"
        except KinkError as kink:
            kinks += 1
            if kinks > TRIES:
                said = f"no verdict: the inputs are on a kink{kink}, and so they are a little beside: try others"
                result = Check(name, by, 0.0, problems=[said])
                break
            if kinks == 1:
                notes.append(
                    f"the inputs are on a kink{kink}, as a relu at 0 or a maximum of equal numbers, where there is no "
                    "derivative: checked a little beside them"
                )
            given.moved = move_off(given.moved, seed + kinks)
        except Exception:
            if not 0 < kinks < TRIES:
                raise
            kinks += 1  # there is nothing where they were moved to, as no unit vector of what a relu cut off
            given.moved = move_off(given.moved, seed + kinks)
    result.warnings = notes + result.warnings
    return result


def assert_gradients(function: Any, inputs: Any, **options: Any) -> Check:
    """`check` as an assertion, for tests.

    Returns: the Check, when all is right. Raises: AssertionError, whose first line says what is wrong and where, with
    the whole report below it.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    result = check(function, inputs, **options)
    if not result.ok:
        raise AssertionError(f"{result.summary()}\n{result}")
    return result
