"""The wiring of a model's boxes: which gradient each hands to its parts, and what it makes of theirs.

A file stands where that of the box stands in `numseq.models`. A part that is a trace of its own is judged by itself.
"""

import pkgutil
from importlib import import_module

FILES = [import_module(found.name) for found in pkgutil.walk_packages(__path__, f"{__name__}.")]
