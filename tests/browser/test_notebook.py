"""A notebook in JupyterLab, in a real browser: it runs, and a picture in it moves."""

import os
import runpy
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from helpers_browser import ROOT, moved_by_slider

pytestmark = pytest.mark.browser
code_cells = runpy.run_path(str(ROOT / "notebooks" / "run.py"))["code_cells"]
NOTEBOOK = "05_lstm_and_gru.ipynb"


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab that has the notebook."""
    pytest.importorskip("jupyterlab", reason="pip install -e '.[notebooks]'")
    notebook = nbformat.read(ROOT / "notebooks" / NOTEBOOK, as_version=4)
    for cell in code_cells(notebook):  # what it shows later is what it made here
        cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, tmp_path / NOTEBOOK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = tmp_path / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)  # all cells are in the page, not just those in sight
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    places = {"HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython",
              "JUPYTERLAB_SETTINGS_DIR": "settings"}  # fmt: skip
    home = {name: str(tmp_path / place) for name, place in places.items()}
    options = [f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--allow-root"]
    options += [f"--ServerApp.root_dir={tmp_path}", "--no-browser"]
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


def test_a_notebook_runs_and_its_microscope_moves(lab, open_page):
    page = open_page(f"{lab}/lab/tree/{NOTEBOOK}")
    page.get_by_text("| Idle").wait_for()  # the kernel is there
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    cells = len(code_cells(nbformat.read(ROOT / "notebooks" / NOTEBOOK, as_version=4)))
    page.wait_for_function(
        "(n) => [...document.querySelectorAll('.jp-InputPrompt')].some((p) => p.textContent.includes(`[${n}]`))",
        arg=cells, timeout=300_000,
    )  # fmt: skip
    microscope = page.locator('.numseq-live[data-picture="explore"]')
    microscope.scroll_into_view_if_needed()
    moved_by_slider(microscope)
