"""Rules by which a formula is miswritten: for one node of its tree, what people write in its place."""

import ast
from collections.abc import Iterator
from itertools import combinations, permutations

from numseq.mistakes.formulas import Formula, build, nodes, put, text


def miswritten(f: Formula, rules: tuple) -> Iterator[tuple[str, ast.expr]]:
    """(what was done, tree): the formula with one of its nodes written otherwise, by some rules, each tree once."""
    seen = {ast.dump(f.tree)}
    for node in nodes(f.tree):
        for rule in rules:
            for what, new in rule(node):
                tree = put(f.tree, {node: new})
                if (dump := ast.dump(tree)) not in seen:
                    seen.add(dump)
                    yield what, tree


def _sums(node):
    """a + b: a term is missing, counted twice, of the other sign."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            terms = {"L": left, "R": right}
        case ast.BinOp(left, ast.Sub(), right):
            yield f"{text(right)} is missing", left
            yield f"{text(left)} is missing", build("-R", R=right)
            yield f"{text(right)} is added, not subtracted,", build("L + R", L=left, R=right)
            yield f"{text(right)} is subtracted twice", build("L - 2 * R", L=left, R=right)
            if isinstance(left, ast.Constant):
                yield f"{text(right)} in the place of {text(node)}", right
            return
        case ast.Call(ast.Name("summed"), args):
            for one in args:
                others = [other for other in args if other is not one]
                for what, new in (
                    ("missing", None),
                    ("counted twice", "2 * A"),
                    ("subtracted", "-A"),
                    ("halved", "A / 2"),
                ):
                    again = [build(new, A=one)] if new else []
                    yield f"{text(one)} is {what}", ast.Call(node.func, others + again, [])
            return
        case _:
            return
    for this, other in (("R", "L"), ("L", "R")):
        said = text(terms[this])
        yield f"{said} is missing", terms[other]
        yield f"{said} is counted twice", build(f"{other} + 2 * {this}", **terms)
        yield f"{said} is subtracted, not added,", build(f"{other} - {this}", **terms)
        yield f"{said} is halved", build(f"{other} + {this} / 2", **terms)
    yield f"{text(right)} is multiplied, not added,", build("L * R", **terms)


def _products(node):
    """a * b, a / b, a ** 2: a factor is missing, stands twice, or on the other side of the bar."""
    match node:
        case ast.BinOp(left, ast.Mult(), right):
            for this, other in ((right, left), (left, right)):
                yield f"the factor {text(this)} is missing", other
                if text(this).startswith("d"):  # a gradient is a factor once: backward is linear
                    continue
                yield f"the factor {text(this)} stands twice", build("A * B * B", A=other, B=this)
                yield f"{text(this)} divides", build("A / B", A=other, B=this)
                if isinstance(this, ast.Name | ast.Subscript | ast.Attribute):
                    yield f"1 - {text(this)} in the place of {text(this)}", build("A * (1 - B)", A=other, B=this)
                    yield f"1 + {text(this)} in the place of {text(this)}", build("A * (1 + B)", A=other, B=this)
            yield f"{text(right)} is added, not multiplied,", build("A + B", A=left, B=right)
        case ast.BinOp(left, ast.Div(), right):
            yield f"nothing is divided by {text(right)}", left
            yield f"{text(right)} multiplies", build("A * B", A=left, B=right)
            yield f"{text(right)} divides twice", build("A / B / B", A=left, B=right)
        case ast.BinOp(left, ast.Pow(), right):
            yield f"the power of {text(node)} is missing", left
            yield f"{text(node)} is doubled, not squared,", build("2 * A", A=left)


def _slopes(node):
    """y (1 - y) and 1 - y^2: the one for the other, or taken at another point than the output."""
    match node:
        case ast.BinOp(
            ast.BinOp(d, ast.Mult(), ast.Name(y)), ast.Mult(), ast.BinOp(ast.Constant(1), ast.Sub(), ast.Name(z))
        ) if y == z:
            yield f"sigma' of {y} is missing", d
            yield f"tanh' of {y} for its sigma'", build("d * (1 - y ** 2)", d=d, y=ast.Name(y, ast.Load()))
            for what, point in (("pre-activation", f"_logit({y})"), ("sigmoid once more", f"_sigmoid({y})")):
                yield f"sigma' is taken of {y}'s {what}", build(f"d * {point} * (1 - {point})", d=d)
        case ast.BinOp(ast.Constant(1), ast.Sub(), ast.BinOp(y, ast.Pow(), ast.Constant(2))):
            yield f"sigma' of {text(y)} for its tanh'", build("y * (1 - y)", y=y)
            yield f"tanh' without the square of {text(y)}", build("1 - y", y=y)
            yield f"tanh' is taken of {text(y)}'s pre-activation", build("1 - np.arctanh(y) ** 2", y=y)
            yield f"tanh' is taken of the tanh of {text(y)}", build("1 - np.tanh(y) ** 2", y=y)


def _matrices(node):
    """a @ b: transposed or not, left out, and the other way round."""
    match node:
        case ast.BinOp(left, ast.MatMult(), right):
            for side in (left, right):
                match side:
                    case ast.Attribute(straight, "T"):
                        yield f"{text(straight)} is not transposed", put(node, {side: straight})
                    case _:
                        yield f"{text(side)} is transposed", put(node, {side: build("A.T", A=side)})
            yield f"{text(node)} is transposed", build("(A @ B).T", A=left, B=right)
            yield f"the product with {text(right)} is left out", left
        case ast.Attribute(value, "T"):
            yield f"{text(value)} is not transposed", value


def _places(node):
    """x[t], x[..., :H], x[::-1]: of another step, the other half, not turned."""
    match node:
        case ast.Subscript(x, ast.Name() | ast.BinOp(ast.Name(), _, _) as k):
            said = text(x)
            for by in ("+ 1", "- 1"):
                yield f"{said}[{text(k)} {by}] in the place of {text(node)}", build(f"_at(X, K {by})", X=x, K=k)
            yield (
                f"{said}[{text(k)} - 1], the last before the first, in the place of {text(node)}",
                build("X[K - 1]", X=x, K=k),
            )
            yield (
                f"{said}[{text(k)} + 1], the first after the last, in the place of {text(node)}",
                build("X[(K + 1) % len(X)]", X=x, K=k),
            )
            for place in ("0", "-1", f"-1 - {text(k)}"):
                yield f"{said}[{place}] in the place of {text(node)}", build(f"X[{place}]", X=x)
        case ast.Subscript(x, where):
            for part, new in _other_parts(where):
                other = ast.Subscript(x, put(where, {part: new}), ast.Load())
                yield f"{text(other)} in the place of {text(node)}", other
            yield f"{text(x)} in the place of {text(node)}", x


def _other_parts(where):
    for part in ast.walk(where):
        match part:
            case ast.Constant(0 | 1 as k):
                if part is where:
                    yield part, ast.Constant(1 - k)
            case ast.Slice(None, upper, None) if upper is not None:
                yield part, ast.Slice(upper, None, None)
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


PARTS = {
    "the first alone": "slice(None, 1)",
    "the last alone": "slice(-1, None)",
    "all but the first": "slice(1, None)",
    "all but the last": "slice(None, -1)",
}


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


ALGEBRA = (_sums, _products, _slopes, _matrices)
ACCESS = (_places, _axes, _calls)
