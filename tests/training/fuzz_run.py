"""Runs whose files were changed at random, used in every way: a line that says what is wrong, or a right result.

    python tests/training/fuzz_run.py --count 4000 --seed 0

A right result is that of the run before; where the checksums were made right again, what the files say, read without
numseq's loading. What is refused is changed in nothing. Prints what is not so, and a summary; the exit status is 1 if
there is any.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers_fork import DiedError, each_forked, forked, show_broken
from helpers_run import numseq_cli, snapshot, words, write_parallel
from mutations import FILES, KEPT, mutate

from numseq import metrics  # noqa: F401  (here, so that no copy has to)
from numseq import params as trees
from numseq.data.tokens import Tokens
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.search import Translator
from numseq.training import verify  # noqa: F401
from numseq.training.checkpoint import CONFIG, METRICS, MODEL, TOKENS
from numseq.training.experiment import EXPERIMENT

SMALL = ("--hidden", 4, "--embedding", 4, "--batch", 8, "--lr", 0.03, "--epochs", 2, "--min-count", 1, "--keep-last", 1)
MEMORY = 1 << 30  # bytes; the run itself is a few thousand
OPTIONS = {
    "whole": (), "seed": ("--seed", 1), "lr": ("--lr", 0.02), "hidden": ("--hidden", 6), "data": ("--min-count", 9)
}  # fmt: skip
LINES = "1 2 3\n4\n7 7\n\n5 6 8 9\n"


class Workplace:
    """Folders: whole, the run; others, of another seed, data and size; run, that is changed."""

    def __init__(self, folder):
        self.folder, self.run = folder, folder / "run"
        self.texts = write_parallel(folder, words(16))
        (folder / "lines").write_text(LINES)
        for name, options in OPTIONS.items():
            said = forked(partial(self.numseq, *self.begin(folder / name), *options))
            assert said == (0, said[1], ""), said
        self.whole = folder / "whole"
        self.others = [folder / name for name in OPTIONS if name != "whole"]
        self.right = forked(lambda: self.use(self.whole))
        assert not [said for said in self.right.values() if said[0]], self.right
        self.resumed = folder / "resumed"
        shutil.copytree(self.whole, self.resumed)
        assert forked(lambda: self.resume(self.resumed))[0] == 0

    def begin(self, out):
        source, target = self.texts
        files = ["--source", source, "--target", target, "--val-source", source, "--val-target", target]
        return ["train", *files, "--out", out, *SMALL]

    @staticmethod
    def numseq(*args):
        """(exit code, output, errors); the exit code is the exception where one came out."""
        try:
            done = numseq_cli(*args)
        except BaseException as error:
            return f"{type(error).__name__}: {error}"[:300], "", ""
        return done.code, done.out, done.err

    def use(self, run):
        """{command: (exit code, output, errors)} of all that change nothing."""
        source, target = self.texts
        pair = ["--source", source, "--target", target]
        return {
            "translate": self.numseq("translate", run, "--input", self.folder / "lines"),
            "evaluate": self.numseq("evaluate", run, *pair[:2], "--reference", target, "--metric", "exact,ppl"),
            "score": self.numseq("score", run, *pair),
            "verify": self.numseq("verify", run),
        }

    def resume(self, run):
        return self.numseq("train", "--out", run, "--resume", "--epochs", 3)

    # what is wrong

    def attempt(self, case):
        """Change the run, use it, resume it. Returns: (what was done, [how it ended], [what is wrong])."""
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self.whole, self.run)
        done, sealed = mutate(random.Random(f"{case}"), self.run, self.others)
        before = snapshot(self.run)
        found = self.use(self.run)
        wrong = [] if snapshot(self.run) == before else ["the files are others after they were read"]
        for name, (code, out, err) in found.items():
            if code == 0:
                wrong += self.not_right(name, out, sealed)
            else:
                wrong += [f"{name}: {line}" for line in self.not_a_line(code, err or out, sealed)]
        if len({found[name][0] == 0 for name in ("translate", "score", "evaluate")}) > 1:
            wrong.append(f"some take it, some do not: { {name: said[0] for name, said in found.items()} }")
        if found["verify"][0] == 0 and found["translate"][0] != 0:
            wrong.append("verify finds nothing, and translate fails")
        code, _, err = self.resume(self.run)
        if code == 0:
            wrong += [f"resumed: {line}" for line in self.not_resumed(sealed)]
        else:
            wrong += [f"resuming: {line}" for line in self.not_a_line(code, err, sealed)]
            if found["verify"][0] == 0 and not sealed:
                wrong.append("verify finds nothing, and it cannot be resumed")
            now = snapshot(self.run)
            if sealed:  # it may have diverged, with the number of epochs in the configuration already
                for name in (CONFIG, EXPERIMENT):
                    del now[name], before[name]
            if now != before:
                wrong.append(f"the files are others after resuming was refused: {err}")
        return done, [said[0] == 0 for said in found.values()] + [code == 0], wrong

    def not_a_line(self, code, err, sealed):
        """What is wrong with how something was refused. What names files in a run that was sealed may name any."""
        if code not in (1, 2):
            return [f"ends with {code}"]
        said = [line for line in err.splitlines() if not line.endswith(": good")]
        named = said and (sealed or str(self.folder) in said[-1])
        if not named or len(said) > 5 or "Traceback" in err or "a bug in" in err or len(said[-1]) > 1000:
            return [f"says {err!r:.600}"]
        return []

    def not_right(self, name, out, sealed):
        right = self.right[name][1]
        if not (self.run / KEPT).exists():  # who takes it away needs it no more
            right = right.replace(f"{KEPT}: good\n", "")
        if out == right:
            return []
        if not sealed:
            return [f"{name} gives another result and says nothing"]
        if name == "translate":
            try:
                expected = as_the_files_say(self.run)
            except Exception as error:
                return [f"{name} takes what cannot be read otherwise: {type(error).__name__}: {error}"]
            if out.splitlines() != expected:
                return [f"{name} says {out.splitlines()}, and the files say {expected}"]
        return [f"{name} gives nan"] if "nan" in out.lower().split() else []

    def not_resumed(self, sealed):
        """What is wrong with the run that was resumed to three epochs."""
        code, out, err = self.numseq("verify", self.run)
        wrong = [f"verify then says {code}: {out}{err}"] if code else []
        try:
            lines = [json.loads(line) for line in (self.run / METRICS).read_text().splitlines()]
            epochs = [line["epoch"] for line in lines]
        except Exception as error:
            return [*wrong, f"the metrics cannot be read: {error}"]
        if epochs not in ([1, 2, 3], [3]) and not sealed:
            wrong.append(f"the metrics have epochs {epochs}")
        if not sealed and (self.run / MODEL).read_bytes() != (self.resumed / MODEL).read_bytes():
            wrong.append("the model is another")
        return wrong


def as_the_files_say(run):
    """The translations of LINES by a run's model, read without numseq's loading."""
    from safetensors.numpy import load_file

    model = Seq2Seq.create(Seq2SeqConfig(**json.loads((run / CONFIG).read_text())["model"]))
    model.params = trees.replace(model.params, load_file(run / MODEL))
    tokens = [Tokens.from_json((run / name).read_text()) for name in TOKENS]
    return [found.text for found in Translator(model, *tokens).translate(LINES.splitlines())]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case")
    said = parser.parse_args(arguments)
    began, ends, broken = time.time(), Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(Path(folder))
        cases = [(said.seed, k) for k in range(said.count)] if said.only is None else [(said.seed, said.only)]
        for case, found in each_forked(place.attempt, cases, MEMORY):
            done, ended, wrong = found if not isinstance(found, DiedError) else ("?", [], [str(found)])
            taken = sum(ended)
            ends["broken" if wrong else "refused" if not taken else "right" if taken == 5 else "refused in part"] += 1
            if wrong:
                broken += 1
                show_broken(f"{case}, {done}", wrong)
    print(f"{len(cases)} changed runs ({len(FILES)} files): {dict(ends)}, {time.time() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
