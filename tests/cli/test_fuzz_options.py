"""Random options with random values, by the command beside this file; here a sample."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers_run import ENVIRONMENT


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="processes are copied and limited as Linux does")
def test_each_is_refused_in_a_line_or_works():
    command = [sys.executable, Path(__file__).parent / "fuzz_options.py", "--count", "100"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
