"""Rewinds: a new database gets one; numbers rise; nothing is taken before they are known."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gateway.acks import Acks
from gateway.health import StoreHealth
from gateway.metrics import GatewayMetrics
from gateway.ports import Lives, Misconfigured, Rewind, Table
from gateway.rewinds import RewindWatch, add_rewind
from tests.fakes import MemoryStore
from tests.virtual_time import WALL_MS, LoopClock, in_virtual_time, until

NOW_S = WALL_MS // 1000


class Watched:
    def __init__(self, store: MemoryStore) -> None:
        clock = LoopClock(asyncio.get_running_loop())
        self.acks = Acks("gw1", 1000)
        self.health = StoreHealth(clock, GatewayMetrics())
        self.watch = RewindWatch(store, self.acks, self.health, clock, poll_s=15, lives=Lives(14))
        self.task = asyncio.create_task(self.watch.follow(), name="rewinds")

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@in_virtual_time
async def test_a_new_database_gets_one_that_reopens_all() -> None:
    store = MemoryStore()
    watched = Watched(store)
    await until(watched.watch.known.is_set)
    await watched.stop()
    assert await store.rewinds() == watched.acks.rewinds == [Rewind(NOW_S, 0)]
    assert store.lives == Lives(14), "and its buckets are made"


@in_virtual_time
async def test_a_database_that_has_rewinds_keeps_them() -> None:
    store = MemoryStore()
    await add_rewind(store, 7000, since_ms=5)
    watched = Watched(store)
    await until(watched.watch.known.is_set)
    await watched.stop()
    assert watched.acks.rewinds == [Rewind(7, 5)]


@in_virtual_time
async def test_a_new_rewind_is_seen_within_15_s_and_a_wiped_database_gets_a_higher_one() -> None:
    store = MemoryStore()
    watched = Watched(store)
    await until(watched.watch.known.is_set)
    await add_rewind(store, WALL_MS + 1000, since_ms=99)
    await until(lambda: watched.acks.rewind == NOW_S + 1, limit_s=15.1)
    store.points.clear()
    await until(lambda: watched.acks.rewind > NOW_S + 1, limit_s=15.1)
    await watched.stop()
    assert [each.since_ms for each in watched.acks.rewinds] == [0]


@in_virtual_time
async def test_a_store_that_is_away_is_asked_again_until_it_answers() -> None:
    store = MemoryStore()
    store.away = True
    watched = Watched(store)
    await asyncio.sleep(100)
    assert not watched.watch.known.is_set()
    assert watched.health.failing
    store.away = False
    await until(watched.watch.known.is_set, limit_s=20)
    assert watched.health.failing is None
    await watched.stop()


@in_virtual_time
async def test_rewinds_once_known_stay_known_while_the_store_is_away() -> None:
    store = MemoryStore()
    watched = Watched(store)
    await until(watched.watch.known.is_set)
    store.fail(Misconfigured("no rights"), 100)
    await until(lambda: watched.health.failing)
    assert watched.acks.rewind == NOW_S
    await watched.stop()


@in_virtual_time
async def test_a_rewind_no_ack_can_carry_is_passed_over() -> None:
    store = MemoryStore()
    await store.write([Table("rewind", (), ("rw", "rf"), [(1000, 2**40, 0), (2000, 7, 0), (3000, 8, -5)])])
    watched = Watched(store)
    await until(watched.watch.known.is_set)
    assert watched.acks.rewinds == [Rewind(7, 0)]
    await watched.stop()


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**12)), min_size=1, max_size=6))
def test_numbers_rise_whatever_the_clock_says(calls: list[tuple[int, int]]) -> None:
    @in_virtual_time
    async def check() -> None:
        store = MemoryStore()
        for now_ms, since_ms in calls:
            highest = max((each.number for each in await store.rewinds()), default=-1)
            added = await add_rewind(store, now_ms, since_ms)
            assert added == Rewind(max(now_ms // 1000, highest + 1), since_ms)
            assert (await store.rewinds())[-1] == added

    check()
