"""The ledger of the last 24 hours as the pages show it: every reading made is in exactly one of the other figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Final

from gateway.ledger import SourceLedger, Total, device_totals, ledger
from gateway.ports import History
from kewang.wire.names import NO_SOURCE
from kewang.wire.tally import HOUR_MS

HOURS: Final = 24
_QUARANTINED_COUNTED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums of a device or of all: `made` = stored + quarantined + dropped + held + lost.

    `made` counts what was found too where a device has not stated it yet (it does with its next heartbeat).
    `held`: missing, but no more than the device says it holds; `lost`: missing beyond that.
    """

    made: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: int = 0
    held: int = 0
    lost: int = 0

    def __add__(self, other: "Balance") -> "Balance":
        return Balance(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger of the whole hours from `from_ms` to `to_ms`."""

    from_ms: int = 0
    to_ms: int = 0
    sources: Sequence[SourceLedger] = ()
    by_device: Mapping[str, Balance] = field(default_factory=dict)
    stated_held: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Balance:
        """Of all devices."""
        return sum(self.by_device.values(), Balance())

    def of(self, device: str) -> Balance:
        """Of one device; zeros if it has no reading and no tally."""
        return self.by_device.get(device, Balance())


async def read_books(history: History, now_ms: int) -> Books:
    """The ledger of this hour and the 23 before. Raises RetryLater or Misconfigured."""
    to_hour = now_ms // HOUR_MS + 1
    from_ms, to_ms = (to_hour - HOURS) * HOUR_MS, to_hour * HOUR_MS
    sources = await ledger(history, from_ms, to_ms)
    held = await history.held()
    refused = await history.refused(from_ms, to_ms, limit=_QUARANTINED_COUNTED)
    quarantined = Counter(row.series.device for row in refused if row.series.source != NO_SOURCE)
    totals = device_totals(sources, held)
    balances = {device: balance(total, quarantined[device]) for device, total in totals.items()}
    return Books(from_ms, to_ms, sources, balances, held)


def balance(total: Total, quarantined: int) -> Balance:
    """The sums of one device; `quarantined` of the dates found are in quarantine."""
    quarantined = min(quarantined, total.found)
    made = total.found + total.dropped + total.missing
    stored, held = total.found - quarantined, total.missing - total.lost
    return Balance(made, stored, quarantined, total.dropped, held, total.lost)
