"""The trials of a search on disk: what was asked for and what came out, in a folder whose other folders are the runs.

tune.json     what was searched, and how each trial ended; with it a search goes on where it was stopped
trials.tsv    the table, best first
"""

import json
from pathlib import Path

from numseq.cli.common import flag
from numseq.files import make_folder, write_atomically
from numseq.metrics.figures import FIGURES
from numseq.training.arrays import CheckpointError
from numseq.training.checkpoint import read_json

SEARCH, TABLE = "tune.json", "trials.tsv"
MAY_CHANGE = {"threads"}  # when a search goes on


class Trials:
    """The search in a folder.

    Args: folder. asked, what is searched: "vary", a list of texts; "from"; and the options by table. resume: go on with
        the search that the folder holds, if it holds one.
    Raises: CheckpointError, when it holds one that is not to be resumed, or another one.
    """

    def __init__(self, folder, asked, resume):
        self.folder, self.asked = Path(folder), json.loads(json.dumps(asked))
        self.metric, self.rows = asked["training"]["metric"], {}
        path = self.folder / SEARCH
        if path.exists():
            if not resume:
                raise CheckpointError(f"{folder} already holds a search: add --resume, or choose another folder")
            said = read_json(path)
            try:
                self.rows = {int(number): dict(row) for number, row in said["trials"].items()}
                self._refuse_another(said["asked"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise CheckpointError(f"{path}: not the record of a search ({error!r})") from None
        elif self.run(1).exists() or (self.folder / "config.json").exists():
            raise CheckpointError(f"{folder} holds runs, but no {SEARCH}: choose another folder")

    def begin(self):
        """Make the folder, and write what is searched, so that it can go on from here."""
        self._made = not self.folder.exists()
        make_folder(self.folder)
        self._save()

    def withdraw(self):
        """Take back what `begin` wrote, if no trial has begun: a search that is refused leaves nothing behind."""
        if not self.rows and not self.run(1).exists():
            (self.folder / SEARCH).unlink()
            if self._made:
                self.folder.rmdir()

    def _refuse_another(self, before):
        """Raise CheckpointError, unless a search is the one that was begun."""
        for part, now in self.asked.items():
            then = before[part]
            if isinstance(now, dict):
                for name in now.keys() | then.keys():
                    if name not in MAY_CHANGE and now.get(name) != then.get(name):
                        raise CheckpointError(
                            f"{self.folder}: {flag(name)} is {now.get(name)}, but the search there began with "
                            f"{then.get(name)}"
                        )
            elif now != then:
                raise CheckpointError(f"{self.folder}: --{part} is {now}, but the search there began with {then}")

    def run(self, number):
        """The folder of a trial's run."""
        return self.folder / f"{number:03}"

    def has(self, number):
        """Has a trial ended?"""
        return number in self.rows

    def add(self, number, values, **outcome):
        """Keep how a trial ended. outcome: metric, updates and seconds, or why it failed."""
        self.rows[number] = {"values": values} | outcome
        self._save()

    def _save(self):
        said = {"asked": self.asked, "trials": self.rows}
        write_atomically(self.folder / SEARCH, (json.dumps(said, indent=2) + "\n").encode())
        if self.rows:
            text = "".join("\t".join(cells) + "\n" for cells in self._cells(str))
            write_atomically(self.folder / TABLE, text.encode())

    def _ranked(self):
        """The numbers of the trials, best first, and those that failed last."""
        sign = 1 if FIGURES[self.metric].lower else -1
        good = [number for number, row in self.rows.items() if "metric" in row]
        return sorted(good, key=lambda n: sign * self.rows[n]["metric"]) + sorted(self.rows.keys() - set(good))

    def best(self):
        """The number of the best trial, None of none."""
        return next((number for number in self._ranked() if "metric" in self.rows[number]), None)

    def _cells(self, show):
        """The table in rows of texts. show: how a number that was measured is written."""
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row["values"]))
        yield ["trial", self.metric, *names, "updates", "seconds", "failed"]
        for number in self._ranked():
            row = self.rows[number]
            measured = [show(row[key]) if key in row else "" for key in ("metric", "updates", "seconds")]
            values = [str(row["values"].get(name, "")) for name in names]
            yield [f"{number:03}", measured[0], *values, *measured[1:], row.get("failed", "")]

    def table(self):
        """The table for people."""
        rows = list(self._cells(lambda x: f"{x:,}" if isinstance(x, int) else f"{x:.4g}"))
        if not any(row[-1] for row in rows[1:]):
            rows[0][-1] = ""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
        return "\n".join(
            "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
            for row in rows
        )
