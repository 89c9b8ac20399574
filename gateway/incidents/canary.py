"""The daily test: a device goes silent on purpose, and the notice of it must arrive in time. Pure.

It goes through all that an outage goes through: broker, presence, engine, budget, routes, outbox, channel. If no such
incident came within a day and an hour, or its notice did not arrive everywhere it was sent, that is trouble of our own
until a later one arrives.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from gateway.incidents.model import Change, Incident

CANARY: Final = "canary"
"""The kind of its incidents."""
SLACK_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one message: the first to its address. `ended_s`: when it was delivered or given up."""

    channel: str
    state: str
    ended_s: float | None


@dataclass(slots=True)
class Drill:
    """A test under way. `keys`: of the notices that tell of it."""

    number: int
    opened_s: float
    keys: list[str] = field(default_factory=list)


class Canary:
    """Whether the daily tests of `device` arrive. `within_s`: how soon after the incident was opened."""

    def __init__(self, device: str, within_s: float, every_s: float, now_s: float) -> None:
        self._device, self._within_s, self._every_s = device, within_s, every_s
        self._due_s = now_s + every_s + SLACK_S
        self._failed: str | None = None
        self.drill: Drill | None = None

    def take(self, changes: Iterable[Change]) -> None:
        """What the engine says: one of them may begin a test."""
        for change in changes:
            if change.what == "opened" and _is_drill(change.incident, self._device):
                self.drill = Drill(change.incident.number, change.at_s)
                self._due_s = change.at_s + self._every_s + SLACK_S

    def noticed(self, notices: Iterable[tuple[str, Sequence[int]]]) -> None:
        """Notices that people are told, each with its key and incidents."""
        if self.drill is not None and not self.drill.keys:
            self.drill.keys = [key for key, incidents in notices if self.drill.number in incidents]

    def looked(self, fates: Sequence[Fate], now_s: float) -> None:
        """What has become of the test's messages by now."""
        if self.drill is None:
            return
        ends_s = self.drill.opened_s + self._within_s
        missing = [one.channel for one in fates if one.state != "delivered" or (one.ended_s or now_s) > ends_s]
        if fates and not missing:
            self.drill = self._failed = None
        elif now_s > ends_s:
            late = f"not within {self._within_s / 60:g} min by {', '.join(sorted(set(missing)))}"
            self._failed = late if fates else "no route sends it to anybody: name the kind 'canary' in one"
            self.drill = None

    def trouble(self, now_s: float) -> str | None:
        """Why it is not proven that notices arrive; None: they do."""
        late = f"no outage of {self._device} for {(self._every_s + SLACK_S) / 3600:g} h"
        return self._failed or (late if now_s > self._due_s else None)

    def kept(self) -> dict[str, Any]:
        """JSON-able."""
        drill = None if self.drill is None else asdict(self.drill)
        return {"device": self._device, "due_s": self._due_s, "failed": self._failed, "drill": drill}

    def restored(self, kept: Mapping[str, Any] | None, now_s: float) -> Self:
        """As `kept`, unless it was of another device. No time of the past is ahead."""
        if kept is not None and kept["device"] == self._device:
            self._due_s, self._failed = min(kept["due_s"], self._due_s), kept["failed"]
            if (drill := kept["drill"]) is not None:
                self.drill = Drill(drill["number"], min(drill["opened_s"], now_s), drill["keys"])
        return self


def _is_drill(incident: Incident, device: str) -> bool:
    return incident.kind == CANARY and incident.scope.name == device
