"""Each fault of the wire on a simulated camera of its own, and the reason that our probe and our judgement give it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from edge.cameras.decode import Decoded
from edge.cameras.facts import Transport
from edge.cameras.health import CameraHealth
from edge.cameras.look import patiently, picture_of
from edge.cameras.streams import Lower, Manner, stream_of
from edge.cameras.thresholds import load
from edge.net.address import parse
from edge.onvif import Endpoint
from edge.onvif import look as ask_onvif
from firmware_sim.cameras.scenes import painted
from kewang.bench.cameras_served import CamerasProgram
from kewang.bench.process import wait_for
from kewang.wire.cameras import CameraReason as Reason

AT_ONCE: Final = 4
_NOON_S: Final = 43_200.0
_EVERY_S: Final = 60.0
_LOOKS: Final = 6


@dataclass(frozen=True, slots=True)
class Case:
    """A fault as the control file names it, and what it must be told as. `judged`: the reason comes from the
    judgement after some looks, not from a single one."""

    fault: str
    expected: Reason
    over: str = "rtsp"
    lower: Lower = "auto"
    judged: bool = False

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.fault} over {self.lower}" if self.lower != "auto" else self.fault


RTSP_CASES: Final = (
    Case("none", Reason.NONE),
    Case("refused", Reason.REFUSED),
    Case("hang", Reason.TIMEOUT),
    Case("dribble", Reason.TIMEOUT),
    Case("401", Reason.AUTH),
    Case("404", Reason.NOT_FOUND),
    Case("453", Reason.BUSY),
    Case("503", Reason.BUSY),
    Case("500", Reason.SERVER_ERROR),
    Case("461", Reason.NONE),
    Case("461", Reason.TRANSPORT, lower="tcp"),
    Case("no_udp", Reason.TRANSPORT, lower="udp"),
    Case("redirect", Reason.REDIRECT),
    Case("not_rtsp", Reason.PROTOCOL),
    Case("endless_header", Reason.TOO_LARGE),
    Case("huge_length", Reason.TOO_LARGE),
    Case("silent", Reason.NO_MEDIA),
    Case("stall", Reason.STALLED),
    Case("reset", Reason.STALLED),
    Case("unknown_codec", Reason.CODEC),
    Case("garbage", Reason.DECODE, judged=True),
    Case("huge_keyframe", Reason.TOO_LARGE),
    Case("eight_k", Reason.TOO_LARGE),
    Case("bad_frames", Reason.PROTOCOL),
    Case("loss=0.05", Reason.LOSS, judged=True),
    Case("slow_fps=2", Reason.LOW_FPS, judged=True),
    Case("wrong_clock=300", Reason.CLOCK, judged=True),
    Case("not_recording", Reason.NOT_RECORDING, judged=True),
)
HTTP_CASES: Final = tuple(
    Case(fault, expected, over)
    for fault, over, expected in (
        ("none", "mjpeg", Reason.NONE),
        ("none", "snapshot", Reason.NONE),
        ("refused", "mjpeg", Reason.REFUSED),
        ("hang", "mjpeg", Reason.TIMEOUT),
        ("401", "mjpeg", Reason.AUTH),
        ("404", "snapshot", Reason.NOT_FOUND),
        ("503", "snapshot", Reason.BUSY),
        ("500", "snapshot", Reason.SERVER_ERROR),
        ("redirect", "snapshot", Reason.REDIRECT),
        ("not_rtsp", "mjpeg", Reason.PROTOCOL),
        ("endless_header", "mjpeg", Reason.TOO_LARGE),
        ("huge_length", "snapshot", Reason.TOO_LARGE),
        ("silent", "mjpeg", Reason.NO_MEDIA),
        ("stall", "mjpeg", Reason.STALLED),
        ("garbage", "snapshot", Reason.DECODE),
        ("eight_k", "snapshot", Reason.TOO_LARGE),
    )
)
CASES: Final = (*RTSP_CASES, *HTTP_CASES)


def rows(cameras: CamerasProgram, cases: Sequence[Case] = CASES) -> list[dict[str, Any]]:
    """Each case on the camera of its number: over, fault, expected, found, seconds, detail, ok."""
    for index, case in enumerate(cases):
        cameras.switch(index, case.fault)
    _wait_until_they_hold(cameras, cases)
    return asyncio.run(_looked(cameras, cases))


def _wait_until_they_hold(cameras: CamerasProgram, cases: Sequence[Case], limit_s: float = 20.0) -> None:
    """Until the cameras' own statistics tell that each shows its fault. Raises TimeoutError."""
    names = [case.fault.partition("=")[0] for case in cases]
    wait_for(lambda: all(map(_shows, cameras.statistics(), names)), limit_s)


def _shows(told: dict[str, Any], name: str) -> bool:
    return str(told["faults"]).partition("=")[0] == name


async def _looked(cameras: CamerasProgram, cases: Sequence[Case]) -> list[dict[str, Any]]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def look(index: int, case: Case) -> dict[str, Any]:
        async with turn:
            began_s = time.monotonic()
            seen, decoded = await _watch(_url(cameras, index, case), case)
            found = await _judged(cameras, index, seen, decoded) if case.judged else seen.reason
        return {
            "over": case.over,
            "fault": case.name,
            "expected": case.expected.name,
            "found": found.name,
            "seconds": round(time.monotonic() - began_s, 1),
            "detail": seen.detail,
            "ok": found is case.expected,
        }

    return await asyncio.gather(*(look(index, case) for index, case in enumerate(cases)))


def _url(cameras: CamerasProgram, index: int, case: Case) -> str:
    if case.over == "rtsp":
        return cameras.rtsp(index)
    return cameras.http(index, "/stream.mjpeg" if case.over == "mjpeg" else "/snapshot.jpg")


async def _watch(url: str, case: Case) -> tuple[Transport, Decoded | None]:
    """One look as the agent does it, its key frame decoded too."""
    manner = Manner(lower=case.lower)
    seen = await patiently(stream_of(parse(url), "auto" if case.over == "rtsp" else case.over, manner), manner, False)
    return await asyncio.to_thread(picture_of, seen)


async def _judged(cameras: CamerasProgram, index: int, seen: Transport, decoded: Decoded | None) -> Reason:
    """The reason after some looks at a camera that was well before; its time is played, its figures are measured."""
    well, _ = await _watch(cameras.rtsp(0), Case("none", Reason.NONE))
    where = urlsplit(cameras.http(index))
    facts = await ask_onvif(Endpoint(where.hostname or "", where.port or 80), None, None)
    corrupt = decoded is not None and decoded.corrupt
    return await asyncio.to_thread(_after_some_looks, well, seen, facts.recording, corrupt)


def _after_some_looks(well: Transport, seen: Transport, recording: int | None, corrupt: bool) -> Reason:
    limits, scene = load(), painted(1)
    health = CameraHealth(limits)
    before = limits.learning.learning_pictures + 1
    reason = Reason.NONE
    for number in range(before + _LOOKS):
        now_s = number * _EVERY_S
        if number >= before:
            health.noted(recording=recording)
        shown = scene.at(_NOON_S + now_s).i420
        transport = well if number < before else seen
        reason = health.saw(transport, shown, now_s, corrupt=corrupt and number >= before).verdict.reason
    return reason
