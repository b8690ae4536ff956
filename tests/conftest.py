"""Settings of all tests."""

import os
import signal

# pytest-xdist already keeps every processor busy; threads of BLAS on top would only wait for one another.
# Set before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shell starts what runs in the background deaf to Ctrl-C, and so would be what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
