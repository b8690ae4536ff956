"""How long gradient checks take: a small attention model with every intermediate, naming a bug, the whole table.

There is no peer: ratio is the time wanted (2 s, 0.2 s, 60 s) over the time taken.

    python -m benchmarks.gradcheck [--json F]
"""

import statistics

import numpy as np

from benchmarks.timing import arguments, describe, in_turn, write
from numseq.gradcheck import check
from numseq.gradcheck.references import random_directions
from numseq.mistakes import BUGS, cases, match, run, run_cases
from numseq.params import count


def naming():
    """Name one bug of a ragged LSTM among all that can be made in it."""
    case = cases()["lstm, ragged"]
    trace, rng = case.function(**case.inputs), np.random.default_rng(0)
    weights = random_directions({name: getattr(trace, name) for name in trace.outputs}, rng)
    upstream = {f"d{name}": r for name, r in weights.items()}
    bug = next(bug for bug in BUGS if bug.name.startswith("the forget gate is missing"))
    wrong = run("lstm", bug.change, trace, upstream)

    def name():
        assert match("lstm", trace, upstream, wrong)[0].name == bug.name

    return name


def main():
    options = arguments(__doc__.splitlines()[0], rounds=5)
    describe()
    model = cases()["seq2seq, attention, 1 layer"]
    result = check(model.function, model.inputs)
    parameters = count(model.inputs["params"])
    probed = sum(quantity.size for quantity in result.quantities)
    print(f"small attention model: {parameters} parameters, {len(result.quantities)} quantities of {probed} numbers")
    work = {
        "small attention model": (lambda: check(model.function, model.inputs), 2),
        "naming a bug": (naming(), 0.2),
        "whole table": (lambda: list(run_cases()), 60),
    }
    rows = []
    for name, (function, wanted) in work.items():
        rounds = 1 if wanted > 10 else options.rounds
        seconds = statistics.median(in_turn({name: function}, rounds, warm_up=0)[name])
        print(f"{name:<24}{seconds:8.2f} s, wanted at most {wanted} s")
        rows.append({
            "name": name, "shape": f"{parameters} parameters", "peer": "wanted",
            "numseq_s": seconds, "peer_s": wanted, "ratio": wanted / seconds,
        })  # fmt: skip
    write(options.json, rows)


if __name__ == "__main__":
    main()
