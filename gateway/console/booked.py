"""The ledger device by device: is it complete, and if not, since when. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from gateway.console.balance import Balance
from gateway.console.live import Overview
from gateway.ledger import HourLedger, SourceLedger
from kewang.wire.tally import HOUR_MS

Verdict = Literal["missing", "unsure", "dropped", "complete"]
"""`unsure`: complete as far as the device has told, but it is silent. `dropped`: by the box, and declared."""
_FIRST: Final[tuple[Verdict, ...]] = ("missing", "unsure", "dropped", "complete")


@dataclass(frozen=True, slots=True)
class Row:
    """One device. `since_ms`: the hour of its first reading that is missing or dropped; when it was heard last."""

    device: str
    site: str | None
    balance: Balance
    verdict: Verdict
    since_ms: int | None = None

    @property
    def shows(self) -> tuple[str, ...]:
        """The choices of the page that show it."""
        told = {name: getattr(self.balance, name) for name in ("held", "quarantined", "dropped")}
        return (self.verdict, *(name for name, count in told.items() if count))


def rows_of(overview: Overview) -> list[Row]:
    """Every device with a ledger, and every silent one; those that lack most first."""
    devices = {device.name: device for site in overview.sites for device in site.devices}
    silent = {name for name, device in devices.items() if device.condition == "silent"}
    missing, dropped = _first_hours(overview.books.sources)
    rows = []
    for name in overview.books.by_device.keys() | silent:
        balance, device = overview.books.of(name), devices.get(name)
        site = device.place.site if device and device.place else None
        if balance.lost:
            rows.append(Row(name, site, balance, "missing", missing.get(name, overview.books.from_ms)))
        elif name in silent:
            rows.append(Row(name, site, balance, "unsure", devices[name].last_ms))
        elif balance.dropped:
            rows.append(Row(name, site, balance, "dropped", dropped.get(name, overview.books.from_ms)))
        else:
            rows.append(Row(name, site, balance, "complete"))
    return sorted(rows, key=lambda row: (_FIRST.index(row.verdict), -row.balance.lost, -row.balance.held, row.device))


def _first_hours(sources: Iterable[SourceLedger]) -> tuple[dict[str, int], dict[str, int]]:
    """Device -> Unix ms of its first hour in which something is missing, and in which something was dropped."""
    missing: dict[str, int] = {}
    dropped: dict[str, int] = {}
    for source in sources:
        for hour in source.hours:
            for firsts, count in ((missing, hour.missing), (dropped, hour.dropped)):
                if count:
                    firsts[source.device] = min(firsts.get(source.device, 2**62), _ms(hour))
    return missing, dropped


def _ms(hour: HourLedger) -> int:
    return hour.hour * HOUR_MS
