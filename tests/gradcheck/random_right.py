"""Random right models, layers and plain code, of which the checker must say that they are right; and wrong ones.

    python tests/gradcheck/random_right.py --count 1000 --seed 0 [--wrong]

An alarm is a right backward that is not called right, an exception, a place or a note that is not true, a check of more
than SLOW seconds; with --wrong besides, a mistake in a backward of plain code that goes unseen although the method can
show it. Prints each alarm and a summary; the exit status is 1 if there is any.
"""

import argparse
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from random_code import program, with_a_wrong_rule
from random_numseq import layer, model
from random_styles import STYLES, brought

from numseq.gradcheck import TOLERANCE, NotAnalyticError, check

SLOW = 5.0  # seconds of a processor
METHODS = (None, None, "complex-step", "central", "richardson", "directional")
UNTRUE = ("is not the derivative",)  # notes that no right backward deserves


@dataclass
class Drawn:
    """Something to be checked. analytic, smooth: whether there is reason to say otherwise. program, of plain code."""

    name: str
    function: Any
    inputs: Any
    options: dict = field(default_factory=dict)
    analytic: bool = True
    smooth: bool = True
    program: Any = None


def plain(rng, wrong=False):
    """Plain code in some style."""
    made, style = program(rng), str(rng.choice(STYLES))
    if style.startswith("object"):
        made.outputs = made.outputs[:1]
    made = with_a_wrong_rule(rng, made) if wrong else made
    function, inputs, options = brought(rng, made, style)
    return Drawn(f"{style}: {made}", function, inputs, options, made.analytic, made.smooth, made)


def right(rng):
    """Something right: a layer, a model, or plain code."""
    kind = rng.random()
    return plain(rng) if kind < 0.5 else Drawn(*layer(rng)) if kind < 0.85 else Drawn(*model(rng))


def alarm(seed, wrong=False, slow=SLOW):
    """(name, what is wrong with the check of the thing drawn by a seed, or "")."""
    rng = np.random.default_rng(seed)
    drawn = plain(rng, wrong=True) if wrong else right(rng)
    method = METHODS[rng.integers(len(METHODS))]
    if drawn.name.startswith("model") and rng.random() < 0.8:
        method = "directional"
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = check(drawn.function, drawn.inputs, method=method, **drawn.options)
        except NotAnalyticError as error:
            said = "" if not drawn.analytic and method in ("complex-step", "directional") else f"refused: {error}"
            return f"{method}, {drawn.name}", said
        except Exception:
            return f"{method}, {drawn.name}", traceback.format_exc(limit=-4)
    took = time.process_time() - began
    if wrong:
        with np.errstate(all="ignore"):
            unseen = result.ok and shown(drawn.program, result.method)
        return f"{method}, {drawn.name}", f"a mistake of {unseen:.1e} is not seen\n{result}" if unseen else ""
    said = "" if result.ok else str(result)
    for note in result.warnings:
        said += f"\n{note}" if any(part in note for part in UNTRUE) else ""
        said += f"\n{note}" if drawn.analytic and note.startswith("checked by Richardson") else ""
        said += f"\n{note}" if drawn.smooth and "are on a kink" in note else ""
    said += f"\nit took {took:.1f} s" if took > slow else ""
    return f"{method}, {drawn.name}", said.strip()


def shown(made, method):
    """The relative error that a mistake makes in a result, where it is far above what rounding makes; else 0."""
    rights = replace(made, wrong=None)
    rng = np.random.default_rng(0)

    def grads(which, kind):
        values = which.forward({name: array.astype(kind) for name, array in which.inputs.items()})
        above = [upstream[name].astype(kind) for name in which.outputs]
        found = which.backward(values, above)
        return {name: np.asarray(found[f"d{name}"]) for name in which.inputs}

    values = rights.forward(rights.inputs)
    upstream = {name: rng.standard_normal(np.shape(values[name])) for name in made.outputs}
    true, exact, ours = grads(rights, float), grads(rights, np.longdouble), grads(made, float)
    least = max(np.sqrt((array**2).mean()) for array in made.inputs.values())  # smaller outputs carry its rounding
    size = sum((np.abs(upstream[name]) * np.maximum(np.abs(values[name]), least)).sum() for name in made.outputs)
    step = {"central": 1e-5, "richardson": 1e-3}.get(method)
    noise = 10 * np.finfo(float).eps * size / step if step else 0.0
    found = 0.0
    for name, a in exact.items():
        off, rounding = np.abs(ours[name] - a).max(), np.abs(true[name] - a).max()
        largest = max(np.abs(a).max(), np.abs(ours[name]).max())
        tolerance = TOLERANCE["complex-step" if method == "directional" else method]
        # what moves L by less than its rounding, over the size of the input, no forward pass shows
        seen = off * (np.sqrt((made.inputs[name] ** 2).mean()) or 1) > 100 * np.finfo(float).eps * size
        if seen and off > 1000 * max(rounding, noise) and off > 100 * tolerance * largest:
            found = max(found, off / largest)
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wrong", action="store_true", help="as many wrong backwards of plain code besides")
    said = parser.parse_args(arguments)
    began, kinds = time.time(), Counter()
    for wrong in (False, True) if said.wrong else (False,):
        for k in range(said.count):
            name, what = alarm((said.seed, k), wrong)
            kinds["wrong" if wrong else "right"] += 1
            if what:
                kinds["misses" if wrong else "alarms"] += 1
                print(
                    f"{'MISS' if wrong else 'ALARM'} {(said.seed, k)}: {name}\n    " + what.replace("\n", "\n    "),
                    flush=True,
                )
    print(f"{dict(kinds)}, {time.time() - began:.0f} s")
    return 1 if kinds["alarms"] + kinds["misses"] else 0


if __name__ == "__main__":
    sys.exit(main())
