"""How things are, each state with its word, symbol and colour: one for pages, maps and boards.

Grey is normal. A colour asks for something, and a symbol and a word are always beside it.
"""

from dataclasses import dataclass
from typing import Final, Literal

Mark = Literal["alarm", "warn", "info", "unknown", "plain"]
"""What is asked of who looks: at once; today; nothing, somebody works on it; nobody knows; nothing."""

SYMBOLS: Final[dict[Mark, str]] = {"alarm": "■", "warn": "▲", "info": "●", "unknown": "◇", "plain": "○"}
COLOURS: Final[dict[Mark, str]] = {"alarm": "alarm", "warn": "warn", "info": "info", "unknown": "dim", "plain": "trace"}
"""The name of its colour in a `palette.Theme`."""


@dataclass(frozen=True, slots=True)
class State:
    """One state. `code`: its number in the points `fleet`; `key`: for addresses; `word`: for the catalogues."""

    code: int
    key: str
    word: str
    mark: Mark

    @property
    def symbol(self) -> str:
        """Its symbol."""
        return SYMBOLS[self.mark]


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


STATES: Final = (
    State(0, "normal", _("normal"), "plain"),
    State(1, "degraded", _("degraded"), "warn"),
    State(2, "maintenance", _("in maintenance"), "info"),
    State(3, "unknown", _("unknown"), "unknown"),
    State(4, "down", _("down"), "alarm"),
)
"""By code."""
