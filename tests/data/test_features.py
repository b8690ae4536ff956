"""Features that another network made: an array on the disk and the names of its rows."""

import numpy as np
import pytest
from numpy.random import default_rng

from numseq.data import DataError
from numseq.data.features import FeatureArray
from numseq.errors import ConfigError

NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def write(folder, array, names=NAMES):
    np.save(folder / "a.npy", array)
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return folder / "a.npy", folder / "names.txt"


def numbers(kind=np.float32):
    return (10 * default_rng(0).standard_normal((3, 4, 5))).astype(kind)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4", np.int8])
def test_a_batch_has_positions_first_in_the_order_that_was_asked_for(tmp_path, kind):
    array = numbers(kind)
    found = FeatureArray(*write(tmp_path, array), scale=0.5)
    assert (len(found), found.positions, found.size) == (3, 4, 5)
    assert isinstance(found.array.base, np.memmap)
    batch = found.batch(found.rows(["c.jpg", "a.jpg", "c.jpg"]))
    assert batch.shape == (4, 3, 5) and batch.dtype == np.float32
    np.testing.assert_allclose(batch[2], [0.5 * array[row, 2].astype(np.float32) for row in (2, 0, 2)], rtol=1e-6)
    again = FeatureArray(**found.options())
    np.testing.assert_array_equal(again.read("c.jpg"), batch[:, 0])
    assert again.places("c.jpg", 4) == ["1", "2", "3", "4"]


def test_a_name_may_have_a_folder_before_it(tmp_path):
    found = FeatureArray(*write(tmp_path, numbers(), ["a.jpg", "b.jpg", "old/a.jpg"]))
    assert found.rows(["old/a.jpg", "new/a.jpg", "b.jpg"]).tolist() == [2, 0, 1]


def test_what_is_not_there_or_not_finite_is_named(tmp_path):
    array = numbers()
    array[1, 2, 3] = np.nan
    found = FeatureArray(*write(tmp_path, array))
    with pytest.raises(DataError, match="a.npy has no features of 'd.jpg': leave it out"):
        found.rows(["a.jpg", "d.jpg"])
    assert np.isfinite(found.batch(np.array([0, 2]))).all()
    with pytest.raises(DataError, match="a.npy: b.jpg has numbers that are not finite"):
        found.batch(np.array([0, 1]))


@pytest.mark.parametrize(
    ("array", "names", "words"),
    [
        (np.ones((3, 4)), NAMES, r"float64 of shape \(3, 4\): features are \(N, positions, D\)"),
        (np.ones((3, 4, 5), np.int64), NAMES, "int64 of shape"),
        (np.ones((0, 4, 5)), [], "features are"),
        (np.array([None]), NAMES, "not a whole .npy file of numbers"),
        (numbers(), NAMES[:2], "names.txt has 2 names, and .*a.npy has 3 rows"),
        (numbers(), ["a", "b", "a"], "names.txt has 'a' twice"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, array, names, words):
    with pytest.raises(DataError, match=words):
        FeatureArray(*write(tmp_path, array, names))


def test_files_that_are_no_array_are_refused_and_bytes_need_a_scale(tmp_path):
    path, names = write(tmp_path, numbers(np.int8))
    with pytest.raises(ConfigError, match="holds int8: say what a step of it is worth"):
        FeatureArray(path, names)
    whole = path.read_bytes()
    for data in (b"", b"text", whole[:40], whole[:-9]):
        path.write_bytes(data)
        with pytest.raises(DataError, match="a.npy: not a whole .npy file of numbers"):
            FeatureArray(path, names, scale=1)
    np.savez(tmp_path / "a.npz", a=numbers())
    with pytest.raises(DataError, match="several arrays"):
        FeatureArray(tmp_path / "a.npz", names)
    with pytest.raises(DataError, match="none.npy: no such file"):
        FeatureArray(tmp_path / "none.npy", names)
    with pytest.raises(DataError, match="cannot be read"):
        FeatureArray(tmp_path, names)
