"""Pictures: what is drawn where, in which letters, and how it is written to a file."""

import math
import os
import subprocess
import sys
import types
import warnings

import matplotlib
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager

from numseq import plots
from numseq.gradcheck import Check, check, sweep
from numseq.layers import ctc_loss
from numseq.mistakes import cases
from numseq.plots import figure as figures
from numseq.plots import fonts

RNG = np.random.default_rng(0)


def weights(T, S):
    return RNG.dirichlet(np.ones(S), size=T)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def only_dejavu(monkeypatch):
    face = fontManager.findfont(FontProperties(family=["DejaVu Sans"]))
    monkeypatch.setattr(fonts, "_faces", lambda: {"DejaVu Sans": (str(face), 0)})


# attention_map


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_attention_map_names_rows_and_columns(dtype):
    source, target = ["the", "black", "cat", "<eos>"], ["le", "chat", "noir"]
    alpha = weights(3, 4).astype(dtype)
    figure = plots.attention_map(alpha, source, target, title="a $5 cat")
    axes, bar = figure.axes
    assert labels(axes.xaxis) == source and labels(axes.yaxis) == target
    assert list(axes.get_xticks()) == [0, 1, 2, 3] and list(axes.get_yticks()) == [0, 1, 2]
    [image] = axes.images
    np.testing.assert_array_equal(image.get_array(), alpha)
    assert image.get_clim() == (0, 1)
    assert "attention weight" in (bar.get_xlabel(), bar.get_ylabel())
    assert axes.get_title() == "a $5 cat" and not axes.title.get_parse_math()
    assert axes.xaxis.get_label_position() == "top"


def test_weight_of_target_t_and_source_s_is_at_row_t_column_s():
    alpha = np.zeros((3, 5))
    alpha[0, 3] = 1
    figure = plots.attention_map(alpha, list("abcde"), list("xyz"))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels, axes = np.asarray(canvas.buffer_rgba()), figure.axes[0]

    def colour(s, t):
        x, y = axes.transData.transform((s, t))
        return pixels[len(pixels) - 1 - round(y), round(x), :3]

    yellow, purple = np.array([253, 231, 37]), np.array([68, 1, 84])  # the two ends of viridis
    for t in range(3):
        for s in range(5):
            np.testing.assert_allclose(colour(s, t), yellow if (t, s) == (0, 3) else purple, atol=3)
    assert axes.transData.transform((0, 0))[1] > axes.transData.transform((0, 2))[1]


def test_words_lean_and_characters_stand():
    words = plots.attention_map(weights(2, 5), ["I", "see", "a", "cat", "."], ["x", "y"])
    assert {label.get_rotation() for label in words.axes[0].get_xticklabels()} == {45}
    characters = plots.attention_map(weights(2, 7), [*"3 July", "<eos>"], ["x", "y"])
    assert [label.get_rotation() for label in characters.axes[0].get_xticklabels()] == [0] * 6 + [90]


def test_labels_make_everything_visible():
    source = ["a b", "\n", "\u3000", "$x_1$", "w" * 60]
    figure = plots.attention_map(weights(1, 5), source, [""])
    shown = labels(figure.axes[0].xaxis)
    assert shown[:4] == ["a␣b", "\\n", "␣", "$x_1$"]
    assert shown[4].endswith("...") and len(shown[4]) == figures.LONGEST_LABEL
    FigureCanvasAgg(figure).draw()
    assert not any(label.get_parse_math() for label in figure.axes[0].get_xticklabels())


def test_title_is_wrapped_and_keeps_its_own_lines(recwarn):
    title = plots.attention_map(weights(1, 1), ["a"], ["x"], title="one\n" + "word " * 20).axes[0].get_title()
    assert title.startswith("one\nword") and max(map(len, title.splitlines())) < 40 and not recwarn.list


def test_size_grows_with_the_sequences_within_bounds():
    def size(T, S):
        return plots.attention_map(weights(T, S), ["ab"] * S, ["cd"] * T).get_size_inches()

    small, wide, huge = size(5, 5), size(5, 40), size(400, 400)
    assert wide[0] > 2 * small[0] and wide[1] == pytest.approx(small[1], rel=0.3)
    assert max(huge) < figures.LARGEST_SIDE + 5


def test_very_long_sequences_keep_legible_labels_at_the_right_places():
    source = [str(s) for s in range(600)]
    axes = plots.attention_map(weights(3, 600), source, list("xyz")).axes[0]
    ticks = axes.get_xticks()
    assert 50 < len(ticks) < 600 and labels(axes.xaxis) == [source[s] for s in ticks]


@pytest.mark.parametrize(
    ("alpha", "words"),
    [
        (np.full((3, 2), 0.5), ["(3, 2)", "2 target", "3 source", "(2, 3)"]),
        (np.full((2, 3, 1), 0.5), ["(T, S)", "(2, 3, 1)"]),
        (np.zeros((0, 3)), ["(0, 3)"]),
        (np.array([[0, 1, 0], [0, np.nan, 0]]), ["not finite"]),
        (np.array([[0, 1, 0], [-4, 3, 0]]), ["from 0 to 1", "-4", "3"]),
    ],
)
def test_attention_map_says_what_is_wrong_with_alpha(alpha, words):
    with pytest.raises(ValueError) as error:
        plots.attention_map(alpha, list("abc"), list("xy"))
    message = str(error.value)
    assert "\n" not in message and all(word in message for word in words), message


# Fonts


def test_default_font_is_kept_for_what_it_has():
    text = frozenset("déjà vu Привет γάτα שלום سلام")
    assert fonts._families(text) == (FontProperties().get_family(), frozenset())


def test_missing_characters_are_warned_of_once_and_drawn_as_codes(monkeypatch):
    only_dejavu(monkeypatch)
    with pytest.warns(UserWarning) as caught:
        figure = plots.attention_map(weights(2, 2), ["中", "a中b"], ["文", "中"], title="中 title")
    [warning] = caught
    message = str(warning.message)
    assert "中 (U+4E2D)" in message and "文 (U+6587)" in message and "Noto Sans CJK" in message
    assert "\n" not in message and warning.filename == __file__
    axes = figure.axes[0]
    assert labels(axes.xaxis) == ["U+4E2D", "aU+4E2Db"] and labels(axes.yaxis) == ["U+6587", "U+4E2D"]
    assert axes.get_title() == "U+4E2D title"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of every box that it draws
        FigureCanvasAgg(figure).draw()


def test_format_characters_without_a_shape_are_left_out_quietly(monkeypatch, recwarn):
    only_dejavu(monkeypatch)
    monkeypatch.setattr(fonts, "_characters", lambda path, index: frozenset("ab"))
    [(shown, _)] = fonts.drawable(["a\u200db"])
    assert shown == ["ab"] and not recwarn.list


@pytest.mark.parametrize(
    ("text", "families"),
    [
        ("我们 <eos>", ["Some Sans SC", "sans-serif"]),
        ("我の <eos>", ["Some Sans JP", "sans-serif"]),
        ("我한 <eos>", ["Some Sans KR", "sans-serif"]),
        ("ก <eos>", ["Thai", "sans-serif"]),
        ("我ก", ["Some Sans SC", "Thai", "sans-serif"]),
        ("➿ <eos>", ["sans-serif", "Signs"]),
    ],
)
def test_families_are_chosen_by_what_they_have(monkeypatch, text, families):
    east_asian = "我们の한<eos>"
    installed = dict.fromkeys(["Some Sans JP", "Some Sans KR", "Some Sans SC", "Old Serif SC"], east_asian)
    installed |= {"Thai": "ก", "Thai of one kind": "", "Signs": "➿ <eos>", "My Sans Mono SC": east_asian}
    monkeypatch.setattr(fonts, "_faces", lambda: {name: (name, 0) for name in installed})
    monkeypatch.setattr(fonts, "_characters", lambda path, index: frozenset(installed.get(path, " <eos>")))
    with matplotlib.rc_context({"font.family": ["sans-serif"]}):
        assert fonts._families(frozenset(text)) == (families, frozenset())


def test_fallback_draws_with_real_fonts():
    with matplotlib.rc_context({"font.family": ["cmr10"], "axes.formatter.use_mathtext": True}):
        figure = plots.attention_map(weights(2, 2), ["кот", "the"], ["chat", "<eos>"])
    families = figure.axes[0].get_xticklabels()[0].get_fontfamily()
    assert families[-1] == "cmr10" and len(families) == 2  # an installed font with Cyrillic goes before it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(figure).draw()


def test_box_font_is_never_chosen_and_fonts_are_found_by_face():
    faces = fonts._faces()
    assert "DejaVu Sans" in faces and not any(name.startswith("Last Resort") for name in faces)
    assert "Oblique" not in faces["DejaVu Sans"][0] and "Bold" not in faces["DejaVu Sans"][0]


def test_arabic_letters_join():
    """Joined letters are narrower than the same letters alone: the text is shaped, not only placed."""
    figure = plots.attention_map(weights(1, 2), ["ببب", "ب"], ["x"])
    renderer = FigureCanvasAgg(figure).get_renderer()
    word, letter = figure.axes[0].get_xticklabels()
    for label in (word, letter):
        label.set_rotation(0)
    assert word.get_window_extent(renderer).width < 2.5 * letter.get_window_extent(renderer).width


# learning_curve


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


def test_learning_curve_draws_both_losses_and_rings_the_best_epoch():
    valid = [3.0, 1.5, 2.0]
    metrics = [
        {"epoch": n, "train_loss": 4.0 - n, "valid_perplexity": math.exp(loss), "valid_exact": 0.0, "lr": 0.1}
        for n, loss in enumerate(valid, start=1)
    ]
    figure = plots.learning_curve(metrics, title="dates")
    drawn = lines(figure)
    assert list(drawn) == ["training", "validation", "best: 1.5 at epoch 2"]
    np.testing.assert_allclose(drawn["training"].get_xydata(), [(1, 3), (2, 2), (3, 1)])
    np.testing.assert_allclose(drawn["validation"].get_xydata(), [(1, 3), (2, 1.5), (3, 2)])
    np.testing.assert_allclose(drawn["best: 1.5 at epoch 2"].get_xydata(), [(2, 1.5)])
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (nats per token)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(drawn)
    assert axes.get_title() == "dates"


def test_learning_curve_prefers_the_loss_and_skips_what_is_not_there():
    metrics = [
        {"epoch": 1, "train_loss": 3.0, "valid_loss": 2.0, "valid_perplexity": 99.0},
        {"epoch": 2, "train_loss": math.nan, "valid_loss": None},
        {"epoch": 3, "train_loss": 2.0, "valid_perplexity": math.inf},
    ]
    drawn = lines(plots.learning_curve(metrics))
    np.testing.assert_allclose(drawn["training"].get_xydata(), [(1, 3), (3, 2)])
    np.testing.assert_allclose(drawn["validation"].get_xydata(), [(1, 2)])
    assert list(lines(plots.learning_curve([{"epoch": 1, "train_loss": 3.0}]))) == ["training"]


def test_learning_curve_of_one_epoch():
    figure = plots.learning_curve([{"epoch": 1, "train_loss": 3.0, "valid_loss": 2.5}])
    FigureCanvasAgg(figure).draw()
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize("metrics", [[], [{"epoch": 1, "lr": 0.1}], [{"train_loss": math.nan}]])
def test_learning_curve_needs_a_loss(metrics):
    with pytest.raises(ValueError, match="metrics"):
        plots.learning_curve(metrics)


# learning_curves


def metrics_of(train, valid, **more):
    lines = [
        {"epoch": n, "train_loss": a, "valid_loss": b} for n, (a, b) in enumerate(zip(train, valid, strict=True), 1)
    ]
    return [line | {key: values[k] for key, values in more.items()} for k, line in enumerate(lines)]


def test_learning_curves_draw_both_losses_of_each_run_in_its_colour():
    runs = {"a $5 rate": metrics_of([3, 1], [4, 2]), "seeds": [metrics_of([5, 0.5], [6, 0.6]), metrics_of([7], [8])]}
    figure = plots.learning_curves(runs, title="two $runs")
    [axes] = figure.axes
    drawn = [(line.get_linestyle(), line.get_color(), line.get_xydata().tolist()) for line in axes.lines]
    first, second = figures.COLOURS[:2]
    assert drawn == [
        ("--", first, [[1, 3], [2, 1]]), ("-", first, [[1, 4], [2, 2]]),
        ("--", second, [[1, 5], [2, 0.5]]), ("-", second, [[1, 6], [2, 0.6]]),
        ("--", second, [[1, 7]]), ("-", second, [[1, 8]]),
    ]  # fmt: skip
    assert axes.lines[-1].get_marker() == "."  # a line of one point is none
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("epoch", "loss (nats per token)", "log")
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a $5 rate", "seeds", "training", "validation"]
    assert [line.get_color() for line in legend.get_lines()][:2] == [first, second]
    assert axes.get_title() == "two $runs" and not any(text.get_parse_math() for text in legend.get_texts())


def test_an_axis_of_losses_has_more_than_one_number_to_read():
    for last, wanted in ((1.5, "2 3"), (0.21, "0.2 0.5 1 2"), (0.04, "0.1 1")):
        [axes] = plots.learning_curves({"run": metrics_of([3, last], [3, last])}).axes
        axes.figure.draw_without_rendering()
        low, high = axes.get_ylim()
        ticks = [*axes.yaxis.get_major_ticks(), *axes.yaxis.get_minor_ticks()]
        marks = [(tick.get_loc(), tick.label1.get_text()) for tick in ticks]
        assert " ".join(text for at, text in sorted(marks) if low <= at <= high and text) == wanted


def test_learning_curves_against_several_numbers_have_a_panel_each():
    run = metrics_of([3, 2], [4, 3], updates=[10, 20], seconds=[0.5, 1.5])
    figure = plots.learning_curves({"run": run}, x=("updates", "seconds"), log=False, title="both")
    assert [axes.get_xlabel() for axes in figure.axes] == ["updates", "seconds"]
    assert [axes.lines[1].get_xdata().tolist() for axes in figure.axes] == [[10, 20], [0.5, 1.5]]
    assert figure.axes[0].get_yscale() == "linear" and figure.axes[0].get_shared_y_axes().joined(*figure.axes)
    assert figure.get_suptitle() == "both"


def test_a_run_that_diverged_ends_with_a_cross():
    run = metrics_of([3, 9, math.nan], [4, math.inf, math.nan])
    [axes] = plots.learning_curves({"run": run}).axes
    crosses = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "x"]
    assert crosses == [[[2, 9]], [[1, 4]]]
    whole = [{"train_loss": 3.0}, {"train_loss": 2.0}]
    figure = plots.learning_curves({"run": whole})
    assert [line.get_xydata().tolist() for line in figure.axes[0].lines] == [[[1, 3], [2, 2]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["run", "training"]


@pytest.mark.parametrize("count", [7, 12])
def test_as_many_runs_as_there_are_have_colours_of_their_own(count):
    runs = {f"run {k}": metrics_of([3, 2], [4, 3]) for k in range(count)}
    [axes] = plots.learning_curves(runs).axes
    assert len({matplotlib.colors.to_hex(line.get_color()) for line in axes.lines}) == count


@pytest.mark.parametrize(
    ("runs", "x", "message"),
    [
        ({}, "epoch", "runs is empty"),
        ({"a": [{"train_loss": 1}]}, (), "x is empty"),
        ({"a": []}, "epoch", r"runs\['a'\] is empty"),
        ({"a": [[{"train_loss": 1}], []]}, "epoch", r"runs\['a'\]\[1\] is empty"),
        ({"a": [{"epoch": 1}]}, "epoch", r"runs\['a'\] holds no finite"),
        ({"a": [{"epoch": 1, "wer": None}]}, ("epoch", "wer"), r"holds no finite wer: there are epoch, wer"),
        ({"a": [{"epoch": 1, "wer": "x"}]}, ("epoch", "wer"), r"runs\['a'\]\[0\] has the wer 'x'"),
        ({"a": [{"epoch": 1}]}, ("epoch", []), "y is empty"),
        ({"a": [{"train_loss": 1}]}, "seconds", r"runs\['a'\]\[0\] has no seconds: there are train_loss"),
    ],
)
def test_learning_curves_name_what_they_lack(runs, x, message):
    x, y = x if x and len(x) == 2 else (x, "loss")
    with pytest.raises(ValueError, match=message):
        plots.learning_curves(runs, x=x, y=y)


def test_other_numbers_have_a_row_each():
    runs = {"a": metrics_of([3, 1], [4, 2], bleu=[0, 30], updates=[5, 10]),
            "b": metrics_of([5, 2], [6, 3], bleu=[None, 20], updates=[5, 10])}  # fmt: skip
    figure = plots.learning_curves(runs, x=("epoch", "updates"), y=("loss", "bleu"))
    losses, _, bleu, by_update = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss (nats per token)", "", "bleu", ""]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "epoch", "updates"]
    assert (losses.get_yscale(), bleu.get_yscale()) == ("log", "linear")
    assert [(line.get_linestyle(), line.get_xydata().tolist()) for line in by_update.lines] == [
        ("-", [[5, 0], [10, 30]]), ("-", [[10, 20]]),
    ]  # fmt: skip
    assert len(losses.lines) == 4
    figure = plots.learning_curves(runs, y="bleu")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


# the lattice of CTC


def test_the_lattice_has_a_point_for_each_state_and_frame_and_the_moves_between():
    logits = 3 * RNG.standard_normal((7, 2, 4))
    trace = ctc_loss(logits, np.array([[1, 1], [2, 1], [2, 3]]), mask=np.arange(7)[:, None] < np.array([7, 5]))
    axes, _ = plots.ctc_lattice(trace, list("too"), title="too $").axes
    moves, points = axes.collections
    assert labels(axes.yaxis) == ["–", "t", "–", "o", "–", "o", "–"] and axes.get_title() == "too $"
    np.testing.assert_allclose(points.get_array(), trace.occupancy[:, :, 0].reshape(-1))
    steps = {(int(v - u), int(u)) for (_, u), (_, v) in moves.get_segments()}
    assert (2, 1) in steps and (2, 3) not in steps and {by for by, _ in steps} == {0, 1, 2}  # not over the o's blank
    axes, _ = plots.ctc_lattice(trace, row=1).axes
    assert labels(axes.yaxis)[1::2] == ["1", "1", "3"] and len(axes.collections[1].get_array()) == 5 * 7
    for given, message in (((trace, ["t"]), "tokens has 1: the target of row 0 has 3"), ((3,), "trace is 3")):
        with pytest.raises(ValueError, match=message):
            plots.ctc_lattice(*given)
    with pytest.raises(ValueError, match="the target of row 0 is impossible"):
        plots.ctc_lattice(ctc_loss(logits[:2], np.array([[1, 1], [2, 1], [2, 3]])))


# schedules and the range test


def test_schedules_have_a_panel_each_with_every_update():
    runs = {f"n{k}": [1.0, 0.5 / (k + 1), 0.0] for k in range(5)}
    figure = plots.schedules(runs, title="five $")
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in panels] == list(runs) and figure.get_suptitle() == "five $"
    assert [axes.lines[0].get_xydata().tolist() for axes in panels] == [
        [[1, 1], [2, half], [3, 0]] for half in (0.5 / (k + 1) for k in range(5))
    ]
    assert [axes.get_xlabel() for axes in panels] == ["", "update", "update", "update", "update"]
    assert [axes.get_ylabel() for axes in panels] == ["step size", "", "", "", "step size"]
    for wrong, message in (({}, "runs is empty"), ([], "runs is"), ({"a": "x"}, r"runs\['a'\] ")):
        with pytest.raises(ValueError, match=message):
            plots.schedules(wrong)


@pytest.mark.parametrize("suggestion", [None, 0.01])
def test_a_range_test_is_drawn_with_its_suggestion(suggestion):
    found = types.SimpleNamespace(
        lrs=[1e-3, 1e-2, 1e-1], losses=[3.0, 1.0, 1e6], smoothed=[3.0, 2.0, 5.0], suggestion=suggestion
    )
    [axes] = plots.lr_range(found, title="range").axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn["smoothed"] == [[1e-3, 3], [1e-2, 2], [1e-1, 5]] and drawn["of one update"][2] == [0.1, 1e6]
    assert [line for line in drawn if line.startswith("suggestion")] == (["suggestion: 0.01"] if suggestion else [])
    if suggestion:
        assert [x for x, _ in drawn["suggestion: 0.01"]] == [0.01, 0.01]
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == (
        "log", "step size (lr)", "loss (nats per token)"
    )  # fmt: skip
    low, high = axes.get_ylim()
    assert low < 1 and 5 < high < 6, "one loss far above hides no other"
    with pytest.raises(ValueError, match="found is 3, which has no lrs"):
        plots.lr_range(3)


# Files and notebooks


def test_save_writes_png_and_svg_and_leaves_nothing_else(tmp_path):
    figure = plots.learning_curve([{"epoch": 1, "train_loss": 3.0}])
    for name in ("curve.png", "curve.PNG", "curve.svg"):
        plots.save(figure, str(tmp_path / name))
    plots.save(figure, tmp_path / "curve.svg")  # a second time, over the first
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "<svg" in (tmp_path / "curve.svg").read_text(encoding="utf-8")
    assert {path.suffix for path in tmp_path.iterdir()} <= {".png", ".PNG", ".svg"}


@pytest.mark.parametrize("name", ["map.pdf", "map"])
def test_save_names_the_two_formats(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.png or \.svg") as error:
        plots.save(Figure(), tmp_path / name)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "map.png"
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError(28, "disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        plots.save(Figure(), path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_figures_show_in_a_notebook():
    figure = plots.attention_map(weights(2, 2), ["a", "b"], ["x", "y"])
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG\r\n")
    shown, _ = DisplayFormatter().format(figure)
    assert "image/png" in shown


def test_matplotlib_is_imported_late_and_pyplot_never():
    code = (
        "import sys; from numseq import plots; assert 'matplotlib' not in sys.modules; "
        "plots.attention_map([[1.0]], ['a'], ['x'])._repr_png_(); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_gradient_errors_are_drawn_by_quantity_and_step():
    case = cases()["lstm, ragged"]
    result = check(case.function, case.inputs, name="my $lstm$")
    figure = plots.gradient_errors(result)
    axes, bar = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:3] == ["dh", "do", "dc"] and labels[-1] == "params.b"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2", "3", "4", "5", "-"]
    assert axes.get_title() == "my $lstm$: right" and bar.get_ylabel() == "relative error"
    drawn = axes.images[0].get_array()
    assert np.ma.count_masked(np.ma.masked_invalid(drawn)) == 8 + 6 * 6 and np.nanmax(drawn) < 1e-10


def test_gradient_errors_of_nothing_are_refused():
    with pytest.raises(ValueError, match="nothing to draw of x: backward returned None"):
        plots.gradient_errors(Check("x", "central", 1e-6, problems=["backward returned None"]))


def test_the_error_curve_has_a_line_for_each_method():
    case = cases()["lstm_step"]
    figure = plots.error_curve(sweep(case.function, case.inputs, steps=[1e-2, 1e-6, 1e-12]))
    [axes] = figure.axes
    assert [line.get_label() for line in axes.lines] == ["complex-step", "central", "richardson"]
    errors = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert errors["complex-step"][-1] < 1e-13 < errors["central"].min()  # rounding spoils the differences alone
    assert errors["richardson"][0] < errors["central"][0]
