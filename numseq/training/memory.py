"""The memory that training takes."""

import sys


def peak_memory() -> float | None:
    """The most that this process has held in memory so far, in megabytes (10^6); None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6, 1)


def check_memory(model, train, options, say):
    pass
