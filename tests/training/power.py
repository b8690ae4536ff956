"""The power fails at each operation of a run: what was not forced to the disk is gone, there, or garbage.

    python tests/training/power.py [--sample 100 --seed 0]

A model of the disk records what a run does. After every operation the power fails in some ways: the names that were
given since a folder was forced to the disk are there, or not, or the last, or some of them; of the bytes that were
written since a file was, none are there, or half, or others. What is then on the disk is resumed, and must end with the
same bits as the run that nothing disturbed; and no epoch may be lost that was said to be done.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from io import FileIO
from itertools import takewhile
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers_fork import forked, show_broken
from operations import relative, watched
from scenes import run_cli, scenes

from numseq.training.arrays import load_arrays
from numseq.training.checkpoint import TRAINING
from numseq.training.trainer import Trainer

LOOKS = (
    "access", "close", "flock", "fstat", "isatty", "listdir", "lseek", "lstat", "read", "readlink", "scandir", "stat",
)  # fmt: skip
MODES = ("chmod", "fchmod")


@dataclass
class File:
    """What a file holds, and what of it would outlive the power."""

    now: bytes = b""
    safe: bytes = b""


@dataclass
class Folder:
    """Names of files and folders: those that would outlive the power, and the changes since, in their order."""

    safe: dict = field(default_factory=dict)
    changes: list = field(default_factory=list)

    @property
    def now(self):
        return self.after(self.changes)

    def after(self, changes):
        found = dict(self.safe)
        for change in changes:
            found |= change
        return {name: what for name, what in found.items() if what is not None}


class Disk:
    """The model: what is under a folder, which is there for good itself."""

    def __init__(self, top):
        self.top, self.opened = top, {}
        self.root = self._read(top)

    def _read(self, path):
        if path.is_dir():
            return Folder({entry.name: self._read(entry) for entry in path.iterdir()})
        return File(path.read_bytes(), path.read_bytes())

    def find(self, path):
        """(folder, name) of a path."""
        *folders, name = Path(path).relative_to(self.top).parts or (".",)
        folder = self.root
        for part in folders:
            folder = folder.now[part]
        return folder, name

    def at(self, path):
        folder, name = self.find(path)
        return self.root if name == "." else folder.now.get(name)

    def note(self, operation, result):
        """Change as the operation did, which is done."""
        name, args, path = operation.name, operation.args, operation.path
        if name == "open":
            folder, entry = self.find(path)
            if self.at(path) is None:
                folder.changes.append({entry: File()})
            self.opened[result] = self.at(path)
            self._changed(path, self.opened[result])
        elif name in ("write", "ftruncate", "truncate"):
            self._changed(path, self.opened[args[0]] if isinstance(args[0], int) else self.at(path))
        elif name in ("fsync", "fdatasync"):
            synced = self.opened[args[0]]
            if isinstance(synced, File):
                synced.safe = synced.now
            else:
                synced.safe, synced.changes = synced.now, []
        elif name in ("replace", "rename"):
            (folder, old), (there, new) = self.find(path), self.find(os.path.abspath(args[1]))
            assert folder is there, "from one folder into another"
            folder.changes.append({old: None, new: folder.now[old]})
        elif name in ("unlink", "remove", "rmdir"):
            folder, entry = self.find(path)
            folder.changes.append({entry: None})
        elif name == "mkdir":
            folder, entry = self.find(path)
            folder.changes.append({entry: Folder()})
        else:
            assert name in (*LOOKS, *MODES), f"what does {name} do to the disk?"

    @staticmethod
    def _changed(path, file):
        if isinstance(file, File):
            with FileIO(path) as stream:  # goes by unseen
                file.now = stream.readall()

    def losses(self, rng):
        """Trees, {name: bytes or tree}, that may be on the disk after the power failed now."""
        for how in ("none lost", "all lost", "all garbage", "all half", "last lost", "some any"):
            yield self._after(self.root, *how.split(), rng)

    def _after(self, node, names, data, rng):
        if isinstance(node, File):
            return self._bytes(node, data, rng)
        kept = {"none": [], "all": node.changes, "last": node.changes[-1:]}
        changes = kept[names] if names in kept else [change for change in node.changes if rng.random() < 0.5]
        return {name: self._after(what, names, data, rng) for name, what in node.after(changes).items()}

    @staticmethod
    def _bytes(file, data, rng):
        if file.now == file.safe:
            return file.now
        if data == "any":
            data = rng.choice(["lost", "garbage", "half", "kept"])
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(file.now, file.safe, strict=False)))
        rest = len(file.now) - same
        return {
            "lost": file.safe,
            "garbage": file.now[:same] + rng.randbytes(rest),
            "half": file.now[: same + rest // 2],
            "kept": file.now,
        }[data]


def put(tree, folder):
    """Write a tree into a new folder."""
    folder.mkdir()
    for name, what in tree.items():
        put(what, folder / name) if isinstance(what, dict) else (folder / name).write_bytes(what)


def losses(scene, run, rng):
    """[(operation, validations that were said to be done, tree)] of all moments, without what is there twice."""
    scene.lay_out(run)
    disk, told, seen, found = Disk(run.parent), [], set(), []

    def meet(operation):
        result = operation.do()
        disk.note(operation, result)
        if operation.name not in LOOKS:
            for tree in disk.losses(rng):
                if (key := (len(told), repr(tree))) not in seen:
                    seen.add(key)
                    found.append((relative(operation, run.parent), len(told), tree))
        return result

    def validate(*given):
        validated(*given)
        told.append("a validation")

    validated = Trainer._validate
    with mock.patch.object(Trainer, "_validate", validate), watched(run.parent, meet):
        code, _, err = run_cli(*scene.command(run))
    assert (code, err) == (0, ""), err
    return found


def attempt(scene, run, told, tree):
    """Put on the disk what is left, and resume. Returns: what is wrong, lines."""
    shutil.rmtree(run.parent)
    put(tree, run.parent)
    began = 2 if scene.before else 0  # validations
    wrong = []
    if told:
        try:
            done = load_arrays(run / TRAINING)[1]["validations"]
        except Exception as error:
            wrong.append(f"the state is lost: {error}")
        else:
            if done < began + told:
                wrong.append(f"{began + told} validations were said to be done, and {done} are")
    return wrong + scene.mended(run)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="so many losses, drawn; all when not given")
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args(arguments)
    began, broken, rng = time.time(), 0, random.Random(said.seed)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        run = work / "try" / "run"
        found = [(scene, *loss) for scene in scenes(work) for loss in forked(partial(losses, scene, run, rng))]
        total = len(found)
        for scene, shown, told, tree in rng.sample(found, said.sample) if said.sample else found:
            if wrong := attempt(scene, run, told, tree):
                broken += 1
                show_broken(f"a run that {scene.name}, the power fails after: {shown}", wrong)
    tried = said.sample or total
    print(f"{tried} of {total} losses of power, {broken} broken, {time.time() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
