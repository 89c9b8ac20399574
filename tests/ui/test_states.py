"""The states of pages, map and boards: readable on every ground, and told apart with any colour vision."""

import re
from itertools import combinations

import pytest

from kewang.ui.pages import STATIC
from kewang.ui.palette import DARK, LIGHT, LINES, Theme, contrast
from kewang.ui.states import COLOURS, STATES, SYMBOLS
from kewang.ui.words import LANGUAGES, words
from tests.ui.colour_vision import JUST_NOTICEABLE, VISION, distance

THEMES = {"light": LIGHT, "dark": DARK}
GROUNDS = ("ground", "card", "sunk", "land")
FILLED = ("alarm", "warn", "info")
APART = 4 * JUST_NOTICEABLE
SHEET = (STATIC / "kewang.css").read_text()


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("line", [*LINES, "dim", "ink"])
def test_a_line_or_mark_is_seen_on_every_ground(name: str, ground: str, line: str) -> None:
    assert contrast(getattr(THEMES[name], line), getattr(THEMES[name], ground)) >= 4.5


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("colour", FILLED)
def test_a_filled_field_carries_words_that_are_read(name: str, colour: str) -> None:
    assert contrast(THEMES[name].on_colour, getattr(THEMES[name], colour)) >= 4.5


def rules() -> list[tuple[str, dict[str, str]]]:
    """(selectors, property -> value) of every rule of the sheet, those in media queries too."""
    found = re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", SHEET, flags=re.S))
    return [
        (selectors.strip(), dict(re.findall(r"([\w-]+)\s*:\s*([^;]+)", declarations)))
        for selectors, declarations in found
    ]


def test_the_style_sheet_uses_state_colours_only_as_fields_under_black_or_as_marks_with_an_edge() -> None:
    """A pale field has no contrast of its own on a light ground: what is read on it, or around it, has."""
    used = set()
    for selectors, declared in rules():
        for name, value in declared.items():
            for colour in re.findall(r"var\(--(alarm|warn|info|good)\)", value):
                used.add(colour)
                own_edge = name == "border-color" and declared.get("background") == value
                words_on_it = name == "background" and (
                    declared.get("color") == "var(--on-colour)" or ".sign." in selectors
                )
                mark = name == "fill" and selectors.endswith(".shape")
                assert own_edge or words_on_it or mark, f"{selectors} {{ {name}: {value} }}"
    assert used >= set(FILLED)
    sheet = dict(rules())
    assert sheet[".shape"]["stroke"] == "var(--ink)"
    assert "color: var(--on-colour)" in re.findall(r"\.sign \{[^}]*\}", SHEET)[0]


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("name", THEMES)
def test_two_states_are_apart_or_differ_in_symbol_and_word(name: str, vision: str) -> None:
    """ΔE*ab of four just noticeable differences or more; the greys, normal and unknown, by symbol and word alone."""
    theme: Theme = THEMES[name]
    for one, other in combinations(STATES, 2):
        first, second = (getattr(theme, COLOURS[state.mark]) for state in (one, other))
        apart = distance(first, second, vision) >= APART
        greys = {one.key, other.key} == {"normal", "unknown"}
        assert apart or greys, f"{one.key} and {other.key} with {vision}"
        assert one.symbol != other.symbol
        for language in LANGUAGES:
            say = words(language).gettext
            assert say(one.word) != say(other.word)


def test_codes_count_up_and_every_symbol_is_one_character() -> None:
    assert [state.code for state in STATES] == list(range(len(STATES)))
    assert len(set(SYMBOLS.values())) == len(SYMBOLS) == 5
    assert all(len(symbol) == 1 for symbol in SYMBOLS.values())


def test_the_simulation_is_the_published_one() -> None:
    """Grey stays grey for everybody; red and green fall together for who lacks a cone; numbers by hand."""
    for vision in VISION:
        assert distance("#808080", "#808080", vision) == 0
        assert all(abs(sum(row) - 1) < 1e-5 for row in VISION[vision])
    assert distance("#000000", "#ffffff", "normal") == pytest.approx(100, abs=0.01)
    assert distance("#ff0000", "#00ff00", "normal") == pytest.approx(170.6, abs=0.1)
    assert distance("#d05050", "#808020", "deuteranopia") < distance("#d05050", "#808020", "normal") / 2
