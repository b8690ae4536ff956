"""The site in a real browser: it is shown whole, on wide screens and on phones, and its Python runs."""

import re

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
MOST = 20  # megabytes that are loaded before the first cell runs: how long that takes is the machine's


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
    page.wait_for_function(
        "(s) => /^(ran|stopped|cell|Python|运行完毕|因错误)/.test(s.textContent)", arg=status.element_handle()
    )
    assert status.text_content().startswith(("ran", "运行完毕")), (
        status.text_content(),
        page.locator(".run-output").all_inner_texts(),
    )
    return page.locator("[data-role=output]").nth(k).inner_text()


def test_the_first_result_needs_no_more_than_the_page_says(site, open_page):
    page = open_page(f"{site}/docs/index.html")
    said = int(page.locator("script[data-megabytes]").get_attribute("data-megabytes"))
    there = sum(path.stat().st_size for path in (SITE / "_static" / "browser").iterdir()) / 1e6
    assert abs(said - there) < 1 and there < MOST
    page.locator("[data-role=run]").first.click()
    assert "right, worst relative error" in output(page, 0)


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


def test_what_a_cell_gives_is_below_it(site, open_page):
    page = open_page(f"{site}/docs/change-an-equation.html")
    page.locator("[data-role=run]").nth(1).click()
    output(page, 1)
    code, button, given = (
        page.locator(f"{what} >> nth=1").bounding_box()
        for what in ("pre[contenteditable]", "[data-role=run]", "[data-role=output]")
    )
    assert code["y"] + code["height"] <= button["y"] and button["y"] + button["height"] <= given["y"]
    assert max(abs(code["x"] - place["x"]) for place in (button, given)) < 30 and given["height"] < 300


@pytest.mark.parametrize(
    ("folder", "changed"),
    [
        ("", ["changed since it ran", "ran before cell 1, above, was changed", ""]),
        ("zh_CN/", ["运行之后又修改过", "在上面的代码单元 1 修改之前运行", ""]),
    ],
    ids=["English", "Chinese"],
)
def test_a_verdict_on_other_code_is_known_by_its_status(site, open_page, folder, changed):
    page = open_page(f"{site}/{folder}docs/change-an-equation.html")
    page.locator("[data-role=run]").nth(1).dblclick()  # the second click does not stop what the first began
    assert "right" in output(page, 1)
    page.locator("pre[contenteditable]").first.press("End")
    page.keyboard.type(" ")
    statuses = page.locator(".run-status").all_text_contents()
    assert statuses == changed


def test_no_cell_stays_running_when_it_is_stopped(site, open_page):
    page = open_page(f"{site}/docs/change-an-equation.html")
    code, status = page.locator("pre[contenteditable]").first, page.locator(".run-status")
    code.fill("while True: pass")
    page.locator("[data-role=run]").nth(1).click()
    page.wait_for_function("(s) => s.textContent === 'running'", arg=status.first.element_handle())
    page.locator("[data-role=run]").nth(1).click()
    page.wait_for_function("(s) => s.textContent.startsWith('stopped; ')", arg=status.nth(1).element_handle())
    assert status.first.text_content() == "stopped"


def test_what_is_not_there_is_said(site, open_page):
    page = open_page(f"{site}/docs/index.html")
    code, status = page.locator("pre[contenteditable]").first, page.locator(".run-status").first
    code.fill("import sklearn")
    code.press("Control+Enter")
    page.wait_for_function("(s) => s.textContent.startsWith('stopped by')", arg=status.element_handle())
    assert "sklearn is not in this tab" in page.locator("[data-role=output]").first.inner_text()


def test_a_page_that_is_opened_as_a_file_says_how_to_run_it(site, chromium):
    page = chromium.new_page()
    page.goto((SITE / "docs" / "change-an-equation.html").as_uri())
    assert "From a server its Python can be run" in page.locator(".run-note").inner_text()
    page.close()


def test_the_front_door_leads_in(site, open_page):
    page = open_page(site)
    page.wait_for_url("**/docs/index.html")


# the others train, which takes a while in a browser
@pytest.mark.parametrize("name", ["02_gradient_checking", "03_derivatives_by_hand", "13_write_it_yourself"])
def test_a_notebook_runs_to_its_end(site, open_page, name):
    page = open_page(f"{site}/notebooks/{name}.html")
    last = page.locator("[data-role=run]").count() - 1
    page.locator("[data-role=run]").nth(last).click()
    output(page, last)
    assert not page.locator(".run-output .warning, .run-output .error").count()


def test_the_keyboard_is_enough(site, open_page):
    page = open_page(f"{site}/docs/index.html")
    page.locator("pre[contenteditable]").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") in ("Run", "Copy")
    page.locator("pre[contenteditable]").first.focus()
    page.keyboard.press("Control+Enter")
    assert re.search("right", output(page, 0))


def test_small_gradients_are_not_shown_as_nothing(site, open_page):
    cell = open_page(f"{site}/notebooks/05_lstm_and_gru.html").locator('.numseq-live[data-picture="cell"]')
    cell.get_by_text("backward").first.click()
    ends = cell.locator("[data-role=legend]").first.inner_text()
    assert all(float(end.replace("−", "-")) for end in re.findall(r"[−\d.e]+", ends))


@pytest.mark.parametrize("width", [1200, 390])
def test_the_pictures_of_a_notebook_move_on_the_site_too(site, open_page, width):
    page = open_page(f"{site}/notebooks/05_lstm_and_gru.html", width)
    for name in ("cell", "explore"):
        moved_by_slider(page.locator(f'.numseq-live[data-picture="{name}"]'))
