"""A stand-in for matplotlib, which no package registry has for browsers: whatever is asked of it is done by drawing
nothing, and `asked` tells the page, which shows the picture that was drawn when the notebook was run."""

import dis
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np

asked = False


class Nothing:
    """Any object of matplotlib."""

    ticks = 0

    def __init__(self, *args, **options):
        global asked
        asked = True

    def __getattr__(self, name):
        if name.startswith("_repr_") or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return Nothing()

    def __call__(self, *args, **options):
        return Nothing()

    def __getitem__(self, key):
        return Nothing()

    def __setitem__(self, key, value):
        pass

    def __iter__(self):
        """As many as are unpacked; none in a loop."""
        frame = sys._getframe(1)
        for step in dis.get_instructions(frame.f_code):
            if step.offset == frame.f_lasti and step.opname == "UNPACK_SEQUENCE":
                return iter([Nothing() for _ in range(step.arg)])
        return iter(())

    def subplots(self, nrows=1, ncols=1, squeeze=True, **options):
        """Axes, in an array where there are several."""
        axes = np.empty((nrows, ncols), object)
        for place in np.ndindex(axes.shape):
            axes[place] = Nothing()
        return axes.squeeze()[()] if squeeze else axes

    def set_xticks(self, ticks, *args, **options):
        self.ticks = len(ticks)

    def get_xticklabels(self):
        return [Nothing() for _ in range(self.ticks)]

    def get_family(self):
        return ["any font"]

    def get_charmap(self):
        """The characters of a font: it has all that most texts need."""
        return range(1 << 16)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def __bool__(self):
        return False

    def __float__(self):
        return 1.0

    def __int__(self):
        return 1

    def __mul__(self, other):
        return self

    __add__ = __sub__ = __truediv__ = __pow__ = __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __neg__ = __mul__

    def __lt__(self, other):
        return False

    __gt__ = __le__ = __ge__ = __lt__


class Colours(Nothing):
    """Colour maps by their names, and each of them: numbers to colours."""

    def __getattr__(self, name):
        return self

    def __getitem__(self, key):
        return self

    def __call__(self, values, *args, **options):
        return np.zeros((*np.shape(values), 4)) if not isinstance(values, str) else self


def subplots(*args, **options):
    """As pyplot has it: a figure and its axes."""
    return Nothing(), Nothing().subplots(*args, **options)


class Module(ModuleType):
    """Any module of matplotlib; what it holds are classes, so that a reader's class can be made from them."""

    __path__: list[str] = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "subplots":
            return subplots
        if name in ("cm", "colormaps", "get_cmap"):
            return Colours()
        return type(name, (Nothing,), {}) if name[0].isupper() else Nothing()


class Finder:
    """Finds every module of matplotlib."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self, is_package=True) if name.startswith("matplotlib.") else None

    def create_module(self, spec):
        return Module(spec.name)

    def exec_module(self, module):
        pass


__path__: list[str] = []
sys.meta_path.append(Finder())  # type: ignore[arg-type]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Colours() if name == "colormaps" else Nothing()
