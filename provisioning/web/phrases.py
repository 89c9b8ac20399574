"""Words for what the inventory says in short: states, kinds, results, reasons."""

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
    "broken": _("The device is broken"),
    "unsafe": _("It is not safe here"),
    "other": _("Something else"),
}
