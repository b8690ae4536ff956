"""A stand-in for matplotlib, which no package registry has for browsers: whatever is asked of it is done by drawing
nothing, and `asked` tells the page, which shows the picture that was drawn when the notebook was run."""

import dis
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

asked = False


class Nothing:
    """Any object of matplotlib."""

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
        return iter(()) if "_ITER" in _opname(frame) else iter([Nothing() for _ in range(64)])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def __bool__(self):
        return False

    def __float__(self):
        return 1.0

    def __mul__(self, other):
        return self

    __add__ = __sub__ = __truediv__ = __pow__ = __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __neg__ = __mul__

    def __lt__(self, other):
        return False

    __gt__ = __le__ = __ge__ = __lt__


def _opname(frame):
    return next((step.opname for step in dis.get_instructions(frame.f_code) if step.offset == frame.f_lasti), "")


class Module(ModuleType):
    """Any module of matplotlib; what it holds are classes, so that a reader's class can be made from them."""

    __path__: list[str] = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
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
    return Nothing()
