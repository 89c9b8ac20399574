"""A thousand probes in a row: well, broken off in the middle, of cameras that fail. No session may stay open."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any, Final

from edge.net.address import parse
from edge.rtsp import reach, watch
from kewang.bench.cameras_served import CamerasProgram
from kewang.bench.process import wait_for

FAULTS: Final = ("none", "none", "none", "none", "461", "loss=0.2", "silent", "stall=1")
"""Dealt out to the cameras in turn."""
AT_ONCE: Final = 8
_BROKEN_OFF: Final = 0.1
_REACHED: Final = 0.2


def figures(cameras: CamerasProgram, probes: int, seed: int, settle_s: float = 15.0) -> dict[str, Any]:
    """Do `probes` and tell what the cameras counted. Leaked: open at the end, or ended by the camera for silence;
    without TEARDOWN: the camera noticed by itself that the connection was gone.

    Sessions may take `settle_s` to end after the last probe.
    """
    for index in range(cameras.count):
        cameras.switch(index, FAULTS[index % len(FAULTS)])
    broken_off = asyncio.run(_probe(cameras, probes, random.Random(f"probes-{seed}")))
    # What stays open now is counted, so it is no error here.
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: all(not told["sessions_open"] for told in cameras.statistics()), settle_s)
    told = cameras.statistics()

    def total(name: str) -> int:
        return sum(int(camera[name]) for camera in told)

    return {
        "probes": probes,
        "broken_off": broken_off,
        "sessions": total("sessions_opened"),
        "leaked_sessions": total("sessions_open") + total("sessions_timed_out"),
        "sessions_without_teardown": total("sessions_without_teardown"),
    }


async def _probe(cameras: CamerasProgram, probes: int, rng: random.Random) -> int:
    """How many were broken off."""
    turn, broken_off = asyncio.Semaphore(AT_ONCE), 0
    plans = [(rng.randrange(cameras.count), rng.random(), rng.uniform(0.002, 0.4)) for _ in range(probes)]

    async def one(index: int, kind: float, patience_s: float) -> None:
        nonlocal broken_off
        address = parse(cameras.rtsp(index))
        async with turn:
            if kind < _REACHED:
                await reach(address)
            elif kind < _REACHED + _BROKEN_OFF:
                try:
                    await asyncio.wait_for(watch(address, until_keyframe=True), patience_s)
                except TimeoutError:
                    broken_off += 1
            else:
                await watch(address, watch_s=1.5, timeout_s=1.0, until_keyframe=True)

    await asyncio.gather(*(one(*plan) for plan in plans))
    return broken_off
