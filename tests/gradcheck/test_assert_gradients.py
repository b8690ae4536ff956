"""The check as an assertion: what a failing test says, and that it needs nothing of the layers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numseq.gradcheck import Check, assert_gradients

ROOT = Path(__file__).parents[2]
X, W = np.arange(6.0).reshape(3, 2) - 2.2, np.arange(8.0).reshape(2, 4) / 3 - 1.1


def linear(x, W):
    return x @ W


def right(dy, x, W):
    return {"dx": dy @ W.T, "dW": x.T @ dy}


def turned(dy, x, W):
    return {"dx": dy @ W.T, "dW": -x.T @ dy}


def misspelt(dy, x, W):
    return {"dx": dy @ W.T, "dw_": x.T @ dy}


def test_what_is_right_gives_the_check():
    result = assert_gradients(linear, {"x": X, "W": W}, backward=right)
    assert isinstance(result, Check) and result.ok


FIRST_LINES = {
    turned: "linear: WRONG: dW (its sign is turned)",
    misspelt: "linear: WRONG: backward gives no dW, but dw_: did you mean dW?",
}


@pytest.mark.parametrize("backward", FIRST_LINES)
def test_the_first_line_says_what_is_wrong_and_the_report_follows(backward):
    with pytest.raises(AssertionError) as info:
        assert_gradients(linear, {"x": X, "W": W}, backward=backward)
    first, *report = str(info.value).splitlines()
    assert first == FIRST_LINES[backward]
    assert report[0].startswith("linear: WRONG") and len(report) > 1


def test_the_name_and_the_method_are_handed_on():
    with pytest.raises(AssertionError, match=r"^mine: WRONG.*\nmine: WRONG, .*\(dW, central\)"):
        assert_gradients(linear, {"x": X, "W": W}, backward=turned, name="mine", method="central")


TEST_FILE = """
import sys
import numpy as np
from numseq.gradcheck import assert_gradients

def square(x):
    return x * x, lambda dy: 3 * x * dy

def test_square():
    assert not {"numseq.layers", "numseq.models", "numseq.mistakes"} & set(sys.modules)
    assert_gradients(square, np.arange(6.0))
"""


@pytest.mark.slow
def test_pytest_shows_the_summary_at_the_line_of_the_test_and_no_layer_is_needed(tmp_path):
    (tmp_path / "test_mine.py").write_text(TEST_FILE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    wide = os.environ | {"COLUMNS": "400"}  # or pytest shortens its summary
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=wide, check=False)
    said = done.stdout.splitlines()
    assert "1 failed" in said[-1]
    assert "E       AssertionError: square: WRONG: dx (it is 1.5 times what it should be)" in said
    assert any(line.endswith("test_mine.py:11: AssertionError") for line in said)
    summary = next(line for line in said if line.startswith("FAILED"))
    assert "AssertionError: square: WRONG: dx" in summary
    assert "core.py" not in done.stdout
