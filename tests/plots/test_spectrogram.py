"""A sound over time, and where a decoder looked in it."""

import numpy as np
import pytest

from numseq.data.sound.features import FeatureOptions
from numseq.data.sound.mel import edges
from numseq.errors import ArgumentError
from numseq.plots import save, spectrogram

OPTIONS = FeatureOptions(rate=8000, filters=20, deltas=1)
FRAMES = np.random.default_rng(0).standard_normal((120, 40))
ALPHA = np.full((3, 30), 1 / 30)


def test_time_frequencies_and_tokens_are_written():
    figure = spectrogram(FRAMES, OPTIONS, alpha=ALPHA, target=["one", "", "drei"], title="$5")
    above, below = figure.axes[:2]
    figure.canvas.draw()
    assert above.get_xlim() == below.get_xlim() == (0, 1.2) and below.get_xlabel() == "seconds"
    np.testing.assert_array_equal(above.images[0].get_array(), FRAMES[:, :20].T)
    assert above.get_yticklabels()[0].get_text() == f"{edges(20, 0, 4000, 'slaney')[1]:.0f}"
    assert below.get_yticklabels()[0].get_text() == "one"
    assert above.get_title() == "$5"


def test_it_is_saved_with_sound_alone(tmp_path):
    for kind in ("mel", "cepstra", "file"):
        options = FeatureOptions(rate=8000, kind=kind, filters=20, cepstra=20)
        save(spectrogram(FRAMES[:1, :20], options), tmp_path / f"{kind}.png")
        assert (tmp_path / f"{kind}.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"frames": FRAMES[:, :19]}, "frames has shape"),
        ({"frames": FRAMES[:0]}, "frames has shape"),
        ({"frames": np.full((3, 40), np.nan)}, "not finite"),
        ({"target": None}, "target is None"),
        ({"alpha": None}, "alpha is None"),
        ({"target": ["one"]}, r"alpha has shape \(3, 30\): 1 tokens and 120 frames"),
        ({"alpha": np.full((3, 121), 0.1)}, "or fewer"),
        ({"alpha": 2 * np.ones((3, 30))}, "weights from 0 to 1"),
        ({"options": None}, "options is None"),
    ],
)
def test_what_does_not_fit_is_named(wrong, said):
    given = {"frames": FRAMES, "options": OPTIONS, "alpha": ALPHA, "target": ["a", "b", "c"]} | wrong
    with pytest.raises(ArgumentError, match=said):
        spectrogram(given.pop("frames"), given.pop("options"), **given)
