"""Commands to the agent: over the link and over its socket, repeated, refused, and while one hangs."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from edge.status import NotRunning, answer, ask
from kewang.wire import topics
from kewang.wire.command import Command, Result
from tests.edge.test_agent import LIMIT_S, Bench, give_credit, next_batch, until
from tests.fake_source import FakeCamera
from tests.fake_uplink import MemoryLink, ScriptedSource


async def next_result(link: MemoryLink) -> Result:
    while True:
        channel, payload, retain = await link.sent.get()
        if channel == topics.RESULT:
            assert not retain
            return Result.decode(payload)


def a_command(bench: Bench, number: int = 1) -> Command:
    expires_ms = bench.agent.clock.wall_ms() + 60_000
    return Command(id=f"command-{number}", exp=expires_ms, name="accept_view", args={"source": "cam-1"})


async def test_a_command_that_hangs_delays_no_ack_and_no_batch(tmp_path: Path) -> None:
    camera = FakeCamera()
    bench = Bench(ScriptedSource("env-1", [(21.0,)]), camera, memory=tmp_path / "commands.json")
    async with bench.running() as link:
        camera.hang()
        link.deliver(topics.COMMAND, a_command(bench).encode())
        give_credit(link)
        first = await next_batch(link)
        give_credit(link, cr=10, ok=((first.run, first.number, first.number),))
        await until(lambda: bench.agent.delivery.credit == 10)
        assert (await next_batch(link)).number > first.number
        camera.go_on()
        assert await next_result(link) == Result(id="command-1", ok=True, text="view 1 accepted")


async def test_a_repeated_command_is_answered_on_the_next_link(tmp_path: Path) -> None:
    camera = FakeCamera()
    bench = Bench(camera, memory=tmp_path / "commands.json")
    async with bench.running() as link:
        camera.hang()
        link.deliver(topics.COMMAND, a_command(bench).encode())
        link.deliver(topics.COMMAND, a_command(bench, 2).encode(), retained=True)
        await until(lambda: bench.agent.commands is not None and bench.agent.commands.done == 1)
        link.cut()
        again, _ = await bench.uplink.links.get()
        camera.go_on()
        again.deliver(topics.COMMAND, a_command(bench).encode())
        assert (await next_result(again)).text == "view 1 accepted"
        assert len(camera.accepted) == 1


async def test_an_undated_box_refuses_a_command(tmp_path: Path) -> None:
    camera = FakeCamera()
    bench = Bench(camera, clock="untrusted", memory=tmp_path / "commands.json")
    async with bench.running() as link:
        link.deliver(topics.COMMAND, a_command(bench).encode())
        result = await next_result(link)
        assert (result.ok, "no date" in result.text, camera.accepted) == (False, True, [])


def said(path: Path, request: bytes) -> bytes:
    """What the agent answers to raw bytes, from a client that keeps its side open."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(LIMIT_S)
        connection.connect(str(path))
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


async def test_a_person_on_the_box_commands_over_the_socket(tmp_path: Path) -> None:
    camera, path = FakeCamera(), tmp_path / "outbox.sock"
    bench = Bench(camera, clock="untrusted", memory=tmp_path / "commands.json")
    async with bench.running():
        telling = asyncio.create_task(answer(bench.agent, "ambon-m1", path), name="status")
        await until(path.is_socket)
        accept = {"do": "accept_view", "args": {"source": "cam-1", "clean": True}}
        told = await asyncio.to_thread(ask, path, accept)
        assert (told, camera.accepted) == ({"ok": True, "text": "view 1 accepted"}, [{"clean": True}])
        refused = await asyncio.to_thread(ask, path, {"do": "accept_view", "args": {"source": "cam-7"}})
        assert (refused["ok"], "cam-1" in refused["text"]) == (False, True)
        for wrong in (b"hello\n", b'{"do":5}\n', b"x" * 100_000, b'{"do":"accept_view","args":[]}\n'):
            assert json.loads(await asyncio.to_thread(said, path, wrong))["ok"] is False
        report = json.loads(await asyncio.to_thread(said, path, b""))
        assert (report["device"], report["commands"]) == ("ambon-m1", {"done": 2, "ignored": 0})
        telling.cancel()
        await asyncio.wait([telling])
    with pytest.raises(NotRunning, match=r"no agent answers .* `sudo systemctl start kewang-edge`"):
        await asyncio.to_thread(ask, path, accept)
