"""Settings of all tests."""

import os

# pytest-xdist already keeps every processor busy; threads of BLAS on top would only wait for one another.
# Set before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
