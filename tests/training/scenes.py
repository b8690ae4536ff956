"""Trainings that are disturbed: what is there before, the command, and what has to be there in the end."""

import json
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from helpers_fork import forked
from helpers_run import OF_THE_MACHINE, numseq_cli, words, write_parallel

from numseq.training import trainer
from numseq.training.arrays import FORMAT, load_arrays, save_arrays
from numseq.training.checkpoint import CHECKPOINTS, CONFIG, METRICS, MODEL, TOKENS, TRAINING, read_json
from numseq.training.lock import LOCK

KEEPING = ("--batch", 3, "--accumulate", 2, "--validate-every", 2, "--keep-best", 2, "--keep-last", 1, "--ema", 0.9,
           "--metric", "exact")  # fmt: skip
NOBODY = 1 << 30  # no system counts its processes so far


def run_cli(*args):
    """[exit code, output, errors] of the command line, which here saves after every batch."""
    with mock.patch.object(trainer, "SAVE_EVERY", -1):
        done = numseq_cli(*args)
    return [done.code, done.out, done.err]


@dataclass
class Scene:
    """name. before: a folder of a run to begin with, or None. epochs: to train. more: further options of the command.
    whole: what is there when nothing disturbs."""

    name: str
    corpus: tuple[Path, Path]
    before: Path | None
    epochs: int
    more: tuple = ()
    whole: Path | None = None

    def lay_out(self, run: Path) -> Path:
        shutil.rmtree(run.parent, ignore_errors=True)
        run.parent.mkdir(parents=True)
        if self.before:
            shutil.copytree(self.before, run)
        return run

    def command(self, run: Path) -> list:
        """The command that begins or resumes."""
        source, target = self.corpus
        options = ["--hidden", 4, "--embedding", 4, "--batch", 8, "--lr", 0.03, "--val-source", source]
        options += ["--val-target", target, "--epochs", self.epochs, "--resume"]
        options += self.more
        return ["train", "--source", source, "--target", target, "--out", run, *options]

    def mended(self, run: Path) -> list[str]:
        """Resume, undisturbed. Returns: what is wrong afterwards, lines."""
        code, _, err = forked(lambda: run_cli(*self.command(run)))
        if code:
            return [f"resuming ends with {code}: {err.strip()}"]
        return self.differences(run)

    def differences(self, run: Path) -> list[str]:
        """What a run that should be whole has otherwise than the undisturbed one."""
        names, expected = (
            sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in (run, self.whole)
        )
        if names != expected:
            return [f"the folder holds {names}, not {expected}"]
        same = (CONFIG, *TOKENS, MODEL, *(name for name in names if name.startswith(f"{CHECKPOINTS}/")))
        wrong = [name for name in same if (run / name).read_bytes() != (self.whole / name).read_bytes()]
        ours, theirs = (load_arrays(folder / TRAINING)[0] for folder in (run, self.whole))
        if {name: a.tobytes() for name, a in ours.items()} != {name: a.tobytes() for name, a in theirs.items()}:
            wrong.append(TRAINING)
        if _metrics(run) != _metrics(self.whole):
            wrong.append(METRICS)
        checked = numseq_cli("verify", run)
        wrong = [f"{name} is another" for name in wrong]
        return wrong + ([f"verify: {checked.out}{checked.err}"] if checked.code else [])


class Conversion(Scene):
    """A run of format 3 that becomes one of today's."""

    def command(self, run: Path) -> list:
        return ["convert", run]

    def mended(self, run: Path) -> list[str]:
        if read_json(run / CONFIG)["format"] != FORMAT:
            return super().mended(run)
        (run / LOCK).unlink(missing_ok=True)  # of one that was killed; whoever comes next takes it
        return self.differences(run)


def _as_of_format_3(run):
    """There were no checksums."""
    for name in (MODEL, TRAINING):
        arrays, said = load_arrays(run / name)
        kept = {key: value for key, value in said.items() if key != "run" and not key.endswith("crc32")}
        save_arrays(run / name, arrays, kept | {"format": 3})
    said = read_json(run / CONFIG)
    (run / CONFIG).write_text(json.dumps({"format": 3, "model": said["model"], "training": said["training"]}))
    return run


def _metrics(run):
    lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in OF_THE_MACHINE} for line in lines]


def scenes(work: Path) -> list[Scene]:
    """A run that begins; one that goes on after it was stopped, with what a crash leaves beside it; a conversion; a run
    that validates within epochs and keeps several models."""
    corpus = write_parallel(work, words(16))
    begins = Scene("begins", corpus, None, 2)
    whole = _undisturbed(begins, work / "begins" / "run")
    begins.whole = whole
    before = shutil.copytree(whole, work / "stopped")
    with (before / METRICS).open("a") as file:
        file.write('{"epoch": 3, "tr')
    (before / f".{MODEL}.0123456789abcdef.part").write_bytes(b"half")
    (before / LOCK).write_text(f"process {NOBODY} on {socket.gethostname()}")
    goes_on = Scene("goes on", corpus, before, 3)
    goes_on.whole = _undisturbed(goes_on, work / "goes on" / "run")
    old = _as_of_format_3(shutil.copytree(whole, work / "old"))
    converts = Conversion("is converted", corpus, old, 2)
    converts.whole = _undisturbed(converts, work / "converts" / "run")
    several = Scene("keeps several models", corpus, None, 2, KEEPING)
    several.whole = _undisturbed(several, work / "several" / "run")
    return [begins, goes_on, converts, several]


def _undisturbed(scene, run):
    code, _, err = forked(lambda: run_cli(*scene.command(scene.lay_out(run))))
    assert (code, err) == (0, ""), err
    return run
