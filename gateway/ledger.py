"""Ledger: is every reading accounted for? Computed from the database alone, per source and hour.

made = found (stored or in quarantine) + missing + thinned + truly dropped. What is missing and not explained by what
the device says it still holds is lost. A device counts what it thinned as dropped; that it was thinned, the thinned
rows that are found tell.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.ports import History, SeriesId
from kewang.wire.names import NO_SOURCE, STREAMS
from kewang.wire.tally import HOUR_MS

Cell = tuple[str, str, int]
"""(device, source, Unix hour)."""
_GAP_HOURS: Final = 2
"""Hours to be counted exactly that lie closer than this are read in one piece."""


@dataclass(frozen=True, slots=True)
class HourLedger:
    """One source in one UTC hour. `made` and `declared_dropped` as the device stated, over all its runs."""

    hour: int
    """Unix ms // 3,600,000."""
    made: int
    declared_dropped: int
    found: int
    """Dates in the stream or in quarantine."""
    told: int = 0
    """Rows that the thinned rows found stand for."""

    @property
    def missing(self) -> int:
        """Made, not declared dropped, not found."""
        return max(0, self.made - self.declared_dropped - self.found)

    @property
    def gone(self) -> int:
        """What was declared dropped and had not been stored before."""
        return max(0, self.made - self.found - self.missing)

    @property
    def thinned(self) -> int:
        """Gone, and told by thinned rows."""
        return min(self.told, self.gone)

    @property
    def dropped(self) -> int:
        """Truly dropped."""
        return self.gone - self.thinned


@dataclass(frozen=True, slots=True)
class SourceLedger:
    """One source of one device."""

    device: str
    source: str
    hours: tuple[HourLedger, ...]
    """By hour; those with a tally or a reading."""

    @property
    def made(self) -> int:
        return sum(hour.made for hour in self.hours)

    @property
    def found(self) -> int:
        return sum(hour.found for hour in self.hours)

    @property
    def missing(self) -> int:
        return sum(hour.missing for hour in self.hours)

    @property
    def thinned(self) -> int:
        return sum(hour.thinned for hour in self.hours)

    @property
    def dropped(self) -> int:
        return sum(hour.dropped for hour in self.hours)


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over the sources of a device, or over all devices."""

    made: int
    found: int
    missing: int
    dropped: int
    held: int
    """Open rows the device stated in its newest heartbeat."""
    lost: int
    """Missing beyond what the device holds."""
    thinned: int = 0

    @property
    def completeness_pct(self) -> float:
        """Share of the made readings that are found; 100 where none was made."""
        return 100.0 * (self.made - self.missing - self.dropped) / self.made if self.made else 100.0


async def ledger(history: History, from_ms: int, to_ms: int) -> list[SourceLedger]:
    """Every source with a tally or a reading in the UTC hours that touch `from_ms` to `to_ms` (excluded), by name.

    Raises what `history` raises.
    """
    from_hour, to_hour = from_ms // HOUR_MS, -(-to_ms // HOUR_MS)
    stated = stated_by_cell(await history.tallies(from_hour, to_hour))
    found = dict(await history.counts(from_hour * HOUR_MS, to_hour * HOUR_MS))
    short = [cell for cell, (made, dropped) in stated.items() if found.get(cell, 0) < made - dropped]
    found |= await exact_counts(history, short)
    gone = any(dropped for _, dropped in stated.values())
    return by_source(stated, found, await history.thinned(from_hour * HOUR_MS, to_hour * HOUR_MS) if gone else {})


def stated_by_cell(tallies: Mapping[tuple[str, str, int, str], tuple[int, int]]) -> dict[Cell, tuple[int, int]]:
    """(made, dropped) of each cell: the sum over its runs of the highest stated."""
    stated: dict[Cell, tuple[int, int]] = {}
    for (device, source, hour, _), (made, dropped) in tallies.items():
        before = stated.get((device, source, hour), (0, 0))
        stated[device, source, hour] = before[0] + made, before[1] + dropped
    return stated


async def exact_counts(history: History, cells: Iterable[Cell]) -> dict[Cell, int]:
    """The number of dates of each cell, by listing them."""
    wanted: dict[tuple[str, str], list[int]] = defaultdict(list)
    for device, source, hour in sorted(cells):
        wanted[device, source].append(hour)
    found: dict[Cell, int] = {}
    for (device, source), hours in wanted.items():
        found |= {(device, source, hour): 0 for hour in hours}
        for stream in STREAMS:
            for first, last in stretches(hours):
                series = SeriesId(stream, device, source)
                for date_ms in await history.dates(series, first * HOUR_MS, (last + 1) * HOUR_MS):
                    cell = (device, source, date_ms // HOUR_MS)
                    if cell in found:
                        found[cell] += 1
    return found


def stretches(hours: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending hours as (first, last) of stretches without a larger gap."""
    found: list[tuple[int, int]] = []
    for hour in hours:
        if found and hour - found[-1][1] <= _GAP_HOURS:
            found[-1] = found[-1][0], hour
        else:
            found.append((hour, hour))
    return found


def by_source(
    stated: Mapping[Cell, tuple[int, int]], found: Mapping[Cell, int], thinned: Mapping[Cell, int] | None = None
) -> list[SourceLedger]:
    """The cells put together; without `thinned` it counts as dropped.

    Unreadable messages belong to no source: the edge counts their rows as dropped.
    """
    hours: dict[tuple[str, str], list[HourLedger]] = defaultdict(list)
    for cell in sorted({*stated, *found}):
        device, source, hour = cell
        if source != NO_SOURCE:
            made, dropped = stated.get(cell, (0, 0))
            told = thinned.get(cell, 0) if thinned else 0
            hours[device, source].append(HourLedger(hour, made, dropped, found.get(cell, 0), told))
    return [SourceLedger(device, source, tuple(cells)) for (device, source), cells in sorted(hours.items())]


def device_totals(sources: Iterable[SourceLedger], held: Mapping[str, int]) -> dict[str, Total]:
    """Device -> its sums. `held`: of History. Lost is what is missing beyond what the device holds."""
    grouped: dict[str, list[SourceLedger]] = defaultdict(list)
    for source in sources:
        grouped[source.device].append(source)
    return {device: _device_total(group, held.get(device, 0)) for device, group in sorted(grouped.items())}


def overall(totals: Iterable[Total]) -> Total:
    """The sums over devices."""
    every = list(totals)
    return Total(
        made=sum(total.made for total in every),
        found=sum(total.found for total in every),
        missing=sum(total.missing for total in every),
        dropped=sum(total.dropped for total in every),
        held=sum(total.held for total in every),
        lost=sum(total.lost for total in every),
        thinned=sum(total.thinned for total in every),
    )


def _device_total(sources: list[SourceLedger], held: int) -> Total:
    missing = sum(source.missing for source in sources)
    return Total(
        made=sum(source.made for source in sources),
        found=sum(source.found for source in sources),
        missing=missing,
        dropped=sum(source.dropped for source in sources),
        held=held,
        lost=max(0, missing - held),
        thinned=sum(source.thinned for source in sources),
    )
