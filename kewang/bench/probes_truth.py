"""What the probe measures of a stream, beside what the simulated camera did in that very session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from edge.cameras.facts import Transport
from edge.net.address import parse
from edge.rtsp import watch
from firmware_sim.cameras.codecs import CLOCK_HZ
from kewang.bench.cameras_served import CamerasProgram
from kewang.bench.process import wait_for

TOLERANCES: Final = {"fps": 0.2, "loss_pct": 0.5, "keyframe_interval_s": 0.1, "clock_offset_s": 1.0}


@dataclass(frozen=True, slots=True)
class Case:
    """A stream. `fps` and `clock_s`: what the fault makes of them; what loss leaves is counted by the camera."""

    name: str
    fault: str = "none"
    lower: str = "tcp"
    fps: float = 10.0
    clock_s: float = 0.0


CASES: Final = (
    Case("as it is"),
    Case("over UDP", lower="udp"),
    Case("1 % lost", "loss=0.01"),
    Case("5 % lost", "loss=0.05"),
    Case("5 % lost over UDP", "loss=0.05", "udp"),
    Case("5 a second", "slow_fps=5", fps=5.0),
    Case("20 a second", "slow_fps=20", fps=20.0),
    Case("5 minutes ahead", "wrong_clock=300", clock_s=300.0),
    Case("37 s behind", "wrong_clock=-37", clock_s=-37.0),
    Case("hours behind", "wrong_clock=-30000.5", clock_s=-30_000.5),
)


def rows(cameras: CamerasProgram) -> list[dict[str, Any]]:
    """Each case on the camera of its number: server, stream, metric, measured, truth, tolerance, ok."""
    for index, case in enumerate(CASES):
        cameras.switch(index, case.fault)
    before = [len(told["sessions"]) for told in cameras.statistics()]
    seen = asyncio.run(_watched(cameras))
    wait_for(lambda: _all_told(cameras, before), 20.0)
    told = cameras.statistics()
    return [
        row for case, transport, each in zip(CASES, seen, told, strict=False) for row in _beside(case, transport, each)
    ]


def _all_told(cameras: CamerasProgram, before: list[int]) -> bool:
    told = cameras.statistics()
    return all(len(told[index]["sessions"]) > before[index] for index in range(len(CASES)))


async def _watched(cameras: CamerasProgram) -> list[Transport]:
    lower: Any
    looks = []
    for index, case in enumerate(CASES):
        lower = case.lower
        looks.append(watch(parse(cameras.rtsp(index)), lower=lower))
    return await asyncio.gather(*looks)


def _beside(case: Case, seen: Transport, told: dict[str, Any]) -> list[dict[str, Any]]:
    session = told["sessions"][-1]
    all_packets = session["packets_sent"] + session["packets_dropped"]
    truth = {
        "fps": _begun_fps(session) if session["packets_dropped"] else case.fps,
        "loss_pct": 100 * session["packets_dropped"] / max(1, all_packets),
        "keyframe_interval_s": 10.0 / case.fps,
        "clock_offset_s": case.clock_s,
    }
    return [_row(case, metric, getattr(seen, metric), true) for metric, true in truth.items()]


def _begun_fps(session: dict[str, Any]) -> float:
    """Frames a second that a client can know of: of the others every packet was lost."""
    span_s = (session["last_ticks"] - session["first_ticks"]) / CLOCK_HZ
    return (session["frames_begun"] - 1) / span_s if span_s else 0.0


def _row(case: Case, metric: str, measured: float | None, truth: float) -> dict[str, Any]:
    tolerance = TOLERANCES[metric]
    return {
        "server": "kewang",
        "stream": case.name,
        "metric": metric,
        "measured": measured if measured is None else round(measured, 3),
        "truth": round(truth, 3),
        "tolerance": tolerance,
        "ok": measured is not None and abs(measured - truth) <= tolerance,
    }
