"""What every source must do, whether a real Modbus device over TCP, the box itself, a camera, or the fake."""

import asyncio
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from edge.cameras.settings import CameraSettings
from edge.cameras.source import Camera
from edge.ports import Source, SourceError
from edge.sources.box import Box, BoxSettings
from edge.sources.modbus import ModbusTcp, ModbusTcpSettings
from edge.sources.modbus_rtu import ModbusRtu, ModbusRtuSettings
from firmware_sim.board import Board, serving
from firmware_sim.cameras.camera import Camera as SimulatedCamera
from firmware_sim.cameras.camera import CameraSettings as SimulatedSettings
from firmware_sim.cameras.server import serving as serving_cameras
from firmware_sim.faults import Fault, Faults, switch
from firmware_sim.journal import Journal
from firmware_sim.layout import map_file, read_layout
from firmware_sim.rtu import RtuUnit
from firmware_sim.serial_line import plugged
from firmware_sim.signals import Signals
from kewang.wire.batch import MAX_METRICS
from kewang.wire.catalogue import BY_NAME
from kewang.wire.names import STREAMS, is_source
from tests.fake_source import FakeSource


class Sensor(Protocol):
    """A source, and what it measures, which a test can break."""

    source: Source

    def break_it(self) -> None: ...
    def silence_it(self) -> None: ...
    def mend_it(self) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self._fake = FakeSource(timeout_s=0.3)
        self.source: Source = self._fake

    def break_it(self) -> None:
        self._fake.fail()

    def silence_it(self) -> None:
        self._fake.hang()

    def mend_it(self) -> None:
        self._fake.go_on()


class OfABoard:
    def __init__(self, source: Source, control: Path) -> None:
        self.source, self._control = source, control

    def break_it(self) -> None:
        switch(self._control, Fault.EXCEPTION)

    def silence_it(self) -> None:
        switch(self._control, Fault.NO_ANSWER)

    def mend_it(self) -> None:
        switch(self._control, None)


@asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Sensor]:
    yield InMemory()


@asynccontextmanager
async def over_tcp(folder: Path) -> AsyncIterator[Sensor]:
    file, control = map_file("market-env"), folder / "control.json"
    with Journal(folder / "journal.jsonl") as journal:
        board = Board(read_layout(file), Signals(1), journal, faults=Faults(control=control))
        async with serving([board]) as port:
            settings = ModbusTcpSettings(
                driver="modbus-tcp", name="env-1", host="127.0.0.1", port=port, map=file, timeout_s=0.3
            )
            yield OfABoard(ModbusTcp(settings), control)


@asynccontextmanager
async def over_a_line(folder: Path) -> AsyncIterator[Sensor]:
    file, control = map_file("market-env"), folder / "control.json"
    with Journal(folder / "journal.jsonl") as journal:
        unit = RtuUnit(Board(read_layout(file), Signals(1), journal, faults=Faults(control=control)))
        async with plugged(folder / "line", unit):
            settings = ModbusRtuSettings(driver="modbus-rtu", name="env-1", port=folder / "line", map=file)
            yield OfABoard(ModbusRtu(settings), control)


WAYS = {"fake": in_memory, "modbus-tcp": over_tcp, "modbus-rtu": over_a_line}


@asynccontextmanager
async def camera(_: Path) -> AsyncIterator[SimulatedCamera]:
    """What is wrong with a camera is what its readings say: it is no error of the source, so it is no Sensor here."""
    with ThreadPoolExecutor(1, "encoder") as executor:
        made = SimulatedCamera(SimulatedSettings(loop_s=1.0), executor)
        async with serving_cameras([made]):
            yield made


@pytest.fixture(params=WAYS)
async def sensor(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sensor]:
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


async def test_what_is_wrong_outside_is_a_source_error_and_the_next_reading_works(sensor: Sensor) -> None:
    before = await sensor.source.read()
    sensor.break_it()
    with pytest.raises(SourceError, match=r"\w+"):
        await sensor.source.read()
    sensor.mend_it()
    after = await sensor.source.read()
    assert before[0] is not None
    assert after[0] is not None
    assert after[0] > before[0]
    await sensor.source.close()


async def test_a_reading_that_hangs_can_be_cancelled_and_the_next_one_works(sensor: Sensor) -> None:
    await sensor.source.read()
    sensor.silence_it()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await sensor.source.read()
    sensor.mend_it()
    values = await sensor.source.read()
    assert len(values) == len(sensor.source.metrics)
    await sensor.source.close()
