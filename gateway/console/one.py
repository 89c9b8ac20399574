"""One device's page: everything of its sources, its ledger by hour, its quarantine, its places."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.console.balance import Balance, Books
from gateway.console.facts import Facts, Options
from gateway.console.live import Live, Overview, open_quarantine
from gateway.console.overview import Device
from gateway.ledger import HourLedger
from gateway.ports import Clock, History, Misconfigured, Refused, RetryLater
from kewang.wire.placement import Placement

_REMEMBERED: Final = 64
_TRENDS: Final = 400


@dataclass(frozen=True, slots=True)
class DevicePage:
    """What the page of one device shows. `hours`: (Unix hour, source -> its figures), newest first."""

    overview: Overview
    device: Device
    balance: Balance
    columns: tuple[str, ...]
    hours: tuple[tuple[int, Mapping[str, HourLedger]], ...]
    quarantine: Sequence[Refused]
    placement: Placement | None


class Devices:
    """Reads device pages; each at most twice in the time in which it asks again, however many look at it."""

    def __init__(self, history: History, live: Live, facts: Facts, clock: Clock, options: Options) -> None:
        self._history, self._live, self._facts, self._clock = history, live, facts, clock
        self._fresh_ms = options.device_s * 500
        self._read: OrderedDict[str, tuple[int, DevicePage]] = OrderedDict()

    async def page(self, name: str) -> DevicePage | None:
        """The page of device `name`; None if there is no such device. With a store away: what the overview knows."""
        overview = await self._live.overview()
        device = overview.device(name)
        if device is None:
            return None
        read_ms, known = self._read.get(name, (-(2**62), None))
        if (
            known is None
            or self._clock.mono_ms() - read_ms > self._fresh_ms
            or known.overview.trouble != overview.trouble
        ):
            known = await self._page(overview, device)
            self._read[name] = (self._clock.mono_ms(), known)
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return known

    async def _page(self, overview: Overview, device: Device) -> DevicePage:
        quarantine: Sequence[Refused] = ()
        try:
            if not overview.trouble:
                quarantine = await open_quarantine(self._history, device.name)
                await self._draw(device, overview.now_ms)
        except (RetryLater, Misconfigured) as error:
            overview = overview.troubled(str(error))
        books = overview.books
        columns, hours = by_hour(books, device.name)
        balance = books.of(device.name)
        placement = self._facts.placements().get(device.name)
        return DevicePage(overview, device, balance, columns, hours, quarantine, placement)

    async def _draw(self, device: Device, now_ms: int) -> None:
        wanted = [
            ((source.series, reading.metric.name), reading.metric, reading.date_ms)
            for source in device.sources
            for reading in source.readings
        ]
        await self._live.sparks.refresh(wanted, now_ms, _TRENDS)


def by_hour(books: Books, device: str) -> tuple[tuple[str, ...], tuple[tuple[int, Mapping[str, HourLedger]], ...]]:
    """The sources of `device` in the ledger, and their figures by hour, newest first."""
    sources = [source for source in books.sources if source.device == device]
    hours: dict[int, dict[str, HourLedger]] = {}
    for source in sources:
        for hour in source.hours:
            hours.setdefault(hour.hour, {})[source.source] = hour
    return tuple(source.source for source in sources), tuple(sorted(hours.items(), reverse=True))
