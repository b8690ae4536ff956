"""Rules by which it is miswritten what a formula takes: of which step, along which axis, through which function."""

import ast
from itertools import combinations, permutations

from numseq.mistakes.formulas import build, put, text
from numseq.mistakes.rules import PARTS


def _places(node):
    """x[t], x[..., :H], x[::-1]: of another step, the other half, not turned."""
    match node:
        case ast.Subscript(x, ast.Name() | ast.BinOp(ast.Name(), _, _) as k):
            said = text(x)
            for by in ("+ 1", "- 1"):
                yield f"{said}[{text(k)} {by}] in the place of {text(node)}", build(f"_at(X, K {by})", X=x, K=k)
            yield (
                f"{said}[{text(k)} - 1], the last before the first, in the place of {text(node)}",
                build("_around(X, K - 1)", X=x, K=k),
            )
            yield (
                f"{said}[{text(k)} + 1], the first after the last, in the place of {text(node)}",
                build("_around(X, K + 1)", X=x, K=k),
            )
            for place in ("0", "-1"):
                yield f"{said}[{place}] in the place of {text(node)}", build(f"X[{place}]", X=x)
            yield f"{said}[-1 - {text(k)}] in the place of {text(node)}", build("_around(X, -1 - K)", X=x, K=k)
            yield f"the sum of all {said} in the place of {text(node)}", build("_all_of(X, K)", X=x, K=k)
        case ast.Call(ast.Name("at"), [t, x]):
            for by in ("+ 1", "- 1"):
                yield (
                    f"{text(x)}[{text(t)} {by}] in the place of {text(x)}[{text(t)}]",
                    build(f"_at(X, K {by})", X=x, K=t),
                )
            yield f"the sum of all {text(x)} in the place of {text(x)}[{text(t)}]", build("_all_of(X, K)", X=x, K=t)
        case ast.Subscript(x, where):
            for part, new in _other_parts(where):
                other = ast.Subscript(x, put(where, {part: new}), ast.Load())
                yield f"{text(other)} in the place of {text(node)}", other
            match where:
                case ast.Tuple([*_, ast.Name() as k]):
                    first = put(where, {k: build("x[:len(K)]", K=k).slice})
                    yield (
                        f"the first len({text(k)}) of {text(x)} in the place of {text(node)}",
                        ast.Subscript(x, first, ast.Load()),
                    )
            yield f"{text(x)} in the place of {text(node)}", x


def _other_parts(where):
    for part in ast.walk(where):
        match part:
            case ast.Constant(0 | 1 as k):
                if part is where:
                    yield part, ast.Constant(1 - k)
            case ast.Slice(None, upper, None) if upper is not None:
                yield part, ast.Slice(upper, None, None)
                yield part, ast.Slice(build("-N", N=upper), None, None)
            case ast.Slice(lower, None, None) if lower is not None:
                yield part, ast.Slice(None, lower, None)
            case ast.Slice(None, None, ast.UnaryOp()):
                yield part, ast.Slice(None, None, None)
            case ast.Slice(None, None, None):
                yield part, build("x[::-1]").slice


def _axes(node):
    """x.sum(axis): a mean, a part of the sum, another axis; sum(... for t in range(T)): some of the terms."""
    match node:
        case ast.Call(ast.Attribute(x, "sum" | "mean" as by), [], [ast.keyword("axis", axis), *keep]):

            def taken(x, over=axis, by=by):
                return ast.Call(ast.Attribute(x, by, ast.Load()), [], [ast.keyword("axis", over), *keep])

            said, axes = text(x), ast.literal_eval(axis) if not isinstance(axis, ast.Name) else 0
            other = {"sum": "mean", "mean": "sum"}[by]
            yield f"a {other} of {said} where a {by} belongs", taken(x, by=other)
            for k in axes if isinstance(axes, tuple) else (axes,):
                for what, where in PARTS.items():
                    yield (
                        f"the {by} of {said} takes {what} along axis {k}",
                        taken(build(f"_part(X, {k}, {where})", X=x)),
                    )
                if by == "sum":
                    yield f"{said} is a mean along axis {k}, not a sum,", build(f"S / X.shape[{k}]", S=node, X=x)
            if isinstance(axes, tuple):
                yield f"the {by} of {said} takes its very first alone", build(f"X[{', '.join('0' * len(axes))}]", X=x)
                yield f"the {by} of {said} takes its very last alone", build(f"X[{', '.join(['-1'] * len(axes))}]", X=x)
            for over in (0, 1, -1):
                if over != axes:
                    yield f"the {by} of {said} runs along axis {over}", taken(x, ast.Constant(over))
        case ast.Call(ast.Attribute(x, "sum"), [], _):
            yield f"a mean of {text(x)} where a sum belongs", build("X.mean()", X=x)
        case ast.Call(ast.Name("sum"), [ast.GeneratorExp(term, [each])], _):
            length = each.iter.args[0] if isinstance(each.iter, ast.Call) and each.iter.args else None
            if length is not None:
                t, T = text(each.target), text(length)
                for over, what in (
                    ("range(N)[:1]", f"{t} = 0 alone"), ("range(N)[-1:]", f"{t} = {T} - 1 alone"),
                    ("range(1, N)", f"all {t} but the first"), ("range(N - 1)", f"all {t} but the last"),
                ):  # fmt: skip
                    some = ast.comprehension(each.target, build(over, N=length), [], 0)
                    yield f"the sum over {t} is of {what}", ast.Call(node.func, [ast.GeneratorExp(term, [some])], [])
                yield f"a mean over {t} where a sum belongs", build("S / N", S=node, N=length)


def _calls(node):
    """Functions that are left out, cases taken for one another, lists in another order."""
    match node:
        case ast.Call(ast.Attribute(ast.Name("np"), "where"), [holds, yes, no]):
            yield f"{text(yes)} everywhere, whatever {text(holds)} says,", yes
            yield f"{text(no)} everywhere, whatever {text(holds)} says,", no
            yield f"the two sides of {text(node)} are exchanged", build("np.where(C, B, A)", C=holds, A=yes, B=no)
            yield f"0 in the place of {text(yes)}", build("np.where(C, 0, B)", C=holds, B=no)
            yield f"0 in the place of {text(no)}", build("np.where(C, A, 0)", C=holds, A=yes)
        case ast.Attribute(ast.Call(ast.Attribute(x, "backward"), [given], []), _):
            yield f"the backward of {text(x)} is skipped", given
            yield f"the backward of {text(x)} is applied twice", put(node, {given: node})
            yield f"the scaling of {text(x)} is left out", build("A * (X.mask > 0)", A=given, X=x)
            yield f"{text(x)} is taken the other way round", build("A * (X.mask == 0)", A=given, X=x)
            for what, way, back in (
                ("in reversed order", "A[::-1]", "B[::-1]"),
                ("of the place before", "np.roll(A, -1, axis=0)", "np.roll(B, 1, axis=0)"),
                ("of the place after", "np.roll(A, 1, axis=0)", "np.roll(B, -1, axis=0)"),
            ):
                yield f"{text(x)} is taken {what}", build(back, B=put(node, {given: build(way, A=given)}))
        case ast.Call(ast.Name(function), [given, *_]) if function not in ("sum", "summed"):
            yield f"{function} is left out", given
        case ast.IfExp(_, body, orelse):
            yield f"{text(orelse)} in the place of {text(node)}", orelse
            yield f"{text(body)} in the place of {text(node)}", body
        case ast.BinOp(left, ast.Sub(), right):
            yield f"the order of the difference {text(node)} is turned", build("R - L", L=left, R=right)
        case ast.List(parts):
            for j, k in combinations(range(len(parts)), 2):
                order = list(parts)
                order[j], order[k] = parts[k], parts[j]
                yield f"{text(parts[j])} and {text(parts[k])} have changed places", ast.List(order, ast.Load())
            for one, other in permutations(parts, 2):
                yield f"{text(other)} in the place of {text(one)}", put(node, {one: other})
            for one in parts:
                yield f"0 in the place of {text(one)}", put(node, {one: build("0 * A", A=one)})
            if len(parts) > 1:
                yield "the parts stand in reversed order", ast.List(parts[::-1], ast.Load())


ACCESS = (_places, _axes, _calls)
