"""Settings of all tests."""

import os
import signal

import pytest
from hypothesis import settings

# pytest-xdist already keeps every processor busy; threads of BLAS on top would only wait for one another.
# Set before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What somebody likes in a shell of his own changes no test.
for name in [name for name in os.environ if name.startswith(("NUMSEQ_", "SACREBLEU_"))]:
    del os.environ[name]

# A shell starts what runs in the background deaf to Ctrl-C, and so would be what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every machine, however slow it is.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


@pytest.fixture
def parts_are_forgotten():
    """What a test hands in or registers is not known to the others."""
    from numseq.models.config import PARTS
    from numseq.objectives import OBJECTIVES
    from numseq.training import OPTIMIZERS, SCHEDULES

    registries = [*PARTS.values(), OBJECTIVES, OPTIMIZERS, SCHEDULES]
    before = [dict(registry) for registry in registries]
    yield
    for registry, parts in zip(registries, before, strict=True):
        registry.clear()
        registry.update(parts)
