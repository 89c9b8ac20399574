"""How boards look: grey is normal, colour only for what is not, and never without a word and a symbol.

The colours are kewang.ui's for its dark theme; boards are made for Grafana's dark one, where they are text on GROUND
(Grafana writes white on whatever it fills with them, which nobody could read).
"""

from collections.abc import Mapping
from typing import Any, Final

from dashboards.voice import Voice
from kewang.ui.palette import DARK
from kewang.ui.states import COLOURS, STATES, SYMBOLS, Mark

GROUND: Final = "#181b1f"
"""A panel of Grafana's dark theme."""
WHITE: Final = "#ffffff"
FILL_PCT: Final = 40
"""How strongly a timeline is filled: white words stay readable on it."""
NORMAL: Final = DARK.trace
UNKNOWN: Final = DARK.dim
INFO: Final = DARK.info
WARN: Final = DARK.warn
ALARM: Final = DARK.alarm
PALETTE: Final = frozenset({NORMAL, UNKNOWN, INFO, WARN, ALARM})
LINES: Final = ("solid", "dash", "dot")
"""How lines of one graph differ: all are grey, for a colour would ask for something."""

Json = dict[str, Any]


def stale(_: Voice) -> str:
    """What stands where nothing new came."""
    return "■ " + _("STALE DATA")


def says_stale(words: str) -> bool:
    """Whether these words, where nothing came, say that something must have come: all others say it may be so."""
    return words.startswith("■")


def thresholds(*steps: tuple[float, str], base: str = NORMAL) -> Json:
    """Grey, and from each value on its colour."""
    from_there = [{"value": value, "color": colour} for value, colour in steps]
    return {"mode": "absolute", "steps": [{"value": None, "color": base}, *from_there]}


def values(words: Mapping[str, tuple[str, str]]) -> Json:
    """A mapping of value -> (text, colour)."""
    options = {
        value: {"text": text, "color": colour, "index": at} for at, (value, (text, colour)) in enumerate(words.items())
    }
    return {"type": "value", "options": options}


def ranged(low: float | None, high: float | None, text: str, colour: str) -> Json:
    """A mapping of all values between, both included."""
    return {"type": "range", "options": {"from": low, "to": high, "result": {"text": text, "color": colour}}}


def nothing(text: str, colour: str) -> Json:
    """A mapping of no value."""
    return {"type": "special", "options": {"match": "null+nan", "result": {"text": text, "color": colour}}}


def marked(mark: Mark, text: str) -> tuple[str, str]:
    """A text as it is shown with its symbol, and its colour. What is normal has no symbol: it asks for nothing."""
    return text if mark == "plain" else f"{SYMBOLS[mark]} {text}", getattr(DARK, COLOURS[mark])


def states(_: Voice) -> Json:
    """The states of `fleet`, by code."""
    return values({str(state.code): marked(state.mark, _(state.word)) for state in STATES})


def words_of_device(_: Voice) -> Json:
    """The words of `device_event`."""
    own = {state.key: marked(state.mark, _(state.word)) for state in STATES}
    return values(
        {
            "up": own["normal"],
            "degraded": own["degraded"],
            "unstable": marked("warn", _("unstable")),
            "maintenance": own["maintenance"],
            "unknown": own["unknown"],
            "unplaced": marked("unknown", _("without a place")),
            "down": own["down"],
        }
    )


def severities(_: Voice) -> Json:
    """The severities of incidents."""
    return values(
        {
            "critical": marked("alarm", _("CRITICAL")),
            "warning": marked("warn", _("WARNING")),
            "info": marked("info", _("NOTE")),
        }
    )


def causes(_: Voice) -> Json:
    """Why, as births told afterwards."""
    return values(
        {
            "power": (_("the power was away"), NORMAL),
            "watchdog": (_("the boxes started themselves anew"), NORMAL),
            "link": (_("the boxes ran on, their connection was away"), NORMAL),
            "update": (_("an update"), NORMAL),
            "config": (_("new settings"), NORMAL),
        }
    )
