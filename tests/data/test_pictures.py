"""Pictures from files: every kind becomes numbers of one size, and what cannot be read is one clear line."""

import warnings

import numpy as np
import pytest
from numpy.random import default_rng
from PIL import Image

from numseq.data import DataError, picture_files, pictures
from numseq.data.augmentation import centre_crop, mirror, random_crop
from numseq.data.picture_files import Pictures, normalize, read_pictures
from numseq.data.pictures import read_picture
from numseq.errors import ArgumentError

LEFT, RIGHT = (204, 102, 0), (0, 51, 255)  # which a palette of the web has
GREY = [round(0.299 * r + 0.587 * g + 0.114 * b) for r, g, b in (LEFT, RIGHT)]


def two_colours(rows=8, columns=12):
    pixels = np.empty((rows, columns, 3), np.uint8)
    pixels[:, : columns // 2], pixels[:, columns // 2 :] = LEFT, RIGHT
    return Image.fromarray(pixels)


def halves(path, size=(8, 12)):
    found = read_picture(path, size)
    assert found.shape == (*size, 3) and found.dtype == np.float32
    return 255 * found[size[0] // 2, 2], 255 * found[size[0] // 2, -3]


@pytest.mark.parametrize(
    ("mode", "file"),
    [("RGB", "a.png"), ("RGB", "a.bmp"), ("P", "a.gif"), ("P", "a.png"), ("RGBA", "a.png"), ("CMYK", "a.tiff"),
     ("RGB", "a.jpg"), ("CMYK", "a.jpg")],
)  # fmt: skip
def test_colours_are_the_same_of_every_kind_of_file(tmp_path, mode, file):
    two_colours().convert(mode).save(tmp_path / file)
    for found, wanted in zip(halves(tmp_path / file), (LEFT, RIGHT), strict=True):
        np.testing.assert_allclose(found, wanted, atol=12 if file.endswith("jpg") else 1e-3)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_is_in_all_three_colours(tmp_path, mode):
    two_colours().convert(mode).save(tmp_path / "a.png")
    for found, wanted in zip(halves(tmp_path / "a.png"), GREY, strict=True):
        np.testing.assert_allclose(found, 3 * [wanted], atol=1.01)


def test_sixteen_bits_are_not_cut_off_and_fractions_are_taken(tmp_path):
    ramp = np.linspace(0, 65535, 16).astype(np.uint16)
    Image.fromarray(np.tile(ramp, (16, 1))).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", (16, 16))
    np.testing.assert_allclose(found[3], np.repeat(ramp[:, None] / 65535, 3, axis=1), atol=1e-6)
    Image.fromarray(np.full((3, 3), 0.25, np.float32)).save(tmp_path / "b.tiff")
    np.testing.assert_allclose(read_picture(tmp_path / "b.tiff", (2, 2)), 0.25)


def test_what_is_transparent_is_white(tmp_path):
    image = two_colours().convert("RGBA")
    image.paste((9, 9, 9, 0), (0, 0, 6, 8))
    image.save(tmp_path / "a.png")
    left, right = halves(tmp_path / "a.png")
    assert left.tolist() == [255, 255, 255] and right.tolist() == list(RIGHT)


def test_the_middle_is_kept_and_a_picture_is_turned_as_it_says(tmp_path):
    two_colours(10, 40).save(tmp_path / "wide.png")
    found = 255 * read_picture(tmp_path / "wide.png", (10, 10))
    np.testing.assert_allclose(found[5, [1, 8]], [LEFT, RIGHT], atol=1e-3)
    turned = Image.Exif()
    turned[0x112] = 6  # the top is on the right
    two_colours().save(tmp_path / "a.png", exif=turned)
    found = 255 * read_picture(tmp_path / "a.png", (12, 8))
    np.testing.assert_allclose(found[[1, -2], 3], [LEFT, RIGHT], atol=1e-3)


def test_one_pixel_and_a_line_fill_any_size(tmp_path):
    for name, size in (("one.png", (1, 1)), ("line.png", (1, 3000))):
        Image.new("RGB", size, LEFT).save(tmp_path / name)
        np.testing.assert_allclose(255 * read_picture(tmp_path / name, (4, 6)), np.broadcast_to(LEFT, (4, 6, 3)))


def refusal(path):
    with warnings.catch_warnings(), pytest.raises(DataError) as info:
        warnings.simplefilter("error")
        read_picture(path, (4, 4))
    said = str(info.value)
    assert said.startswith(f"{path}: ") and "\n" not in said
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "tiff"])
def test_what_is_cut_short_is_said(tmp_path, kind):
    Image.fromarray(default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)).save(tmp_path / f"a.{kind}")
    whole, path = (tmp_path / f"a.{kind}").read_bytes(), tmp_path / f"cut.{kind}"
    for size, words in ((0, "not a picture"), (len(whole) // 2, "damaged or cut short"), (len(whole) - 99, "damaged")):
        path.write_bytes(whole[:size])
        assert refusal(path).startswith(words) and "leave it out" in refusal(path)


def test_what_is_no_picture_or_too_large_is_said_before_it_is_unpacked(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_text("a picture", encoding="utf-8")
    assert refusal(tmp_path / "a.png").startswith("not a picture that pillow can read: convert it to PNG")
    assert refusal(tmp_path / "none.png") == "no such file"
    assert refusal(tmp_path) == "a folder, and no picture"
    Image.fromarray(np.full((3, 3), 7.5, np.float32)).save(tmp_path / "b.tiff")
    assert refusal(tmp_path / "b.tiff").startswith("numbers from 7.5 to 7.5, and not from 0 to 1")
    monkeypatch.setattr(pictures, "MOST", 10_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    for side, words in ((120, "120 x 120 pixels, and at most 10,000"), (180, "180 x 180"), (220, "more than 10,000")):
        Image.new("L", (side, side)).save(tmp_path / "large.png")
        assert refusal(tmp_path / "large.png").startswith(words)


def corpus(folder, n=4):
    """So many files, each of one colour, and the names of them and of one that is none."""
    for k in range(n):
        Image.new("RGB", (6, 6), (40 * k, 100, 255)).save(folder / f"{k}.png")
    (folder / "broken.png").write_bytes(b"no")
    return ["0.png", "broken.png", *(f"{k}.png" for k in range(n))]


def test_each_file_is_read_once_and_what_cannot_be_read_is_left_out(tmp_path, monkeypatch):
    names, ticks = corpus(tmp_path), []
    found = read_pictures(names, (5, 5), tmp_path / "cache", tmp_path, ticks.append)
    assert found.names == ["0.png", "1.png", "2.png", "3.png"] and len(ticks) == 5
    assert isinstance(found.pixels.base, np.memmap) and found.pixels.dtype == np.uint8
    assert found.pixels[:, 2, 2].tolist() == [[40 * k, 100, 255] for k in range(4)]
    monkeypatch.setattr(picture_files, "read_picture", None)
    again = read_pictures(names, (5, 5), tmp_path / "cache", tmp_path)
    np.testing.assert_array_equal(again.pixels, found.pixels)
    assert again.left_out == found.left_out and [*again.left_out] == ["broken.png"]
    batch = again.batch(again.rows(["3.png", "1.png"]))
    assert batch.shape == (5, 5, 2, 3) and batch.dtype == np.float32 and "1.png" in again and len(again) == 4
    np.testing.assert_allclose(255 * batch[4, 0, 0], [120, 100, 255], rtol=1e-6)
    with pytest.raises(DataError, match="broken.png: not a picture"):
        again.rows(["broken.png"])
    with pytest.raises(DataError, match="no picture is called '9.png'"):
        again.rows(["9.png"])


def test_another_size_and_a_changed_file_are_read_anew_and_nothing_at_all_is_an_error(tmp_path):
    names = corpus(tmp_path, 2)
    read_pictures(names, (5, 5), tmp_path / "cache", tmp_path)
    assert read_pictures(names, (4, 6), tmp_path / "cache", tmp_path).pixels.shape == (2, 4, 6, 3)
    Image.new("RGB", (60, 60), (7, 7, 7)).save(tmp_path / "0.png")
    assert (read_pictures(names, (5, 5), tmp_path / "cache", tmp_path).pixels[0] == 7).all()
    with pytest.raises(DataError, match="none of 1 pictures can be read; the first: .*broken.png: not a picture"):
        read_pictures(["broken.png"], (5, 5), tmp_path / "cache", tmp_path)
    with pytest.raises(DataError, match="names is empty"):
        read_pictures([], (5, 5), tmp_path / "cache", tmp_path)


def test_normalized_pictures_have_mean_0_and_deviation_1(monkeypatch):
    monkeypatch.setattr(picture_files, "PIECE", 2)
    pixels = default_rng(0).integers(0, 200, (5, 4, 4, 3)).astype(np.uint8)
    pixels[..., 2] = 9  # a colour that never varies
    some = Pictures([*"abcde"], pixels)
    x = normalize(some.batch(np.arange(5)), *some.mean_and_std())
    np.testing.assert_allclose(x.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std((0, 1, 2)), [1, 1, 0], atol=1e-5)


def test_a_mirror_exchanges_left_and_right_of_every_other_picture():
    x = default_rng(0).random((3, 4, 400, 2)).astype(np.float32)
    seen = mirror(default_rng(1), x)
    same = (seen == x).all((0, 1, 3))
    assert (seen[:, ::-1][:, :, ~same] == x[:, :, ~same]).all()
    assert 150 < same.sum() < 250


def test_a_crop_is_a_part_of_its_own_picture_wherever_it_falls():
    rows, columns, picture = np.meshgrid(np.arange(5), np.arange(7), np.arange(300), indexing="ij")
    x = np.stack([rows, columns, picture], -1).astype(np.float32)  # each pixel says where it is
    seen = random_crop(default_rng(0), x, (3, 4))
    assert seen.shape == (3, 4, 300, 3)
    corners = seen[0, 0]
    assert {tuple(corner) for corner in corners[:, :2].tolist()} == {(r, c) for r in range(3) for c in range(4)}
    for axis in (0, 1):
        steps = np.arange(seen.shape[axis]).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
        assert (seen[..., axis] == corners[:, axis] + steps).all()
    assert (seen[..., 2] == np.arange(300)).all()
    assert centre_crop(x, (3, 5))[0, 0, 0].tolist() == [1, 1, 0]
    with pytest.raises(ArgumentError, match=r"size is \(6, 4\): the pictures are 5 x 7"):
        random_crop(default_rng(0), x, (6, 4))
    with pytest.raises(ArgumentError, match=r"x has shape \(5, 7, 300\): it must be \(rows, columns, B, D\)"):
        mirror(default_rng(0), x[..., 0])
