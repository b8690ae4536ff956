"""A small picture of where an array of gradients is wrong: rows, columns, and a panel for each step. Plain SVG.

A square is a number: right, or wrong in a darker red the larger the error is, relative to the largest number of both
arrays; or empty, where what was given and what is right are both 0, as at padding.
"""

import numpy as np

MOST = 8, 12, 16  # panels, rows, columns; of a larger array a square is the worst of several numbers
CELL, GAP, LEFT, TOP = 11, 10, 24, 14
RIGHT, NOTHING = "#cfe0f0", "none"
SHADES = {"above 0.1": (0.1, "#8c1d18"), "above 1e-3": (1e-3, "#d9483b"), "above 1e-6": (1e-6, "#f0978c")}
SHADES |= {"less": (0.0, "#f8d3cd")}


def svg(found: np.ndarray, right: np.ndarray, tolerance: float, timed: bool) -> str:
    """Draw the error of an array of gradients.

    Args: found, what was given, and right, of one shape. tolerance, the relative error up to which a number is right.
        timed, whether the first of three axes is time.
    Returns: an <svg> element; "" for arrays without numbers.
    """
    if not found.size:
        return ""
    error, nothing = _pooled(relative(found, right), (found == 0) & (right == 0), found.shape)
    panels, rows, columns = error.shape
    width, height = columns * CELL + GAP, rows * CELL
    drawn, words = {}, []
    for at in np.ndindex(error.shape):
        k, i, j = at
        square = f"M{LEFT + k * width + j * CELL} {TOP + i * CELL}h{CELL - 1}v{CELL - 1}h{1 - CELL}z"
        drawn.setdefault(_colour(error[at], bool(nothing[at]), tolerance), []).append(square)
    shape = (1, 1, *found.shape)[-2:]
    words += [(LEFT - 4, TOP + i * CELL + 9, "end", row) for i, row in _ends(rows, shape[0])]
    words += [(LEFT + j * CELL + 5, TOP + height + 9, "middle", column) for j, column in _ends(columns, shape[1])]
    if panels > 1:
        count = found.size // max(1, shape[0] * shape[1])
        names = [f"t={k}" if timed else str(k) for k in range(panels)] if panels == count else []
        words += [(LEFT + k * width, TOP - 4, "start", name) for k, name in enumerate(names)]
    legend, wide = _legend(TOP + height + 16)
    size = max(LEFT + panels * width, wide), TOP + height + 32
    squares = "".join(_path(colour, squares) for colour, squares in drawn.items())
    labels = "".join(_word(*word) for word in words)
    told = f"{int((relative(found, right) > tolerance).sum())} of {found.size} numbers are wrong"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" fill="currentColor" '
        f'font-size="9" font-family="sans-serif" role="img" aria-label="{told}">{squares}{labels}{legend}</svg>'
    )


def relative(found: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The error of each number, relative to the largest of both arrays; 1 where one is not finite."""
    with np.errstate(all="ignore"):
        sizes = np.abs(np.stack([found, right]))
        scale = np.where(np.isfinite(sizes), sizes, 0).max()
        return np.nan_to_num(np.abs(found - right) / (scale or 1), nan=1.0, posinf=1.0)


def _pooled(error, nothing, shape):
    """Both as (panels, rows, columns), no more than `MOST` of each."""
    wide = (1, 1, *shape)[-2:]
    error, nothing = error.reshape(-1, *wide), nothing.reshape(-1, *wide)
    for axis, most in enumerate(MOST):
        starts = _starts(error.shape[axis], most)
        error = np.maximum.reduceat(error, starts, axis=axis)
        nothing = np.logical_and.reduceat(nothing, starts, axis=axis)
    return error, nothing


def _starts(count, most):
    return np.unique(np.linspace(0, count, min(count, most), endpoint=False).astype(int))


def _ends(squares, count):
    """(which square, number) of the first line and the last."""
    return [(0, 0)] if count == 1 else [(0, 0), (squares - 1, count - 1)]


def _colour(error, nothing, tolerance):
    if nothing:
        return NOTHING
    if error <= tolerance:
        return RIGHT
    return next(colour for least, colour in SHADES.values() if error >= least)


def _path(colour, squares):
    edge = ' stroke="#999" stroke-dasharray="1.5 1.5" stroke-width="0.7"' if colour == NOTHING else ""
    return f'<path fill="{colour}"{edge} d="{"".join(squares)}"/>'


def _word(x, y, anchor, text):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _legend(y):
    """What the colours mean, in a line, and how wide it is."""
    said, x = [], LEFT
    colours = [("right", RIGHT), ("wrong: above 0.1", SHADES["above 0.1"][1])]
    colours += [(word, colour) for word, (_, colour) in list(SHADES.items())[1:]] + [("both are 0", NOTHING)]
    for word, colour in colours:
        said += [_path(colour, [f"M{x} {y + 2}h8v8h-8z"]), _word(x + 11, y + 10, "start", word)]
        x += 20 + 5 * len(word)
    return "".join(said), x
