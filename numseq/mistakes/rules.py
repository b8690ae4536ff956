"""Rules by which a formula is miswritten: for one node of its tree, what people write in its place."""

import ast
from collections.abc import Iterator

from numseq.mistakes.formulas import Formula, build, nodes, put, text


def miswritten(f: Formula, rules: tuple) -> Iterator[tuple[str, ast.expr]]:
    """(what was done, tree): the formula with one of its nodes written otherwise, by some rules."""
    for node in nodes(f.tree):
        for rule in rules:
            for what, new in rule(node):
                yield what, put(f.tree, {node: new})


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
            if isinstance(right, ast.Name):
                yield f"{text(right)} - 1 in the place of {text(right)}", build("A / (B - 1)", A=left, B=right)
        case ast.BinOp(left, ast.Pow(), right):
            yield f"the power of {text(node)} is missing", left
            yield f"{text(node)} is doubled, not squared,", build("2 * A", A=left)


def brackets(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """a * (b + c): a bracket is forgotten, or stands where there is none; of many terms one is left."""
    match node:
        case ast.BinOp(left, ast.Mult(), right):
            for bracket in factors if len(factors := _factors(node)) > 2 else ():
                for sign, term in terms if len(terms := _terms(bracket)) > 1 else ():
                    rest = put(node, {bracket: _sum_of([each for each in terms if each[1] is not term])})
                    new = build("R + X" if sign > 0 else "R - X", R=rest, X=term)
                    yield f"{text(term)} has none of the factors of {text(bracket)}", new
            for factor, bracket in ((left, right), (right, left)):
                terms = _terms(bracket)
                for sign, term in terms if len(terms) > 1 else ():
                    rest = _sum_of([each for each in terms if each[1] is not term])
                    new = build("A * R + X" if sign > 0 else "A * R - X", A=factor, R=rest, X=term)
                    yield f"{text(term)} is not multiplied by {text(factor)}", new
        case ast.BinOp(left, ast.Add() | ast.Sub() as by, right):
            for whole, other in ((left, right), (right, left)):
                match whole:
                    case ast.BinOp(a, ast.Mult() | ast.Div() as times, b):
                        inner = ast.BinOp(a, by, other) if whole is left else ast.BinOp(other, by, a)
                        said = "multiplied" if isinstance(times, ast.Mult) else "divided"
                        yield f"{text(other)} is {said} by {text(b)} too", ast.BinOp(inner, times, b)
                    case ast.Call(ast.Name() as function, [a, *rest]) if function.id != "summed":
                        yield (
                            f"{text(other)} goes through {function.id} too",
                            ast.Call(function, [ast.BinOp(a, by, other), *rest], []),
                        )
            if len(terms := _terms(node)) > 2:
                for sign, term in terms:
                    yield f"of {text(node)} there is only {text(term)}", _sum_of([(sign, term)])


def _terms(node, sign=1):
    """(sign, term) of a sum."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return _terms(left, sign) + _terms(right, sign)
        case ast.BinOp(left, ast.Sub(), right):
            return _terms(left, sign) + _terms(right, -sign)
    return [(sign, node)]


def _factors(node):
    match node:
        case ast.BinOp(left, ast.Mult(), right):
            return _factors(left) + _factors(right)
    return [node]


def _sum_of(terms):
    (sign, tree), *others = terms
    tree = tree if sign > 0 else build("-A", A=tree)
    for sign, term in others:
        tree = build("A + B" if sign > 0 else "A - B", A=tree, B=term)
    return tree


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
            for n in (2, 3, 4, 5):
                for what, where in PARTS.items():
                    new = build(f"_contracted(A, B, {n}, {where})", A=left, B=right)
                    yield f"the product {text(node)} takes of {n} blocks {what}", new
        case ast.Attribute(value, "T"):
            yield f"{text(value)} is not transposed", value
            yield f"{text(value)} is reshaped, not transposed,", build("X.reshape(X.T.shape)", X=value)


PARTS = {
    "the first alone": "slice(None, 1)",
    "the last alone": "slice(-1, None)",
    "all but the first": "slice(1, None)",
    "all but the last": "slice(None, -1)",
}

ALGEBRA = (_sums, _products, brackets, _slopes, _matrices)
