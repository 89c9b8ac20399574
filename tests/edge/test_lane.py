"""A thread for each port: in order, one at a time, and nobody is kept by a call that hangs."""

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.ports import SourceError
from edge.sources.lane import Lane

HANGS = """
import asyncio, time
from edge.sources.lane import Lane

async def main():
    lane = Lane("a port that hangs")
    try:
        async with asyncio.timeout(0.05):
            await lane.run(time.sleep, 3600)
    except TimeoutError:
        print("given up", flush=True)

asyncio.run(main())
"""


def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", HANGS], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "given up\n"


async def test_calls_are_made_in_order_and_closing_comes_before_opening_again() -> None:
    lane, said = Lane("a port"), list[str]()
    await lane.run(said.append, "open")
    lane.leave(said.append, "close")
    await lane.run(said.append, "open again")
    assert said == ["open", "close", "open again"]


async def test_what_a_call_raises_comes_back_and_the_lane_goes_on() -> None:
    lane = Lane("a port")
    lane.leave(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        await lane.run(int, "no number")
    assert await lane.run(int, "7") == 7


async def test_a_port_that_hangs_is_told_at_once_and_holds_up_no_other() -> None:
    lane, other, may_end = Lane("one"), Lane("other"), threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await lane.run(may_end.wait)
    with pytest.raises(SourceError, match="one hangs since an earlier reading: switch the sensors' power off and on"):
        await lane.run(int, "7")
    assert await other.run(int, "7") == 7
    may_end.set()
    assert await lane.run(int, "8") == 8


async def test_a_call_that_was_given_up_and_then_fails_is_nobodys_error(caplog: pytest.LogCaptureFixture) -> None:
    lane, may_end = Lane("one"), threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await lane.run(lambda: int("x" if may_end.wait() else ""))
    may_end.set()
    assert await lane.run(int, "8") == 8
    del lane
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_port_that_hangs_for_days_costs_no_memory() -> None:
    lane, may_end = Lane("one", patience_s=0.0), threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await lane.run(may_end.wait)

    def futures() -> int:
        gc.collect()
        return sum(isinstance(each, asyncio.Future) for each in gc.get_objects())

    before = futures()
    for _ in range(50):
        with pytest.raises(SourceError, match="hangs since"):
            await lane.run(int, "7")
    assert futures() < before + 10
    may_end.set()


async def test_users_of_a_port_share_its_lane_and_its_thread_goes_with_them() -> None:
    lane = Lane.at("a shared port")
    assert Lane.at("a shared port") is lane
    await lane.run(int, "7")
    (thread,) = (each for each in threading.enumerate() if each.name == "lane a shared port")
    del lane
    thread.join(10)
    assert not thread.is_alive()
