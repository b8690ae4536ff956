"""What the pictures of an error analysis show is what its tables say."""

import numpy as np
import pytest

from numseq import plots
from numseq.errors import ArgumentError
from numseq.metrics.errors import analyse, compare_errors
from numseq.search import Translation


def analysis(texts, references, **more):
    found = [
        Translation(text, ["s"] * (1 + k), [*text.split(), "<eos>"], None, -1.0 - k, -1.0 - k)
        for k, text in enumerate(texts)
    ]
    return analyse(found, references, **more)


@pytest.fixture(scope="module")
def found():
    return analysis(["a b", "a c", "λ b d", "a"], ["a b", "a b", "a b", "a b"], training=["a a b"])


def bars(axes):
    """The points of a panel with what their bars reach to: (x, y) arrays and segments."""
    [drawn] = axes.containers
    points, _, [lines] = drawn
    return points.get_xdata(), points.get_ydata(), [segment[:, 1].tolist() for segment in lines.get_segments()]


def test_one_page_has_the_rates_with_their_intervals(found, tmp_path):
    figure = plots.error_analysis(found, title="a model $")
    lengths, frequencies, kinds, edits, sure, confused = figure.axes
    assert bars(lengths)[1].tolist() == [0, 50, 100, 50]
    assert lengths.get_xticklabels()[0].get_text() == "1\n(1)"
    rows = found.by_frequency.rows
    assert bars(frequencies)[1] == pytest.approx([100 * row["right"].value for row in rows])
    assert bars(frequencies)[2] == [
        pytest.approx([100 * row["right"].low, 100 * row["right"].high]) for row in rows
    ]  # fmt: skip
    assert bars(kinds)[0].tolist() == [100 * row["error_rate"].value for row in found.unknown.rows]
    assert [patch.get_height() for patch in edits.patches] == [1, 2, 1], "of 0, 1 and 2 edits"
    assert np.all(np.diff(sure.lines[0].get_xdata()) > 0) and sure.lines[0].get_ydata().tolist() == [50, 100, 50, 0]
    assert [label.get_text() for label in confused.get_yticklabels()] == ["a → λ", "b → c"]
    assert all(axes.get_xlabel() for axes in figure.axes)
    plots.save(figure, tmp_path / "errors.png")


def test_without_training_data_or_errors_there_are_fewer_panels_and_bars():
    figure = plots.error_analysis(analysis(["a"], ["a"]))
    assert [axes.get_title() for axes in figure.axes if axes.axison] == [
        "by length", "kinds of lines (how many)", "how wrong lines are", "did the model know it?", "wanted → said",
    ]  # fmt: skip
    figure.draw_without_rendering()


def test_a_map_has_what_was_said_for_what_left_out_and_added(found):
    figure = plots.confusion_map(found)
    axes, bar = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["a", "b", "c", "d", "λ", "nothing"] == [label.get_text() for label in axes.get_xticklabels()]
    counts = {(names[round(t.get_position()[1])], names[round(t.get_position()[0])]): t.get_text() for t in axes.texts}
    assert counts == {("b", "c"): "1", ("a", "λ"): "1", ("b", "nothing"): "1", ("nothing", "d"): "1"}
    shares = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert shares[1, 2] == shares[1, 5] == shares[0, 4] == 25 and np.isnan(shares[0, 0])
    assert bar.get_ylabel() == "of the places where it was wanted (%)"


def test_a_large_map_has_the_tokens_with_the_most_edits():
    references = [f"w{k}" for k in range(60)] + ["often"] * 3
    axes = plots.confusion_map(analysis(["x"] * 63, references)).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == 41 and {"often", "x", "nothing"} <= {*names}


def test_only_added_tokens_have_a_map_too():
    plots.confusion_map(analysis(["a b"], ["a"])).draw_without_rendering()


def test_two_models_side_by_side():
    first, second = (analysis(texts, ["a b", "a b"]) for texts in (["a b", "a x"], ["x y", "a b"]))
    figure = plots.error_comparison(compare_errors(first, second), ("one $", "λ"))
    rates, differences, changed = figure.axes
    assert [[patch.get_height() for patch in bar] for bar in rates.containers] == [[25, 0, 50], [50, 100, 0]]
    assert [text.get_text() for text in rates.get_legend().get_texts()] == ["first: one $", "second: λ"]
    assert bars(differences)[1].tolist() == [25, 100, -50]
    better, worse = ([patch.get_height() for patch in bar] for bar in changed.containers)
    assert (better, worse) == ([50, 0, 100], [-50, -100, 0])
    figure.draw_without_rendering()


@pytest.mark.parametrize("draw", [plots.error_analysis, plots.confusion_map, plots.error_comparison])
def test_what_is_no_analysis_is_named(draw):
    with pytest.raises(ArgumentError, match=r"(analysis|comparison) is 3"):
        draw(3)


def test_where_all_is_right_there_is_no_map():
    with pytest.raises(ArgumentError, match="no confusion"):
        plots.confusion_map(analysis(["a"], ["a"]))
