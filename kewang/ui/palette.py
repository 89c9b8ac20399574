"""The palette. Grey is normal; colour is only for what is not, and never without a word and a symbol.

The colours for what is not normal are of Okabe and Ito's set, which people with any colour vision tell apart
(https://jfly.uni-koeln.de/color/): always as a filled field with `on_colour` text.
"""

from dataclasses import asdict, dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one theme, `#rrggbb`."""

    ground: str
    card: str
    sunk: str
    ink: str
    dim: str
    line: str
    trace: str
    land: str
    """Of a map; the sea is `card`."""
    alarm: str = "#e06a12"
    warn: str = "#e69f00"
    info: str = "#56b4e9"
    alarm_line: str = "#e06a12"
    """The alarm as a line on a ground; in the light theme the colour itself would be too pale for that."""
    warn_line: str = "#e69f00"
    info_line: str = "#56b4e9"
    good: str = "#2bb98c"
    """Only where something was waited for and has arrived: on the technician's page."""
    alarm_strong: str = "#ec7c2c"
    """The alarm for a phone in the sun."""
    on_colour: str = "#000000"


LIGHT: Final = Theme(
    *("#eceef0", "#ffffff", "#f5f6f7", "#171c21", "#535c64", "#cfd5da", "#5f6870", "#e6eaed"),
    alarm_line="#a34700",
    warn_line="#7d5600",
    info_line="#08699e",
)
DARK: Final = Theme("#0d1114", "#181d22", "#12171b", "#f0f3f5", "#a9b3bb", "#333c44", "#8d98a1", "#1f252b")
WALL_FROM_PX: Final = 1600
"""From this width on the page is a wall: dark, and large enough for 5 m."""

TEXT_PAIRS: Final = (
    *((text, ground) for text in ("ink", "dim") for ground in ("ground", "card", "sunk", "land")),
    *(("on_colour", colour) for colour in ("alarm", "warn", "info", "good", "alarm_strong")),
)
"""(text, ground) as the style sheets combine them; each has a contrast of 4.5 or more."""
LINES: Final = ("trace", "alarm_line", "warn_line", "info_line")
"""Colours of plots, stripes and marks on a ground: 4.5 or more on each. The others are fields under `on_colour`."""
SUN_PAIRS: Final = (
    *(("ink", ground) for ground in ("ground", "card", "sunk")),
    *(("on_colour", colour) for colour in ("good", "warn", "info", "alarm_strong")),
)
"""(text, ground) on the technician's page, which is read in the sun; each has a contrast of 7 or more."""


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def css() -> str:
    """The palette as CSS variables: light, dark where the reader's machine prefers it, and dark on a wall."""
    light, dark = _variables(LIGHT), _variables(DARK)
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media (prefers-color-scheme:dark),(min-width:{WALL_FROM_PX}px){{:root{{color-scheme:dark;{dark}}}}}\n"
    )


def _variables(theme: Theme) -> str:
    return "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in asdict(theme).items())
