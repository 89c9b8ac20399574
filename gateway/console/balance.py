"""The ledger of the last 24 hours as the pages show it: every reading made is in exactly one of the other figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.ledger import SourceLedger, Total


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums of a device or of all: `made` = stored + quarantined + dropped + held + lost.

    `made` counts what was found too where a device has not stated it yet (it does with its next heartbeat).
    `held`: missing, but the device says it holds them, or whether they are lost is still being looked at.
    """

    made: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: int = 0
    held: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger of the whole hours from `from_ms` to `to_ms`. `filling`: older ones of the day are still to be read.

    `closed_ms`: the hours that have passed are as of then (Unix ms); the running one is as of now.
    """

    from_ms: int = 0
    to_ms: int = 0
    closed_ms: int = 0
    filling: bool = False
    sources: Sequence[SourceLedger] = ()
    by_device: Mapping[str, Balance] = field(default_factory=dict)
    stated_held: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Balance:
        """Of all devices."""
        devices = self.by_device.values()
        return Balance(*(sum(getattr(one, name) for one in devices) for name in Balance.__slots__))

    def of(self, device: str) -> Balance:
        """Of one device; zeros if it has no reading and no tally."""
        return self.by_device.get(device, Balance())


def balance(total: Total, quarantined: int, lost: int) -> Balance:
    """The sums of one device: `quarantined` of the dates found are in quarantine, `lost` of the missing are lost."""
    quarantined = min(quarantined, total.found)
    made = total.found + total.dropped + total.missing
    lost = min(lost, total.missing)
    return Balance(made, total.found - quarantined, quarantined, total.dropped, total.missing - lost, lost)
