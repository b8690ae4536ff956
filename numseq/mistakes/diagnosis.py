"""Naming a mistake: the known bug, or the slip, whose gradient coincides with the one at hand on the same inputs."""

import ast
import dataclasses
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from inspect import signature
from itertools import chain, combinations, repeat
from typing import Any

from numseq.gradcheck.report import Diagnosis
from numseq.mistakes.compared import Compared
from numseq.mistakes.formulas import formulas, nodes, text
from numseq.mistakes.layer import LAYERS, Bug, Step
from numseq.record import StepGrad, StepRecord, Trace


def function_of(trace: Any) -> str | None:
    """The name of the layer whose equations undo a trace or a record; None when there is none, as of a reader's own."""
    own = getattr(trace, "equations", None)
    if own is not None:
        return own if own in LAYERS else None
    for kind in type(trace).__mro__:
        for layer in LAYERS.values():
            if layer.of is kind:
                return layer.name if layer.holds(trace) else None
    return None


def named(name: str, trace: Any = None) -> list[Bug]:
    """The bugs that can be made in a layer; those of a step and of BPTT can be made in a sequence too.

    trace: of `bidirectional`, which does not say by its name which cell it is of.
    """
    return [*LAYERS[name].possible(trace), *LAYERS[name].besides]


def run(name: str, change: dict[str, Callable], trace: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The gradients of a layer with some of its equations changed, a dict."""
    return LAYERS[name].undo(trace, given, change)[0]


def words(record: StepRecord, by: type[StepGrad] | None = None) -> dict[str, str]:
    """What each gradient inside a record should be, in words, by its name; empty when nothing is known.

    What a step's StepGrad has written down is known to hold of what that step computes, and of no record that came
    about otherwise, though it be of the same class.

    Args: record, a StepRecord. by, the class of the StepGrad that makes the claim, or None.
    """
    steps = [layer for layer in LAYERS.values() if isinstance(layer, Step)]
    if by is None:
        known = (layer for kind in type(record).__mro__ for layer in steps if layer.of is kind)
        by = next((layer.grad for layer in known), None)
    if by is None:
        return {}
    step = next((layer for kind in by.__mro__ for layer in steps if layer.grad is kind), None)
    if step is None or by.equations is not step.grad.equations:  # somebody's own
        return by.equations
    return by.equations if step.holds(record) else {}


def words_of_result(trace: Any, leaf: str) -> str | None:
    """What a result of a layer should be, in words; None when nothing is known of it. leaf, its dotted name."""
    name = function_of(trace)
    if name is None or LAYERS[name].wires:
        return None
    if LAYERS[name].says or hasattr(LAYERS[name], "cell"):  # a sequence's equations are of what is put together of it
        return LAYERS[name].says.get(leaf)
    trees = {f.name: f.tree for f in formulas(LAYERS[name].backward)}
    said = _with_all_that_it_names(f"d{leaf.removeprefix('params.')}" if "params." in leaf else leaf, trees)
    return ", where ".join(filter(None, [said[0].partition(" = ")[2], ", ".join(said[1:])])) if said else None


def _with_all_that_it_names(name, trees):
    """An equation as text, and those of the names on its right side; none of what has none or says nothing."""
    if name not in trees or text(trees[name]) == name:
        return []
    rest = {other: tree for other, tree in trees.items() if other != name}
    named = dict.fromkeys(node.id for node in nodes(trees[name]) if isinstance(node, ast.Name))
    said = [line for other in named for line in _with_all_that_it_names(other, rest)]
    return list(dict.fromkeys([f"{name} = {text(trees[name])}", *said]))


def knows(checking: Any) -> bool:
    """Whether the equations of anything that a check saw are known."""
    return any(function_of(owner) for owner in (checking.trace, *(call.owner for call in checking.seen.calls if call)))


def match(name: str, trace: Any, given: dict[str, Any], result: Any) -> list[Diagnosis]:
    """The bugs of a layer whose gradients coincide with `result`, as Diagnoses; none when result is right.

    If none of the bugs that are known by name does, the slips in its equations are tried.

    Args: name, of the layer. trace, what forward returned. given, the gradients that backward was handed, by name.
        result, what it gave: a record or a dict.
    """
    call = Compared(name, trace, given, result)
    return [Diagnosis(bug.name, bug.lesson, distance) for bug, distance in named_by([call])]


def named_by(calls: list[Compared], without: Iterable[Callable] = (), several: bool = False) -> list[tuple[Bug, float]]:
    """The known bugs that fit some calls, or else the slips: (bug, distance), the best first.

    without: functions whose equations are known to be right. several: whether, when nothing fits, two known bugs at
    once are tried in an exercise, and what makes a part of the results wrong is named.
    """
    return [] if calls[0].right else known(calls, without) or slipped(calls, without, several)


def known(calls: list[Compared], without: Iterable[Callable] = ()) -> list[tuple[Bug, float]]:
    """The known bugs that coincide with every one of some calls of one layer, the best first."""
    found, right = [], {function.__name__ for function in without if hasattr(function, "__name__")}
    for bug in named(calls[0].name, calls[0].trace):
        distances = [call.distance(bug) for call in calls] if bug.function not in right else [None]
        if None not in distances:
            found.append((bug, max(distances)))
    return sorted(found, key=lambda each: each[1])


def slipped(calls: list[Compared], without: Iterable[Callable] = (), several: bool = False) -> list[tuple[Bug, float]]:
    """The first slip that coincides with every one of some calls of one layer; or several known bugs or slips, each of
    which makes some of the results wrong and none of the others, when they make all that is wrong. several: see
    `named_by`."""
    first, *others = calls
    parted: dict[str, Bug] = {}  # wrong result to what makes it wrong
    right = {function.__name__ for function in without if hasattr(function, "__name__")}
    bugs = [bug for bug in named(first.name, first.trace) if bug.function not in right]
    for bug, in_several in chain(zip(bugs, repeat(False)), first.slips(without)):
        if in_several and parted.keys() == first.wrong:
            break
        distances = [first.distance(bug)]
        if distances[0] is not None:
            distances += [call.distance(bug) for call in others]
            if None not in distances:
                return [(bug, max(distances))]
        else:
            some = first.explained(bug)
            if some and not some & parted.keys() and all(call.explained(bug) == some for call in others):
                parted |= dict.fromkeys(some, bug)
    each = {id(bug): bug for bug in parted.values()}.values()
    if parted.keys() == first.wrong:
        return [(bug, 0.0) for bug in each]
    if not several or not first.layer.besides:
        return []
    return two_at_once(calls, bugs) or [(_of_some(first.explained(bug), bug), 0.0) for bug in each]


def _of_some(results, bug):
    rest = f"so {', '.join(sorted(results))} can be explained; what else is wrong is no known mistake"
    return Bug(bug.name, bug.function, f"{bug.lesson} ({rest})", bug.change)


def two_at_once(calls: list[Compared], bugs: list[Bug]) -> list[tuple[Bug, float]]:
    """Two known bugs that together give what some calls gave; of an exercise, in which beginners make several."""
    first = calls[0]
    moved = [(bug, first.moved(bug)) for bug in {tuple(bug.change.values()): bug for bug in bugs}.values()]
    some = [(bug, results) for bug, results in moved if results and results <= first.wrong]
    for (one, ours), (other, theirs) in combinations(some, 2):
        if ours | theirs == first.wrong and not one.change.keys() & other.change.keys():
            both = Bug(f"{one.name}; {other.name}", one.function, "", one.change | other.change)
            if all(call.distance(both) is not None for call in calls):
                return [(one, 0.0), (other, 0.0)]
    return []


def diagnose(checking: Any) -> list[Diagnosis]:
    """The mistakes of a check that found something wrong, as Diagnoses.

    The outermost function is compared as a whole. If nothing is known of it, as of a cell with a step of somebody's
    own, its parts are: each trace, and each step, whose backward does not do what its equations say with what it was
    given. Where the equations are of wiring, as a model's are, they say what is handed to which part; so the parts of
    what is wired rightly are judged too. None where plain equations cannot be computed, as smoothing over one class.
    """
    try:
        return _Judging(checking).found
    except ArithmeticError:
        return []


@dataclass
class Inside:
    """What was found in the steps of a call: the functions of their equations, bugs, and whether one is wrong in a way
    that has no name."""

    functions: list[Callable]
    bugs: list[Bug] = field(default_factory=list)
    unnamed: bool = False


class _Judging:
    """One check under judgement: `found`, the diagnoses."""

    def __init__(self, checking):
        self.seen, self.found, self.paths = checking.seen, [], dict(_paths(checking.trace))
        self.calls = [call for call in self.seen.calls if call and call.owner is not checking.trace]
        name = function_of(checking.trace)
        if name and (LAYERS[name].wires or _holds(name, checking)):
            outermost = self.compared(name, checking.trace, checking.upstream, checking.claimed, self.calls)
            self.judge(outermost, self.calls)
        else:
            self.inside(self.calls)

    def inside(self, calls):
        """Judge the calls that lie in none of the others of which something is known. Steps of one layer are judged
        together. Returns: an Inside."""
        steps, done = {}, 0
        for k, call in enumerate(calls):
            if call.began < done or not (name := function_of(call.owner)):
                continue
            done = call.ended
            within = [other for other in calls[k + 1 :] if other.ended <= call.ended]
            try:
                compared = self.compared(name, call.owner, call.given, call.result, within)
            except ValueError:  # of two directions side by side, which the equations need not know
                continue
            if isinstance(call.owner, StepRecord):
                steps.setdefault((name, self.where(call.owner)), []).append(compared)
            else:
                self.judge(compared, within, self.where(call.owner))
        inside = Inside([function for name, _ in steps for function in LAYERS[name].functions()])
        for (_, where), each in steps.items():
            wrong = [step for step in each if not step.right]
            if wrong:
                found = self.add(named_by(_again(wrong)), where)
                inside.bugs += found
                inside.unnamed |= not found
        return inside

    def judge(self, call, within, where=""):
        """One trace, with the calls inside of it."""
        if LAYERS[call.name].wires:
            if not call.right:
                self.add(named_by(_again([call])), where)
            inside = self.inside(within)
            for part in call.parts:
                self.rest(part, inside, where)
        elif not call.right:
            self.rest(call, self.inside(within), where)

    def rest(self, call, inside, where):
        """What is wrong in a call besides what was found in its steps; nothing can be said if that has no name."""
        if inside.unnamed:
            return
        functions = {
            function.__name__ for function in call.layer.functions(call.trace) if hasattr(function, "__name__")
        }
        besides = [bug for bug in inside.bugs if bug.function in functions]
        call = call.but_for({name: wrong for bug in besides for name, wrong in bug.change.items()}) if besides else call
        if not call.right:
            right = [f for f in inside.functions if f is not call.layer.backward]
            self.add(named_by(_again([call]), right, several=not where), where)

    def compared(self, name, owner, given, result, within):
        """A call beside its layer's equations. within, all calls inside of it."""
        parts, done = {}, 0
        for call in within if LAYERS[name].wires else ():
            if call.began >= done:
                parts.setdefault(id(call.owner), (call.owner, call.given))
                done = call.ended
        return Compared(name, owner, _by_name(name, given), result, list(parts.values()))

    def where(self, owner):
        """The dotted path to a trace or record, from the outermost trace."""
        return self.seen.path_of(owner) or self.paths.get(id(owner), "")

    def add(self, bugs, where):
        """Bugs, each with its distance, at a place. What was said of a part is not said again of the whole. Returns:
        the bugs."""
        inside = f"{where}." if where else ""
        for bug, distance in bugs:
            if not any(d.name == bug.name and (d.where == where or d.where.startswith(inside)) for d in self.found):
                self.found.append(Diagnosis(bug.name, bug.lesson + _glossed(bug), distance, where))
        return [bug for bug, _ in bugs]


NAMES = {  # of the equations here, that nobody else need have
    "past_h": "of dh_t what goes past a padded row's step, to the step before",
    "past_c": "of dc_t what goes past a padded row's step, to the step before",
    "into_h": "of dh_t what goes into the step, 0 in a padded row",
    "into_c": "of dc_t what goes into the step, 0 in a padded row",
    "dh_next": "what comes back to h from the step after",
    "dc_next": "what comes back to c from the step after",
    "dh_product": "da_t W_h^T",
    "dh_final": "what comes back at first, dfinal.h",
    "dc_final": "what comes back at first, dfinal.c",
    "steps_back": "the steps from the last to the first",
    "dprojected": "the gradient of q W_q, the sum of dz over the positions",
    "dscore": "de * (1 - u^2)",
    "dkeys_given": "dkeys as it is returned",
    "dquery_all": "dquery of all queries",
    "dW_q_all": "dW_q, summed over all queries",
    "dw_all": "dw, summed over all queries",
    "dvalues_context": "dvalues, the sum over the queries of alpha * dcontext",
}


def _glossed(bug):
    """What the names are that a bug's name or its lesson has and that only the equations here have."""
    used = re.findall(r"\w+", f"{bug.name} {bug.lesson}")
    said = "; ".join(f"{name} is {what}" for name, what in NAMES.items() if name in used)
    return f" ({said})" if said else ""


def _again(calls):
    """Calls of one layer, and the first of them made once more with other gradients. Not if that is right: then it was
    other code that was called, as of a layer that goes step by step in a decoder's loop."""
    again = calls[0].again()
    return [*calls, again] if again and not again.right else calls


def _by_name(name, given):
    """What a backward was given, by the names of its layer, though somebody's own takes *args."""
    names = list(signature(LAYERS[name].backward).parameters)[1:-1]
    many = [value for value in given.values() if isinstance(value, tuple) and not hasattr(value, "_fields")]
    return given if given.keys() <= set(names) or len(many) != 1 else dict(zip(names, many[0], strict=False))


def _paths(trace, path=""):
    """(id, dotted path) of each trace inside of a trace."""
    for name, part in _parts(trace):
        within = path if name in UNNAMED else f"{path}.{name}".strip(".")
        if isinstance(part, Trace):
            yield id(part), within
        yield from _paths(part, within)


def _parts(owner):
    if isinstance(owner, list | tuple):
        return [(str(k), part) for k, part in enumerate(owner)]
    fields = dataclasses.fields(owner) if isinstance(owner, Trace) and dataclasses.is_dataclass(owner) else ()
    return [(field.name, getattr(owner, field.name, None)) for field in fields]


UNNAMED = ("rnn", "layers")  # parts of a path that say nothing to a reader


def _holds(name, checking):
    """Whether a layer's equations give the true gradients of what is checked as a whole."""
    return checking.agrees(Compared(name, checking.trace, checking.upstream, {}).leaves)
