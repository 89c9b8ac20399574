"""systemd's watchdog is fed while the agent's loops go round, and not a moment longer."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.agent import Agent
from edge.watchdog import CONNECT_S, GRACE_S, Watchdog, notify, stuck
from tests.edge.test_agent import Bench, until
from tests.fake_outbox import ManualClock
from tests.fake_uplink import ScriptedSource


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_systemd_is_told_if_it_listens(told: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    notify("READY=1")
    assert told.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", "@kewang-nobody")
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")


async def test_it_is_fed_only_while_nothing_is_stuck(
    told: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    watchdog, asked = Watchdog(), 0

    def stuck_from_the_fourth() -> str:
        nonlocal asked
        asked += 1
        return "nothing is committed any more" if asked > 3 else ""

    watchdog.stuck = stuck_from_the_fourth
    feeding = asyncio.create_task(watchdog.feed())
    await until(lambda: asked >= 8)
    feeding.cancel()
    told.settimeout(0)
    assert [told.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    with pytest.raises(BlockingIOError):
        told.recv(100)
    assert caplog.text.count("the watchdog is not fed") == 1


@pytest.mark.parametrize(("name", "value"), [("WATCHDOG_USEC", ""), ("WATCHDOG_PID", "1")])
async def test_without_a_watchdog_of_ours_nothing_is_fed(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    monkeypatch.setenv(name, value)
    await asyncio.wait_for(Watchdog().feed(), 60)


def agent_at(now_ms: int) -> tuple[Agent, ManualClock]:
    """An agent that has just been made."""
    agent, clock = Bench(ScriptedSource("env-1", [(21.0,)])).agent, ManualClock(mono_ms=now_ms)
    agent.clock = clock
    agent.flushed_ms = agent.connecting_ms = agent.samplings[0].due_ms = now_ms
    return agent, clock


@pytest.mark.parametrize(
    ("stands", "limit_s", "told"),
    [
        ("read", GRACE_S, "env-1 is not read"),
        ("flush", GRACE_S, "nothing is committed"),
        ("connect", CONNECT_S, "nobody tries to connect"),
    ],
)
def test_a_loop_that_stands_still_is_noticed(stands: str, limit_s: float, told: str) -> None:
    agent, clock = agent_at(1000)
    clock.now_ms += int(limit_s * 1000) - 1
    go_on(agent, clock.now_ms, but=stands)
    assert stuck(agent) == ""
    clock.now_ms += 200
    go_on(agent, clock.now_ms, but=stands)
    assert told in stuck(agent)


def go_on(agent: Agent, now_ms: int, but: str) -> None:
    """All loops went round just now, but for one."""
    if but != "read":
        agent.samplings[0].due_ms = now_ms
    if but != "flush":
        agent.flushed_ms = now_ms
    if but != "connect":
        agent.connecting_ms = now_ms


async def test_a_running_agent_goes_round() -> None:
    bench = Bench(ScriptedSource("env-1", [(21.0,)]))
    agent = bench.agent
    began_ms = agent.flushed_ms
    async with bench.running():
        await until(lambda: min(agent.flushed_ms, agent.samplings[0].due_ms, agent.connecting_ms) > began_ms)
        assert stuck(agent) == ""
