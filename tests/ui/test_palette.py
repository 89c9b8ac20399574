"""The palette keeps its promise: text can be read on every ground, in both themes."""

import re
from pathlib import Path

import pytest

from kewang.ui.pages import STATIC
from kewang.ui.palette import DARK, LIGHT, SUN_PAIRS, TEXT_PAIRS, Theme, contrast, css


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("pair", TEXT_PAIRS, ids="-on-".join)
def test_text_has_contrast(theme: Theme, pair: tuple[str, str]) -> None:
    text, ground = pair
    assert contrast(getattr(theme, text), getattr(theme, ground)) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("pair", SUN_PAIRS, ids="-on-".join)
def test_text_for_the_sun_has_more_contrast(theme: Theme, pair: tuple[str, str]) -> None:
    text, ground = pair
    assert contrast(getattr(theme, text), getattr(theme, ground)) >= 7


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_trends_and_marks_can_be_seen(theme: Theme) -> None:
    assert contrast(theme.trace, theme.card) >= 3


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#abcdef", "#abcdef") == 1


FIELD = Path(__file__).resolve().parents[2] / "provisioning" / "web" / "static" / "field.css"


@pytest.mark.parametrize("file", [STATIC / "kewang.css", FIELD], ids=lambda file: file.name)
def test_style_sheet_uses_only_colours_of_the_palette(file: Path) -> None:
    sheet = file.read_text()
    used = set(re.findall(r"var\(--([a-z-]+)\)", sheet))
    assert used
    assert all(f"--{name}:" in css() for name in used)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", sheet) == []
