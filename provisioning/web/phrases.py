"""Words for what the inventory says in short: states, kinds, results, reasons."""

from collections.abc import Callable
from typing import Final


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


STATE_WORDS: Final = {
    "new": _("new"),
    "pending": _("waiting for approval"),
    "approved": _("approved"),
    "active": _("active"),
    "installed": _("installed"),
    "quarantined": _("set apart"),
    "revoked": _("revoked"),
    "retired": _("retired"),
}

KIND_WORDS: Final = {
    "cam": _("Camera"),
    "camera": _("Camera"),
    "env": _("Sensor"),
    "sensor": _("Sensor"),
    "bin": _("Bin sensor"),
    "river": _("Water level sensor"),
    "market": _("Market device"),
}

VISIT_WORDS: Final = {
    "install": _("Installation"),
    "replace": _("Replacement"),
    "move": _("Move"),
    "retire": _("Taken down"),
    "check": _("Check"),
}

RESULT_WORDS: Final = {
    "green": _("green"),
    "amber": _("amber"),
    "red": _("red"),
    "left": _("not finished"),
}

REASON_WORDS: Final = {
    "weak-link": _("The network is weak"),
    "camera-degraded": _("The camera is not at its best"),
    "sensor-later": _("A sensor comes later"),
    "no-picture": _("No picture to look at"),
}

LEAVING_WORDS: Final = {
    "no-power": _("No power here"),
    "no-network": _("No network here"),
    "camera-broken": _("The camera is broken"),
    "broken": _("The device is broken"),
    "no-access": _("The place can't be reached safely"),
    "other": _("Something else"),
}
_REASONS: Final = REASON_WORDS | LEAVING_WORDS


def reason_words(reason: str, say: Callable[[str], str]) -> str:
    """A visit's `reason` for people: the words of its keys, `weak-link, no-picture`; a note below stays as it is."""
    keys, line_end, note = reason.partition("\n")
    return ", ".join(say(_REASONS[key]) if key in _REASONS else key for key in keys.split(", ")) + line_end + note
