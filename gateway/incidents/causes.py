"""Why it was away: what the births say afterwards. Pure."""

from typing import Final

from gateway.incidents.book import Book, Entry
from gateway.incidents.recovery import Recovery
from kewang.wire.state import Why

_LATE_S: Final = 600.0
"""A birth so long after the end still names the cause."""


class Causes:
    """Counts the last `why` of each device, by outage."""

    def __init__(self, book: Book, recovery: Recovery) -> None:
        self._book = book
        self._recovery = recovery

    def born(self, device: str, why: Why, now_s: float) -> None:
        """A device of an outage says why it was away. Told once, when more than half of the devices say the same."""
        entry = self._recovery.entry(device) or self._ended(device, now_s)
        if entry is None:
            return
        incident, before = entry.incident, entry.whys.get(device)
        entry.whys[device] = why
        if before in incident.whys:
            incident.whys[before] -= 1
        incident.whys[why] = incident.whys.get(why, 0) + 1
        if incident.cause is None and 2 * incident.whys[why] > len(incident.devices):
            incident.cause = why
            self._book.tell("cause", entry, now_s, {"cause": why})

    def _ended(self, device: str, now_s: float) -> Entry | None:
        """The outage of the device that ended last, a short while ago."""
        for entry in reversed(self._book.over.values()):
            ended_s = entry.incident.ended_s
            if ended_s is None or ended_s < now_s - _LATE_S:
                return None
            if device in entry.incident.devices:
                return entry
        return None
