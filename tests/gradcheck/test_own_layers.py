"""Layers of readers' own, in every style: judged rightly, and what is said of each, which stands in own/said.txt.

`python tests/gradcheck/test_own_layers.py` writes own/said.txt anew: read what changed.
"""

import re
import traceback
from pathlib import Path

import pytest
from own import WAYS

from numseq.gradcheck import check

SAID = Path(__file__).parent / "own" / "said.txt"
VARIES = {  # what rounding, an edit or a release of a library may change: what stands for it
    r", worst relative error \S+ \([^)]*\)": "",
    r"off by \d\.\de[-+]\d\d": "off by #",
    r", line \d+": "",
}


def tried(way):
    """(ok, or None for an error; the error, or None; what is said; that of it which is numseq's)."""
    args, options = way.make()
    try:
        result = check(*args, **options)
    except Exception as error:
        kind, last = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1].filename
        said = f"{kind}: {error}"
        return None, error, said, said if "numseq/gradcheck" in Path(last).as_posix() else f"{kind} of the layer's own"
    return result.ok, None, str(result), str(result)


def normal(said):
    for pattern, put in VARIES.items():
        said = re.sub(pattern, put, said)
    return said.rstrip() + "\n"


@pytest.mark.parametrize("name", WAYS)
def test_a_layer_of_ones_own_is_judged_rightly_and_told_so(name):
    way = WAYS[name]
    ok, error, said, ours = tried(way)
    missing = [words for words in way.says if not re.search(words, said, re.IGNORECASE)]
    assert not missing, said
    if way.right is not None:
        assert ok is way.right, said
    elif way.error is not None:
        assert isinstance(error, way.error), said
    assert f"## {name}\n{normal(ours)}" in SAID.read_text(), f"read this, and write own/said.txt anew:\n{normal(ours)}"


def test_nothing_is_said_of_ways_that_are_no_longer_there():
    assert re.findall("^## (.*)", SAID.read_text(), re.MULTILINE) == list(WAYS)


if __name__ == "__main__":
    SAID.write_text("\n".join(f"## {name}\n{normal(tried(way)[3])}" for name, way in WAYS.items()))
