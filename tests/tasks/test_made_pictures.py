"""Pictures of shapes that make themselves: what their sentences say can be seen in their pixels."""

import re

import numpy as np
import pytest
from numpy.random import default_rng

from numseq.errors import ArgumentError
from numseq.tasks.made.pictures import COLOURS, SHAPES, SIDE, SIZES, Scene, draw_scenes, make_pictures, write_pictures

THING = r"(a \w+ \w+ \w+)"
SIDE_BY_SIDE = re.compile(rf"{THING} (left of|right of|above|below) {THING}")


def test_the_same_seed_makes_the_same_and_no_scene_is_in_two_lists():
    made, again, other = (make_pictures(30, 8, 12, seed) for seed in (1, 1, 2))
    everything = [*made.train, *made.valid, *made.test]
    assert [len(made.train), len(made.valid), len(made.test)] == [30, 8, 12]
    assert len({one.scene for one in everything}) == 50
    assert [one.captions for one in made.test] == [one.captions for one in again.test]
    assert [one.captions for one in made.test] != [one.captions for one in other.test]
    apart = np.array([one.pixels for one in made.train], int) - np.array([one.pixels for one in again.train], int)
    assert np.abs(apart).max() <= 1
    assert {one.pixels.shape for one in everything} == {(SIDE, SIDE, 3)} and made.train[0].pixels.dtype == np.uint8
    assert {len(one.scene.things) for one in everything} == {1, 2, 3}


def test_a_picture_has_up_to_three_different_sentences():
    assert all(len(set(one.captions)) == 3 for one in make_pictures(20, 0, 0, 0).train)
    assert all(len(one.captions) == 1 for one in make_pictures(20, 0, 0, 0, captions=1).train)
    with pytest.raises(ArgumentError, match="captions is 4: it must be a whole number of at least 1 and at most 3"):
        make_pictures(1, 0, 0, 0, captions=4)


def middles(picture):
    """{"a large red circle": (row, column)}: where the pixels of each colour are."""
    found = {}
    for size, colour, shape in picture.scene.things:
        [at] = [np.argwhere(np.abs(picture.pixels - np.array(COLOURS[colour], float)).max(-1) < 12).mean(0)]
        found[f"a {size} {colour} {shape}"] = at
    return found


def holds(relation, a, b):
    row, column = a - b
    return {"left of": column < -5, "right of": column > 5, "above": row < -5, "below": row > 5}[relation]


PLACE = {
    "on the left": lambda at: at[1] < 11, "on the right": lambda at: at[1] > 20, "at the top": lambda at: at[0] < 11,
    "at the bottom": lambda at: at[0] > 20, "in the middle": lambda at: np.abs(at - 16).max() < 4,
}  # fmt: skip


def is_true(caption, at):
    """Whether a sentence is, by the middles of what it names; it names all that there is."""
    names = re.findall(THING, caption)
    assert set(names) == set(at)
    if len(names) == 1:
        [place] = [place for place in PLACE if place in caption]
        return PLACE[place](at[names[0]])
    if len(names) == 2 and "and" in caption:
        return all(PLACE[place](at[name]) for name, place in re.findall(rf"{THING} (\w+ the \w+)", caption))
    if found := re.fullmatch(rf"{THING} (\w+(?: of)?) {THING} and {THING}", caption):
        one, relation, *others = found.groups()
        return all(holds(relation, at[one], at[other]) for other in others)
    first, relation, second = SIDE_BY_SIDE.match(caption).groups()
    true = holds(relation, at[first], at[second])
    if len(names) == 3:
        [third] = set(at) - {first, second}
        if found := re.search(r", both (left of|right of|above|below)", caption):
            true &= all(holds(found[1], at[one], at[third]) for one in (first, second))
        else:
            last = caption.split(" ")[-1]
            relation = {"left": "left of", "right": "right of"}.get(last, last)
            true &= all(holds(relation, at[third], at[one]) for one in (first, second))
    return true


def test_every_sentence_is_true_of_its_picture():
    checked = 0
    for picture in make_pictures(150, 0, 0, 3).train:
        if len({colour for _, colour, _ in picture.scene.things}) == len(picture.scene.things):
            at = middles(picture)
            assert [caption for caption in picture.captions if not is_true(caption, at)] == []
            checked += len(picture.captions)
    assert checked > 200
    assert not is_true("a large red circle left of a small blue cross", {
        "a large red circle": np.array([16, 24]), "a small blue cross": np.array([16, 8])
    })  # fmt: skip


AREAS = {"circle": np.pi, "square": 4 * 0.88**2, "triangle": 27**0.5 / 4, "diamond": 2, "cross": 20 / 9}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_covers_its_area_wherever_it_is(shape):
    for size, reach in SIZES.items():
        pictures = draw_scenes([Scene("in the middle", ((size, "black", shape),))] * 8, default_rng(0)).astype(float)
        ground = pictures[:, :4].mean((1, 2, 3), keepdims=True)
        covered = ((ground - pictures) / (ground - 35)).mean(-1).sum((1, 2))
        assert abs(covered.mean() / (AREAS[shape] * reach**2) - 1) < 0.06


def test_files_are_png_and_a_table_with_a_line_for_each_sentence(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    some = make_pictures(2, 0, 0, 0).train
    table = write_pictures(some, tmp_path / "new", "test")
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    assert lines == [[f"test/{k:05}.png", caption] for k, one in enumerate(some) for caption in one.captions]
    for k, one in enumerate(some):
        with Image.open(table.parent / f"test/{k:05}.png") as read:
            np.testing.assert_array_equal(np.asarray(read), one.pixels)
