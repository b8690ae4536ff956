"""Memory: what training needs is known before its first step, and what cannot fit is refused."""

import tracemalloc

import numpy as np
import pytest
from helpers_run import digits

from numseq import backend
from numseq import params as trees
from numseq.data import Pairs
from numseq.data.batches import Ragged
from numseq.errors import ConfigError
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import Trainer, TrainingOptions, memory
from numseq.training.memory import check_memory, needs

MODELS = {
    "attention": {"hidden": 48, "attention_size": 64, "dropout": 0.3},
    "large vocabulary": {"hidden": 24, "attention_size": 24, "target_vocabulary": 2000},
    "deep, feeding": {"hidden": 32, "layers": 2, "decoder": "luong-feeding", "attention": "general", "cell": "gru"},
    "plain": {"hidden": 64, "attention": "none"},
}


def model_and_data(name, S, T, B, more=40):
    """A model, and a corpus of a batch of these sizes and of smaller ones."""
    config = {"source_vocabulary": 60, "target_vocabulary": 60, "embedding": 32} | MODELS[name]
    model = Seq2Seq.create(Seq2SeqConfig(**config))
    rng = np.random.default_rng(0)
    sides = [[rng.integers(4, 60, size=n).tolist() for n in [length] * B + [3] * more] for length in (S, T - 1)]
    return model, Pairs(*map(Ragged, sides))


@pytest.mark.parametrize("sizes", [(30, 12, 32), (12, 40, 16)])
@pytest.mark.parametrize("name", MODELS)
def test_the_largest_batch_takes_what_was_foreseen(tmp_path, name, sizes):
    model, pairs = model_and_data(name, *sizes)
    B = sizes[-1]
    options = TrainingOptions(batch=B)
    found = needs(model, pairs, options)
    assert found.shape == sizes
    trainer = Trainer(model, pairs, pairs, tmp_path, options)
    tracemalloc.start()
    try:
        batch, (before, _) = pairs.batch(np.arange(B)), tracemalloc.get_traced_memory()
        trainer.gradient(batch, 1.0, 0)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert 0.9 < found.batch / peak < 1.3


def test_the_optimiser_needs_what_it_then_has(tmp_path):
    model, pairs = model_and_data("plain", 5, 5, 8)
    options = TrainingOptions(batch=8, ema=0.9, freeze="encoder")
    trainer = Trainer(model, pairs, pairs, tmp_path, options)
    held = [*trees.leaves(trainer.optimizer.moments), *trees.leaves(trainer.average)]
    found = needs(model, pairs, options)
    assert found.optimizer == sum(leaf.nbytes for leaf in held)
    assert found.model == sum(leaf.nbytes for leaf in trees.leaves(model.params))
    assert needs(model, pairs, TrainingOptions(batch=8, accumulate=2)).batch > needs(model, pairs, options).batch


@pytest.mark.parametrize(
    ("free", "advice"),
    [(7_000_000, r"a smaller --batch, with --accumulate"), (900_000, r"a smaller --batch"), (None, None)],
)
def test_what_cannot_fit_is_refused_with_advice(monkeypatch, free, advice):
    model, pairs = model_and_data("attention", 30, 12, 32)
    monkeypatch.setattr(memory, "free_memory", lambda array: free)
    said = []
    if advice is None:
        check_memory(model, pairs, TrainingOptions(batch=32), said.append)
    else:
        with pytest.raises(ConfigError, match=f"batch is 32: this does not fit .*: choose {advice}") as info:
            check_memory(model, pairs, TrainingOptions(batch=32), said.append)
        assert "\n" not in str(info.value)
    assert said[0].startswith("memory: ") and "for the largest batch (32 pairs, 30 and 12 tokens)" in said[0]


def test_a_large_model_is_no_matter_of_batches(monkeypatch):
    model, pairs = model_and_data("large vocabulary", 3, 3, 1, more=0)
    found = needs(model, pairs, TrainingOptions(batch=1))
    monkeypatch.setattr(memory, "free_memory", lambda array: found.optimizer)
    assert found.saving > found.batch
    with pytest.raises(ConfigError, match="choose a smaller model or vocabulary"):
        check_memory(model, pairs, TrainingOptions(batch=1), lambda line: None)


def test_a_corpus_of_ones_own_is_not_measured():
    class Own:
        def plan(self, size, rng=None):
            return [np.arange(size)]

    model, _ = model_and_data("plain", 5, 5, 8)
    said = []
    check_memory(model, Own(), TrainingOptions(), said.append)
    assert "batch" not in said[0] and "for the optimiser" in said[0]


def test_what_is_free_is_the_least_of_system_group_and_limit(tmp_path, monkeypatch):
    for version, line, folder, names in (
        (2, "0::/a/b\n", "a/b", ("memory.max", "memory.current", "inactive_file")),
        (1, "9:cpu:/\n4:memory:/a/b\n", "memory/a",
         ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
    ):  # fmt: skip
        root = tmp_path / str(version)
        (root / folder).mkdir(parents=True)
        (root / "own").write_text(line)
        assert backend._left_of_group(root / "own", root) is None
        for name, value in zip(names[:2], ("5000", "1200"), strict=True):
            (root / folder / name).write_text(value + "\n")
        (root / folder / "memory.stat").write_text(f"cache 7\n{names[2]} 200\n")
        assert backend._left_of_group(root / "own", root) == 4000
        (root / folder / names[0]).write_text("max\n")
        assert backend._left_of_group(root / "own", root) is None
    (tmp_path / "meminfo").write_text("MemTotal:       9 kB\nMemAvailable:   3 kB\n")
    assert backend._available(tmp_path / "meminfo") == 3072
    monkeypatch.setattr(backend, "_available", lambda: None)
    monkeypatch.setattr(backend, "_left_of_group", lambda: 70)
    monkeypatch.setattr(backend, "_left_of_limit", lambda: 60)
    assert backend.free_memory(np.zeros(1)) == 60


def test_what_a_run_needs_is_said_before_its_first_step(tmp_path):
    from numseq.training import DataOptions, train_run

    said = []
    data, model = DataOptions(source_tokens="char", target_tokens="char"), {"embedding": 4, "hidden": 4}
    train_run(tmp_path / "run", digits(20), digits(5), model, data, TrainingOptions(epochs=1), say=said.append)
    [told] = [k for k, line in enumerate(said) if line.startswith("memory: ")]
    assert told < next(k for k, line in enumerate(said) if line.startswith("epoch"))
