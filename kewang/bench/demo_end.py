"""What the demo says at its end to who watched: where every reading is, in their language. All figures: `--json`."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from kewang.bench.says import Says, _
from kewang.ui.words import Language

_ALWAYS: Final = {"readings_produced", "readings_stored", "quarantined", "lost", "duplicates", "wrong"}
_LINES: Final[Mapping[str, str]] = {
    "readings_produced": _("Readings that the boards gave out"),
    "readings_stored": _("of these: stored"),
    "quarantined": _("in quarantine: the demo spoils some on purpose"),
    "unflushed": _("cut off before they were kept"),
    "dropped_declared": _("dropped by a box whose queue was full"),
    "in_outbox": _("still in the queue of a box"),
    "lost": _("lost"),
    "duplicates": _("stored twice"),
    "wrong": _("stored wrongly"),
    "this_machine_readings": _("Readings of this machine itself"),
    "camera_readings": _("Readings of cameras"),
    "outages": _("Outages that you saw"),
    "notices": _("notices sent"),
}
"""By figure. Those that are not of `_ALWAYS` are left out at 0."""


def show_end(result: Mapping[str, Any], language: Language) -> None:
    """On standard output."""
    says = Says(Console(highlight=False), language)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    for name, text in _LINES.items():
        if result[name] or name in _ALWAYS:
            table.add_row(str(result[name]), says.filled(text))
    says.console.print(table)
    for reason in result["failed"]:
        says(_("Not as it must be: %(what)s"), "bold red", what=reason)
    if result["ok"]:
        says(_("Every reading is accounted for."), "bold green")
