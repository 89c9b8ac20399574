"""A camera as a source: what is due is done, what is down is said, and none delays another. Hours in moments."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.cameras.settings import CameraSettings
from edge.cameras.slots import SESSIONS, Slots
from edge.cameras.source import Camera
from edge.ports import CommandRefused, Values
from edge.sources.settings import Surroundings, surroundings
from kewang.wire.cameras import CameraReason, CameraState
from kewang.wire.command import ACCEPT_VIEW
from tests.fake_stream import FakeStream
from tests.virtual_time import in_virtual_time, until

HOUR_S = 3600.0


@cache
def pictures() -> tuple[bytes, ...]:
    """JPEG files of one place with the noise of a sensor."""
    import io

    rng = np.random.default_rng(1)
    place = np.kron(rng.integers(30, 220, (23, 40)), np.ones((8, 8)))[:180, :320]
    files = []
    for _ in range(8):
        noisy = np.clip(place + rng.normal(0, 4, place.shape), 0, 255).astype(np.uint8)
        held = io.BytesIO()
        Image.fromarray(np.dstack([noisy, noisy, noisy // 2])).save(held, "JPEG", quality=85)
        files.append(held.getvalue())
    return tuple(files)


def living() -> Callable[[], bytes]:
    """A picture after the other."""
    count = iter(range(10**9))
    return lambda: pictures()[next(count) % len(pictures())]


def camera(stream: FakeStream, name: str = "cam-1", folder: Path | None = None, **keys: Any) -> Camera:
    token = surroundings.set(Surroundings(folder, lambda: True))
    try:
        settings = CameraSettings(driver="camera", name=name, url="rtsp://10.0.0.4/s", **keys)
        return Camera(settings, stream=stream, rng=random.Random(name))
    finally:
        surroundings.reset(token)


class Reader:
    """Reads cameras as the agent does: each on its own, at the pace it asks for."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self.cameras = cameras
        self.readings: dict[str, list[dict[str, float]]] = {camera.name: [] for camera in cameras}

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._read(camera), name=camera.name) for camera in self.cameras]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for each in self.cameras:
                await each.close()

    async def _read(self, camera: Camera) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            async with asyncio.timeout(camera.timeout_s):
                self.readings[camera.name].append(named(camera, await camera.read()))
            due_s = max(due_s + camera.interval_s, loop.time())
            await asyncio.sleep(due_s - loop.time())

    def last(self, name: str = "cam-1") -> tuple[CameraState, CameraReason]:
        told = self.readings[name][-1]
        return CameraState(int(told["camera_state"])), CameraReason(int(told["camera_reason"]))


def named(camera: Camera, values: Values) -> dict[str, float]:
    return {name: value for name, value in zip(camera.metrics, values, strict=True) if value is not None}


def longest(times: Sequence[float]) -> float:
    return max(after - before for before, after in pairwise(times))


@in_virtual_time
async def test_what_is_due_is_done_and_only_that_is_said() -> None:
    stream = FakeStream(living())
    reader = Reader([camera(stream)])
    async with reader.reading():
        await asyncio.sleep(HOUR_S)
    assert longest(stream.looks) <= 61
    assert longest(stream.reaches) <= 26
    assert 60 <= len(stream.looks) <= 150
    only_reached = [each for each in reader.readings["cam-1"] if "brightness_pct" not in each]
    looked = [each for each in reader.readings["cam-1"] if "brightness_pct" in each]
    assert len(looked) == pytest.approx(len(stream.looks), abs=1)
    assert only_reached
    assert all(each["reachable"] == 1 for each in reader.readings["cam-1"])
    assert all("fps" not in each for each in only_reached)


@in_virtual_time
async def test_a_camera_that_is_gone_is_a_reading_and_is_looked_at_again_when_it_is_back() -> None:
    stream = FakeStream(living())
    reader = Reader([camera(stream)])
    async with reader.reading():
        await asyncio.sleep(120)
        stream.reason = CameraReason.REFUSED
        await until(lambda: reader.last() == (CameraState.DOWN, CameraReason.REFUSED), 60)
        looks = len(stream.looks)
        await asyncio.sleep(600)
        assert len(stream.looks) == looks
        assert longest(stream.reaches) <= 26
        assert reader.readings["cam-1"][-1]["reachable"] == 0
        stream.reason = CameraReason.NONE
        await until(lambda: len(stream.looks) > looks, 21)
        await until(lambda: reader.last()[0] is not CameraState.DOWN, 60)


@in_virtual_time
async def test_a_busy_camera_is_asked_for_a_session_ever_more_rarely() -> None:
    stream = FakeStream(living())
    stream.reason = CameraReason.BUSY
    reader = Reader([camera(stream)])
    async with reader.reading():
        await asyncio.sleep(3 * HOUR_S)
    assert len(stream.looks) <= 3 * HOUR_S / 900 / 0.9 + 5
    assert longest(stream.reaches) <= 26
    assert reader.last() == (CameraState.DEGRADED, CameraReason.BUSY)


@pytest.mark.parametrize("hanging", [3, 8])
def test_cameras_that_hang_delay_no_other(hanging: int) -> None:
    """Of 16 cameras some answer and then say nothing more: the others have their looks as if they were alone."""

    @in_virtual_time
    async def whole() -> None:
        streams = {f"cam-{index}": FakeStream(living()) for index in range(16)}
        reader = Reader([camera(stream, name) for name, stream in streams.items()])
        async with reader.reading():
            await asyncio.sleep(120)
            for name in list(streams)[:hanging]:
                streams[name].hangs = True
            began_s = asyncio.get_running_loop().time()
            await asyncio.sleep(900)
        for name in list(streams)[:hanging]:
            assert reader.last(name) == (CameraState.DOWN, CameraReason.TIMEOUT)
        for stream in list(streams.values())[hanging:]:
            looks = [at_s for at_s in stream.looks if at_s > began_s + 60]
            assert longest(looks) <= 60 + 20
            assert longest(stream.reaches) <= 20 + 30
            assert len(looks) >= 840 / 62

    whole()


@in_virtual_time
async def test_never_more_sessions_than_slots() -> None:
    open_now: list[int] = []

    async def hold(slots: Slots, troubled: bool) -> None:
        async with slots.session(troubled=troubled, wait_s=1000):
            open_now.append(1)
            await asyncio.sleep(5)
            open_now.pop()

    slots, most = Slots(), 0
    tasks = [asyncio.create_task(hold(slots, index % 2 == 0)) for index in range(40)]
    while not all(task.done() for task in tasks):
        most = max(most, len(open_now))
        await asyncio.sleep(0.5)
    await asyncio.gather(*tasks)
    assert most == SESSIONS


@in_virtual_time
async def test_who_waits_too_long_for_a_slot_says_what_it_knows() -> None:
    streams = [FakeStream(living(), takes_s=20) for _ in range(30)]
    reader = Reader([camera(stream, f"cam-{index}") for index, stream in enumerate(streams)])
    async with reader.reading():
        await asyncio.sleep(600)
    assert all(stream.looks for stream in streams)
    assert all(len(readings) > 3 for readings in reader.readings.values())


@in_virtual_time
async def test_a_reading_that_is_cut_off_holds_no_slot() -> None:
    stream = FakeStream(living())
    stream.hangs = True
    watching = camera(stream)
    for _ in range(3 * SESSIONS):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await watching.read()
    stream.hangs = False
    assert named(watching, await watching.read())["reachable"] == 1
    assert stream.open == 0
    await watching.close()


@in_virtual_time
async def test_a_codec_that_cannot_be_decoded_is_told() -> None:
    stream = FakeStream(living(), codec="vp10")
    reader = Reader([camera(stream)])
    async with reader.reading():
        await until(lambda: bool(reader.readings["cam-1"]) and reader.last()[1] is CameraReason.CODEC, 200)
    assert reader.last()[0] is CameraState.DEGRADED


def test_what_is_learned_outlives_a_restart(tmp_path: Path) -> None:
    learned: list[tuple[CameraState, CameraReason]] = []

    @in_virtual_time
    async def live(seconds: float) -> None:
        reader = Reader([camera(FakeStream(living()), folder=tmp_path)])
        async with reader.reading():
            await asyncio.sleep(seconds)
        learned.append(reader.last())

    live(HOUR_S)
    assert learned[-1] == (CameraState.OK, CameraReason.NONE)
    kept = tmp_path / "cameras" / "cam-1.npz"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert 0 < kept.stat().st_size < 200_000
    live(5)
    assert learned[-1] == (CameraState.OK, CameraReason.NONE)
    kept.write_bytes(kept.read_bytes()[:1000])
    live(5)
    assert learned[-1] == (CameraState.UNKNOWN, CameraReason.LEARNING)


@in_virtual_time
async def test_it_takes_one_command() -> None:
    watching = camera(FakeStream(living()))
    for name, args in (("dance", {}), (ACCEPT_VIEW, {"clean": 3}), (ACCEPT_VIEW, {"what": True})):
        with pytest.raises(CommandRefused, match=ACCEPT_VIEW):
            await watching.command(name, args)
    with pytest.raises(CommandRefused, match=r"\w+"):
        await watching.command(ACCEPT_VIEW, {"clean": True})
    reader = Reader([watching])
    async with reader.reading():
        await asyncio.sleep(HOUR_S)
        assert await watching.command(ACCEPT_VIEW, {"clean": True})


def test_it_names_only_what_it_can_tell() -> None:
    plain = camera(FakeStream())
    assert {"main_stream", "recording", "clutter_pct"}.isdisjoint(plain.metrics)
    all_of_it = camera(FakeStream(), main_url="rtsp://10.0.0.4/m", onvif=True, zones=[[[0, 0], [1, 0], [1, 1]]])
    assert set(all_of_it.metrics) - set(plain.metrics) == {
        "main_stream",
        "recording",
        "clutter_pct",
        "camera_uptime_s",
        "tamper_event",
    }
