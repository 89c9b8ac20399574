"""One device's page: everything of its sources and their last day, its ledger by hour, its quarantine, its places."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.console.balance import Balance, Books
from gateway.console.day import Day, Days, Refusals
from gateway.console.facts import Facts, Options
from gateway.console.live import Live, Overview, open_quarantine
from gateway.console.overview import Device
from gateway.ledger import HourLedger
from gateway.ports import Clock, History, Misconfigured, Refused, RetryLater
from kewang.wire.placement import Placement

_REMEMBERED: Final = 64


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
    day: Day
    refusals: Refusals


class Devices:
    """Reads device pages; each at most twice in the time in which it asks again, however many look at it."""

    def __init__(self, history: History, live: Live, facts: Facts, clock: Clock, options: Options) -> None:
        self._history, self._live, self._facts, self._clock = history, live, facts, clock
        self._fresh_ms, self._limit_s = options.device_s * 500, options.read_limit_s
        self._days = Days(history, clock)
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
        day = self._days.known(device.name)
        try:
            async with asyncio.timeout(None if overview.trouble else self._limit_s):
                if not overview.trouble:
                    quarantine = await open_quarantine(self._history, device.name)
                    day = await self._days.of(device, overview.now_ms)
        except (RetryLater, Misconfigured) as error:
            overview = overview.troubled(str(error))
        except TimeoutError:
            overview = overview.troubled(f"no answer within {self._limit_s:g} s")
        books = overview.books
        columns, hours = by_hour(books, device.name)
        placement = self._facts.placements().get(device.name)
        refusals = Refusals(quarantine, day.from_ms)
        balance = books.of(device.name)
        return DevicePage(overview, device, balance, columns, hours, quarantine, placement, day, refusals)


def by_hour(books: Books, device: str) -> tuple[tuple[str, ...], tuple[tuple[int, Mapping[str, HourLedger]], ...]]:
    """The sources of `device` in the ledger, and their figures by hour, newest first."""
    sources = [source for source in books.sources if source.device == device]
    hours: dict[int, dict[str, HourLedger]] = {}
    for source in sources:
        for hour in source.hours:
            hours.setdefault(hour.hour, {})[source.source] = hour
    return tuple(source.source for source in sources), tuple(sorted(hours.items(), reverse=True))
