"""Step sizes: what each schedule says, by hand; the way up to it, the floor below it; and what cannot be meant."""

import json
import math

import numpy as np
import pytest
from helpers_run import digits

from numseq.errors import ConfigError
from numseq.training import DataOptions, TrainingOptions, step_sizes, train_run
from numseq.training.progress import Progress
from numseq.training.schedules import SCHEDULES, doubt, step_size

MODEL = {"embedding": 4, "hidden": 4}
DATA = DataOptions(source_tokens="char", target_tokens="char")


def sizes(schedule, of=4, lr=2.0, setbacks=(), epochs=2, **more):
    """Those of two epochs of four updates."""
    return step_sizes(TrainingOptions(schedule=schedule, epochs=epochs, **more), of, lr, setbacks)


def half_cosine(a, b, share):
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2


BY_HAND = {
    "constant": (sizes("constant"), [2] * 8),
    "step": (sizes("step", decay=0.1), [2] * 4 + [0.2] * 4),
    "step, every 2": (sizes("step", epochs=5, of=1, decay=0.5, decay_every=2), [2, 2, 1, 1, 0.5]),
    "exponential": (sizes("exponential", decay=0.25, decay_every=2), [2 * 0.25 ** (k / 8) for k in range(8)]),
    "cosine": (sizes("cosine"), [half_cosine(2, 0, k / 8) for k in range(8)]),
    "cosine to a floor": (sizes("cosine", lr=2.0, min_lr=1e-4), [half_cosine(2, 1e-4, k / 8) for k in range(8)]),
    "cosine by updates": (sizes("cosine", epochs=9, updates=5), [half_cosine(2, 0, k / 5) for k in range(5)]),
    "inverse-sqrt": (sizes("inverse-sqrt"), [2 / math.sqrt(n) for n in range(1, 9)]),
    "inverse-sqrt, warm": (
        sizes("inverse-sqrt", warmup=4),
        [0.5, 1, 1.5, 2, *(2 * math.sqrt(4 / n) for n in range(5, 9))],
    ),
    "plateau": (sizes("plateau", setbacks=[2, 4, 4], decay=0.5), [2, 2, 1, 1, 0.25, 0.25, 0.25, 0.25]),
    "plateau to a floor": (sizes("plateau", setbacks=[2, 4, 4], min_lr=1e-3, lr=0.002), [2e-3] * 2 + [1e-3] * 6),
    "one-cycle": (
        sizes("one-cycle", of=5),
        [half_cosine(0.08, 2, k / 3) for k in range(3)] + [half_cosine(2, 0, (k - 3) / 7) for k in range(3, 10)],
    ),
    "warm-up before any": (sizes("step", warmup=2, decay=0.1), [1, 2, 2, 2, 0.2, 0.2, 0.2, 0.2]),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_step_sizes_are_those_by_hand(case):
    found, expected = BY_HAND[case]
    assert found == pytest.approx(expected, rel=1e-12)


def test_every_schedule_stands_above_and_goes_down_from_lr():
    assert {case.split(",")[0].split()[0] for case in BY_HAND} == {*SCHEDULES, "warm-up"}
    for name in SCHEDULES:
        found = sizes(name, of=50, warmup=3, setbacks=[60])
        assert max(found) <= 2.0 and all(isinstance(size, float) and size >= 0 for size in found)
        assert (found[-1] < found[50]) == (name not in ("constant", "step"))  # step goes down between epochs


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_takes_the_steps_that_are_drawn(tmp_path):
    options = TrainingOptions(epochs=3, batch=8, lr=0.01, schedule="cosine", warmup=10, min_lr=1e-3)
    said = []
    train_run(tmp_path / "run", digits(60), digits(12, seed=1), MODEL, DATA, options, say=said.append)
    drawn = step_sizes(options, 8, 0.01)
    assert [line["lr"] for line in lines_of(tmp_path / "run")] == [drawn[7], drawn[15], drawn[23]]
    assert not any("step size" in line for line in said)


def wrong(lr, progress, options):
    return np.nan if progress.updates else lr


def below_zero(lr, progress, options):
    return -lr


@pytest.mark.usefixtures("parts_are_forgotten")
def test_a_schedule_of_ones_own_that_says_no_step_size_is_named():
    with pytest.raises(ConfigError, match=r"the step size of update 2 by schedule .*wrong is nan: it must be finite"):
        sizes(wrong)
    with pytest.raises(ConfigError, match=r"the step size of update 1 by schedule .*below_zero is -2.0: it must be"):
        sizes(below_zero)


def test_a_floor_above_the_step_size_is_refused():
    for options in ({"lr": 0.01}, {}, {"optimizer": "sgd", "lr": None}):  # adam's own is 0.001, sgd's 0.1
        with pytest.raises(ConfigError, match="min_lr is 0.2: it must be at most lr, which is 0"):
            TrainingOptions(min_lr=0.2, **options)
    assert TrainingOptions(min_lr=0.2, lr=0.2).min_lr == 0.2


def standing(of, **more):
    progress = Progress(**more)
    progress.of = of
    return progress


def test_a_warm_up_that_outlasts_the_run_is_said():
    options = TrainingOptions(epochs=2, warmup=40)
    assert "warms up for 40 updates, and the run will have 20: it will end at 50.0%" in doubt(1, standing(10), options)
    assert "the run will have 7" in doubt(1, standing(10), TrainingOptions(epochs=2, warmup=40, updates=7))
    assert doubt(1, standing(10), TrainingOptions(epochs=2, warmup=20)) is None
    assert doubt(1, standing(10, updates=10, epoch=2), options) is None, "at the beginning alone"


def test_a_step_size_that_changes_nothing_is_said_unless_the_run_is_at_its_end():
    options = TrainingOptions(epochs=10, schedule="exponential", decay=1e-3)
    assert doubt(1, standing(5, epoch=3, updates=10), options) is None
    assert "the step size is 1e-09" in doubt(1, standing(5, epoch=4, updates=15), options)
    assert doubt(1, standing(5, epoch=4), TrainingOptions(epochs=10, schedule="exponential", min_lr=1e-5)) is None
    for setbacks, is_said in ((24, False), (25, True)):  # 0.5^24 is just what float32 keeps
        assert bool(doubt(1, standing(5, epoch=5, setbacks=setbacks), TrainingOptions(epochs=10))) == is_said
    end = standing(5, epoch=10, step=4, updates=49)
    assert step_size(1, end, TrainingOptions(schedule="cosine")) < 0.001
    assert doubt(1, end, TrainingOptions(schedule="exponential", decay=1e-3)) is None


def test_it_is_said_once_in_a_run(tmp_path):
    options, said = TrainingOptions(epochs=4, batch=8, schedule="step", decay=1e-5, lr=0.01), []
    train_run(tmp_path / "run", digits(24), digits(8, seed=1), MODEL, DATA, options, say=said.append)
    assert [line for line in said if line.startswith("the step size is")] == [
        "the step size is 1e-12, so that next to nothing is learned from here on: min_lr is its floor"
    ]


def test_all_of_a_schedule_may_be_another_on_resuming(tmp_path):
    other = {"schedule": "step", "warmup": 30, "decay": 0.1, "decay_every": 2, "min_lr": 1e-3}
    said = []
    for options in ({"epochs": 2}, {"epochs": 4} | other):
        options = TrainingOptions(batch=8, lr=0.01, **options)
        train_run(tmp_path / "run", digits(60), digits(12, seed=1), MODEL, DATA, options, resume=True, say=said.append)
    drawn = step_sizes(options, 8, 0.01)
    assert [line["lr"] for line in lines_of(tmp_path / "run")] == [0.01, 0.01, drawn[23], drawn[31]]
    [line] = [line for line in said if line.startswith("changed from here on")]
    assert all(f"{name} from " in line for name in other)
    assert f"step size of the next update: {drawn[16]:.2g}" in said
