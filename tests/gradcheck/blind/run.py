"""Wrong backward passes, made without looking at the list of known mistakes: are they caught, placed, named?

    python tests/gradcheck/blind/run.py [--only L001,P007] [--unnamed]

Each of edits.json is made in a copy of the package, and the table of `numseq gradcheck` is run there until a case
fails. Of each a line: what was done, the first wrong quantity, and the names that it got. Edits whose lines are no
longer in the source are counted. `named` in the file says whether the name that it got was true when the set was new;
null, that it was used to find rules, and not to measure.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CHILD = """
import json
from numseq.mistakes import run_cases
for check in run_cases():
    if not check.ok:
        print(json.dumps([check.name, check.first_wrong, [found.name for found in check.diagnosis]]))
        break
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="ids, separated by commas")
    parser.add_argument("--unnamed", action="store_true", help="those that had no true name")
    options = parser.parse_args()
    edits = json.loads((HERE / "edits.json").read_text(encoding="utf-8"))
    if options.only:
        edits = [edit for edit in edits if edit["id"] in options.only.split(",")]
    if options.unnamed:
        edits = [edit for edit in edits if edit["named"] is False]
    caught = named = gone = 0
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "numseq", Path(folder) / "numseq")
        for edit in edits:
            path = Path(folder) / edit["file"]
            source = path.read_text(encoding="utf-8")
            if source.count(edit["old"]) != 1:
                gone += 1
                continue
            path.write_text(source.replace(edit["old"], edit["new"]), encoding="utf-8")
            environment = os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
            run = subprocess.run(
                [sys.executable, "-c", CHILD], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            path.write_text(source, encoding="utf-8")
            case, first, names = json.loads(run.stdout) if run.stdout else (None, None, [])
            caught, named = caught + bool(case), named + bool(names)
            print(f"{edit['id']} {edit['what']} | {first if case else 'NOT CAUGHT'} | {'; '.join(names)}", flush=True)
    print(f"{len(edits) - gone} edits: {caught} caught, {named} with a name; {gone} no longer fit the source")


if __name__ == "__main__":
    main()
