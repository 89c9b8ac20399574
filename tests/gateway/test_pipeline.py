"""The gateway's promise: a batch is named only after the store confirmed all of it, however the store fails."""

import asyncio
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.pipeline import Pipeline
from gateway.ports import Misconfigured, Poison, RetryLater, Split
from gateway.rewinds import add_rewind
from kewang.wire import topics
from kewang.wire.batch import Batch, encode
from kewang.wire.state import State
from tests.fakes import MemoryStore
from tests.gateway.hearing import DEVICE, ROWS, RUN, Ear, Slow, dates, fresh, kept, running
from tests.virtual_time import WALL_MS, LoopClock, ends, in_virtual_time, until


@in_virtual_time
async def test_batches_are_stored_and_named() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        for number in range(1, 6):
            ear.say(number)
        await until(lambda: ear.named() == {1, 2, 3, 4, 5})
        ack = ear.acks()[-1]
        assert ack.ok == ((RUN, 1, 5),)
        assert (ack.nk, ack.cr, ack.rw) == ((), 20, WALL_MS // 1000)
        assert ack.gt == pytest.approx(WALL_MS, abs=5000)
        assert not any(retained for _, _, retained in ear.published), "an ack is never retained"


@in_virtual_time
async def test_a_bad_row_goes_to_quarantine_and_its_batch_is_named_and_labelled() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        ear.say(1)
        ear.say(2, humidity=140.0)
        await until(lambda: ear.named() == {1, 2})
        assert ear.acks()[-1].nk == ((RUN, 2, "range: rh_pct=140.0"),)
        assert kept(store, "quarantine") == {WALL_MS - 10**7 + 201}
        assert kept(store, "env") == dates(1) | dates(2) - {WALL_MS - 10**7 + 201}


@in_virtual_time
async def test_a_row_the_store_refuses_goes_to_quarantine_and_its_batch_is_named_and_labelled() -> None:
    store = fresh()
    bad = WALL_MS - 10**7 + 201
    store.refuse = lambda table, row: table.measurement == "env" and row[0] == bad
    async with running(store) as (_, ear):
        ear.say(1)
        ear.say(2)
        await until(lambda: ear.named() == {1, 2})
        ((run, number, why),) = ear.acks()[-1].nk
        assert (run, number) == (RUN, 2)
        assert "told to refuse" in why
        assert kept(store, "quarantine") == {bad}
        assert kept(store, "env") == dates(1) | dates(2) - {bad}


@in_virtual_time
async def test_the_longest_reason_of_a_store_still_makes_an_ack() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        store.fail(Poison("µ\n" * 2000))
        ear.feed(topics.build(DEVICE, "d/env"), encode(Batch(RUN, 1, "e", 2, WALL_MS, ["temp_c"], [[0, 29.0]])))
        await until(ear.acks)
        ((_, _, why),) = ear.acks()[-1].nk
        assert why.isprintable()
        ear.broken.clear()


@in_virtual_time
async def test_what_cant_be_read_is_kept_and_named_by_its_crc() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        ear.say(1)
        ear.feed(topics.build(DEVICE, "d/env"), b"{broken")
        await until(lambda: ear.acks() and ear.acks()[-1].bad)
        assert ear.acks()[-1].bad == (zlib.crc32(b"{broken"),)
        assert kept(store, "quarantine") == {zlib.crc32(b"{broken")}


def away(store: MemoryStore) -> None:
    store.away = True


FAILURES: list[Callable[[MemoryStore], None]] = [
    away,
    lambda store: store.fail(Misconfigured("no such bucket"), 10**6),
    lambda store: store.fail(RetryLater("slow", 7.0), 10**6),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_is_named_and_no_credit_given_while_the_store_fails(failure: Callable[[MemoryStore], None]) -> None:
    @in_virtual_time
    async def check() -> None:
        store = fresh()
        async with running(store) as (pipeline, ear):
            ear.say(1)
            await until(lambda: ear.named() == {1})
            failure(store)
            ear.say(2)
            await until(lambda: ear.acks()[-1].cr == 0)
            assert ear.named() == {1}
            ear.say(3)
            await asyncio.sleep(30)
            assert ear.named() == {1}
            store.mend()
            await until(lambda: pipeline.health.failing is None, limit_s=30)
            ear.say(2)
            ear.say(3)
            await until(lambda: ear.named() == {1, 2, 3})
            assert ear.acks()[-1].cr == 20

    check()


@in_virtual_time
async def test_a_store_that_asked_for_rest_is_left_alone() -> None:
    store = fresh()
    async with running(store) as (pipeline, ear):
        await asyncio.sleep(1)
        store.fail(RetryLater("too many requests", 8.0))
        ear.say(1)
        await until(lambda: pipeline.health.resting)
        writes = store.writes
        ear.say(2)
        await asyncio.sleep(7)
        assert store.writes == writes
        assert pipeline.metrics.snapshot()["dropped_store"] == 1
        await asyncio.sleep(2)
        ear.say(2)
        await until(lambda: ear.named() == {2})


@in_virtual_time
async def test_a_batch_whose_quarantine_is_refused_is_not_named() -> None:
    store = fresh()
    store.refuse = lambda table, _row: table.measurement == "quarantine"
    async with running(store) as (_, ear):
        ear.say(1, humidity=140.0)
        await until(ear.acks)
        await asyncio.sleep(5)
        assert ear.named() == set()
        assert ear.acks()[-1].cr == 0


@in_virtual_time
async def test_a_batch_already_under_way_is_dropped() -> None:
    store = fresh()
    async with running(store) as (pipeline, ear):
        for _ in range(4):
            ear.say(1)
        await until(lambda: ear.named() == {1})
        signals = pipeline.metrics.snapshot()
        assert (signals["rows_stored"], signals["dropped_underway"]) == (ROWS, 3)
        ear.say(1)
        await until(lambda: pipeline.metrics.snapshot()["rows_stored"] == 2 * ROWS)
        assert kept(store, "env") == dates(1)


@in_virtual_time
async def test_what_does_not_fit_the_queue_is_dropped_and_credit_falls_as_it_fills() -> None:
    store = Slow(now_ms=lambda: WALL_MS)
    async with running(store, queue_batches=10, write_rows=1) as (pipeline, ear):
        for number in range(1, 41):
            ear.say(number)
        await until(ear.acks)
        assert ear.acks()[0].cr < 5
        assert len(pipeline.queue) <= 10
        assert pipeline.metrics.snapshot()["dropped_queue"] >= 20
        await until(lambda: not len(pipeline.queue))
        ear.say(99)
        await until(lambda: 99 in ear.named())
        assert len(ear.named()) < 40


@in_virtual_time
async def test_messages_too_large_for_us_are_told_as_dropped() -> None:
    async with running(fresh()) as (pipeline, ear):
        for skipped in (2, 5):
            ear.skipped = skipped
            await until(lambda: pipeline.metrics.snapshot().get("dropped_size") == skipped)  # noqa: B023


@in_virtual_time
async def test_acks_of_a_device_are_a_second_apart() -> None:
    store, told = fresh(), list[float]()
    async with running(store) as (_, ear):
        loop = asyncio.get_running_loop()
        for number in range(1, 60):
            ear.say(number)
            await asyncio.sleep(0.1)
            told += [loop.time()] * (len(ear.acks()) - len(told))
        assert 4 <= len(told) <= 7
        assert all(later - earlier > 0.8 for earlier, later in pairwise(told))


@in_virtual_time
async def test_a_birth_is_answered_though_the_store_is_away() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        store.away = True
        ear.feed(topics.build(DEVICE, "s"), State(st="on", bt=RUN, n=1, up=500, rw=0).encode(), retained=False)
        await until(ear.acks)
        assert ear.acks()[0].re == (RUN, 500)


@in_virtual_time
async def test_nothing_is_taken_before_the_rewinds_are_known() -> None:
    store, stopping = fresh(), asyncio.Event()
    store.away = True
    ear = Ear(store)
    pipeline = Pipeline("gw1", ear, store, LoopClock(asyncio.get_running_loop()))
    task = asyncio.create_task(pipeline.run(stopping), name="pipeline")
    await asyncio.sleep(60)
    assert not ear.connects
    store.away = False
    await until(lambda: ear.connected, limit_s=20)
    stopping.set()
    await ends(task)


@in_virtual_time
async def test_a_rewind_makes_it_forget_and_say_so() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        ear.say(1)
        await until(lambda: ear.named() == {1})
        rewind = await add_rewind(store, WALL_MS + 99_000, since_ms=WALL_MS - 5000)
        await asyncio.sleep(16)
        ear.say(2)
        await until(lambda: 2 in ear.named())
        last = ear.acks()[-1]
        assert (last.rw, last.rf, last.ok) == (rewind.number, 0, ((RUN, 2, 2),)), "rewind 0 is none the database knows"


@in_virtual_time
async def test_a_lost_broker_is_connected_again() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        ear.refusing = True
        ear.lose()
        await until(lambda: not ear.connected)
        await asyncio.sleep(100)
        ear.refusing = False
        await until(lambda: ear.connected, limit_s=40)
        ear.say(1)
        await until(lambda: ear.named() == {1})
        assert ear.connects == 2


@in_virtual_time
async def test_at_the_end_what_is_queued_is_stored_and_named() -> None:
    store = fresh()
    async with running(store, write_rows=1) as (_, ear):
        for number in range(1, 31):
            ear.say(number)
        await until(lambda: len(kept(store, "env")) > 0)
    assert ear.named() == set(range(1, 31))


@in_virtual_time
async def test_the_end_comes_though_the_store_is_away() -> None:
    store = fresh()
    async with running(store) as (_, ear):
        store.fail(RetryLater("slow", 100.0), 10**6)
        ear.say(1)
        await asyncio.sleep(1)
    assert ear.named() == set()


@in_virtual_time
async def test_killed_it_leaves_nothing_running() -> None:
    store = fresh()
    ear = Ear(store)
    pipeline = Pipeline("gw1", ear, store, LoopClock(asyncio.get_running_loop()))
    task = asyncio.create_task(pipeline.run(asyncio.Event()), name="pipeline")
    await until(lambda: ear.connected)
    ear.say(1)
    task.cancel()
    await asyncio.wait([task])
    assert not ear.connected


errors = st.sampled_from([RetryLater("busy", 0.5), Misconfigured("rights"), Split("too large"), ZeroDivisionError()])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(1, 12)),
        st.tuples(st.just("bad"), st.integers(13, 24)),
        st.tuples(st.just("wait"), st.integers(1, 20)),
        st.tuples(st.just("fail"), errors),
        st.tuples(st.just("away"), st.booleans()),
        st.tuples(st.just("limit"), st.sampled_from([1, 2, 10**9])),
        st.tuples(st.just("rewind"), st.integers(0, WALL_MS)),
        st.tuples(st.just("lose"), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(steps, st.integers(1, 3), st.sampled_from([1, 10, 5000]))
def test_named_is_stored_whatever_happens(script: list[tuple[str, object]], writers: int, write_rows: int) -> None:
    @in_virtual_time
    async def check() -> None:
        store = fresh()
        async with running(store, writers=writers, write_rows=write_rows) as (_, ear):
            for step, value in script:
                await act(store, ear, step, value)
            store.away = False
            store.mend()
            await asyncio.sleep(50)
            said = {int(str(value)) for step, value in script if step in ("say", "bad")} | {50}
            for number in sorted(said):
                ear.say(number, humidity=140.0 if 13 <= number <= 24 else 78.0)
            await until(lambda: said <= ear.named())

    check()


async def act(store: MemoryStore, ear: Ear, step: str, value: object) -> None:
    if step in ("say", "bad"):
        ear.say(int(str(value)), humidity=140.0 if step == "bad" else 78.0)
    elif step == "wait":
        await asyncio.sleep(int(str(value)) / 10)
    elif isinstance(value, Exception):
        store.fail(value)
    elif step == "away":
        store.away = bool(value)
    elif step == "limit":
        store.limit_rows = int(str(value))
    elif step == "rewind" and not store.away:
        store.mend()
        await add_rewind(store, WALL_MS, int(str(value)))
    elif step == "lose":
        ear.lose()
