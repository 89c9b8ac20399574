"""What the engine is told and what it says.

Times are Unix s of a clock that never steps: the wall time at the program's start plus what has passed since by the
monotonic clock. So they can be kept over a restart, and a corrected wall clock fires nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kewang.wire.state import Why

Word = Literal["up", "degraded", "down", "unstable", "unplaced", "maintenance", "unknown"]
"""How a device or source is, in one word."""
Level = Literal["source", "device", "site", "uplink", "feeder", "city", "gateway"]
"""What an incident is about, from small to large; `gateway`: ourselves (broker, database, clock, disk)."""
Severity = Literal["info", "warning", "critical"]
What = Literal["opened", "worsened", "cause", "acknowledged", "noted", "assigned", "taken", "done", "resolved"]
"""`cause`: it became known why (from births, afterwards). `noted`: somebody wrote something down; nobody is told.
`assigned`, `taken`, `done`: of a technician's task."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """The place of a cause. `name`: of the site, uplink or feeder; `DEVICE` or `DEVICE/SOURCE`; "" for `city`."""

    level: Level
    name: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody has taken it on: until it clears."""

    by: str
    at_s: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Assigned:
    """It is a technician's task. `to`: the name of who has it, "" while nobody does. `state`: open, taken, done."""

    task: int
    to: str
    by: str
    at_s: float
    state: str = "open"


@dataclass(slots=True)
class Incident:
    """A cause with its place. Numbers count up and are never used again.

    `since_s`: when the first of its devices was heard last. `devices`: all that ever were part of it, with the time
    each was heard last; `back`: those that have returned. `cause`: what most births told afterwards, None until then.
    """

    number: int
    kind: str
    """`outage`, `unstable`, `self`, `two-boxes`, or the name of a rule."""
    scope: Scope
    severity: Severity
    since_s: float
    opened_s: float
    devices: dict[str, float] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)
    sites: set[str] = field(default_factory=set)
    whys: dict[Why, int] = field(default_factory=dict)
    cause: Why | None = None
    value: float | None = None
    """Of a rule: the worst value."""
    metric: str | None = None
    """Of a rule: what of the catalogue is measured."""
    acknowledged: Acknowledged | None = None
    ended_s: float | None = None
    stragglers: tuple[str, ...] = ()
    """Devices that were not back when it was resolved; each has an incident of its own from then on, without notice.
    Of a rule: sources that say nothing any more, so that nobody knows how it is there."""
    assigned: Assigned | None = None

    @property
    def missing(self) -> list[str]:
        """Devices that are not back yet, by name."""
        return sorted(self.devices.keys() - self.back.keys())


@dataclass(frozen=True, slots=True)
class Change:
    """Something people may want to hear of. `incident` is as it was at `at_s`: a copy."""

    what: What
    incident: Incident
    at_s: float
    why: Mapping[str, str] = field(default_factory=dict)
    """Details for the text: what worsened, who acknowledged."""
