"""Pictures that move: what is in them, that it is the trace's, and that a browser shows it."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
import pytest
import strict_cupy

from numseq import plots
from numseq.backend import to_numpy, use
from numseq.data.batches import Pairs, Ragged
from numseq.errors import ArgumentError
from numseq.layers import LSTM, RNN, bidirectional, init_bidirectional, sequence
from numseq.layers.activations import sigmoid
from numseq.layers.cells.lstm import LSTMStep, blocks
from numseq.layers.cells.rnn import RNNStep
from numseq.layers.cells.stack import stack
from numseq.models import Seq2Seq, Seq2SeqConfig, seq2seq
from numseq.models.registry import CELLS
from numseq.params import to_backend
from numseq.plots import live
from numseq.plots.live.dataflow import TALL, WIDE
from numseq.plots.reading import like_order
from numseq.record import Record, keep_gradients

T, B, D, H = 6, 3, 3, 4
TEXT = list("a </b>")
NASTY = ["</script>", "<!--<script>", '"', "&amp;", "\u2028", "$x$"]
VOID = {"meta", "br", "img", "input", "link"}


def layer(cell=None, hidden=H, steps=T, convert=lambda tree: tree):
    """(trace, kept gradients) of one layer."""
    cell = cell or LSTM()
    rng = np.random.default_rng(1)
    params = convert(cell.init(rng, D, hidden, np.float64))
    x, dh = convert([rng.standard_normal((steps, B, D)), rng.standard_normal((steps, B, hidden))])
    trace = sequence(x, None, params, cell=cell)
    with keep_gradients() as inside:
        trace.backward(dh)
    return trace, inside


def model(**options):
    """(trace, kept gradients) of a whole model."""
    sizes = {"embedding": 4, "hidden": 6, "attention_size": 4}
    one = Seq2Seq.create(Seq2SeqConfig(20, 18, **sizes | options))
    ids = np.random.default_rng(0)
    source, target = ([list(ids.integers(4, 18, n)) for n in lengths] for lengths in ((7, 5, 9), (6, 8, 4)))
    trace = seq2seq.forward(one.params, Pairs(Ragged(source), Ragged(target)).batch(np.arange(3)), one.config)
    with keep_gradients() as inside:
        trace.backward()
    return trace, inside


class Tags(HTMLParser):
    """Tags that do not close, in `open`, and what was read, in `seen`."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen, self.text = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))


def data_of(html):
    [data] = re.findall(r"^const DATA = (.*);$", html, re.MULTILINE)
    assert not set(data) & set("<>&\u2028"), "whatever is said, it ends no script"
    return json.loads(data)


def node_of(data, name):
    [node] = [node for node in data["nodes"] if node["name"] == name]
    return node


def quantity_of(data, part, name):
    [quantities] = [one["quantities"] for one in data["parts"] if one["name"] == part]
    [quantity] = [one for one in quantities if one["name"] == name]
    return quantity


def close(found, expected):
    """To the four digits that a picture has."""
    np.testing.assert_allclose(np.array(found, float), to_numpy(expected), rtol=6e-4, atol=0)


def all_pictures(texts):
    trace, inside = layer()
    return {
        "cell": live.cell(trace, texts, gradients=inside, title="a <cell>"),
        "explore": live.explore(trace, texts, gradients=inside),
        "gates": live.gates(trace, [texts, texts[:3], texts[1:]]),
    }


# the piece of HTML


@pytest.mark.parametrize("texts", [TEXT, NASTY])
@pytest.mark.parametrize("name", ["cell", "explore", "gates"])
def test_a_piece_of_html_is_whole_asks_nobody_and_gives_its_texts_back(name, texts):
    html = all_pictures(texts)[name].html
    tags = Tags(html)
    assert tags.open == []
    assert [tag for tag, _ in tags.seen if tag in ("script", "style")] == ["style", "script"]
    assert not [(tag, a) for tag, a in tags.seen if {"src", "href"} & a.keys()]
    assert set(re.findall(r"\w+://[^\"' ]*", html)) == {"http://www.w3.org/2000/svg"}
    data = data_of(html)
    said = {
        "cell": lambda: data["tokens"],
        "explore": lambda: data["parts"][0]["tokens"][0],
        "gates": lambda: data["texts"][0],
    }
    assert said[name]() == texts


def test_a_title_is_text_and_the_same_picture_the_same_bytes():
    one, other = all_pictures(TEXT)["cell"], all_pictures(TEXT)["cell"]
    assert one.html == other.html and one.title == "a <cell>"
    tags = Tags(one.page)
    assert not tags.open and ("h1", "a <cell>") in tags.text and not [tag for tag, _ in tags.seen if tag == "cell"]
    keys = {re.search(r'data-key="(\w+)"', picture.html)[1] for picture in all_pictures(TEXT).values()}
    assert len(keys) == 3


def test_a_notebook_chooses_and_files_have_the_kind_of_their_name(tmp_path):
    picture = all_pictures(TEXT)["gates"]
    bundle = picture._repr_mimebundle_()
    assert bundle.keys() == {"text/html", "image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/html"] == picture.html
    assert picture._repr_mimebundle_(include=["text/plain", "text/latex"]).keys() == {"text/plain"}
    assert picture._repr_mimebundle_(exclude=["image/png"]).keys() == {"text/html", "text/plain"}
    picture.save(tmp_path / "x.html")
    assert (tmp_path / "x.html").read_text(encoding="utf-8") == picture.page
    picture.save(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ArgumentError, match=r"must end in .html or .png"):
        picture.save(tmp_path / "x.svg")


def test_what_is_not_finite_is_null_and_numbers_have_four_digits():
    data = {"x": np.array([[np.nan, 1.0], [-np.inf, 1 / 3]]), "n": np.arange(2), "y": 2 / 3}
    assert live.LivePicture("cell", data, None, "x").data == {
        "x": [[None, 1], [None, 0.3333]],
        "n": [0, 1],
        "y": 0.6667,
    }
    with pytest.raises(ArgumentError, match="real numbers"):
        live.LivePicture("cell", {"x": np.ones(2, complex)}, None, "x")
    with pytest.raises(ArgumentError, match=r"200,001 numbers"):
        live.LivePicture("cell", {"x": np.ones(200_001)}, None, "x")
    with pytest.raises(ArgumentError, match="no live picture"):
        live.LivePicture("nothing", {}, None, "x")


# cell


@pytest.mark.parametrize("row", [0, 2])
def test_the_numbers_of_a_cell_are_the_traces(row):
    trace, inside = layer()
    data = data_of(live.cell(trace, TEXT, gradients=inside, row=row).html)
    for name in ("a", "i", "f", "g", "o", "c", "tanh_c", "h", "c_prev"):
        close(node_of(data, name)["values"], getattr(trace, name)[:, row])
    close(node_of(data, "x")["values"], trace.x[:, row])
    close(node_of(data, "h_prev")["values"][1:], trace.h[:-1, row])
    for name in ("i", "f", "g", "o", "c", "h", "c_prev", "a"):
        close(node_of(data, name)["gradients"], getattr(inside[trace], f"d{name}")[:, row])
    da = inside[trace].da[:, row]
    close(node_of(data, "x")["gradients"], da @ trace.params.W_x.T)
    close(node_of(data, "h_prev")["gradients"], da @ trace.params.W_h.T)
    assert node_of(data, "f")["backward"] == "df = dc * c_prev, since c = f * c_prev + i * g"


@pytest.mark.parametrize("kind", CELLS)
def test_every_cell_is_drawn_from_its_equations(kind):
    trace, inside = layer(CELLS[kind])
    data = live.cell(trace, gradients=inside).data
    places = {node["name"]: (node["x"], node["y"]) for node in data["nodes"]}
    reads = {node["name"]: {w["from"] for w in data["wires"] if w["to"] == node["name"]} for node in data["nodes"]}
    assert not reads["x"] and not reads["h_prev"] and reads["h"]
    for node in data["nodes"]:
        if reads[node["name"]]:
            assert " = " in node["equation"], node
        if node["name"] not in ("x", "h_prev"):
            assert node["values"] is not None
        for name in reads[node["name"]]:
            assert places[name][0] < node["x"], "wires go from left to right"
    read = set().union(*reads.values()) | {end["from"] for end in data["ends"]}
    assert read == places.keys(), "nothing stands there for itself"
    corners = list(places.values())
    for k, (x, y) in enumerate(corners):
        assert 0 <= x <= data["width"] - WIDE and 0 <= y <= data["height"] - TALL
        for other_x, other_y in corners[:k]:
            assert abs(x - other_x) >= WIDE or abs(y - other_y) >= TALL, "two stand in one place"
    kept = trace.run.after._fields[-1]  # what is carried goes straight through, on top
    assert places[f"{kept}_prev"][1] == places[kept][1] == min(y for _, y in corners)


def test_what_an_lstm_reads_is_what_its_equations_say():
    data = live.cell(layer()[0]).data
    reads = {(wire["from"], wire["to"]) for wire in data["wires"]}
    gates = {("a", gate) for gate in "ifgo"}
    assert reads == gates | {("x", "a"), ("h_prev", "a"), ("c", "tanh_c"), ("o", "h"), ("tanh_c", "h")} | {
        (name, "c") for name in ("f", "c_prev", "i", "g")
    }
    assert data["ends"][0]["from"] == "c" and node_of(data, "c")["remark"] == "cell"


@pytest.mark.parametrize("kind", CELLS)
def test_the_data_flow_of_a_cell_without_numbers_has_its_equations(kind):
    texts = [text.get_text().replace("\n", " ") for text in plots.data_flow(CELLS[kind]).axes[0].texts]
    trace, _ = layer(CELLS[kind])
    for node in live.cell(trace).data["nodes"]:
        assert node["name"] in texts
        assert not node["signs"] or node["equation"].partition(" = ")[2] in texts


class LogisticStep(RNNStep):
    pass


def logistic_step(a):
    s = LogisticStep()
    s.a = a
    s.h = sigmoid(s.a)
    return s


def coupled_step(a, c_prev):
    s, H = LSTMStep(), c_prev.shape[-1]
    s.c_prev, s.a = c_prev, a
    s.i, s.f, _, s.o = blocks(sigmoid(s.a))
    s.g = s.a[..., 2 * H : 3 * H]
    s.c = s.f * s.c_prev + (1 - s.f) * s.g
    s.h = s.o * s.c
    return s


@pytest.mark.parametrize(
    ("cell", "equations"),
    [
        (RNN(logistic_step), {"a": "a_t = x_t W_x + h_{t-1} W_h + b", "h": "h = sigmoid(a)"}),
        (LSTM(coupled_step), {"c": "c = f * c_prev + (1 - f) * g", "h": "h = o * c", "g": "g = a[..., 2 * H:3 * H]"}),
    ],
)
def test_a_step_of_ones_own_is_drawn_from_its_code_and_not_from_numseqs_docstring(cell, equations):
    rng = np.random.default_rng(0)
    trace = sequence(rng.standard_normal((T, B, D)), None, cell.init(rng, D, H, float), cell=cell)
    data = live.cell(trace).data
    assert {name: node_of(data, name)["equation"] for name in equations} == equations
    if "c" in equations:
        assert {wire["from"] for wire in data["wires"] if wire["to"] == "c"} == {"f", "c_prev", "g"}
        assert {wire["from"] for wire in data["wires"] if wire["to"] == "g"} == {"a"}


@pytest.mark.parametrize("direction", ["ahead", "back"])
def test_one_direction_of_a_layer_that_reads_both_ways(direction):
    rng = np.random.default_rng(0)
    params = init_bidirectional(rng, D, H, float)
    trace = bidirectional(rng.standard_normal((T, B, D)), None, params)
    with keep_gradients() as inside:
        trace.backward(rng.standard_normal((T, B, 2 * H)))
    data = live.cell(trace, direction=direction, gradients=inside, row=1).data
    steps, at = getattr(trace, direction), slice(None, H) if direction == "ahead" else slice(H, None)
    close(node_of(data, "f")["values"], steps.f[:, 1])
    close(node_of(data, "f")["gradients"], inside[steps].df[:, 1])
    h, h_prev = trace.h[:, 1, at], node_of(data, "h_prev")["values"]
    close(h_prev[1:] if direction == "ahead" else h_prev[:-1], h[:-1] if direction == "ahead" else h[1:])
    da = inside[steps].da[:, 1]
    close(node_of(data, "x")["gradients"], da @ getattr(params, direction).W_x.T)
    with pytest.raises(ArgumentError, match="must be 'ahead' or 'back'"):
        live.cell(trace, direction="up")


@pytest.mark.parametrize("both", [False, True])
def test_padding_is_left_out(both):
    rng = np.random.default_rng(0)
    x, mask = rng.standard_normal((T, B, D)), np.arange(T)[:, None] < np.array([6, 4, 1])
    if both:
        trace, direction = bidirectional(x, None, init_bidirectional(rng, D, H, float), mask=mask), "back"
        steps = trace.back
    else:
        trace, direction = sequence(x, None, LSTM().init(rng, D, H, float), cell=LSTM(), mask=mask), None
        steps = trace.steps
    with keep_gradients() as inside:
        trace.backward(np.ones_like(trace.h))
    for row, length in enumerate((6, 4, 1)):
        for tokens in (TEXT, TEXT[:length]):
            data = live.cell(trace, tokens, gradients=inside, row=row, direction=direction).data
            assert data["tokens"] == TEXT[:length]
            close(node_of(data, "c")["values"], steps.c[:length, row])
            close(node_of(data, "f")["gradients"], inside[steps].df[:length, row])
            close(node_of(data, "x")["values"], x[:length, row])


def test_the_lowest_layer_of_a_decoder_is_a_cell_too():
    trace, inside = model()
    layer = trace.decoder.lowest
    data = live.cell(layer, gradients=inside, row=1).data
    close(node_of(data, "c")["values"], layer.run.steps.c[:, 1])
    close(node_of(data, "c")["gradients"], inside[layer.run.steps].dc[:, 1])
    assert node_of(data, "a")["remark"].endswith("in the lowest layer of a decoder, what its loop adds as well")


def test_of_many_units_the_first_of_each_block_are_shown():
    trace, inside = layer(hidden=80)
    data = live.cell(trace, gradients=inside).data
    assert data["units"] == [32, 80]
    close(node_of(data, "f")["values"], trace.f[:, 0, :32])
    close(node_of(data, "a")["values"], trace.a[:, 0].reshape(T, 4, 80)[..., :32].reshape(T, -1))


def test_what_cannot_be_drawn_is_an_error_that_names_it():
    trace, inside = layer()
    for call, words in [
        (lambda: live.cell(3), "trace is 3"),
        (lambda: live.cell(trace, "ab"), "tokens has 2 texts: it must have 6"),
        (lambda: live.cell(trace, row=B), "row is 3"),
        (lambda: live.cell(trace, gradients=3), "gradients is 3"),
        (lambda: live.cell(layer()[0], gradients=inside), "gradients has nothing of this trace"),
        (lambda: live.cell(trace, direction="back"), "reads one way"),
        (lambda: live.cell(model()[0]), r"trace.encoder.rnn.layers\[0\] is one"),
        (lambda: live.explore(3), "trace is 3"),
        (lambda: live.explore(trace, "abcdefg"), "tokens is 'abcdefg'"),
        (lambda: live.gates(trace, "abc"), "tokens is one text"),
        (lambda: live.gates(trace, ["abc"] * 4), "tokens has 4 texts"),
        (lambda: live.gates(trace, ["abcdefg"]), "tokens\\[0\\] has 7 texts"),
        (lambda: plots.data_flow(LSTM), "cell is"),
        (lambda: plots.gates(trace, names=["q"]), "names has 'q'"),
        (lambda: plots.gradients(trace, 3), "kept is 3"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


# explore


def test_the_microscope_has_every_part_of_a_model():
    trace, inside = model()
    data = data_of(live.explore(trace, {"encoder": ["abcdefg", "hijkl"]}, gradients=inside).html)
    alpha = quantity_of(data, "decoder.looks", "alpha")
    close(alpha["values"], trace.decoder.alpha.swapaxes(0, 1))
    close(alpha["gradients"], inside[trace.decoder.looks].dalpha.swapaxes(0, 1))
    assert alpha["equation"] == "alpha_t = softmax over j of e_tj"
    assert 0 < quantity_of(data, "decoder.looks", "e")["limit"] < 100, "masked scores do not count"
    back = trace.encoder.rnn.layers[0].back
    found = quantity_of(data, "encoder.rnn.layers[0].back", "f")
    close(found["values"], back.f.swapaxes(0, 1))
    close(found["gradients"], inside[back].df.swapaxes(0, 1))
    assert found["equation"] == "f_t = sigma(a_f)"
    tokens = {part["name"]: part["tokens"] for part in data["parts"]}
    assert tokens["encoder.rnn.layers[0].back"][:2] == [[*"abcdefg", "", ""], [*"hijkl", "", "", "", ""]]
    assert tokens["decoder.lowest"][0][0] == "0"


@pytest.mark.parametrize("attention", ["multi-head", "local-p", "location", "coverage"])
def test_the_microscope_takes_every_attention(attention):
    trace, inside = model(attention=attention, decoder="luong", attention_size=8)
    data = live.explore(trace, gradients=inside).data
    [looks] = [part["name"] for part in data["parts"] if any(q["name"] == "query" for q in part["quantities"])]
    close(quantity_of(data, looks, "alpha")["values"], trace.decoder.alpha.swapaxes(0, 1))
    assert quantity_of(data, looks, "context")["gradients"] is not None


def test_the_microscope_takes_a_stack_and_single_steps():
    rng = np.random.default_rng(0)
    params = [LSTM().init(rng, D, H, float), LSTM().init(rng, H, H, float)]
    trace = stack(rng.standard_normal((T, B, D)), None, params)
    data = live.explore(trace).data
    close(quantity_of(data, "layers[1]", "o")["values"], trace.layers[1].o.swapaxes(0, 1))
    close(quantity_of(data, "StackTrace", "h")["values"], trace.h.swapaxes(0, 1))
    step = trace.layers[0].steps[2]
    close(quantity_of(live.explore(step).data, "LSTMStep", "f")["values"], step.f[:, None])


@dataclass
class Mine:
    y: np.ndarray  # (T, B, n)
    steps: list


@dataclass
class MyStep:
    """A record of nobody's."""

    s: np.ndarray


def test_the_microscope_takes_records_of_ones_own():
    rng = np.random.default_rng(0)
    mine = Mine(rng.standard_normal((T, B, 5)), [MyStep(rng.standard_normal((B, 2))) for _ in range(T)])
    data = live.explore(mine, "abcdef").data
    close(quantity_of(data, "Mine", "y")["values"], mine.y.swapaxes(0, 1))
    close(quantity_of(data, "steps", "s")["values"], np.stack([one.s for one in mine.steps], axis=1))
    assert data["parts"][0]["tokens"][0] == list("abcdef")


def test_of_a_large_trace_there_is_a_part_and_it_says_so():
    big = Mine(np.ones((900, 40, 300)), [])
    picture = live.explore(big)
    shape = np.array(picture.data["parts"][0]["quantities"][0]["values"]).shape
    assert np.prod(shape) <= 200_000 and shape[0] < 40 and len(picture.html) < 1_500_000
    assert re.fullmatch(
        r"Shown are the first \d+ of 40 examples, .*of 900 steps, the first \d+ numbers.*", picture.data["notes"]
    )


# gates


def test_gates_live_have_every_texts_own_steps():
    trace, _ = layer()
    data = data_of(live.gates(trace, ["abcdef", "abc", "a"]).html)
    [f] = [one for one in data["quantities"] if one["name"] == "f"]
    assert sorted(data["units"]) == list(range(H))
    for row, length in enumerate((6, 3, 1)):
        close(f["values"][row], trace.f[:length, row][:, data["units"]])
    real = np.concatenate([trace.f[:length, row] for row, length in enumerate((6, 3, 1))])
    close(f["mean"], real.mean(axis=0)[data["units"]])
    assert [one["name"] for one in data["quantities"]] == ["i", "f", "g", "o", "c", "h"]


def test_maps_of_gates_and_gradients_show_the_traces_numbers_in_one_order_of_units():
    trace, inside = layer()
    figure = plots.gates(trace, TEXT, row=1)
    maps = {axes.get_ylabel(): axes.images[0].get_array() for axes in figure.axes if axes.images}
    assert list(maps) == ["i", "f", "g", "o", "c", "h"]
    order = [int(np.flatnonzero((line == trace.f[:, 1].T).all(axis=1))[0]) for line in np.asarray(maps["f"])]
    assert sorted(order) == list(range(H))
    for name, shown in maps.items():
        np.testing.assert_array_equal(shown, getattr(trace, name)[:, 1, order].T)
    figure = plots.gradients(trace, inside, TEXT, names=["f", "c"])
    maps = {axes.get_ylabel(): axes.images[0].get_array() for axes in figure.axes if axes.images}
    assert list(maps) == ["df", "dc"]
    norms = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(norms["dc"], np.linalg.norm(inside[trace].dc[:, 0], axis=-1))
    np.testing.assert_allclose(np.sort(maps["df"], axis=0), np.sort(inside[trace].df[:, 0].T, axis=0))


def test_units_that_go_alike_stand_side_by_side():
    rng = np.random.default_rng(0)
    slow, fast = np.sin(np.linspace(0, 3, 40)), np.sin(np.linspace(0, 30, 40))
    columns = [slow, fast, slow, fast, slow, fast]
    order = like_order(np.stack(columns, axis=1) + 0.05 * rng.standard_normal((40, 6)))
    assert {frozenset(order[:3].tolist()), frozenset(order[3:].tolist())} == {
        frozenset({0, 2, 4}),
        frozenset({1, 3, 5}),
    }
    assert sorted(like_order(np.ones((5, 4))).tolist()) == [0, 1, 2, 3]


# a device


def test_numbers_of_a_device_are_the_same():
    here = {name: picture.html for name, picture in all_pictures(TEXT).items()}
    with strict_cupy.installed(), use("cupy"):
        trace, inside = layer(convert=to_backend)
        assert isinstance(trace.h, strict_cupy.ndarray)
        there = {
            "cell": live.cell(trace, TEXT, gradients=inside, title="a <cell>").html,
            "explore": live.explore(trace, TEXT, gradients=inside).html,
            "gates": live.gates(trace, [TEXT, TEXT[:3], TEXT[1:]]).html,
        }
    for name, html in there.items():
        assert data_of(html) == data_of(here[name]), name


# in a browser

DRIVER = """
<script>
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
</script>%s
<script>
const all = (name) => [...document.querySelectorAll(`[data-picture="${name}"]`)];
const find = (root, role, rest = "") => root.querySelector(`[data-role="${role}"]${rest}`);
const move = (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); };
const number = (text) => Number(text.replaceAll("−", "-"));
const numbers = (root, role = "numbers") => find(root, role).textContent.split("  ").map(number);
const found = { errors };
const [cell, twin] = all("cell");
found.cells = all("cell").length;
found.first = all("cell").concat(all("explore")).map((one) => find(one, "step").value);
find(cell, "quantity", '[data-name="f"]').focus();
move(find(cell, "step"), 0);
found.f0 = numbers(cell);
found.equation = find(cell, "equation-text").textContent;
move(find(cell, "step"), 4);
found.f4 = numbers(cell);
const fills = () => [...find(cell, "quantity", '[data-name="f"]').querySelectorAll(".strip rect")]
  .map((one) => one.getAttribute("fill") || "");
found.forward = fills();
found.said = find(cell, "step").getAttribute("aria-valuetext");
find(cell, "way-1").click();
found.df4 = numbers(cell);
found.colours = fills();
found.backward = find(cell, "equation-text").textContent;
find(cell, "step-back").click();
found.df3 = numbers(cell);
found.twin = [find(twin, "step").value, find(twin, "way-1").checked];
const [explore] = all("explore");
find(explore, "quantity", '[data-name="c"]').click();
move(find(explore, "step"), 2);
const example = find(explore, "example");
example.value = 1;
example.dispatchEvent(new Event("change"));
found.c = numbers(explore);
found.dc = numbers(explore, "gradient-numbers");
const ends = all("explore")[1].querySelectorAll('[data-role="legend"] span:not(.bar)');
found.legends = [...ends].map((one) => one.textContent);
const [gates] = all("gates");
found.open = find(gates, "units").textContent;
const quantity = find(gates, "quantity");
quantity.value = [...quantity.options].findIndex((one) => one.textContent === "f");
quantity.dispatchEvent(new Event("change"));
move(find(gates, "from"), 1);
move(find(gates, "to"), 2);
found.units = find(gates, "units").textContent;
const [button] = gates.querySelectorAll('[data-role="found"]');
found.listed = button ? button.textContent : null;
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
found.ids = ids.length === new Set(ids).size;
found.unlabelled = [...document.querySelectorAll("input, select")].filter((input) => !input.labels.length).length;
found.scheme = cell.dataset.scheme;
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(found);
document.body.append(result);
</script>
"""


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_the_numbers_that_one_points_at(dark, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium")
    trace, inside = layer()
    pictures = all_pictures(TEXT)
    with keep_gradients() as small:
        trace.backward(1e-3 * trace.h)
    pieces = [pictures[name].html for name in ("cell", "explore", "cell", "gates")]
    pieces.append(live.explore(trace, gradients=small).html)
    colours = "background: #111; color: #eee" if dark else "background: #fff; color: #111"
    page = f'<!doctype html><meta charset="utf-8"><body style="{colours}">' + DRIVER % "\n".join(pieces)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}", "--dump-dom"]
    address = (tmp_path / "page.html").as_uri()
    done = subprocess.run([browser, *options, address], capture_output=True, encoding="utf-8", timeout=100)
    [result] = [text for tag, text in Tags(done.stdout).text if tag == "pre" and text.startswith("{")]
    found = json.loads(result)

    def near(numbers, expected):
        np.testing.assert_allclose(numbers, expected, atol=6e-4)

    assert found["errors"] == [] and found["cells"] == 2 and found["ids"] and found["unlabelled"] == 0
    near(found["f0"], trace.f[0, 0])
    near(found["f4"], trace.f[4, 0])
    near(found["df4"], inside[trace].df[4, 0])
    near(found["df3"], inside[trace].df[3, 0])
    for name, numbers, limit in [
        ("forward", trace.f[4, 0], 1),
        ("colours", inside[trace].df[4, 0], node_of(pictures["cell"].data, "f")["gradient_limit"]),
    ]:
        lightness = [int(re.search(r"\d+", colour)[0]) for colour in found[name][:H]]  # of red: blue has little
        zero, end = (44, 255) if dark else (242, 190)
        low = 110 if dark else 23
        expected = [zero + ((end if x > 0 else low) - zero) * min(1, abs(x) / limit) for x in numbers]
        np.testing.assert_allclose(lightness, expected, atol=1.5)
    assert found["equation"] == "f_t = sigma(a_f)" and found["backward"].startswith("df = dc * c_prev")
    assert found["said"] == "4: b" and found["twin"] == [str(T // 2), False]
    assert found["first"] == [str(T // 2)] * 4  # where the states are no longer 0
    assert len(found["legends"]) == 4 and all(abs(float(one.replace("−", "-"))) > 0 for one in found["legends"])
    assert re.match("[ifo]: under .*, open above their mean: unit", found["open"])
    near(found["c"], trace.c[2, 1])
    near(found["dc"], inside[trace].dc[2, 1])
    assert found["units"].startswith("f: ") and found["scheme"] == ("dark" if dark else "light")


@pytest.mark.parametrize("name", ["common", "cell", "explore", "gates"])
def test_scripts_are_scripts(name):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node")
    text = live.picture._web(f"{name}.js")
    done = subprocess.run([node, "--check", "-"], input=text, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


# records in a notebook


def test_records_show_themselves():
    trace, inside = layer()
    for record in (trace, trace.steps, trace.params, trace.steps[0], inside[trace], trace.backward(trace.h)):
        html = record._repr_html_()
        tags = Tags(html)
        assert tags.open == [] and len(html) < 50_000
    html = trace._repr_html_()
    assert "f_t = sigma(a_f)" in html and "(6, 3, 4) float64" in html
    assert {a["alt"].split(":")[0] for tag, a in Tags(html).seen if tag == "img"} >= {"x", "h", "f", "W_x"}
    assert "_repr_html_" not in repr(trace) and "<" not in repr(trace).replace("<lambda>", "")


@dataclass
class Nasty(Record):
    name: str
    x: np.ndarray


def test_what_a_record_holds_is_text():
    nasty = Nasty("<script>alert(1)</script>", np.array([np.nan, np.inf, 1.0]))
    setattr(nasty, '<i>"', np.ones(2))
    html = nasty._repr_html_()
    assert "<script" not in html and "&lt;script" in html and Tags(html).open == []
    assert "<i>" not in html and "&lt;i&gt;&quot;: a corner" in html
    assert Nasty("x", np.zeros(0))._repr_html_() and Nasty("x", np.array(["a"]))._repr_html_()


def test_a_models_trace_is_a_short_page_of_few_numbers():
    trace, _ = model(hidden=64, layers=2, embedding=32, attention_size=32)
    html = trace._repr_html_()
    assert len(html) < 50_000 and Tags(html).open == []
    for name in ("source", "encoder", "target", "decoder", "objective"):
        assert f"<summary>{name}: " in html
    here = layer()[0]._repr_html_()
    with strict_cupy.installed(), use("cupy"):
        assert layer(convert=to_backend)[0]._repr_html_() == here


def test_a_small_picture_has_the_corners_colours(tmp_path):
    import base64

    from matplotlib.image import imread

    x = np.array([[0.0, 2.0], [-2.0, np.nan]])
    [source] = [a["src"] for tag, a in Tags(Nasty("x", x)._repr_html_()).seen if tag == "img"]
    (tmp_path / "x.png").write_bytes(base64.b64decode(source.partition(",")[2]))
    pixels = np.round(255 * imread(tmp_path / "x.png")).astype(int)
    assert pixels[..., :3].tolist()[0] == [[242, 242, 242], [190, 80, 0]] and pixels[1, 0, :3].tolist() == [23, 92, 158]
    assert pixels[..., 3].tolist() == [[255, 255], [255, 0]]
