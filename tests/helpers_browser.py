"""What tests in a browser share."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
SITE = ROOT / "docs" / "_build" / "html"


def moved_by_slider(picture):
    """Move a live picture by its slider: the numbers that it shows are others then."""
    slider, numbers = picture.locator("[data-role=step]"), picture.locator("[data-role=numbers]").first
    before, at = numbers.text_content(), int(slider.input_value())
    slider.focus()
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    assert int(slider.input_value()) == at - 2
    assert numbers.text_content() != before
