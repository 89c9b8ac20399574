"""Commands to a device: done once, answered always; what must not be done is not, and says what to do next."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.commands import MAX_AHEAD_MS, MAX_REMEMBERED, MAX_WAITING, Commands, Memory
from edge.ports import LinkDown
from kewang.wire.command import Command, Result
from tests.fake_source import FakeCamera, FakeSource
from tests.wire.shapes import json_values

LIMIT_S = 60.0
NOW_MS = 1_785_000_000_000


def a_command(number: int = 1, *, expires_ms: int = NOW_MS + 60_000, **args: Any) -> Command:
    return Command(id=f"command-{number:04}", exp=expires_ms, name="accept_view", args={"source": "cam-1"} | args)


class Bench:
    """The commands of a box with a camera and a sensor, and the link they come over."""

    def __init__(self, memory: Path, limit_s: float = LIMIT_S, limit: int = MAX_REMEMBERED) -> None:
        self.camera = FakeCamera()
        self.commands = Commands([FakeSource(), self.camera], Memory(memory, limit), limit_s=limit_s)
        self.now_ms: int | None = NOW_MS
        self.link_down = False
        self.said: asyncio.Queue[Result] = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.commands.run(self._now, self._say), name="commands")
        try:
            async with asyncio.timeout(LIMIT_S):
                yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def told(self, command: Command) -> Result:
        """What the box answers to `command`."""
        self.commands.hear(command.encode(), retained=False)
        return await self.said.get()

    async def _now(self) -> int | None:
        return self.now_ms

    async def _say(self, payload: bytes) -> None:
        if self.link_down:
            self.link_down = False
            raise LinkDown("cut")
        self.said.put_nowait(Result.decode(payload))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "outbox.commands.json"


async def test_a_command_is_done_and_answered(memory: Path) -> None:
    bench = Bench(memory)
    async with bench.running():
        assert await bench.told(a_command(clean=True)) == Result(id="command-0001", ok=True, text="view 1 accepted")
        assert bench.camera.accepted == [{"clean": True}]


async def test_an_id_is_done_once_and_answered_again_also_after_a_restart_and_its_expiry(memory: Path) -> None:
    bench = Bench(memory)
    async with bench.running():
        first = await bench.told(a_command())
        assert await bench.told(a_command()) == first
        bench.now_ms = NOW_MS + 61_000
        assert await bench.told(a_command()) == first
        assert len(bench.camera.accepted) == 1
    again = Bench(memory)
    async with again.running():
        assert await again.told(a_command()) == first
        assert again.camera.accepted == []
        assert (await again.told(a_command(2))).ok


async def test_a_command_that_was_cut_off_by_a_kill_is_not_done_again(memory: Path) -> None:
    bench = Bench(memory)
    bench.camera.hang()
    async with bench.running():
        bench.commands.hear(a_command().encode(), retained=False)
        while Memory(memory).result("command-0001") is None:
            await asyncio.sleep(0.005)
    again = Bench(memory)
    async with again.running():
        result = await again.told(a_command())
        assert (result.ok, again.camera.accepted) == (False, [])
        assert "look whether it was done" in result.text


async def test_a_result_that_the_link_lost_is_told_when_the_command_is_repeated(memory: Path) -> None:
    bench = Bench(memory)
    async with bench.running():
        bench.link_down = True
        bench.commands.hear(a_command().encode(), retained=False)
        assert (await bench.told(a_command())).text == "view 1 accepted"
        assert bench.said.empty()


@pytest.mark.parametrize(
    ("now_ms", "expires_ms", "says"),
    [
        (None, NOW_MS + 60_000, "no date yet"),
        (NOW_MS, NOW_MS, "expired 0 s ago: send a new one"),
        (NOW_MS + 70_000, NOW_MS, "expired 70 s ago"),
        (NOW_MS, NOW_MS + MAX_AHEAD_MS + 1, "more than a day: send it with an earlier expiry"),
    ],
)
async def test_what_must_not_be_done_is_refused_with_the_reason(
    memory: Path, now_ms: int | None, expires_ms: int, says: str
) -> None:
    bench = Bench(memory)
    bench.now_ms = now_ms
    async with bench.running():
        result = await bench.told(a_command(expires_ms=expires_ms))
        assert (result.ok, says in result.text) == (False, True), result.text
        assert bench.camera.accepted == []


async def test_a_box_that_had_no_date_does_the_command_once_it_has_one(memory: Path) -> None:
    bench = Bench(memory)
    async with bench.running():
        bench.now_ms = None
        assert not (await bench.told(a_command())).ok
        bench.now_ms = NOW_MS
        assert (await bench.told(a_command())).ok


async def test_a_source_that_refuses_has_a_fault_or_is_not_there(memory: Path) -> None:
    bench = Bench(memory)
    async with bench.running():
        bench.camera.refuse = "no picture yet: wait a minute"
        assert (await bench.told(a_command(1))).text == "no picture yet: wait a minute"
        bench.camera.refuse = "\udcff" + 2000 * "x"
        assert (await bench.told(a_command(99))).text == "?" + 999 * "x"
        bench.camera.refuse = ""
        bench.camera.break_down()
        assert not (await bench.told(a_command(2))).ok
        assert (await bench.told(a_command(3))).ok
        for other in ("cam-9", "env-1", 5):
            number = 4 + len(bench.camera.accepted) + bench.commands.done
            assert "name one of them (cam-1)" in (await bench.told(a_command(number, source=other))).text


async def test_of_a_drivers_fault_only_the_class_leaves_the_box(memory: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(memory)
    async with bench.running():
        bench.camera.break_down()
        result = await bench.told(a_command())
    assert result.text == "fault in the driver (KeyError): the log of the agent tells more"
    assert "no such lens" not in await asyncio.to_thread(memory.read_text)
    assert "KeyError: 'no such lens'" in caplog.text, "the log keeps the trace"


async def test_a_command_that_hangs_is_cut_off_and_the_next_one_is_done(memory: Path) -> None:
    bench = Bench(memory, limit_s=0.05)
    async with bench.running():
        bench.camera.hang()
        assert "not done in 0.05 s" in (await bench.told(a_command(1))).text
        bench.camera.go_on()
        assert (await bench.told(a_command(2))).ok


async def test_what_is_no_command_for_us_is_ignored_and_counted(memory: Path) -> None:
    bench = Bench(memory)
    bench.commands.hear(a_command().encode(), retained=True)
    too_long = a_command().encode()[:-1] + b',"x":"' + b"x" * 4096 + b'"}'
    for payload in (b"", b"{", b"[]", b"\xff", b'{"id":"x"}', too_long):
        bench.commands.hear(payload, retained=False)
    assert bench.commands.ignored == 7
    for number in range(MAX_WAITING + 3):
        bench.commands.hear(a_command(number).encode(), retained=False)
    assert bench.commands.ignored == 10
    async with bench.running():
        for number in range(MAX_WAITING):
            assert (await bench.said.get()).id == f"command-{number:04}"
        assert len(bench.camera.accepted) == MAX_WAITING


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_whatever_comes_is_taken_or_ignored(payload: bytes, retained: bool) -> None:
    commands = Commands([], Memory(Path("/nowhere")))
    commands.hear(payload, retained)
    assert commands.ignored == 1


async def test_expired_ids_make_room_and_without_room_nothing_is_done(memory: Path) -> None:
    bench = Bench(memory, limit=8)
    async with bench.running():
        for number in range(8):
            assert (await bench.told(a_command(number, expires_ms=NOW_MS + 1000 + number))).ok
        assert "have not expired" in (await bench.told(a_command(5000))).text
        assert len(bench.camera.accepted) == 8
        bench.now_ms = NOW_MS + 1001
        assert (await bench.told(a_command(5000))).ok
        assert len(Memory(memory)) == 8
        assert Memory(memory).result("command-0000") is None
        assert Memory(memory).result("command-0002") is not None


async def test_a_disk_that_remembers_nothing_lets_nothing_be_done(memory: Path) -> None:
    bench = Bench(memory)
    memory.with_name(f"{memory.name}.new").mkdir()
    async with bench.running():
        assert "the disk does not remember it" in (await bench.told(a_command())).text
        assert bench.camera.accepted == []


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[1]", b'[[1,{"id":"x"}]]', b'[["x",{}]]', b"\xff", b"[[1e999,{}]]", b"[" * 200_000]
)
async def test_a_damaged_memory_is_begun_anew(memory: Path, damage: bytes) -> None:
    await asyncio.to_thread(memory.write_bytes, damage)
    bench = Bench(memory)
    async with bench.running():
        assert (await bench.told(a_command())).ok
    assert Memory(memory).result("command-0001") is not None


async def test_two_commands_are_never_done_at_a_time(memory: Path) -> None:
    bench = Bench(memory)
    async with bench.running():
        local = [bench.commands.do("accept_view", {"source": "cam-1"}) for _ in range(3)]
        bench.commands.hear(a_command().encode(), retained=False)
        assert all(ok for ok, _ in await asyncio.gather(*local))
        assert (await bench.said.get()).ok
