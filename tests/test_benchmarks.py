"""The benchmarks that need NumPy alone run, and what they count is right."""

import gc
import tracemalloc
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent)


def test_the_share_of_the_floor_is_a_share():
    from benchmarks.floor import share
    from benchmarks.shapes import SHAPES

    row = share("small", SHAPES["small"], rounds=1)
    assert 0 < row["ratio"] < 1 and row["ratio"] == row["peer_s"] / row["numseq_s"]


def test_cost_is_measured_along_an_axis():
    from benchmarks.scaling import exponent, grow

    row = grow("T", 2, rounds=1, base={"V": 20, "E": 4, "H": 4, "B": 2, "S": 3, "T": 3})
    assert row["sizes"] == [3, 6, 12] and row["bytes"][1] > row["bytes"][0]
    assert exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)


def test_a_training_step_leaves_nothing_behind():
    from benchmarks.process import SHAPES, numseq_step

    step = numseq_step(SHAPES["small"])
    tracemalloc.start()
    for _ in range(20):
        step()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(30):
        step()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 30 * 1024  # a single (B, H) array left by each step would be 30 * 8192


def test_every_cell_and_attention_can_be_timed(monkeypatch):
    from benchmarks import cells

    def once(sides, rounds):
        for side in sides.values():
            side()
        return {name: [1.0] for name in sides}

    monkeypatch.setattr(cells, "in_turn", once)
    monkeypatch.setattr(cells, "SHAPES", {"middle": (20, 4, 8, 2, 3, 3)})
    for name, size in {"T": 3, "B": 2, "D": 4, "H": 6}.items():
        monkeypatch.setattr(cells, name, size)
    names = {row["name"] for row in cells.cells(1) + cells.attentions(1)}
    assert names >= {"lstm", "gru", "rnn-relu", "additive", "multi-head", "dot, input feeding"}
