"""One reader of the store for all open pages: a set of reads a tick, none while nobody looks."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.console import cameras
from gateway.console.balance import Books
from gateway.console.bookkeeper import Bookkeeper
from gateway.console.cameras import Newest
from gateway.console.facts import Facts, Options
from gateway.console.overview import Device, Marks, Site, sites_of
from gateway.console.sparks import Sparks, Wanted
from gateway.ports import Clock, History, Misconfigured, Refused, RetryLater
from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.names import STREAMS

log = logging.getLogger(__name__)
QUARANTINE_SHOWN: Final = 1000
LONGEST_TICK_S: Final = 15.0
LONGEST_LEDGER_S: Final = 60.0
FILLING_S: Final = 15.0
"""How long a large database is left alone between reads, at most; until the day is counted, less."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the live page shows. `read_ms`: when the store was last read well, 0 = never; `trouble`: why not now."""

    now_ms: int
    read_ms: int = 0
    trouble: str | None = None
    sites: tuple[Site, ...] = ()
    books: Books = field(default_factory=Books)
    quarantine: Sequence[Refused] = ()

    @property
    def newest_ms(self) -> int | None:
        """Date of the newest reading of all."""
        return max((d.last_ms for site in self.sites for d in site.devices if d.last_ms is not None), default=None)

    def device(self, name: str) -> Device | None:
        """The device called so, if it is known."""
        return next((d for site in self.sites for d in site.devices if d.name == name), None)

    def troubled(self, why: str) -> "Overview":
        """The same figures, with what is wrong with the store."""
        return replace(self, trouble=why)

    def stale(self, longest_s: float) -> bool:
        """Whether the newest reading is older than `longest_s`, or the store was not read for so long.

        Where every device that speaks keeps rows back, the newest may be older by the shortest of their waits.
        """
        oldest_ms = self.now_ms - longest_s * 1000
        speaking = (d.waits_s for site in self.sites for d in site.devices if d.condition == "ok")
        waited_ms = 1000 * min(speaking, default=0.0)
        return self.read_ms < oldest_ms or (self.newest_ms is not None and self.newest_ms < oldest_ms - waited_ms)


@dataclass(slots=True)
class _Slow:
    """What is read more rarely. `heard`: devices that have any reading."""

    heard: set[str] = field(default_factory=set)
    books: Books = field(default_factory=Books)
    quarantine: Sequence[Refused] = ()


class Live:
    """The overview, read at most once a tick however many ask. Never raises what the store raises: it says so."""

    def __init__(self, history: History, facts: Facts, clock: Clock, options: Options) -> None:
        self._history, self._facts, self._clock, self._options = history, facts, clock, options
        self.sparks = Sparks(history)
        self._keeper = Bookkeeper(history, clock, options)
        self._rewind = 0
        self._turn = asyncio.Lock()
        self._shown = Overview(0)
        self._due_ms = -(2**62)
        self._slow_due_ms = -(2**62)
        self._heard_due_ms = -(2**62)
        self._slow = _Slow()

    async def overview(self) -> Overview:
        """The overview, at most a tick old."""
        async with self._turn:
            began_ms = self._clock.mono_ms()
            if began_ms >= self._due_ms:
                self._shown = await self._read()
                self._due_ms = self._pause(began_ms, self._options.tick_s * 0.9, LONGEST_TICK_S)
            return self._shown

    def _pause(self, began_ms: int, least_s: float, most_s: float) -> int:
        """When to read again: a large database is read the more rarely the longer it takes."""
        now_ms = self._clock.mono_ms()
        wanted_s = (now_ms - began_ms) * self._options.pause_per_read / 1000
        return now_ms + int(max(least_s, min(wanted_s, most_s)) * 1000)

    async def _read(self) -> Overview:
        now_ms = self._clock.wall_ms()
        try:
            async with asyncio.timeout(self._options.read_limit_s):
                newest = [row for stream in STREAMS for row in await self._newest(stream, now_ms)]
            return await self._from_store(newest, now_ms)
        except (RetryLater, Misconfigured) as error:
            return self._without_store(now_ms, str(error))
        except TimeoutError:
            return self._without_store(now_ms, f"no answer within {self._options.read_limit_s:g} s")

    async def _newest(self, stream: str, now_ms: int) -> list[Newest]:
        points = await self._history.newest(stream)
        if stream == cameras.STREAM and 0 < len(points) <= cameras.MOST_SERIES:
            return cameras.with_recent(points, await self._history.recent(stream, now_ms - cameras.RECENT_MS))
        return [Newest(point) for point in points]

    def _without_store(self, now_ms: int, why: str) -> Overview:
        """The figures known last, with the trouble named."""
        if self._shown.trouble is None:
            log.warning("the page can't read the store: %s", why)
        return replace(self._shown, now_ms=now_ms, trouble=why)

    async def _from_store(self, newest: Sequence[Newest], now_ms: int) -> Overview:
        began_ms = self._clock.mono_ms()
        if began_ms >= self._slow_due_ms or self._shown.trouble:
            await self._read_slowly(now_ms)
            longest_s = FILLING_S if self._slow.books.filling else LONGEST_LEDGER_S
            self._slow_due_ms = self._pause(began_ms, self._options.ledger_s, longest_s)
        slow, facts = self._slow, self._facts
        marks = marks_of(slow.books, slow.quarantine, facts.two_boxes(), facts.worked_on())
        sites = sites_of(newest, slow.heard, marks, facts.placements(), facts.birth, now_ms, self._options)
        await self.sparks.refresh(self._on_cards(sites), now_ms, self._options.spark_reads)
        return Overview(now_ms, now_ms, None, sites, slow.books, slow.quarantine)

    async def _read_slowly(self, now_ms: int) -> None:
        """The ledger and what else takes long on a large database. A turn that takes too long is gone on with later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.read_limit_s):
                await self._read_heard(self._clock.mono_ms())
                self._slow.quarantine = await open_quarantine(self._history)
                self._slow.books = await self._books(now_ms)

    async def _read_heard(self, now_ms: int) -> None:
        """Devices that have any reading; those of the last day are seen anyway."""
        if now_ms >= self._heard_due_ms:
            self._slow.heard = {series.device for series in await self._history.series()}
            self._heard_due_ms = now_ms + int(self._options.closed_s * 1000)

    async def _books(self, now_ms: int) -> Books:
        if self._rewind != (rewind := self._facts.rewind()):
            self._rewind = rewind
            self._keeper.forget()
        return await self._keeper.books(now_ms)

    def _on_cards(self, sites: Sequence[Site]) -> list[Wanted]:
        devices = [device for site in sites for device in site.devices]
        return [
            ((source.series, reading.metric.name), reading.metric, reading.date_ms)
            for device in devices
            if len(devices) <= self._options.full_cards
            for source, readings in device.on_card
            for reading in readings
        ]


def marks_of(
    books: Books, quarantine: Sequence[Refused], doubled: Collection[str], worked_on: Collection[str]
) -> dict[str, Marks]:
    """What is known of devices beside their readings."""
    lost = {device: balance.lost for device, balance in books.by_device.items() if balance.lost}
    refused = Counter(row.series.device for row in quarantine)
    return {
        name: Marks(lost.get(name, 0), refused[name], name in doubled, name in worked_on)
        for name in {*lost, *refused, *doubled, *worked_on}
    }


async def open_quarantine(history: History, device: str | None = None) -> list[Refused]:
    """Rows in quarantine that nobody deleted yet, newest first, whatever their time; at most QUARANTINE_SHOWN."""
    return await history.refused(0, MAX_DATE_MS + 1, device, QUARANTINE_SHOWN, waiting=True)
