"""The site in a real browser: it is shown whole, on wide screens and on phones, and its Python runs."""

import re
import time

import pytest
from helpers_browser import SITE, moved_by_slider

pytestmark = pytest.mark.browser
PAGES = [
    "docs/index.html",
    "docs/equations/cells.html",
    "docs/equations/attentions.html",
    "docs/gradient-checking.html",
    "docs/change-an-equation.html",
    "docs/glossary.html",
    "docs/questions.html",
    "docs/history.html",
    "docs/sources.html",
    "docs/notation.html",
    "_tests/tests/layers/test_cells.html",
    "docs/command-line.html",
    "docs/reference/layers.html",
    "README.html",
    "CONTRIBUTING.html",
    "notebooks/01_attention_from_scratch.html",
    "notebooks/05_lstm_and_gru.html",
    "notebooks/02_gradient_checking.html",
    "notebooks/09_decoding.html",
    "zh_CN/docs/index.html",
    "zh_CN/docs/equations/cells.html",
    "zh_CN/docs/questions.html",
    "zh_CN/docs/glossary.html",
]
FIRST_RESULT = 15  # seconds, with nothing in the browser's cache


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_screen(site, open_page, name, width):
    page = open_page(f"{site}/{name}", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = page.evaluate("[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)")
    assert not broken
    sizes = page.evaluate("[...document.querySelectorAll('math')].map((m) => m.getBoundingClientRect().height)")
    assert bool(sizes) == ("<math" in (SITE / name).read_text(encoding="utf-8"))
    assert sizes.count(0) <= len(sizes) / 2  # what is folded away has no height


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_a_page(site, open_page, name, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e '.[browser]'")
    page = open_page(f"{site}/{name}", dark=dark)
    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    said = [f"{v['id']}: {v['help']}: {[n['target'] for n in v['nodes'][:4]]}" for v in found.response["violations"]]
    assert not said


def test_the_languages_lead_to_each_other(site, open_page):
    page = open_page(f"{site}/docs/change-an-equation.html")
    page.get_by_role("link", name="中文", exact=True).click()
    page.wait_for_url("**/zh_CN/docs/change-an-equation.html")
    assert page.locator("h1").inner_text().startswith("改一个方程")
    cell = page.locator("[data-role=run]").first
    assert cell.inner_text() == "运行"
    cell.click()
    page.wait_for_function("document.querySelector('.run-status').textContent.startsWith('运行完毕')")
    page.get_by_role("link", name="English", exact=True).click()
    page.wait_for_url(f"{site}/docs/change-an-equation.html")


def test_a_chinese_word_is_found(site, open_page):
    page = open_page(f"{site}/zh_CN/docs/index.html")
    page.locator("input[name=q]").first.fill("遗忘门")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li > a").evaluate_all("(links) => links.map((a) => a.href)")
    assert any("zh_CN/docs/glossary.html" in link for link in found)


def output(page, k):
    """What the k-th cell gave in the tab, when it is through."""
    status = page.locator(".run-status").nth(k)
    page.wait_for_function("(s) => /^(ran|stopped|cell|Python)/.test(s.textContent)", arg=status.element_handle())
    assert status.text_content().startswith("ran"), (
        status.text_content(),
        page.locator(".run-output").all_inner_texts(),
    )
    return page.locator("[data-role=output]").nth(k).inner_text()


def test_the_first_result_is_there_soon(site, open_page):
    page = open_page(f"{site}/docs/index.html")
    start = time.monotonic()
    page.locator("[data-role=run]").first.click()
    assert "right, worst relative error" in output(page, 0)
    assert time.monotonic() - start < FIRST_RESULT


def test_an_equation_is_changed_and_found_wrong(site, open_page):
    page = open_page(f"{site}/docs/change-an-equation.html")
    run = page.locator("[data-role=run]")
    run.nth(1).click()  # runs the cell above first
    assert "right" in output(page, 1)

    code = page.locator("pre[contenteditable]").first
    code.fill(code.inner_text().replace("grad.dc * s.c_prev", "grad.dc * s.c"))
    code.press("Control+Enter")
    output(page, 0)
    run.nth(1).click()
    assert "WRONG" in output(page, 1)

    page.reload()  # what was written is kept, until it is undone
    assert "grad.dc * s.c  #" in page.locator("pre[contenteditable]").first.inner_text()
    page.locator("[data-role=reset]").first.click()
    assert "grad.dc * s.c_prev" in page.locator("pre[contenteditable]").first.inner_text()


def test_an_error_is_shown_and_a_run_can_be_stopped(site, open_page):
    page = open_page(f"{site}/docs/index.html")
    code, status = page.locator("pre[contenteditable]").first, page.locator(".run-status").first
    code.fill("def half(x):\n    return x / 0\n\nhalf(1)")
    page.locator("[data-role=run]").first.click()
    page.wait_for_function("(s) => s.textContent.startsWith('stopped by an error')", arg=status.element_handle())
    said = page.locator("[data-role=output]").first.inner_text()
    assert "return x / 0" in said and "ZeroDivisionError" in said and "kernel.py" not in said

    code.fill("while True: pass")
    button = page.locator("[data-role=run]").first
    button.click()
    page.wait_for_function("(s) => s.textContent === 'running'", arg=status.element_handle())
    button.click()
    page.wait_for_function("(s) => s.textContent.startsWith('stopped; ')", arg=status.element_handle())
    code.fill("print(1 + 1)")
    button.click()
    assert output(page, 0) == "2\n"


def test_the_keyboard_is_enough(site, open_page):
    page = open_page(f"{site}/docs/index.html")
    page.locator("pre[contenteditable]").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") in ("Run", "Copy")
    page.locator("pre[contenteditable]").first.focus()
    page.keyboard.press("Control+Enter")
    assert re.search("right", output(page, 0))


@pytest.mark.parametrize("width", [1200, 390])
def test_the_pictures_of_a_notebook_move_on_the_site_too(site, open_page, width):
    page = open_page(f"{site}/notebooks/05_lstm_and_gru.html", width)
    for name in ("cell", "explore"):
        moved_by_slider(page.locator(f'.numseq-live[data-picture="{name}"]'))
