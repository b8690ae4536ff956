"""Pictures of one to three coloured shapes, with sentences that say what is there and where.

a large red circle left of a small blue square , with a small green cross below

A shape is where its signed distance d is negative; a pixel has as much of its colour as of it lies within, which is
1/2 - d, cut to 0 and 1, with d in pixels.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng

from numseq import arguments
from numseq.files import write_atomically
from numseq.tasks.made.draw import Made, choose, draw

SIDE = 32  # pixels
MOST = 3  # shapes of a picture
SIZES = {"small": 3.0, "large": 6.0}  # pixels from the middle to the edge
COLOURS = {
    "red": (215, 45, 40),
    "green": (40, 160, 70),
    "blue": (45, 85, 215),
    "yellow": (240, 205, 50),
    "purple": (140, 60, 180),
    "black": (35, 35, 35),
}
SHAPES = ("circle", "square", "triangle", "diamond", "cross")
PLACES = {  # of one shape alone: the middle of it, (row, column)
    "on the left": (16, 8),
    "on the right": (16, 24),
    "at the top": (8, 16),
    "at the bottom": (24, 16),
    "in the middle": (16, 16),
}
# how several lie to one another: where each is, and how that can be said
LAYOUTS: dict[str, tuple[tuple, tuple]] = {
    **{
        place: ((at,), (f"{{}} {place}", f"there is {{}} {place}", f"{place} there is {{}}"))
        for place, at in PLACES.items()
    },
    "left": (((16, 8), (16, 24)), ("{0} left of {1}", "{1} right of {0}", "{0} on the left and {1} on the right")),
    "above": (((8, 16), (24, 16)), ("{0} above {1}", "{1} below {0}", "{0} at the top and {1} at the bottom")),
    "left, below": (
        ((8, 8), (8, 24), (24, 16)),
        ("{0} left of {1} , with {2} below", "{2} below {0} and {1}", "{1} right of {0} , both above {2}"),
    ),
    "left, above": (
        ((24, 8), (24, 24), (8, 16)),
        ("{0} left of {1} , with {2} above", "{2} above {0} and {1}", "{1} right of {0} , both below {2}"),
    ),
    "above, right": (
        ((8, 8), (24, 8), (16, 24)),
        ("{0} above {1} , with {2} on the right", "{2} right of {0} and {1}", "{1} below {0} , both left of {2}"),
    ),
    "above, left": (
        ((8, 24), (24, 24), (16, 8)),
        ("{0} above {1} , with {2} on the left", "{2} left of {0} and {1}", "{1} below {0} , both right of {2}"),
    ),
}
BY_NUMBER = {n: tuple(name for name, (at, _) in LAYOUTS.items() if len(at) == n) for n in range(1, MOST + 1)}
SHARES = (1, 3, 4)  # of pictures with one, two and three shapes: of the first kind there are few
Thing = tuple[str, str, str]  # size, colour, shape


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows: a key of LAYOUTS, and the shapes in its order."""

    layout: str
    things: tuple[Thing, ...]

    def sentences(self) -> tuple[str, ...]:
        """All that can be said of it, three sentences."""
        named = [f"a {' '.join(thing)}" for thing in self.things]
        return tuple(sentence.format(*named) for sentence in LAYOUTS[self.layout][1])


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture with the sentences that are its references."""

    pixels: np.ndarray  # (SIDE, SIDE, 3) uint8: rows, columns, red green blue
    captions: tuple[str, ...]
    scene: Scene


def make_pictures(n_train: int, n_valid: int, n_test: int, seed: int, captions: int = 3) -> Made:
    """Pictures with sentences, no two of the same scene.

    Args: n_train, n_valid, n_test, seed. captions: how many sentences each picture has, one to three.
    Returns: a Made, whose lists hold Pictures; the pixels of a list are parts of one array.
    Raises: ArgumentError.
    """
    captions = arguments.whole(captions, "captions", least=1, most=3)
    scenes = draw(_scene, (n_train, n_valid, n_test), seed, key=lambda scene: scene)
    rng = default_rng((seed, 1))

    def drawn(some: list[Scene]) -> list[Picture]:
        said = [tuple(rng.permutation(scene.sentences())[:captions].tolist()) for scene in some]
        return [Picture(*one) for one in zip(draw_scenes(some, rng), said, some, strict=True)]

    return Made(drawn(scenes.train), drawn(scenes.valid), drawn(scenes.test))


def _scene(rng):
    n = choose(rng, np.repeat(np.arange(1, MOST + 1), SHARES).tolist())
    things = tuple((choose(rng, tuple(SIZES)), choose(rng, tuple(COLOURS)), choose(rng, SHAPES)) for _ in range(n))
    return Scene(choose(rng, BY_NUMBER[n]), things)


def draw_scenes(scenes: Iterable[Scene], rng: Generator) -> np.ndarray:
    """Draw scenes, each somewhat moved, on a light ground with a little noise.

    Args: scenes, N. rng, of what moves them and of the noise.
    Returns: (N, SIDE, SIDE, 3) uint8.
    """
    scenes = arguments.listed(scenes, "scenes", "Scenes")
    ground = rng.uniform(225, 250, (len(scenes), 1, 1, 1))
    pixels = np.broadcast_to(ground, (len(scenes), SIDE, SIDE, 3))
    for k in range(MOST):
        covered, colours = np.zeros(pixels.shape[:3]), np.zeros((len(scenes), 1, 1, 3))
        moved = rng.uniform(-1.5, 1.5, (len(scenes), 2))
        for shape in SHAPES:
            rows = [n for n, scene in enumerate(scenes) if len(scene.things) > k and scene.things[k][2] == shape]
            if rows:
                at = np.array([LAYOUTS[scenes[n].layout][0][k] for n in rows]) + moved[rows]
                colours[rows, 0, 0] = [COLOURS[scenes[n].things[k][1]] for n in rows]
                covered[rows] = _covered(shape, at, np.array([SIZES[scenes[n].things[k][0]] for n in rows]))
        pixels = pixels + covered[..., None] * (colours - pixels)
    return np.round(pixels + rng.uniform(-4, 4, pixels.shape)).clip(0, 255).astype(np.uint8)


def _covered(shape, at, size):
    """How much of each pixel lies within shapes, (N, SIDE, SIDE), whose middles are at (N, 2), of sizes (N,)."""
    middle = np.arange(SIDE) + 0.5
    y, x = middle[:, None] - at[:, 0, None, None], middle - at[:, 1, None, None]
    size = size[:, None, None]
    return (0.5 - _distance(shape, y, np.abs(x), size)).clip(0, 1)


def _distance(shape, y, x, r):
    """How far outside a shape a point is, y below and x beside its middle; the shape reaches r from there."""
    if shape == "circle":
        return np.hypot(y, x) - r
    if shape == "square":
        return np.maximum(np.abs(y), x) - 0.88 * r
    if shape == "triangle":  # of three equal sides, with a point at the top
        return np.maximum(y - r / 2, np.sqrt(3) / 2 * x - y / 2 - r / 2)
    if shape == "diamond":
        return (np.abs(y) + x - r) / np.sqrt(2)
    across, down = np.maximum(np.abs(y) - r / 3, x - r), np.maximum(np.abs(y) - r, x - r / 3)
    return np.minimum(across, down)  # a cross


def write_pictures(pictures: Iterable[Picture], folder: str | PathLike, name: str) -> Path:
    """Write FOLDER/NAME/00000.png and so on, and FOLDER/NAME.tsv, whose lines are a file and one of its sentences.

    The table is written last: where it is, all files are. Needs pillow.
    Returns: the path of the table. Raises: OSError.
    """
    from PIL import Image

    folder = arguments.path(folder, "folder")
    (folder / arguments.text(name, "name")).mkdir(parents=True, exist_ok=True)
    lines = []
    for k, one in enumerate(pictures):
        data = io.BytesIO()
        Image.fromarray(one.pixels).save(data, "png")
        file = f"{name}/{k:05}.png"
        (folder / file).write_bytes(data.getvalue())
        lines += [f"{file}\t{caption}\n" for caption in one.captions]
    write_atomically(table := folder / f"{name}.tsv", "".join(lines).encode())
    return table
