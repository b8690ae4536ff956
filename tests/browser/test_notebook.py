"""A notebook in JupyterLab, in a real browser: it runs, and a picture in it moves."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import ROOT  # type: ignore[import-not-found]

pytestmark = pytest.mark.browser
NOTEBOOK = "05_lstm_and_gru.ipynb"


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab that has the notebook."""
    pytest.importorskip("jupyterlab", reason="pip install -e '.[notebooks]'")
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {name: str(tmp_path / "home") for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    options = [f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--allow-root"]
    options += [f"--ServerApp.root_dir={tmp_path}", "--no-browser", "--LabApp.news_url=", "--LabApp.check_for_updates_class="
                "jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    env = os.environ | home | {"PYTHONPATH": str(ROOT)}
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=env, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api").close()
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def test_a_notebook_runs_and_its_picture_moves(lab, open_page):
    page = open_page(f"{lab}/lab/tree/{NOTEBOOK}")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(
        "[...document.querySelectorAll('.jp-InputPrompt')].length > 5"
        " && ![...document.querySelectorAll('.jp-InputPrompt')].some((p) => /\\\\[[* ]\\\\]/.test(p.textContent))",
        timeout=300_000,
    )
