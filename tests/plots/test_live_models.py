"""Pictures that move, of whole models, of gradients on their way, and of checks: their numbers are those of Python, and
a browser shows them."""

import base64
import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from test_live import NASTY, Tags, close, data_of

from numseq import params as trees
from numseq.data import EOS, Pairs, Tokens
from numseq.errors import ArgumentError
from numseq.gradcheck import check
from numseq.layers import LSTM, LSTMStep, init_lstm, lstm, lstm_step
from numseq.layers.cells.lstm import blocks
from numseq.layers.cells.rnn import init_rnn
from numseq.layers.init import Initializer
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.plots import live
from numseq.plots.live import ask
from numseq.search import Translator, what_if
from numseq.studies.influence import influence

LINE = "abca"


def translator(seed=19, **options):
    """Not trained, of first values that say a few tokens and end."""
    source, target = Tokens.train(["abcabcab"], "char"), Tokens.train(["xyzxyzxy"], "char")
    sizes = {"embedding": 4, "hidden": 4, "attention_size": 4}
    model = Seq2Seq.create(Seq2SeqConfig(len(source), len(target), **sizes | options), seed=seed, dtype="float64")
    model.params = trees.map(lambda part: 3 * part, model.params)
    model.params.head.b[EOS] += 1
    return Translator(model, source, target)


def pair_trace(source, target, **options):
    one = translator(**options)
    pairs = Pairs.encode([(source, target), ("ab", "x")], one.source_tokens, one.target_tokens)
    return one.model.forward(pairs.batch(np.arange(2)))


class Forgetful(LSTMStep):
    def backward(self, dh, dc):
        grad = super().backward(dh, dc)
        grad.dc_prev = grad.dc  # wrong: * self.f is missing
        return grad


def forgetful_step(a, c_prev):
    return lstm_step(a, c_prev, record=Forgetful)


def forgetful_lstm(x, state, params):
    return lstm(x, state, params, cell=LSTM(forgetful_step))


def inputs():
    rng = np.random.default_rng(0)
    x, h, c = rng.standard_normal((4, 3, 2)), rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
    return {"x": x, "state": (h, c), "params": init_lstm(rng, 2, 2, "float64")}


def all_pictures():
    return {
        "looked": live.looked_and_moved(pair_trace("abcabc", "xyz"), NASTY, "xyz", title="a <look>"),
        "bptt": live.bptt((3, 6), (0, 2), hidden=4, inputs=3, rows=2),
        "board": live.check_film(check(forgetful_lstm, inputs())),
        "what_if": live.what_if(translator(), LINE, most=3, tries={0: ["b"], 2: ["a", "b"]}),
    }


@pytest.fixture(scope="module")
def pictures():
    return all_pictures()


@pytest.mark.parametrize("name", ["looked", "bptt", "board", "what_if"])
def test_a_piece_of_html_is_whole_and_asks_nobody(name, pictures):
    picture = pictures[name]
    tags = Tags(picture.html)
    assert tags.open == [] and [tag for tag, _ in tags.seen if tag in ("script", "style")] == ["style", "script"]
    assert not [(tag, a) for tag, a in tags.seen if {"src", "href"} & a.keys()]
    assert set(re.findall(r"\w+://[^\"' ]*", picture.html)) == {"http://www.w3.org/2000/svg"}
    assert picture.name == name and data_of(picture.html) == picture.data
    assert Tags(picture.page).open == [] and picture.png.startswith(b"\x89PNG")
    node = shutil.which("node")
    if node:
        done = subprocess.run(
            [node, "--check", "-"], input=live.picture._web(f"{name}.js"), capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr


def test_the_same_call_makes_the_same_bytes(pictures):
    again = live.bptt((3, 6), (0, 2), hidden=4, inputs=3, rows=2)
    assert again.html == pictures["bptt"].html


def contrast(one, other):
    """Of two colours, by WCAG 2.2."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        return sum(
            w * (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4)
            for w, x in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_of_words_can_be_read_on_light_and_on_dark_paper():
    style = files("numseq.plots.live").joinpath("web", "style.css").read_text(encoding="utf-8")
    light, dark = (
        {name: f"#{''.join(2 * c for c in value)}" if len(value) == 3 else f"#{value}" for name, value in found}
        for found in (re.findall(r"--(\w+): #(\w+)", block) for block in re.findall(r"\{([^}]*--paper:[^}]*)\}", style))
    )
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    for colours, paper in ((light, "#ffffff"), (dark, "#131416")):
        for name in ("blue", "orange", "faint"):
            for behind in (paper, colours["paper"]):
                assert contrast(colours[name], behind) >= 4.5, (name, behind)
        assert contrast(colours["line"], paper) >= 3


# looked at, moved by


@pytest.mark.parametrize("target", ["xyz", ["x", "y", "z", "<eos>"]])
def test_what_was_looked_at_and_what_moves_the_score_are_the_traces(target):
    trace = pair_trace("abcabc", "xyz")
    data, found = live.looked_and_moved(trace, "abcabc", target).data, influence(trace, 0)
    close(data["alpha"], trace.alpha[:, 0])
    close(data["share"], found.size / found.size.sum(axis=1, keepdims=True))
    close(data["correlation"], found.correlation)
    assert data["source"] == list("abcabc") and data["target"] == ["x", "y", "z", "<eos>"]
    same = sum(a.argmax() == g.argmax() for a, g in zip(found.alpha, found.size, strict=True))
    assert data["sentence"].startswith(f"At {same} of 4 steps ")
    assert f"is {np.median(found.correlation):.2f} in the middle" in data["sentence"]


def test_another_pair_and_other_tokens():
    trace = pair_trace("abcabc", "xyz")
    data = live.looked_and_moved(trace, "ab", "x", row=1, tokens=[5, 6]).data
    found = influence(trace, 1, [5, 6])
    close(data["alpha"], trace.alpha[:2, 1, :2])
    close(data["share"], found.share)
    for call, words in [
        (lambda: live.looked_and_moved(trace, "abc", "xyz"), "source has 3 texts: it must have 6"),
        (lambda: live.looked_and_moved(trace, "abcabc", "x"), "target has 1 texts: it must have 4"),
        (lambda: live.looked_and_moved(pair_trace("ab", "x", attention="none"), "ab", "x"), "attends to no positions"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


# the film of BPTT


def test_the_norms_of_the_film_are_those_of_bptt_written_by_hand(pictures):
    data = data_of(pictures["bptt"].html)
    draw = np.random.default_rng(0)
    x, last = draw.standard_normal((6, 2, 3)), draw.standard_normal((2, 4))
    last /= np.linalg.norm(last, axis=1, keepdims=True)
    for k, T in enumerate(data["lengths"]):
        p, h = init_rnn(np.random.default_rng([0, 1]), 3, 4, "float64"), [np.zeros((2, 4))]
        for t in range(T):
            h.append(np.tanh(x[t] @ p.W_x + h[-1] @ p.W_h + p.b))
        dh = [last]
        for t in range(T - 1, 0, -1):
            dh.insert(0, (dh[0] * (1 - h[t + 1] ** 2)) @ p.W_h.T)
        close(data["rnn"][k]["dh"], [np.linalg.norm(d, axis=1).mean() for d in dh])
        for m, bias in enumerate(data["biases"]):
            close_lstm(data["lstm"][k][m], x[:T], last, bias)
    assert data["lengths"] == [3, 6] and data["biases"] == [0, 2]


def close_lstm(found, x, last, bias):
    p = init_lstm(np.random.default_rng([0, 1]), 3, 4, "float64", Initializer(forget_bias=bias))
    trace = lstm(x, None, p)
    dh, dc, norms = last, 0, []
    for t in reversed(range(len(x))):
        i, f, g, o, tanh_c = (getattr(trace, name)[t] for name in ("i", "f", "g", "o", "tanh_c"))
        dc = dc + dh * o * (1 - tanh_c**2)
        norms.insert(0, [np.linalg.norm(d, axis=1).mean() for d in (dh, dc)])
        c_prev = trace.c[t - 1] if t else np.zeros_like(dc)
        slopes = (dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o))
        dh, dc = np.concatenate(slopes, axis=1) @ p.W_h.T, dc * f
    close(found["dh"], [a for a, _ in norms])
    close(found["dc"], [b for _, b in norms])
    close(found["f"], trace.f.mean(axis=(1, 2)))
    assert blocks(p.b)[1] == pytest.approx(bias)


def test_a_film_needs_steps():
    for call, words in [
        (lambda: live.bptt((1, 5)), "a length is 1"),
        (lambda: live.bptt((5, 500)), "a length is 500"),
        (lambda: live.bptt((), (1,)), "at least one number"),
        (lambda: live.bptt(5), "lengths is 5"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


# the film of a check


def test_the_board_ends_at_the_first_mistake_and_says_what_it_should_be():
    result = check(forgetful_lstm, inputs())
    data = live.check_film(result).data
    row, column, error = data["cells"][data["end"]]
    assert (data["rows"][row], data["columns"][column]) == ("dc_prev", "3") and error > data["tolerance"]
    assert all(error <= data["tolerance"] for *_, error in data["cells"][: data["end"]])
    assert [data["rows"][r] for r, *_ in data["cells"][:3]] == ["dh", "do", "dc"]
    assert ["equation", "dc_prev = dc * f, since c = f * c_prev + i * g"] in data["first"]
    assert any(kind == "known" and "forget gate is missing" in text for kind, text in data["first"])
    assert len(data["cells"]) == len(result.quantities) + len(result.errors) and not data["ok"]


def test_the_board_tells_no_more_than_the_hints():
    result = check(forgetful_lstm, inputs())
    kinds = {}
    for result.hints in (1, 2, 3):
        kinds[result.hints] = {kind for kind, _ in live.check_film(result).data["first"]}
    assert kinds == {1: set(), 2: {"equation"}, 3: {"equation", "known"}}
    result.hints = 0
    with pytest.raises(ArgumentError, match="hints=0"):
        live.check_film(result)
    with pytest.raises(ArgumentError, match="check is 3"):
        live.check_film(3)


def test_the_board_of_what_is_right_is_filled_and_a_wrong_sum_comes_last():
    data = live.check_film(check(lstm, inputs())).data
    assert data["ok"] and data["end"] == len(data["cells"]) - 1 and data["first"] == []
    assert data["columns"] == ["0", "1", "2", "3", "–"]

    def wrong_sum(dy, x, W):
        return {"dx": dy @ W.T, "dW": (x.T @ dy) / 2}

    rng = np.random.default_rng(0)
    wrong = check(
        lambda x, W: x @ W, {"x": rng.standard_normal((3, 2)), "W": rng.standard_normal((2, 2))}, backward=wrong_sum
    )
    data = live.check_film(wrong).data
    assert data["rows"][data["cells"][data["end"]][0]] == wrong.first.name == "dW" and not data["ok"]
    shape = check(
        lambda x, W: x @ W, {"x": np.ones((3, 2)), "W": np.ones((2, 2))}, backward=lambda dy, x, W: {"dx": dy}
    )
    with pytest.raises(ArgumentError, match="nothing to play"):
        live.check_film(shape)


# what if


def expanded(data, case):
    """A case with the steps that are as in the base."""
    return {name: [*data["base"][name][: case[name][0]], *case[name][1]] for name in ("best", "alpha", "tree")}


def assert_case(data, case, found):
    whole, word = expanded(data, case), data["words"]
    assert [word[k] for k in case["said"]] == found.target and case["text"] == found.text
    assert case["logp"] == pytest.approx(found.logp, rel=6e-4, abs=1e-3)
    assert [[word[k] for k, _ in row] for row in whole["best"]] == [[token for token, _ in row] for row in found.best]
    for row, expected in zip(whole["best"], found.best, strict=True):
        assert [p for _, p in row] == pytest.approx([1000 * p for _, p in expected], abs=0.51)
    if found.alpha is not None:
        np.testing.assert_allclose(whole["alpha"], 1000 * found.alpha, atol=0.51)
    for t, (row, expected) in enumerate(zip(whole["tree"], found.tree, strict=True)):
        assert [word[k] for k, *_ in row] == [node.token for node in expected]
        assert [score for *_, score, _ in row] == pytest.approx([node.score for node in expected], rel=6e-4, abs=0.006)
        assert [data["fates"][fate] for *_, fate in row] == [node.fate for node in expected]
        for (_, parent, *_), node in zip(row, expected, strict=True):
            assert (parent == -1) == (node.parent is None)
            if node.parent is not None:
                assert found.tree[t - 1][parent] is node.parent


@pytest.mark.parametrize(
    "options", [{}, {"seed": 38, "decoder": "luong", "attention": "general"}, {"seed": 13, "attention": "none"}]
)
def test_every_case_is_what_python_decodes(options):
    one = translator(**options)
    data = data_of(live.what_if(one, LINE, tries={0: ["b"], 2: ["a", "b"]}).html)
    base, changes = what_if(one, LINE, beam=3), data["changes"]
    assert len(base.target) == 4
    assert data["source"] == base.source and data["base"]["text"] == base.text
    assert [[case["token"] for case in tried] for tried in changes["source"]] == [["b"], [], ["a", "b"], []]
    for j, tried in enumerate(changes["source"]):
        for case in tried:
            assert_case(data, case, what_if(one, LINE, beam=3, source={j: case["token"]}))
    for t, tried in enumerate(changes["force"]):
        assert base.target[t] not in [case["token"] for case in tried]
        for case in tried:
            assert_case(data, case, what_if(one, LINE, beam=3, forced={t: case["token"]}))
    places = 0 if base.alpha is None else len(LINE)
    assert [len(row) for row in changes["look"]] == [places] * len(base.target)
    for t, j in [(0, 0), (1, 3), (len(base.target) - 1, 2)] if places else []:
        assert_case(data, changes["look"][t][j], what_if(one, LINE, beam=3, looks={t: j}))


def test_tokens_to_try_are_others_of_the_same_kind_first_and_too_many_cases_are_refused():
    source = Tokens.train(["aab12 bba1", "bb1"], "char")
    one = translator()
    sizes = {"embedding": 4, "hidden": 4, "attention_size": 4}
    config = Seq2SeqConfig(len(source), len(one.target_tokens), **sizes)
    one = Translator(Seq2Seq.create(config), source, one.target_tokens)
    data = live.ask.Cases(one, "a1 ", 3, 5, 2).data
    assert [[case["token"] for case in tried] for tried in data["changes"]["source"]] == [
        ["b", "1"],
        ["2", "b"],
        ["b", "1"],
    ]
    one.model.params.head.b[EOS] = -50  # it goes on to the limit, where there is <eos> alone
    found = live.ask.Cases(one, "a1", 3, 5, 2)
    assert found.data["changes"]["force"][-1] == [] and len(found.base.target) == found.base.limit + 1
    with pytest.raises(ArgumentError, match=r"cases, of which 600 are the most"):
        live.what_if(translator(), 200 * "a")
    with pytest.raises(ArgumentError, match="a position of tries is 9"):
        live.what_if(translator(), LINE, tries={9: ["a"]})


def test_where_there_is_no_widget_the_picture_has_the_answers(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    assert isinstance(live.what_if_widget(translator(), "ab", most=2), live.LivePicture)


def widget_of(line=LINE):
    widget, sent = live.what_if_widget(translator(), line, tries={0: ["b"]}), []
    widget.send = lambda message, buffers=None: sent.append(message)

    def asked(**change):
        widget._handle_custom_msg({"id": len(sent), "kind": "", "j": 0, "t": 0, "token": None} | change, [])
        assert sent[-1]["id"] == len(sent) - 1
        return sent[-1]

    return widget, asked


def test_a_widget_answers_what_is_asked():
    widget, asked = widget_of()
    one, data = translator(), widget.data
    for change, expected in [
        ({"kind": "source", "j": 1, "token": "c"}, {"source": {1: "c"}}),
        ({"kind": "force", "t": 1, "token": "z"}, {"forced": {1: "z"}}),
        ({"kind": "look", "t": 1, "j": 3}, {"looks": {1: 3}}),
    ]:
        answer = asked(**change)
        assert_case(data | {"words": answer["words"]}, answer, what_if(one, LINE, beam=3, **expected))
    assert asked(kind="force", token="q")["error"].startswith("forced[0] is 'q'")
    assert asked(kind="line", line="")["error"].startswith("line is empty")
    assert widget.data["line"] == LINE
    asked(kind="line", line="cab")
    assert widget.data["source"] == list("cab")
    answer = asked(kind="look", t=0, j=2)
    assert_case(widget.data | {"words": answer["words"]}, answer, what_if(one, "cab", beam=3, looks={0: 2}))


# in a browser

COMMON = """
<script>
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
const roots = (name) => [...document.querySelectorAll(`[data-picture="${name}"]`)];
const find = (root, role, rest = "") => root.querySelector(`[data-role="${role}"]${rest}`);
const text = (root, role) => find(root, role).textContent;
const move = (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); };
const choose = (select, value) => { select.value = value; select.dispatchEvent(new Event("change")); };
const found = { errors };
function report() {
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  found.ids = ids.length === new Set(ids).size;
  found.unlabelled = [...document.querySelectorAll("input, select")].filter((input) => !input.labels.length).length;
  found.nameless = [...document.querySelectorAll("button, svg[role=img]")].filter((node) =>
    !(node.getAttribute("aria-label") || node.textContent).trim()).length;
  const wide = (root) => root.scrollWidth > root.clientWidth + 1;
  found.wide = [...document.querySelectorAll(".numseq-live")].filter(wide).length;
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify(found);
  document.body.append(result);
}
</script>
"""
DRIVER = """
<script>
const [looked] = roots("looked");
found.scheme = looked.dataset.scheme;
move(find(looked, "step"), 2);
found.looked = text(looked, "said");
found.correlation = text(looked, "correlation");
const high = (bar) => Number(bar.getAttribute("height"));
found.bars = ["looked", "moved"].map((name) => [...looked.querySelectorAll(`[data-role="bar-${name}"]`)].map(high));
const [bptt] = roots("bptt");
move(find(bptt, "frame"), 2);
move(find(bptt, "bias"), 0);
found.bptt = ["rnn", "lstm"].map((role) => text(bptt, role));
move(find(bptt, "length"), 0);
found.shorter = [find(bptt, "frame").max, text(bptt, "rnn")];
const play = find(bptt, "frame-play");
play.click();
found.played = [play.textContent, find(bptt, "frame").value];
move(find(bptt, "frame"), 1);
found.paused = play.textContent;
const [board] = roots("board");
const cells = (kind) => board.querySelectorAll(`.mark-cell.${kind}`).length;
const rings = () => [find(board, "ring").style.display, cells("right"), cells("wrong")];
found.stopped = [text(board, "verdict"), text(board, "equation"), ...rings()];
find(board, "frame-back").click();
found.before = [text(board, "verdict"), ...rings()];
const [what] = roots("what_if");
const state = () => [text(what, "after"), text(what, "verdict"), find(what, "undo").disabled];
found.nothing = state();
choose(find(what, "token"), 1);
found.forced = state();
find(what, "kind-0").click();
move(find(what, "position"), 2);
choose(find(what, "token"), 2);
found.source = [...state(), text(what, "source-text")];
find(what, "undo").click();
found.undone = state();
find(what, "kind-2").click();
move(find(what, "step"), 1);
move(find(what, "position"), 3);
find(what, "go").click();
found.moved = state();
found.leaves = [...what.querySelectorAll('[data-role="best-node"]')].map((node) => node.textContent);
report();
</script>
"""


def driven(page, tmp_path):
    """What a browser found on a page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}", "--dump-dom"]
    options += ["--virtual-time-budget=2000"]
    address = (tmp_path / "page.html").as_uri()
    done = subprocess.run([browser, *options, address], capture_output=True, encoding="utf-8", timeout=100)
    [result] = [text for tag, text in Tags(done.stdout).text if tag == "pre" and text.startswith("{")]
    return json.loads(result)


def assert_well_made(found):
    assert found["errors"] == [] and found["ids"] and found["unlabelled"] == found["nameless"] == found["wide"] == 0


def percent(x):
    return f"{100 * x:.{1 if x < 0.0995 else 0}f}%"


def size(x):
    return (
        f"{x:.3f}"
        if 0.01 <= x < 1
        else f"{x:.2f}"
        if 1 <= x < 1000
        else f"{x:.1e}".replace("e-0", "e−").replace("-", "−")
    )


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_the_numbers_that_one_asks_for(dark, pictures, tmp_path):
    colours = "background: #111; color: #eee" if dark else "background: #fff; color: #111"
    start = f'<!doctype html><meta charset="utf-8"><body style="{colours}; width: 358px">'  # of a phone, 390 wide
    found = driven(start + COMMON + "\n".join(p.html for p in pictures.values()) + DRIVER, tmp_path)
    assert_well_made(found)
    assert found["scheme"] == ("dark" if dark else "light")

    data = pictures["looked"].data
    alpha, share = np.array(data["alpha"][2]), np.array(data["share"][2])
    at = f"“{NASTY[alpha.argmax()]}” at {alpha.argmax()} was looked at most, with {percent(alpha.max())}"
    assert found["looked"].startswith(f"Step 2, the score of “z”: {at}")
    assert found["correlation"].endswith(f" {data['correlation'][2]:.2f}".replace("-", "−"))
    most = max(alpha.max(), share.max())
    np.testing.assert_allclose(found["bars"], 66 * np.stack([alpha, share]) / most, atol=0.01)

    data = pictures["bptt"].data
    lstm_ = data["lstm"][1][0]
    assert found["bptt"][0] == f"RNN: |dh| = {size(data['rnn'][1]['dh'][3])}"
    assert found["bptt"][1].startswith(f"LSTM: |dc| = {size(lstm_['dc'][3])}, |dh| = {size(lstm_['dh'][3])}; ")
    assert found["shorter"] == ["2", f"RNN: |dh| = {size(data['rnn'][0]['dh'][0])}"]
    assert found["played"] == ["❚❚ pause", "0"] and found["paused"] == "▶ play"

    end = pictures["board"].data["end"]
    assert found["stopped"][0].startswith("The first that is wrong: dc_prev at t = 3, relative error ")
    assert found["stopped"][1:] == ["It should be: dc_prev = dc * f, since c = f * c_prev + i * g", "", end, 1]
    assert "right, relative error" in found["before"][0] and found["before"][1:] == ["none", end, 0]

    data = pictures["what_if"].data
    word = data["words"]

    def after(case):
        return f"after:  {''.join(word[k] for k in case['said'][:-1])}  log p {case['logp']:.2f}".replace("-", "−")

    changes = data["changes"]
    assert found["nothing"][0] == after(data["base"]) and found["nothing"][2]
    assert found["undone"] == found["nothing"]
    for name, case in [
        ("forced", changes["force"][0][0]),
        ("source", changes["source"][2][1]),
        ("moved", changes["look"][1][3]),
    ]:
        assert found[name][0] == after(case) and not found[name][2], name
    assert found["forced"][1].startswith(f"If step 0 must say “{changes['force'][0][0]['token']}”: ")
    assert found["source"][1].startswith("If “c” at 2 is “b”: ") and found["source"][3] == "source: abba"
    assert found["moved"][1].startswith("If step 1 looks at “a” at 3 alone: ")
    assert found["leaves"] == [word[k] for k in changes["look"][1][3]["said"]]


WIDGET = """
<main id="place" class="jp-Notebook"></main>
<script type="module">
import widget from "data:text/javascript;base64,%(module)s";
const answers = %(answers)s, data = %(data)s, asked = [];
let told = null;
const model = { get: () => data, on: (name, call) => { if (name === "msg:custom") told = call; },
  send: (message) => { asked.push(message); told({ ...answers[asked.length - 1], id: message.id }); } };
widget.render({ model, el: document.getElementById("place") });
const root = document.getElementById("place");
find(root, "kind-2").click();
move(find(root, "position"), 3);
find(root, "go").click();
found.moved = text(root, "after");
find(root, "kind-1").click();
find(root, "typed").value = "q";
find(root, "typed-try").click();
found.error = text(root, "error");
found.asked = asked;
report();
</script>
"""


@pytest.mark.slow
def test_a_browser_asks_python_and_shows_what_it_answers(tmp_path):
    widget, asked = widget_of()
    answers = [asked(kind="look", j=3), asked(kind="force", token="q")]
    module = base64.b64encode(widget._esm.encode()).decode()
    parts = {"module": module, "answers": json.dumps(answers), "data": json.dumps(widget.data)}
    page = f'<!doctype html><meta charset="utf-8"><style>{widget._css}</style><body>' + COMMON + WIDGET % parts
    found = driven(page, tmp_path)
    assert_well_made(found)
    said = "".join(answers[0]["words"][k] for k in answers[0]["said"][:-1])
    assert found["moved"].startswith(f"after:  {said}  log p ")
    assert found["error"] == answers[1]["error"]
    assert [(one["kind"], one["t"], one["j"], one["token"]) for one in found["asked"]] == [
        ("look", 0, 3, None),
        ("force", 0, 3, "q"),
    ]


def test_the_widgets_module_is_a_script(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node")
    script = tmp_path / "widget.mjs"
    script.write_text(
        ask.MODULE.format(common=live.picture._web("common.js"), script=live.picture._web("what_if.js")),
        encoding="utf-8",
    )
    done = subprocess.run([node, "--check", script], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
