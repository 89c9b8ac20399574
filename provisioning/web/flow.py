"""The order of a visit: which steps it has, which are done, which is next. Pure; the phone's script does the same."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from provisioning.inventory import VisitKind

LOCAL: Final = "start"
"""Asked before the server is told anything, in visits that begin by saying where."""
PHOTOS: Final = ("mounted", "notice")
OF_CAMERAS: Final = frozenset({"picture", "notice"})
STEPS: Final[dict[VisitKind, tuple[str, ...]]] = {
    "install": ("start", "site", "mounted", "sources", "readings", "picture", "notice"),
    "replace": ("start", "mounted", "sources", "readings", "picture", "notice"),
    "move": ("start", "site", "mounted", "readings", "picture", "notice"),
    "check": ("start", "readings", "picture"),
    "retire": ("start",),
}
REASONS: Final = ("weak-link", "camera-degraded", "sensor-later", "no-picture")
"""Why a visit is accepted although something is missing: chosen, never typed."""
LEAVING: Final = ("no-power", "no-network", "camera-broken", "broken", "no-access", "other")
"""Why a technician can't finish: the visit ends red."""
LEAVING_OF_CAMERAS: Final = "camera-broken"
AMBER: Final = "amber-"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a visit is. `done`: names of steps, of photos too, with `amber-REASON` among them."""

    kind: VisitKind
    cameras: bool
    done: frozenset[str]

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of this visit in order."""
        return tuple(step for step in STEPS[self.kind] if self.cameras or step not in OF_CAMERAS)

    @property
    def next(self) -> str | None:
        """The first step that is not done; None when all are."""
        return next((step for step in self.steps if step not in self.done), None)

    @property
    def result(self) -> str:
        """`green`, or `amber` when something was accepted as it is."""
        return "amber" if self.reasons else "green"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is amber."""
        return tuple(reason for reason in REASONS if AMBER + reason in self.done)


def first_on_server(kind: VisitKind) -> str:
    """The step with which the server hears of a visit first."""
    return "site" if "site" in STEPS[kind] else LOCAL


def done_steps(kind: VisitKind, noted: Collection[str], photos: Collection[str]) -> frozenset[str]:
    """What is done: noted steps, photos that have arrived, and what is asked before the server hears of it."""
    before = STEPS[kind][: STEPS[kind].index(first_on_server(kind))]
    return frozenset({*before, *noted, *(photo for photo in photos if photo in PHOTOS)})
