"""Keeps the ledger of the last 24 hours without reading all of it again: what a page may cost a large database.

What the devices stated and what was found is remembered by hour. Read again are the running hour every time, an hour
that has passed the more rarely the longer ago, and heartbeats of a time in which new tallies appeared. Each turn ends
when its time is up, the newest hours come first. The figures are gateway.ledger's; `kewang ledger` reads everything.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from gateway.console.balance import Books, balance
from gateway.console.doubts import Doubts
from gateway.console.facts import Options
from gateway.ledger import Cell, SourceLedger, Total, by_source, device_totals, exact_counts, stated_by_cell
from gateway.ports import Clock, History, Span
from kewang.wire.names import NO_SOURCE
from kewang.wire.tally import HOUR_MS

HOURS: Final = 24
STEP_MS: Final = 300_000
"""Heartbeats are looked at by steps of their dates."""
_EARLIER_MS: Final = 2 * HOUR_MS
"""A clock that was set back dates the heartbeat before the readings it states."""
_RECENT_MS: Final = 900_000
_POINTS_AT_ONCE: Final = 10_000
_LOOKS_A_TURN: Final = 20
_COUNTED: Final = 100_000
"""Quarantined rows of an hour, at most."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """One round of reads: Unix ms, and monotonic ms of its beginning and of its time being up."""

    now_ms: int
    began_ms: int
    until_ms: int

    @property
    def hour(self) -> int:
        """The running one."""
        return self.now_ms // HOUR_MS

    @property
    def to_hour(self) -> int:
        return self.hour + 1


@dataclass(slots=True)
class _Hour:
    """What was found of one hour. `at_ms` monotonic, `read_ms` Unix."""

    at_ms: int
    read_ms: int
    found: dict[Cell, int]
    quarantined: Counter[str]


@dataclass(slots=True)
class _Sums:
    first_hour: int
    sources: list[SourceLedger]
    totals: dict[str, Total]
    held: dict[str, int]

    @property
    def lost(self) -> dict[str, int]:
        """Device -> missing beyond what it holds, by figures that may be older than the device's word."""
        return {device: total.lost for device, total in self.totals.items()}

    def short(self, devices: Collection[str]) -> list[Cell]:
        """Their cells in which something is missing."""
        some = (source for source in self.sources if source.device in devices)
        return [(one.device, one.source, hour.hour) for one in some for hour in one.hours if hour.missing]


class Bookkeeper:
    """The books, brought up to date by one turn of reads at a time."""

    def __init__(self, history: History, clock: Clock, options: Options) -> None:
        self._history, self._clock, self._options = history, clock, options
        self._again_ms = int(options.closed_s * 1000)
        self._doubts = Doubts(int(options.lost_after_s * 1000), self._again_ms)
        self.forget()

    def forget(self) -> None:
        """The database is another one, or restored: begin anew."""
        self._hours: dict[int, _Hour] = {}
        self._stated: dict[tuple[str, str, int, str], tuple[int, int]] = {}
        self._exact: dict[Cell, int] = {}
        self._points: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self._looked_ms = -(2**62)
        self._looked_wall_ms = self._complete_ms = 0
        self._unread_ms: int | None = None

    async def books(self, now_ms: int) -> Books:
        """The ledger of this hour and the 23 before. Raises RetryLater or Misconfigured.

        Order matters: first what was stated, then what is held, last what is found. So a reading that is stored
        meanwhile is never taken for missing.
        """
        began_ms = self._clock.mono_ms()
        turn = _Turn(now_ms, began_ms, began_ms + int(self._options.ledger_budget_s * 1000))
        self._forget_before(turn.to_hour - HOURS)
        await self._read_tallies(turn)
        held = await self._history.held()
        await self._read_hours(turn)
        sums = await self._sums(self._first_hour(turn.to_hour), turn.to_hour, held)
        if due := self._doubts.due(sums.lost, began_ms)[:_LOOKS_A_TURN]:
            sums = await self._look_closer(sums, due, turn)
        return self._books(sums, turn.to_hour)

    def _is_up(self, turn: _Turn) -> bool:
        return self._clock.mono_ms() > turn.until_ms

    async def _read_tallies(self, turn: _Turn) -> None:
        """Heartbeats of steps whose number of tallies changed: those that tell most first, for half of the turn."""
        await self._look_for_tallies(turn)
        until_ms = self._clock.mono_ms() + (turn.until_ms - turn.began_ms) // 2
        for span in chain(_spans(_telling(self._waiting, turn.now_ms)), _spans(self._waiting)):
            if self._clock.mono_ms() > until_ms:
                break
            self._state(await self._history.tallies(turn.to_hour - HOURS, turn.to_hour + 2, span))
            self._points |= {start: self._waiting.pop(start) for start in range(*span, STEP_MS)}
        never = [start + STEP_MS for start in _telling(self._waiting, turn.now_ms) if start not in self._points]
        self._unread_ms = max(never, default=None)
        if not self._waiting:
            self._complete_ms = self._looked_wall_ms

    async def _look_for_tallies(self, turn: _Turn) -> None:
        """Which steps have tallies that were not read: of the newest steps now, of the day every `closed_s`."""
        first_ms = (turn.now_ms - _RECENT_MS) // STEP_MS * STEP_MS
        if turn.began_ms - self._looked_ms >= self._again_ms:
            first_ms = (turn.to_hour - HOURS) * HOUR_MS - _EARLIER_MS
            self._looked_ms, self._looked_wall_ms = turn.began_ms, turn.now_ms
        points = await self._history.tally_points((first_ms, (turn.to_hour + 1) * HOUR_MS), STEP_MS)
        self._waiting |= {start: count for start, count in points.items() if self._points.get(start) != count}

    def _state(self, tallies: dict[tuple[str, str, int, str], tuple[int, int]]) -> None:
        for key, (made, dropped) in tallies.items():
            most, lost = self._stated.get(key, (0, 0))
            self._stated[key] = max(most, made), max(lost, dropped)

    async def _read_hours(self, turn: _Turn) -> None:
        """What is found in each hour that is due, the newest first; the running hour always."""
        for hour in range(turn.hour, turn.hour - HOURS, -1):
            if hour != turn.hour and self._is_up(turn):
                return
            if self._is_due(hour, turn):
                self._hours[hour] = await self._read_hour(hour, turn.now_ms)

    def _is_due(self, hour: int, turn: _Turn) -> bool:
        known = self._hours.get(hour)
        passed_ms = max(0, turn.now_ms - (hour + 1) * HOUR_MS)
        return known is None or turn.began_ms - known.at_ms >= min(passed_ms // 6, self._again_ms)

    async def _read_hour(self, hour: int, now_ms: int) -> _Hour:
        span = hour * HOUR_MS, (hour + 1) * HOUR_MS
        at_ms = self._clock.mono_ms()
        found = await self._history.counts(*span)
        refused = await self._history.refused(*span, limit=_COUNTED)
        quarantined = Counter(row.series.device for row in refused if row.series.source != NO_SOURCE)
        return _Hour(at_ms, now_ms, found, quarantined)

    def _first_hour(self, to_hour: int) -> int:
        """The first hour from which on all is read."""
        first = to_hour - HOURS if self._unread_ms is None else -(-self._unread_ms // HOUR_MS)
        unread = [hour for hour in range(to_hour - HOURS, to_hour) if hour not in self._hours]
        return min(max(first, to_hour - HOURS, *(hour + 1 for hour in unread)), to_hour - 1)

    async def _sums(self, first_hour: int, to_hour: int, held: dict[str, int]) -> _Sums:
        """The ledger of what is remembered; in a thread, for a large city has many hours of many sources."""
        return await asyncio.to_thread(self._summed, first_hour, to_hour, held)

    def _summed(self, first_hour: int, to_hour: int, held: dict[str, int]) -> _Sums:
        stated = stated_by_cell({key: n for key, n in self._stated.items() if first_hour <= key[2] < to_hour})
        found = {
            cell: n for hour, known in self._hours.items() if hour >= first_hour for cell, n in known.found.items()
        }
        for cell, count in self._exact.items():
            if cell[2] >= first_hour:
                found[cell] = max(found.get(cell, 0), count)
        sources = by_source(stated, found)
        return _Sums(first_hour, sources, device_totals(sources, held), held)

    async def _look_closer(self, sums: _Sums, due: list[str], turn: _Turn) -> _Sums:
        """Devices that lack more than they hold: first by counts that are not old, then exactly. The sums then."""
        if old := self._old_hours(sums.short(due), turn):
            for hour in old:
                if not self._is_up(turn):
                    self._hours[hour] = await self._read_hour(hour, turn.now_ms)
            return await self._sums(sums.first_hour, turn.to_hour, sums.held)
        for device in due:
            self._state(await self._history.tallies(sums.first_hour, turn.to_hour, device=device))
        held = await self._history.held()
        sums = await self._sums(sums.first_hour, turn.to_hour, held)
        self._exact |= await exact_counts(self._history, sums.short(due))
        sums = await self._sums(sums.first_hour, turn.to_hour, held)
        for device in due:
            self._doubts.looked(device, sums.lost.get(device, 0), self._clock.mono_ms())
        return sums

    def _old_hours(self, cells: list[Cell], turn: _Turn) -> list[int]:
        """The hours of `cells` that were not read for a while, the newest first."""
        old_ms = turn.began_ms - self._again_ms // 4
        return sorted({cell[2] for cell in cells if self._hours[cell[2]].at_ms < old_ms}, reverse=True)

    def _books(self, sums: _Sums, to_hour: int) -> Books:
        first_hour = sums.first_hour
        quarantined: Counter[str] = Counter()
        for hour, known in self._hours.items():
            if hour >= first_hour:
                quarantined.update(known.quarantined)
        by_device = {
            device: balance(total, quarantined[device], self._doubts.sure(device, total.lost))
            for device, total in sums.totals.items()
        }
        read_ms = [known.read_ms for hour, known in self._hours.items() if first_hour <= hour < to_hour - 1]
        closed_ms = min([self._complete_ms, *read_ms])
        filling = first_hour > to_hour - HOURS
        return Books(first_hour * HOUR_MS, to_hour * HOUR_MS, closed_ms, filling, sums.sources, by_device, sums.held)

    def _forget_before(self, hour: int) -> None:
        self._hours = {of: known for of, known in self._hours.items() if of >= hour}
        self._stated = {key: counts for key, counts in self._stated.items() if key[2] >= hour}
        self._exact = {cell: count for cell, count in self._exact.items() if cell[2] >= hour}
        first_ms = hour * HOUR_MS - _EARLIER_MS
        self._points = {start_ms: count for start_ms, count in self._points.items() if start_ms >= first_ms}
        self._waiting = {start_ms: count for start_ms, count in self._waiting.items() if start_ms >= first_ms}


def _telling(changed: dict[int, int], now_ms: int) -> dict[int, int]:
    """The steps that tell most: the newest ones, and the first after each full hour, when it is stated for good.

    What only the others tell comes later: until then nothing is missing for it, and nothing is lost.
    """
    return {start: n for start, n in changed.items() if start % HOUR_MS == 0 or start > now_ms - 2 * STEP_MS}


def _spans(changed: dict[int, int]) -> Iterator[Span]:
    """Steps in a row put together up to so many tallies, the newest first."""
    first_ms = end_ms = points = 0
    for start_ms in sorted(changed, reverse=True):
        if start_ms + STEP_MS != first_ms or points + changed[start_ms] > _POINTS_AT_ONCE:
            if points:
                yield first_ms, end_ms
            end_ms, points = start_ms + STEP_MS, 0
        first_ms, points = start_ms, points + changed[start_ms]
    if points:
        yield first_ms, end_ms
