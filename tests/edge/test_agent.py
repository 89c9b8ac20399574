"""The agent on a real clock, an outbox and a link in memory: schedules, failures, births, a clean stop."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.agent import Agent
from edge.commands import Commands, Memory
from edge.delivery import Delivery
from edge.ports import Pace, Source, SourceError
from edge.power import BatteryPace
from edge.settings import PowerLevel, PowerSettings
from edge.status import answer, ask
from kewang.runtime.clock import ClockTrust, SystemClock
from kewang.wire import topics
from kewang.wire.ack import Ack
from kewang.wire.batch import Batch, decode
from kewang.wire.state import State
from kewang.wire.timers import Timers
from tests.fake_outbox import MemoryDisk, MemoryOutbox
from tests.fake_source import FakeSource
from tests.fake_uplink import MemoryLink, MemoryUplink, ScriptedSource

LIMIT_S = 60.0
TIMERS = Timers().faster(100)


class Bench:
    """An agent under test and the world around it."""

    def __init__(
        self,
        *sources: Source,
        clock: ClockTrust = "trusted",
        memory: Path | None = None,
        flush_s: float = 0.05,
        pace: Pace | None = None,
    ) -> None:
        self.outbox = MemoryOutbox(MemoryDisk(), 1_000_000, "boot")
        self.uplink = MemoryUplink()
        system_clock = SystemClock(clock)
        delivery = Delivery(self.outbox, system_clock, TIMERS, random.Random(1))
        commands = Commands(sources, Memory(memory)) if memory else None
        self.agent = Agent(
            sources,
            delivery,
            self.uplink,
            system_clock,
            timers=TIMERS,
            commands=commands,
            pace=pace,
            flush_s=flush_s,
            drain_s=0.1,
        )
        self.stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MemoryLink]:
        """The agent at work, and its first connection."""
        task = asyncio.create_task(self.agent.run(self.stopping), name="agent")
        async with asyncio.timeout(LIMIT_S):
            link, _ = await self.uplink.links.get()
            yield link
            self.stopping.set()
            await task


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not happened():
            await asyncio.sleep(0.005)


async def next_state(link: MemoryLink) -> State:
    while True:
        channel, payload, retain = await link.sent.get()
        if channel == topics.STATE:
            assert retain
            return State.decode(payload)


async def next_batch(link: MemoryLink) -> Batch:
    while True:
        channel, payload, _ = await link.sent.get()
        if channel.startswith("d/"):
            return decode(payload)


def give_credit(link: MemoryLink, **more: object) -> None:
    link.deliver(topics.ACK, Ack.model_validate({"cr": 20} | more).encode())


async def test_metrics_without_a_value_are_not_sent() -> None:
    source = FakeSource(metrics=("sim_n", "rh_pct", "temp_c", "temp_c_flag"), interval_s=0.01, rest=(None, 28.5, None))
    async with Bench(source).running() as link:
        give_credit(link)
        batch = await next_batch(link)
        assert (batch.metrics, list(batch.rows[0])[1:]) == (["sim_n", "temp_c"], [1, 28.5])


async def test_a_source_that_hangs_or_fails_delays_no_other() -> None:
    good, hanging = ScriptedSource("good", [(21.0,)]), ScriptedSource("hanging", [None])
    failing, faulty = ScriptedSource("failing", [SourceError("no answer")]), ScriptedSource("faulty", [KeyError("x")])
    bench = Bench(good, hanging, failing, faulty)
    async with bench.running():
        samplings = {sampling.source.name: sampling for sampling in bench.agent.samplings}
        await until(lambda: samplings["good"].readings >= 20 and samplings["hanging"].errors >= 2)
        assert samplings["hanging"].error == "no answer in 0.05 s"
        assert samplings["failing"].error == "no answer"
        assert "KeyError" in str(samplings["faulty"].error)
    assert all(source.closed for source in (good, hanging, failing, faulty))


async def test_a_source_recovers() -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,), SourceError("unplugged"), (22.0,)]))
    async with bench.running():
        sampling = bench.agent.samplings[0]
        await until(lambda: sampling.errors == 1 and sampling.last == (22.0,))
        assert sampling.error is None


async def test_the_first_batch_waits_for_credit_and_goes_when_it_comes() -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]))
    async with bench.running() as link:
        birth = await next_state(link)
        assert (birth.st, birth.n, birth.why in {"power", "watchdog"}) == ("on", 1, True)
        await until(lambda: bench.agent.samplings[0].committed)
        assert link.sent.empty()
        give_credit(link)
        batch = await next_batch(link)
        assert (batch.run, batch.source, batch.rows[0]) == (birth.bt, "env-1", [0, 21.0])


async def test_a_heartbeat_goes_without_credit_even_when_the_box_cannot_be_read() -> None:
    bench = Bench(ScriptedSource("box", [SourceError("psutil broke")], stream="sys"))
    async with bench.running() as link:
        batch = await next_batch(link)
        assert (batch.source, batch.held, batch.metrics, batch.rows) == ("box", 0, ["clock_synced"], [[0, 1.0]])
        assert batch.tallies


async def test_what_a_full_disk_refuses_is_kept_and_committed_later() -> None:
    bench = Bench(ScriptedSource("env-1", [(float(n),) for n in range(60)]))
    bench.outbox.full = True
    async with bench.running() as link:
        await until(lambda: bench.agent.samplings[0].readings >= 60)
        bench.outbox.full = False
        await until(lambda: bench.agent.samplings[0].committed)
        give_credit(link)
        values = [row[1] for row in (await next_batch(link)).rows]
        assert values[:10] == [float(n) for n in range(10)]


async def test_a_lost_link_is_made_again_and_said_so() -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]))
    async with bench.running() as link:
        first = await next_state(link)
        bench.uplink.refuse = True
        link.cut()
        await until(lambda: bench.agent.connects >= 2)
        bench.uplink.refuse = False
        again, will = await bench.uplink.links.get()
        birth = await next_state(again)
        assert (birth.bt, birth.why, birth.n) == (first.bt, "link", bench.agent.connects)
        assert State.decode(will) == State(st="off", bt=birth.bt, n=birth.n)


async def test_an_undated_box_says_its_birth_until_an_ack_brings_the_time() -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]), clock="kernel")
    bench.agent.clock.synchronised = lambda: False  # type: ignore[method-assign]
    async with bench.running() as link:
        births = [await next_state(link) for _ in range(3)]
        assert births[0].up is not None
        assert all(birth.n == 1 for birth in births)
        gateway_ms = 1_785_000_000_000
        give_credit(link, gt=gateway_ms, re=(births[2].bt, births[2].up))
        batch = await next_batch(link)
        assert batch.time_quality == 1
        assert abs(batch.t0_ms - gateway_ms) < 10_000


async def test_a_birth_that_nobody_heard_is_said_again_until_an_ack_comes() -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]))
    async with bench.running() as link:
        first, again = await next_state(link), await next_state(link)
        assert (again.bt, again.n) == (first.bt, first.n)
        give_credit(link)
        await until(lambda: not any(task.get_name() == "birth" for task in asyncio.all_tasks()))


async def test_where_rows_wait_for_long_births_are_the_signs_of_life() -> None:
    """Heartbeats wait with the others: none is committed by itself, and all of them are there."""
    box, env = ScriptedSource("box", [(1.0, 1.0)], stream="sys"), ScriptedSource("env-1", [(21.0,)])
    box.interval_s = env.interval_s = 0.1
    bench = Bench(box, env, flush_s=1.5)
    async with bench.running() as link:
        first = await next_state(link)
        assert (first.flush_s, first.stretch) == (1.5, None)
        give_credit(link)
        births, beats = list[State](), dict[int, Batch]()
        while len(beats) < 2:
            channel, payload, _ = await link.sent.get()
            if channel == topics.STATE:
                births.append(State.decode(payload))
            elif (batch := decode(payload)).source == "box":
                beats[batch.number] = batch
        assert len(births) >= 3
        assert {(birth.bt, birth.n, birth.why) for birth in births} == {(first.bt, first.n, first.why)}
        at_once, later = beats.values()
        assert len(at_once.rows) == 1, "the first of a run"
        assert 3 <= len(later.rows) <= bench.agent.flush_rows
    made = sum(each.readings for each in bench.agent.samplings)
    assert bench.outbox.status().held_rows == made


async def test_rows_that_a_heartbeat_commits_anyway_do_not_go_a_moment_before_it() -> None:
    """As often as heartbeats are due, one commit takes all: each is written to the card."""
    heartbeat_s = TIMERS.heartbeat_s
    box, env = ScriptedSource("box", [(1.0, 1.0)], stream="sys"), ScriptedSource("env-1", [(21.0,)])
    box.interval_s, env.interval_s, box.timeout_s = 10.0, heartbeat_s / 3, 5.0
    bench = Bench(box, env, flush_s=heartbeat_s)
    async with bench.running() as link:
        give_credit(link)
        numbers: dict[str, set[int]] = {"box": set(), "env-1": set()}
        while len(numbers["box"]) < 8:
            batch = await next_batch(link)
            numbers[batch.source].add(batch.number)
    assert len(numbers["env-1"]) <= len(numbers["box"]) + 1


async def test_a_low_battery_stretches_the_periods_and_the_gateway_is_told() -> None:
    ups, env = FakeSource("ups-1", ("n", "supply_v"), interval_s=0.01, rest=(12.8,)), ScriptedSource("env-1", [(21.0,)])
    pace = BatteryPace(PowerSettings(source="ups-1", levels=(PowerLevel(below=12, stretch=100),)))
    bench = Bench(ups, env, pace=pace)
    async with bench.running() as link:
        assert (await next_state(link)).stretch is None
        give_credit(link)
        sampling = bench.agent.samplings[1]
        await until(lambda: sampling.readings >= 5)
        ups.rest = (11.5,)
        while (await next_state(link)).stretch != 100:
            pass
        await until(lambda: sampling.due_ms - bench.agent.clock.mono_ms() > 500)
        read, told = sampling.readings, ups.number
        await until(lambda: ups.number >= told + 10)
        assert sampling.readings == read
        ups.rest = (12.5,)
        while (await next_state(link)).stretch is not None:
            pass
        await until(lambda: sampling.readings >= read + 5)


async def test_a_stop_commits_what_is_pending_and_says_good_bye() -> None:
    source = ScriptedSource("env-1", [(21.0,), (22.0,)])
    bench = Bench(source)
    async with bench.running() as link:
        await next_state(link)
        await until(lambda: bench.agent.samplings[0].readings >= 2)
        bench.stopping.set()
        while (await next_state(link)).st != "bye":
            pass
    sampling = bench.agent.samplings[0]
    assert not sampling.pending
    assert bench.outbox.status().held_rows == sampling.readings


async def test_status_is_told_over_a_socket(tmp_path: Path) -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,), SourceError("unplugged")]))
    async with bench.running() as link:
        telling = asyncio.create_task(answer(bench.agent, "ambon-m1", tmp_path / "outbox.sock"), name="status")
        await until(lambda: bench.agent.samplings[0].error is not None)
        give_credit(link)
        await until(lambda: bench.agent.delivery.credit == 20)
        report = await asyncio.to_thread(ask, tmp_path / "outbox.sock")
        telling.cancel()
        await asyncio.wait([telling])
    assert json.loads(json.dumps(report)) == report
    assert (report["device"], report["connected"], report["credit"]) == ("ambon-m1", True, 20)
    assert report["sources"][0] | {"last_age_s": 0} | {"errors": 0} == {
        "name": "env-1", "stream": "env", "last_age_s": 0, "last": {"temp_c": 21.0}, "readings": 1,
        "pending_rows": 0, "shed_rows": 0, "errors": 0, "error": "unplugged",
    }  # fmt: skip


async def test_a_lost_link_is_logged_in_words(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]))
    async with bench.running() as link:
        link.cut()
        await bench.uplink.links.get()
    assert f"connecting failed (1 in a row): {bench.agent.link_error}" in caplog.text


async def test_an_agent_without_a_place_for_its_socket_works_all_the_same(tmp_path: Path) -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]))
    async with bench.running():
        await answer(bench.agent, "ambon-m1", tmp_path / ("long" * 40) / "outbox.sock")
        await until(lambda: bench.agent.samplings[0].readings >= 2)


async def test_a_disk_that_fails_is_waited_for() -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]))
    async with bench.running() as link:
        bench.outbox.full = True
        link.cut()
        again, _ = await bench.uplink.links.get()
        bench.outbox.full = False
        assert (await next_state(again)).st == "on"


class Deaf(ScriptedSource):
    """Loses a cancellation that comes together with its answer, as `asyncio.wait_for` of Python 3.11 does."""

    async def read(self) -> tuple[float, ...]:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return (21.0,)
        raise AssertionError


async def test_a_source_that_loses_its_cancellation_does_not_keep_the_agent_from_ending() -> None:
    deaf = Deaf("env-1", [(21.0,)])
    deaf.interval_s, deaf.timeout_s = 3600.0, 7200.0
    bench = Bench(deaf)
    async with bench.running():
        await until(lambda: bench.agent.flushed_ms > 0)
