"""The books that are kept up to date say what the ledger says, read little, and never call lost what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.console.bookkeeper import STEP_MS, Bookkeeper
from gateway.console.doubts import Doubts
from gateway.console.facts import Options
from gateway.ledger import device_totals, ledger
from gateway.ports import Span, Table
from kewang.wire.tally import HOUR_MS
from tests.fakes import MemoryStore

HOUR = 495_833
NOW_MS = (HOUR + 24) * HOUR_MS + 20 * 60_000
OPTIONS = Options(closed_s=600, lost_after_s=0)


class HandClock:
    """Monotonic and wall time, moved by hand."""

    def __init__(self) -> None:
        self.wall = NOW_MS

    def mono_ms(self) -> int:
        return self.wall - NOW_MS

    def wall_ms(self) -> int:
        return self.wall

    def synchronised(self) -> bool:
        return True


class Watched(MemoryStore):
    """Remembers what was read; `slow_ms` by the clock for each read of tallies or counts."""

    def __init__(self, clock: HandClock, slow_ms: int = 0) -> None:
        super().__init__(now_ms=clock.wall_ms)
        self.clock, self.slow_ms = clock, slow_ms
        self.hours: list[int] = []
        self.stated: list[Span | str] = []

    async def counts(self, from_ms: int, to_ms: int) -> dict[tuple[str, str, int], int]:
        self.hours.append(from_ms // HOUR_MS)
        self.clock.wall += self.slow_ms
        return await super().counts(from_ms, to_ms)

    async def tallies(
        self, from_hour: int, to_hour: int, dated: Span | None = None, device: str | None = None
    ) -> dict[tuple[str, str, int, str], tuple[int, int]]:
        self.stated.append(dated or device or "all")
        self.clock.wall += self.slow_ms
        return await super().tallies(from_hour, to_hour, dated, device)


def stored(dates: Sequence[int], device: str = "pasar-1", source: str = "env-1") -> Table:
    return Table("env", (("device", device), ("source", source)), ("temp_c",), [(date, 1.0) for date in dates])


def tally(at_ms: int, hour: int, made: int, dropped: int = 0, device: str = "pasar-1") -> Table:
    tags = (("device", device), ("source", "env-1"))
    return Table("tally", tags, ("run", "hour", "made", "dropped"), [(at_ms, "a1", hour, made, dropped)])


def beat(at_ms: int, held: float, device: str = "pasar-1") -> Table:
    return Table("sys", (("device", device), ("source", "box")), ("held",), [(at_ms, held)])


def in_hour(hour: int, readings: int) -> list[int]:
    return [hour * HOUR_MS + i * 1000 for i in range(readings)]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def a_day(store: MemoryStore, devices: int = 3, readings: int = 5) -> None:
    """A full day in which nothing is missing."""
    for hour in range(HOUR, HOUR + 25):
        for number in range(devices):
            name = f"pasar-{number}"
            dates = [date for date in in_hour(hour, readings) if date < NOW_MS]
            await store.write([stored(dates, name), tally(dates[-1] + 1, hour, len(dates), device=name)])


async def test_the_books_are_the_ledger(clock: HandClock) -> None:
    store = Watched(clock)
    await a_day(store)
    await store.write([tally(NOW_MS - 1000, HOUR + 3, 9, 2), beat(NOW_MS - 1000, 1)])
    books = await Bookkeeper(store, clock, OPTIONS).books(NOW_MS)
    window = (HOUR + 1) * HOUR_MS, (HOUR + 25) * HOUR_MS
    assert (books.from_ms, books.to_ms, books.filling) == (*window, False)
    sources = await ledger(store, *window)
    assert list(books.sources) == sources
    total = device_totals(sources, await store.held())["pasar-1"]
    assert (total.missing, total.lost, books.of("pasar-1").lost, books.of("pasar-1").held) == (2, 1, 1, 1)


async def test_hours_that_have_passed_are_not_read_again_before_their_time(clock: HandClock) -> None:
    store = Watched(clock)
    await a_day(store)
    keeper = Bookkeeper(store, clock, OPTIONS)
    await keeper.books(clock.wall)
    assert sorted(store.hours) == list(range(HOUR + 1, HOUR + 25))
    store.hours, store.stated = [], []
    clock.wall += 30_000
    await keeper.books(clock.wall)
    assert (store.hours, store.stated) == ([HOUR + 24], [])
    clock.wall += 600_000
    await keeper.books(clock.wall)
    assert sorted(store.hours[1:]) == list(range(HOUR + 1, HOUR + 25))


async def test_what_comes_days_later_is_counted_within_ten_minutes(clock: HandClock) -> None:
    store = Watched(clock)
    await a_day(store)
    keeper = Bookkeeper(store, clock, OPTIONS)
    before = (await keeper.books(clock.wall)).total
    late = [(HOUR + 4) * HOUR_MS + 500_000 + i for i in range(40)]
    await store.write([stored(late), tally(late[-1] + STEP_MS, HOUR + 4, 45)])
    clock.wall += 600_000
    books = await keeper.books(clock.wall)
    assert (books.total.made, books.total.stored) == (before.made + 40, before.stored + 40)
    assert (books.total.held, books.total.lost) == (0, 0)


async def test_a_backlog_that_drains_is_never_called_lost(clock: HandClock) -> None:
    """What is found of a passed hour was read long ago, and the device holds less and less."""
    store = Watched(clock)
    await a_day(store)
    waiting = [(HOUR + 4) * HOUR_MS + 500_000 + i for i in range(40)]
    await store.write([tally(waiting[-1] + 1, HOUR + 4, 45), beat(NOW_MS, 40)])
    keeper = Bookkeeper(store, clock, OPTIONS)
    assert (await keeper.books(clock.wall)).of("pasar-1").held == 40
    for left in range(39, -1, -1):
        clock.wall += 15_000
        await store.write([stored([waiting[left]]), beat(clock.wall, left)])
        told = (await keeper.books(clock.wall)).of("pasar-1")
        assert told.lost == 0
        assert told.made == told.stored + told.quarantined + told.dropped + told.held
    done = (await keeper.books(clock.wall)).of("pasar-1")
    assert (done.held, done.stored) == (0, done.made)


async def test_what_was_dropped_is_found_wherever_it_was_stated(clock: HandClock) -> None:
    """By a heartbeat that a wrong clock dated long before the day: the close look reads them all."""
    store = Watched(clock)
    await a_day(store)
    await store.write([tally(NOW_MS - 1000, HOUR + 4, 9), tally((HOUR - 200) * HOUR_MS, HOUR + 4, 9, dropped=4)])
    books = await Bookkeeper(store, clock, OPTIONS).books(clock.wall)
    assert (books.of("pasar-1").dropped, books.of("pasar-1").lost) == (4, 0)
    assert store.stated[-1] == "pasar-1"


async def test_a_large_day_is_filled_turn_by_turn_newest_first(clock: HandClock) -> None:
    store = Watched(clock, slow_ms=700)
    await a_day(store)
    keeper = Bookkeeper(store, clock, OPTIONS)
    first = await keeper.books(clock.wall)
    assert first.filling
    assert first.total.lost == 0
    shown = [first.from_ms]
    while (books := await keeper.books(clock.wall)).filling:
        shown.append(books.from_ms)
        assert books.total.lost == 0
    assert shown == sorted(shown, reverse=True)
    window = (HOUR + 1) * HOUR_MS, (HOUR + 25) * HOUR_MS
    assert list(books.sources) == await ledger(store, *window)


async def test_lost_is_said_after_two_looks(clock: HandClock) -> None:
    store = Watched(clock)
    await a_day(store)
    await store.write([tally(NOW_MS - 1000, HOUR + 3, 9), beat(NOW_MS - 1000, 1)])
    keeper = Bookkeeper(store, clock, replace(OPTIONS, lost_after_s=60))
    told = [(await keeper.books(clock.wall)).of("pasar-1")]
    for _ in range(3):
        clock.wall += 31_000
        told.append((await keeper.books(clock.wall)).of("pasar-1"))
    assert [one.lost for one in told] == [0, 0, 3, 3]
    assert [one.held for one in told] == [4, 4, 1, 1]


def test_doubts_take_the_smaller_of_two_looks_and_end_with_the_loss() -> None:
    doubts = Doubts(after_ms=60, again_ms=600)
    doubts.looked("a", 9, 0)
    assert (doubts.due({"a": 9, "b": 1, "c": 0}, 10), doubts.sure("a", 9)) == (["b"], 0)
    assert doubts.due({"a": 9, "b": 1}, 60) == ["b", "a"]
    doubts.looked("a", 5, 60)
    assert (doubts.sure("a", 9), doubts.sure("a", 2)) == (5, 2)
    assert doubts.due({"a": 5}, 300) == []
    assert doubts.due({"a": 6}, 300) == ["a"]
    assert doubts.due({"a": 5}, 660) == ["a"]
    assert doubts.due({}, 700) == []
    assert doubts.sure("a", 5) == 0
