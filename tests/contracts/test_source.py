"""What every source must do: each driver beside its simulated device, the box itself, a camera, and the fake."""

import asyncio
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.cameras.settings import CameraSettings
from edge.cameras.source import Camera
from edge.ports import Source, SourceError
from edge.sources import installed
from edge.sources.box import Box, BoxSettings
from firmware_sim.cameras.camera import Camera as SimulatedCamera
from firmware_sim.cameras.camera import CameraSettings as SimulatedSettings
from firmware_sim.cameras.server import serving as serving_cameras
from kewang.wire.batch import MAX_METRICS
from kewang.wire.catalogue import BY_NAME
from kewang.wire.names import STREAMS, is_source
from tests.simulated import WAYS, Beside


@asynccontextmanager
async def camera(_: Path) -> AsyncIterator[SimulatedCamera]:
    """What is wrong with a camera is what its readings say and no error of the source: so it is none of WAYS."""
    with ThreadPoolExecutor(1, "encoder") as executor:
        made = SimulatedCamera(SimulatedSettings(loop_s=1.0), executor)
        async with serving_cameras([made]):
            yield made


@pytest.fixture(params=WAYS)
async def sensor(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Beside]:
    async with WAYS[request.param](tmp_path) as made:
        yield made


@pytest.fixture(params=[*WAYS, "box", "camera", "camera-gone"])
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Source]:
    if request.param == "box":
        yield Box(BoxSettings())
        return
    if request.param.startswith("camera"):
        async with camera(tmp_path) as made:
            url = "rtsp://127.0.0.1:1/gone" if request.param == "camera-gone" else made.rtsp_url()
            yield Camera(CameraSettings(driver="camera", name="cam-1", url=url, watch_s=0.3))
        return
    async with WAYS[request.param](tmp_path) as made:
        yield made.source


def test_every_driver_that_comes_with_kewang_is_here() -> None:
    ours = {name for name, point in installed().items() if point.value.startswith("edge.")}
    assert ours == (WAYS.keys() | {"box", "camera"}) - {"fake"}


async def test_its_names_are_of_the_wire(source: Source) -> None:
    assert is_source(source.name)
    assert source.stream in STREAMS
    assert 0 < len(source.metrics) <= MAX_METRICS
    assert {BY_NAME[name].stream for name in source.metrics} == {source.stream}
    assert source.interval_s > 0
    assert source.timeout_s > 0
    await source.close()


async def test_a_reading_has_one_value_a_metric(source: Source) -> None:
    for _ in range(3):
        values = await source.read()
        assert len(values) == len(source.metrics)
        assert any(value is not None for value in values)
        assert all(value is None or math.isfinite(value) for value in values)
    await source.close()


async def test_it_closes_without_a_reading(source: Source) -> None:
    await source.close()


async def test_what_it_reads_was_given_out_since_it_was_asked(sensor: Beside) -> None:
    for _ in range(3):
        before = len(sensor.given())
        values = await sensor.source.read()
        assert any(values == pytest.approx(row, abs=0.02) for row in sensor.given()[before:])
    await sensor.source.close()


async def test_what_is_wrong_outside_is_a_source_error_and_the_next_reading_works(sensor: Beside) -> None:
    await sensor.source.read()
    sensor.break_it()
    with pytest.raises(SourceError, match=r"\w+"):
        await sensor.source.read()
    sensor.mend_it()
    before = len(sensor.given())
    values = await sensor.source.read()
    assert any(values == pytest.approx(row, abs=0.02) for row in sensor.given()[before:])
    await sensor.source.close()


async def test_a_reading_that_hangs_can_be_cancelled_and_the_next_one_works(sensor: Beside) -> None:
    await sensor.source.read()
    sensor.silence_it()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await sensor.source.read()
    sensor.mend_it()
    values = await sensor.source.read()
    assert len(values) == len(sensor.source.metrics)
    await sensor.source.close()
