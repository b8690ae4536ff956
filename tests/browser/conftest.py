"""A real browser, and a site that was built before: `sphinx-build -W -c docs . docs/_build/html`, then
`pytest -m browser`. Needs Chromium, and `pip install -e '.[browser]'`."""

import functools
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers_browser import SITE

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [f"--disable-{what}" for what in ("gpu", "quic", "background-networking", "component-update", "sync")]


class Quiet(SimpleHTTPRequestHandler):
    """A server that says nothing."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site():
    """The address of the built site."""
    if not (SITE / "docs" / "index.html").exists():
        pytest.skip("no site is built: sphinx-build -W -c docs . docs/_build/html")
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[browser]'")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; the variable CHROMIUM can say where it is")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """open_page(address, width=1200, dark=False): a page, which must neither err nor ask another machine."""
    contexts, faults = [], []

    def opened(address, width=1200, dark=False):
        scheme = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(180_000)  # a machine may be slow, and busy
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: faults.append(f"{said.type}: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda asked: None if local(asked.url) else faults.append(f"asks {asked.url}"))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


def local(address):
    """Does it stay on this machine?"""
    return address.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:"))
