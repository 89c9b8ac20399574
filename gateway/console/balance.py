"""The ledger of the last 24 hours as the pages show it: every reading made is in exactly one of the other figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.ports import History
from kewang.wire.tally import HOUR_MS

HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Cell:
    """One source's hour. `found`: dates in a stream or in quarantine; `missing`: made, and nowhere."""

    device: str
    source: str
    hour: int
    made: int
    dropped: int
    found: int
    missing: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums of cells. `made` = stored + quarantined + dropped + held + lost.

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
        return Balance(*(getattr(self, name) + getattr(other, name) for name in FIGURES))


FIGURES: Final = ("made", "stored", "quarantined", "dropped", "held", "lost")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of whole hours `from_ms` to `to_ms`, by device and in all."""

    from_ms: int = 0
    to_ms: int = 0
    cells: tuple[Cell, ...] = ()
    by_device: Mapping[str, Balance] = field(default_factory=dict)
    stated_held: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Balance:
        """Of all devices."""
        return sum(self.by_device.values(), Balance())


async def read_ledger(history: History, now_ms: int) -> Ledger:
    """The ledger up to now, of this hour and the 23 before. Raises RetryLater or Misconfigured."""
    to_hour = now_ms // HOUR_MS + 1
    from_ms, to_ms = (to_hour - HOURS) * HOUR_MS, to_hour * HOUR_MS
    cells = await _cells(history, from_ms, to_ms)
    held = await history.held()
    quarantined = Counter(row.series.device for row in await history.refused(from_ms, to_ms, limit=100_000))
    by_device: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_device[cell.device].append(cell)
    balances = {name: balance(some, quarantined[name], held.get(name, 0)) for name, some in sorted(by_device.items())}
    return Ledger(from_ms, to_ms, tuple(cells), balances, held)


def balance(cells: Iterable[Cell], quarantined: int, held: int) -> Balance:
    """The sum of one device's `cells`; `quarantined` of the dates found are in quarantine, `held` is what it stated."""
    cells = list(cells)
    found, missing = sum(cell.found for cell in cells), sum(cell.missing for cell in cells)
    dropped = sum(max(0, cell.made - cell.found - cell.missing) for cell in cells)
    quarantined, held = min(quarantined, found), min(held, missing)
    made = found + dropped + missing
    return Balance(made, found - quarantined, quarantined, dropped, held, missing - held)


async def _cells(history: History, from_ms: int, to_ms: int) -> list[Cell]:
    found = await history.counts(from_ms, to_ms)
    made: dict[tuple[str, str, int], tuple[int, int]] = {}
    for (device, source, hour, _run), stated in (await history.tallies(from_ms // HOUR_MS, to_ms // HOUR_MS)).items():
        before = made.get((device, source, hour), (0, 0))
        made[device, source, hour] = (before[0] + stated[0], before[1] + stated[1])
    cells = []
    for key in sorted(found.keys() | made.keys()):
        made_here, dropped = made.get(key, (0, 0))
        here = found.get(key, 0)
        cells.append(Cell(*key, made_here, dropped, here, max(0, made_here - dropped - here)))
    return cells
