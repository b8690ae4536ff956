"""Progress on standard error: a bar in a terminal, a line now and then elsewhere."""

import io
import itertools
import sys
import types
from importlib.machinery import ModuleSpec

from numseq.training import progress
from numseq.training.progress import Bar, Progress, progress_bar


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


def standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    return sys.stderr


def test_lines_come_now_and_then_and_ever_more_seldom(monkeypatch):
    err = standard_error(monkeypatch)
    clock, bar = Clock(monkeypatch), progress_bar(None, "line")
    said = []
    for _ in range(4000):
        clock.now += 1
        bar.update()
        if err.getvalue():
            said.append(err.getvalue())
            err.seek(err.truncate(0))
    bar.close()
    assert said[:4] == ["line 30, 30 s\n", "line 90, 90 s\n", "line 210, 210 s\n", "line 450, 450 s\n"]
    times = [int(line.split()[1].rstrip(",").replace(",", "")) for line in said]
    assert {b - a for a, b in itertools.pairwise(times[4:])} == {600}


def test_an_epoch_says_where_it_is(monkeypatch):
    err = standard_error(monkeypatch)
    clock, stands = Clock(monkeypatch), Progress(epoch=2, step=7, of=1200)
    with Bar(stands, 5) as bar:
        clock.now += 29
        bar.show(1.5, 0.25)
        assert err.getvalue() == ""
        clock.now += 1
        stands.weight += 3000
        bar.show(1.25, 0.5)
    assert err.getvalue() == "epoch 2/5, update 9 of 1,200, loss 1.250, grad 0.50, 100 tokens/s, 30 s\n"


def test_nothing_is_shown_where_it_is_hidden_or_nobody_could_see_it(monkeypatch):
    err = standard_error(monkeypatch)
    clock = Clock(monkeypatch)
    bars = [progress_bar(9, "line", hidden=True)]
    monkeypatch.setattr(sys, "stderr", None)
    bars.append(progress_bar(9, "line"))
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    clock.now += 1e6
    for bar in bars:
        bar.update()
        bar.close()
    assert err.getvalue() == out.getvalue() == ""


def test_any_stream_may_stand_for_standard_error(monkeypatch):
    class Copied:
        """As notebooks and scripts write what is shown to a file too."""

        def write(self, text):
            pass

    monkeypatch.setattr(sys, "stderr", Copied())
    assert isinstance(progress_bar(3, "batch"), progress.Lines)


def test_a_terminal_has_a_bar(monkeypatch):
    err = standard_error(monkeypatch)
    monkeypatch.setattr(err, "isatty", lambda: True)
    bar = progress_bar(4, "line", "reading")
    bar.update()
    bar.close()
    assert "reading" in err.getvalue() and "\r" in err.getvalue()


def test_loading_a_kernels_modules_makes_no_notebook(monkeypatch):
    """As the libraries of widgets do: in a terminal there is a bar all the same."""
    err = standard_error(monkeypatch)
    monkeypatch.setattr(err, "isatty", lambda: True)
    for name in ("ipykernel", "ipywidgets"):
        module = types.ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    for shell in (None, types.SimpleNamespace()):
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert type(progress_bar(4, "line", "reading")).__module__ == "tqdm.std"


def test_a_kernel_with_widgets_has_a_widget(monkeypatch):
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    standard_error(monkeypatch)
    assert isinstance(progress_bar(4, "line"), progress.Lines)
    made = types.ModuleType("tqdm.notebook")
    made.tqdm = lambda **options: options
    monkeypatch.setitem(sys.modules, "tqdm.notebook", made)
    monkeypatch.setattr(progress, "find_spec", lambda name: name == "ipywidgets")
    assert progress_bar(4, "line", "reading")["desc"] == "reading"
