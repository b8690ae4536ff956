"""Runs that are disturbed, changed and trained by several at once, by the commands beside this file; here a sample."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers_run import ENVIRONMENT

HERE = Path(__file__).parent
COMMANDS = {
    "a fault at an operation": ["faults.py", "--sample", "120"],
    "the power fails": ["power.py", "--sample", "80"],
    "changed files": ["fuzz_run.py", "--count", "300"],
    "several processes": ["crowd.py", "--count", "6"],
}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="processes are copied and limited as Linux does")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_sample_goes_well(name):
    script, *options = COMMANDS[name]
    done = subprocess.run([sys.executable, HERE / script, *options], env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
