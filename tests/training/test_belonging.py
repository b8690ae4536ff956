"""What is loaded is what was written, of this run and no other; what cannot be gone on with is said, and stays."""

import dataclasses
import json
import shutil
import zlib

import numpy as np
import pytest
from helpers_run import digits, edit_config, numseq_cli, snapshot

from numseq.errors import NumseqError
from numseq.training import (
    CheckpointError,
    DataOptions,
    TrainingOptions,
    load_config,
    load_model,
    load_tokens,
    save_run,
    train_run,
)
from numseq.training.arrays import load_arrays, restore, save_arrays
from numseq.training.checkpoint import (
    CONFIG,
    METRICS,
    MODEL,
    SOURCE_TOKENS,
    TARGET_TOKENS,
    TOKENS,
    TRAINING,
    Description,
    checksum,
)
from numseq.training.verify import verify

DATA = DataOptions(source_tokens="char", target_tokens="char")
SMALL = {"embedding": 4, "hidden": 6, "attention_size": 3}
FILES = (CONFIG, *TOKENS, MODEL, TRAINING, METRICS)


def train(folder, epochs=2, resume=False, pairs=None, data=DATA, **options):
    model = SMALL | {name: options.pop(name) for name in ("hidden", "embedding", "layers", "cell") if name in options}
    options = TrainingOptions(**{"epochs": epochs, "batch": 8, "lr": 0.02} | options)
    return train_run(
        folder, pairs or digits(40), digits(8, 1), model, data, options, resume=resume, say=lambda line: None
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs: one, and others that differ from it in one thing."""
    folder = tmp_path_factory.mktemp("runs")
    train(folder / "run")
    train(folder / "seed", seed=1)
    train(folder / "lr", lr=0.03)
    train(folder / "data", pairs=digits(40, 5))
    return folder


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made / "run", tmp_path / "run")


def refused(run, *words, resumes=False):
    """Using the run ends in one line with the words, and changes nothing; resuming it does in any case."""
    before = snapshot(run)
    said = []
    for call in ([] if resumes else [lambda: load_model(run)]) + [lambda: train(run, epochs=3, resume=True)]:
        with pytest.raises(NumseqError) as error:
            call()
        said.append(str(error.value))
    assert all("\n" not in line and all(word in line for word in words) for line in said), said
    assert snapshot(run) == before
    assert any(wrong and all(word in wrong for word in words) for _, wrong in verify(run))


# every bit


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_noticed(made, tmp_path, name):
    rng, data = np.random.default_rng(0), (made / "run" / name).read_bytes()
    for k in [0, 7, len(data) - 1, *rng.integers(len(data), size=20)]:
        run = shutil.copytree(made / "run", tmp_path / "run", dirs_exist_ok=True)
        broken = bytearray(data)
        broken[k] ^= 1 << int(rng.integers(8))
        (run / name).write_bytes(broken)
        try:
            refused(run, name, resumes=name in (TRAINING, METRICS))
        except BaseException as error:
            raise AssertionError(f"byte {k} of {name}") from error


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["empty", "cut", "longer", "zeros"])
def test_a_file_of_another_length_is_noticed(run, name, how):
    data = (run / name).read_bytes()
    if (name, how) == (METRICS, "longer"):
        return  # lines that the state does not count are of an epoch that is trained again
    changed = {"empty": b"", "cut": data[:-2], "longer": data + b"x", "zeros": bytes(len(data))}
    (run / name).write_bytes(changed[how])
    refused(run, name, resumes=name in (TRAINING, METRICS))


# of another run


@pytest.mark.parametrize("other", ["seed", "lr", "data"])
@pytest.mark.parametrize("name", [MODEL, TRAINING, SOURCE_TOKENS, CONFIG])
def test_a_file_of_another_run_is_refused(made, run, other, name):
    if (made / other / name).read_bytes() == (run / name).read_bytes():
        assert name == SOURCE_TOKENS  # the same words make the same vocabulary
        return
    shutil.copy(made / other / name, run)
    resumes = name == TRAINING
    words = {MODEL: (MODEL, "another run"), TRAINING: (TRAINING, "another run")}.get(name, ())
    refused(run, *words, resumes=resumes)


def test_an_older_model_of_the_same_run_is_refused_where_the_state_is_newer(run, tmp_path):
    older = shutil.copytree(run, tmp_path / "older")
    _, metrics = train(run, epochs=4, resume=True)
    assert min(line["valid_loss"] for line in metrics[2:]) < min(line["valid_loss"] for line in metrics[:2])
    shutil.copy(older / MODEL, run)
    refused(run, MODEL, TRAINING, resumes=True)


def test_a_newer_model_is_what_a_crash_leaves(run, tmp_path):
    """The model of an epoch is kept before the state that counts on it."""
    before = (run / TRAINING).read_bytes()
    train(run, epochs=3, resume=True)
    shutil.copytree(run, tmp_path / "whole")
    (run / TRAINING).write_bytes(before)
    assert all(wrong is None for _, wrong in verify(run))
    train(run, epochs=3, resume=True)
    assert (run / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


# what is lost


@pytest.mark.parametrize(("lost", "resumes"), [(TRAINING, True), (MODEL, True), (TARGET_TOKENS, False)])
def test_what_is_lost_is_named_and_the_rest_stays(run, lost, resumes):
    (run / lost).unlink()
    refused(run, lost, resumes=resumes)


def test_without_its_configuration_a_folder_is_no_run_and_nothing_begins_there(run):
    (run / CONFIG).unlink()
    before = snapshot(run)
    with pytest.raises(CheckpointError, match=MODEL):
        train(run, resume=True)
    assert snapshot(run) == before


def test_lost_metrics_are_begun_again(run):
    (run / METRICS).unlink()
    _, metrics = train(run, epochs=4, resume=True)
    assert [line["epoch"] for line in metrics] == [3, 4]
    assert all(wrong is None for _, wrong in verify(run))


# what may change


@pytest.mark.parametrize("change", [{"clip": 0.5}, {"seed": 3}, {"batch": 4}, {"hidden": 8}, {"cell": "gru"},
                                    {"accumulate": 2}, {"ema": 0.9}, {"optimizer": "sgd"},
                                    {"data": DataOptions(max_length=9)}])  # fmt: skip
def test_an_option_that_would_make_it_another_run_is_refused_by_name(run, change):
    before, name = snapshot(run), "source_tokens" if "data" in change else next(iter(change))
    with pytest.raises(CheckpointError, match=f"{name} is .*, but the run began with .*epochs"):
        train(run, resume=True, **change)
    assert snapshot(run) == before


def test_more_epochs_are_no_other_run(run):
    run_id = load_arrays(run / MODEL)[1]["run"]
    train(run, epochs=3, resume=True)
    assert load_arrays(run / TRAINING)[1]["run"] == run_id and json.loads((run / CONFIG).read_text())["training"]


# what is whole and makes no sense


def resealed(path, **changed):
    """Write the metadata of a file of arrays with other numbers, and a checksum that fits."""
    arrays, said = load_arrays(path)
    save_arrays(path, arrays, said | changed)


def reseal(run):
    """Make both files of arrays files of the run that config.json describes."""
    resealed(run / MODEL, run=Description.load(run).run)
    resealed(run / TRAINING, run=Description.load(run).run, model_crc32=load_arrays(run / MODEL)[1]["crc32"])


@pytest.mark.parametrize(
    ("name", "value"),
    [("epoch", "x"), ("epoch", 0), ("epoch", 1.5), ("step", -5), ("loss", float("nan")), ("updates", "x"),
     ("updates", -1), ("best", {}), ("metrics_bytes", 5), ("metrics_bytes", -1), ("seconds", []), ("weight", None),
     ("metrics_crc32", 1 << 40), ("model_crc32", 7), ("setbacks", True)],
)  # fmt: skip
def test_numbers_of_a_state_that_cannot_be_are_refused(run, name, value):
    resealed(run / TRAINING, **{name: value})
    before = snapshot(run)
    with pytest.raises(CheckpointError):
        train(run, epochs=3, resume=True)
    assert snapshot(run) == before


@pytest.mark.parametrize(
    "lines", [b"{", b'{"epoch": 1}\nx\n', b"\xff\n", b"[" * 100_000, b'{"epoch": 1}', b"7\n", b"{}\n"]
)
def test_metrics_that_are_no_json_are_refused_before_training(run, lines):
    (run / METRICS).write_bytes(lines)
    resealed(run / TRAINING, metrics_bytes=len(lines), metrics_crc32=zlib.crc32(lines))
    refused(run, METRICS, resumes=True)


@pytest.mark.parametrize("what", ["folder", "link"])
def test_metrics_that_cannot_be_read_are_not_lost_metrics(run, what):
    path = run / METRICS
    path.unlink()
    path.mkdir() if what == "folder" else path.symlink_to(METRICS)
    refused(run, METRICS, "cannot be read", resumes=True)


@pytest.mark.parametrize("name", TOKENS)
def test_a_vocabulary_that_is_not_utf8_is_refused(run, name):
    data = (run / name).read_bytes().replace(b"<pad>", b"<\xff>", 1)
    (run / name).write_bytes(data)
    edit_config(run, lambda said: said["tokens"].update({name: checksum(data)}))
    refused(run, name, "UTF-8")


@pytest.mark.parametrize(
    "edit",
    [lambda said: said.pop("options"), lambda said: said.update(options=7), lambda said: said["options"].update(lr="x"),
     lambda said: said["options"].update(optimizer=3), lambda said: said["options"].update(x=1),
     lambda said: said["options"].update(freeze="x")],
)  # fmt: skip
def test_options_of_training_that_cannot_be_are_wrong_in_a_line(run, edit):
    edit_config(run, lambda said: edit(said["training"]))
    reseal(run)
    wrong = [line for _, line in verify(run) if line]
    assert len(wrong) == 1 and "\n" not in wrong[0] and "checksum" not in wrong[0]


@pytest.mark.parametrize(("updates", "weight"), [(10, 7), (13, 0)])
def test_updates_that_were_made_weigh_something(run, updates, weight):
    resealed(run / TRAINING, updates=updates, validated=10, weight=weight)
    refused(run, f"{updates - 10} updates since the last validation weigh {weight}", resumes=True)


def test_more_updates_than_there_are_cannot_be_done(run):
    resealed(run / TRAINING, step=1000, updates=1010, weight=1)
    with pytest.raises(CheckpointError, match=r"update 1000 of \d+ is said to be done"):
        train(run, epochs=3, resume=True)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [MODEL, TRAINING])
def test_weights_that_are_not_finite_are_refused(run, name, number):
    arrays, said = load_arrays(run / name)
    next(array for array in arrays.values() if array.size > 3).flat[3] = number
    save_arrays(run / name, arrays, said)
    refused(run, name, resumes=name == TRAINING)


@pytest.mark.parametrize("wrong", ["number", "shape", "name"])
def test_a_best_model_that_cannot_be_used_is_found_out_before_training(run, wrong):
    arrays, said = load_arrays(run / MODEL)
    name = next(iter(arrays))
    first = arrays.pop(name)
    changed = {"number": {name: np.full_like(first, np.nan)}, "shape": {name: first[:-1]}, "name": {"x": first}}
    save_arrays(run / MODEL, arrays | changed[wrong], said)
    resealed(run / TRAINING, model_crc32=load_arrays(run / MODEL)[1]["crc32"])
    refused(run, MODEL)


@pytest.mark.parametrize("kind", ["float16", "float64", "complex64"])
@pytest.mark.parametrize("others", [True, False])
def test_arrays_are_real_and_of_one_precision(kind, others):
    """Not every release of the library that writes them takes complex numbers."""
    tree = {"a": np.zeros(2, np.float32), "b": np.zeros(2, np.float32)}
    arrays = {"a": np.zeros(2, kind), "b": np.zeros(2, np.float32 if others else kind)}
    if others or kind == "complex64":
        with pytest.raises(CheckpointError, match="file: "):
            restore("file", tree, arrays)
    else:
        assert restore("file", tree, arrays)["a"].dtype == kind


@pytest.mark.parametrize("kind", ["float64", "float16", "int32"])
@pytest.mark.parametrize("name", [MODEL, TRAINING])
def test_an_array_of_another_precision_is_refused(run, name, kind):
    arrays, said = load_arrays(run / name)
    key = next(iter(arrays))
    save_arrays(run / name, arrays | {key: arrays[key].astype(kind)}, said)
    refused(run, name, resumes=name == TRAINING)


@pytest.mark.parametrize(("field", "value"), [("hidden", 8), ("embedding", 10**9), ("layers", 2**31), ("cell", "gru")])
def test_a_configuration_of_other_shapes_is_refused_before_memory_is_taken(run, field, value, monkeypatch):
    edit_config(run, lambda said: said["model"].update({field: value}))
    monkeypatch.setattr("numseq.training.checkpoint.Seq2Seq.create", lambda *args: pytest.fail("memory was taken"))
    with pytest.raises(CheckpointError, match=f"{MODEL}|{CONFIG}: {field}"):
        load_model(run)


@pytest.mark.parametrize("size", [10**6])
@pytest.mark.parametrize("field", ["embedding", "hidden"])
def test_sizes_that_the_files_cannot_hold_are_refused_before_memory_is_taken(run, field, size, monkeypatch):
    edit_config(run, lambda said: said["model"].update({field: size}))
    reseal(run)
    monkeypatch.setattr("numseq.training.checkpoint.Seq2Seq.create", lambda *args: pytest.fail("memory was taken"))
    with pytest.raises(CheckpointError, match=f"{CONFIG}: {field} is {size}"):
        load_model(run)
    with pytest.raises(NumseqError, match=f"{field} is {size}"):
        train(run, resume=True, **{field: size})
    assert any(wrong and field in wrong for _, wrong in verify(run))


@pytest.mark.parametrize("error", [MemoryError(), ValueError("array is too big")])
def test_a_model_that_no_machine_has_room_for_is_a_line(run, error, monkeypatch):
    def create(*args):
        raise error

    monkeypatch.setattr("numseq.training.checkpoint.Seq2Seq.create", create)
    with pytest.raises(CheckpointError, match=f"{CONFIG}: a model of these sizes"):
        load_model(run)


@pytest.mark.parametrize("data", [None, 7, [], "x", {"max_length": "x"}, {"max_length": 1.5}, {"max_length": {}}])
def test_what_is_said_of_the_data_and_cannot_be_is_refused(run, data):
    edit_config(run, lambda said: said["training"].update(data=data))
    refused(run, CONFIG)


@pytest.mark.parametrize("name", [CONFIG, SOURCE_TOKENS, MODEL])
def test_what_the_system_refuses_is_said_in_its_words_alone(run, name):
    (run / name).unlink()
    (run / name).mkdir()
    with pytest.raises(CheckpointError, match=rf"{name}: cannot be read \(Is a directory\)$"):
        load_model(run)


def test_a_deeply_nested_configuration_is_a_line(run):
    (run / CONFIG).write_text("[" * 100_000 + "]" * 100_000)
    refused(run, CONFIG, "nested")


def test_a_vocabulary_in_another_order_is_refused(run):
    path = run / TARGET_TOKENS
    said = json.loads(path.read_text())
    words = [word for word, k in said["model"]["vocab"].items() if k > 3]
    said["model"]["vocab"] |= dict(zip(words, [said["model"]["vocab"][w] for w in reversed(words)], strict=True))
    path.write_text(json.dumps(said))
    refused(run, TARGET_TOKENS)


def test_a_run_is_not_begun_over_another(run):
    config, described = load_config(run)
    tokens = load_tokens(run)
    before = snapshot(run)
    with pytest.raises(CheckpointError, match=f"{run} already holds a run"):
        save_run(run, config, *tokens, described)
    (run / CONFIG).unlink()
    with pytest.raises(CheckpointError, match=f"{run} has a {MODEL} but no {CONFIG}"):
        save_run(run, config, *tokens, described)
    del before[CONFIG]
    assert snapshot(run) == before


# the command


def test_verify_says_of_every_file_how_it_is(run):
    result = numseq_cli("verify", run)
    assert (result.code, result.err) == (0, "") and result.out.count(": good\n") == len(result.out.splitlines())
    assert all(name in result.out for name in FILES)
    (run / MODEL).write_bytes((run / MODEL).read_bytes()[:-1])
    result = numseq_cli("verify", run)
    assert result.code == 1 and f"{MODEL}: WRONG, " in result.out and f"{CONFIG}: good" in result.out


@pytest.mark.parametrize("command", ["convert {}", "translate {}", "verify {}"])
def test_a_file_is_no_run(tmp_path, command):
    (tmp_path / "file").write_text("mine")
    result = numseq_cli(*command.format(tmp_path / "file").split())
    assert result.code == 1 and f"{tmp_path}/file: not a run of numseq (it has no {CONFIG})" in result.err


def test_verify_of_what_is_no_run_is_a_line(tmp_path):
    result = numseq_cli("verify", tmp_path)
    assert result.code == 1 and result.out == "" and "not a run" in result.err


FILES_OF_TRAIN = dict.fromkeys(["source", "target", "tsv", "val_source", "val_target", "val_tsv"])


@pytest.mark.parametrize(
    "origin",
    [
        None,
        7,
        [],
        {"tsv": None},
        FILES_OF_TRAIN | {"x": None},
        FILES_OF_TRAIN | {"tsv": 1.5},
        FILES_OF_TRAIN | {"tsv": []},
    ],
)
def test_a_run_whose_files_cannot_be_is_not_resumed_by_numseq_train(run, origin):
    edit_config(run, lambda said: said["training"].update(origin=origin))
    before = snapshot(run)
    result = numseq_cli("train", "--out", run, "--resume")
    assert (
        result.code == 2 and "was not begun by numseq train" in " ".join(result.err.split()) and snapshot(run) == before
    )


def test_a_run_of_a_version_that_had_fewer_options_goes_on(tmp_path, monkeypatch):
    def of_then(config):
        return {name: value for name, value in dataclasses.asdict(config).items() if name != "residual"}

    with monkeypatch.context() as then:
        then.setattr("numseq.training.checkpoint.asdict", of_then)
        train(tmp_path / "run", epochs=1)
    assert "residual" not in json.loads((tmp_path / "run" / CONFIG).read_text(encoding="utf-8"))["model"]
    assert load_config(tmp_path / "run")[0].residual is False
    load_model(tmp_path / "run")
    train(tmp_path / "run", epochs=2, resume=True)
    verify(tmp_path / "run")
