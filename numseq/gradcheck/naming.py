"""Who knows the layers' equations and the usual mistakes by name: `numseq.mistakes`.

The checker itself knows arrays, records and traces, and no layer. `numseq.mistakes` stands above it, above the layers
too, and is not imported before it is first asked: of what turned out wrong, or of a step's gradients that came in a
dict, without their order. It answers four questions:

    knows(checking)        whether anything that a check saw is known at all
    diagnose(checking)     which known mistakes give the very gradients of a check, as `report.Diagnosis`
    words(record, by)      what each gradient inside a record should be, in words; by, the class of its StepGrad or None
    words_of_result(trace, leaf)    what a result of a whole layer should be, in words, or None
"""

from importlib import import_module
from types import ModuleType


def mistakes() -> ModuleType:
    """`numseq.mistakes`, which is imported here at the earliest."""
    return import_module("numseq.mistakes")
