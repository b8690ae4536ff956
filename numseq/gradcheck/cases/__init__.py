"""The table of everything that has a backward, with inputs that no usual mistake survives.

One row, one step or all sizes equal hide nearly half of the usual wrong backward passes at any tolerance. So here:
seven rows, ragged lengths, repeated ids, non-zero first states, dropout on, every size different, and a loss that
reads the final states too.
"""

from functools import cache

import numpy as np

from numseq.gradcheck.cases import attention, basic, cells, models
from numseq.gradcheck.cases.case import Case
from numseq.gradcheck.diagnosis import check
from numseq.models import ConfigError

__all__ = ["Case", "cases", "methods_of", "run_cases"]


@cache
def cases(seed=0):
    """All cases by name; the same seed gives the same table, so change nothing in it."""
    return {
        name: case
        for number, part in enumerate((basic, cells, attention, models))
        for name, case in part.cases(np.random.default_rng((seed, number))).items()
    }


def methods_of(name):
    """The methods that a case is checked by. A model has many numbers, so it has the complex step alone, which holds
    itself to a central difference along one direction."""
    return ("complex-step",) if name.startswith("seq2seq") else ("complex-step", "central")


def run_cases(names=(), methods=None):
    """Check the named cases, or all, by some methods, or by those of `methods_of`; yields a Check each.

    A name stands for every case that begins with it: "lstm, ragged" for one, "seq2seq" for all models.
    Raises: ConfigError, when a name stands for none.
    """
    table = cases()
    if unknown := [name for name in names if not any(_named(case, name) for case in table)]:
        raise ConfigError(f"nothing is called {unknown[0]!r}; there are: {'; '.join(table)}")
    for name, case in table.items():
        if not names or any(_named(name, wanted) for wanted in names):
            for method in methods or methods_of(name):
                yield check(case.function, case.inputs, name=name, method=method)


def _named(case, wanted):
    return case == wanted or case.startswith(f"{wanted},")
