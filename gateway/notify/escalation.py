"""What people were told of and nobody takes on: told once more, to those whom the routes name for it. Pure.

All that is ripe stands in one notice, and there is at most one in `every_min`: a storm makes one, not forty.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from gateway.incidents.model import Incident, Severity
from gateway.notify.budget import SEVERITIES, Notice, several_key
from kewang.runtime.settings import Settings

MINUTE_S: Final = 60.0
_NEWS: Final = ("opened", "worsened", "digest")


class EscalationSettings(Settings):
    """When what nobody takes on is told once more."""

    after_min: float = Field(10.0, ge=1, le=1440, description="People know of it for so long (min).")
    at_least: Severity = Field("critical", description="The least severity: info, warning or critical.")
    every_min: float = Field(10.0, ge=1, le=1440, description="Time from such a notice to the next at least (min).")

    def fits(self, incident: Incident) -> bool:
        """Whether it is severe enough, still open, and nobody has it."""
        severe = SEVERITIES.index(incident.severity) >= SEVERITIES.index(self.at_least)
        return severe and incident.ended_s is None and incident.acknowledged is None


class Escalation:
    """Each incident is escalated once. `name` begins every key."""

    def __init__(self, settings: EscalationSettings, name: str) -> None:
        self._settings, self._name = settings, name
        self._waiting: dict[int, float] = {}
        """Since when people know of it."""
        self._done: set[int] = set()
        self._last_s = -math.inf

    def told(self, notice: Notice, incidents: Mapping[int, Incident]) -> None:
        """People are told of these incidents."""
        for number in notice.incidents if notice.kind in _NEWS else ():
            if self._settings.fits(incidents[number]) and number not in self._done:
                self._waiting.setdefault(number, notice.created_s)

    def due(self, incidents: Mapping[int, Incident], now_s: float) -> list[Notice]:
        """The notice whose time has come. `incidents`: all that may still be spoken of, as they are."""
        self._done &= incidents.keys()
        open_ = {number for number, one in incidents.items() if self._settings.fits(one)}
        self._waiting = {number: at_s for number, at_s in self._waiting.items() if number in open_}
        ripe = [n for n, at_s in self._waiting.items() if at_s + self._settings.after_min * MINUTE_S <= now_s]
        if not ripe or now_s < self._last_s + self._settings.every_min * MINUTE_S:
            return []
        ripe.sort(key=lambda n: (-SEVERITIES.index(incidents[n].severity), self._waiting[n], n))
        waited_s = now_s - max(self._waiting.pop(number) for number in ripe)
        self._done.update(ripe)
        self._last_s = now_s
        key = self._name + several_key("escalated", " ".join(map(str, ripe)))
        return [Notice(key, "escalated", tuple(ripe), incidents[ripe[0]].severity, now_s, waited_s=waited_s)]

    @property
    def next_s(self) -> float:
        """When `due` has something next; inf: only after another notice."""
        first_s = min(self._waiting.values(), default=math.inf) + self._settings.after_min * MINUTE_S
        return max(first_s, self._last_s + self._settings.every_min * MINUTE_S)

    def kept(self) -> dict[str, Any]:
        """What outlives a restart, as JSON takes it."""
        last_s = None if self._last_s == -math.inf else self._last_s
        return {"waiting": list(self._waiting.items()), "done": sorted(self._done), "last_s": last_s}

    def restore(self, kept: Mapping[str, Any], now_s: float) -> None:
        """As `kept`. Times later than now are now: the clock was set back in between."""
        self._waiting = {number: min(at_s, now_s) for number, at_s in kept["waiting"]}
        self._done = set(kept["done"])
        self._last_s = -math.inf if kept["last_s"] is None else min(kept["last_s"], now_s)
