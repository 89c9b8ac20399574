"""Particle sensors: their makers' frames, sleep and warm-up, noise, and an adapter that is pulled out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.ports import SourceError, Values
from edge.sources.particles import ParticleSettings, Pms5003, PmsFrames, Sds011, SdsFrames
from firmware_sim import particles
from firmware_sim.faults import Fault, switch
from firmware_sim.journal import Journal, read_journal
from firmware_sim.serial_line import SerialLine, plugged
from tests.simulated import control_file, journal_file, sensor

WARM_UP_S = 0.3


def test_the_frame_of_the_makers_protocol_is_understood() -> None:
    """Laser dust sensor control protocol V1.3, the example of a report: 123.6 and 261.8 ug/m3."""
    assert SdsFrames().values(bytes.fromhex("aac0d4043a0aa1601dab")) == (123.6, 261.8)


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535))
def test_edge_and_sensor_agree_on_frames_though_they_share_no_code(pm1: int, pm25: int, pm10: int) -> None:
    values = {"pm1_ugm3": float(pm1), "pm25_ugm3": float(pm25), "pm10_ugm3": float(pm10)}
    made: Any = particles.Pms5003.__new__(particles.Pms5003)
    frame, said = made.frame(values)
    assert PmsFrames().values(frame) == tuple(said.values()) == (pm1, pm25, pm10)
    made = particles.Sds011.__new__(particles.Sds011)
    frame, said = made.frame({"pm25_ugm3": pm25 / 10, "pm10_ugm3": pm10 / 10})
    assert SdsFrames().values(frame) == tuple(said.values())


@given(st.integers(2, 8), st.integers(1, 255))
def test_a_flipped_bit_is_never_a_value(place: int, flip: int) -> None:
    frame = bytearray.fromhex("aac0d4043a0aa1601dab")
    frame[place] ^= flip
    assert SdsFrames().values(bytes(frame)) is None


class Bench:
    """A simulated PMS5003 on its line."""

    def __init__(self, folder: Path, sensor: particles.ParticleSensor, line: SerialLine) -> None:
        self.folder, self.sensor, self.line = folder, sensor, line

    def driver(self, **keys: Any) -> Pms5003:
        base = {"driver": "pms5003", "name": "pm-1", "port": self.line.path, "warm_up_s": 0, "timeout_s": 1.0}
        return Pms5003(ParticleSettings.model_validate(base | keys))

    def given(self) -> list[Values]:
        return [tuple(each.values.values()) for each in read_journal(journal_file(self.folder))]


@asynccontextmanager
async def bench(folder: Path, spin_up_s: float = 0.0) -> AsyncIterator[Bench]:
    with Journal(journal_file(folder)) as journal:
        made = particles.Pms5003(sensor(folder, journal, *particles.PMS_METRICS), pace_s=0.02, spin_up_s=spin_up_s)
        async with plugged(folder / "line", made) as line:
            yield Bench(folder, made, line)


async def test_a_sensor_that_sleeps_is_woken_warmed_up_and_sent_to_sleep_again(tmp_path: Path) -> None:
    async with bench(tmp_path, spin_up_s=0.9 * WARM_UP_S) as one:
        driver = one.driver(sleep=True, warm_up_s=WARM_UP_S, interval_s=10)
        for naps in (1, 2):
            values = await driver.read()
            assert values in one.given(), "a frame of the warm-up counted"
            async with asyncio.timeout(5):
                while one.sensor.awake:
                    await asyncio.sleep(0)
            assert one.sensor.naps == naps
        await driver.close()


async def test_a_sensor_that_was_left_asleep_is_woken(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.sensor.switch(awake=False)
        driver = one.driver()
        assert await driver.read() in one.given()
        await driver.close()


async def test_after_power_on_nothing_counts_until_it_is_warm(tmp_path: Path) -> None:
    async with bench(tmp_path, spin_up_s=0.9 * WARM_UP_S) as one:
        driver = one.driver(warm_up_s=WARM_UP_S)
        assert await driver.read() in one.given()
        one.line.unplug()
        with pytest.raises(SourceError):
            await driver.read()
        one.sensor.power_on()
        one.line.plug()
        before = len(one.given())
        assert await driver.read() in one.given()[before:]
        await driver.close()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.NO_ANSWER, "no frame within 1 s: check 5 V, ground, and its TX on our RX"),
        (Fault.GARBLED, "bytes came that are no whole frame: check the wires"),
    ],
)
async def test_each_fault_has_its_own_error_and_the_next_reading_works(tmp_path: Path, fault: Fault, says: str) -> None:
    async with bench(tmp_path) as one:
        driver = one.driver()
        await driver.read()
        switch(control_file(tmp_path), fault)
        with pytest.raises(SourceError, match=f"{one.line.path}: .*{says}"):
            await driver.read()
        switch(control_file(tmp_path), None)
        before = len(one.given())
        assert await driver.read() in one.given()[before:]
        await driver.close()


async def test_half_frames_and_noise_between_whole_ones_are_passed_over(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        turns = 0

        def damage(data: bytes) -> bytes:
            nonlocal turns
            turns += 1
            return (data[:11], b"BM\x00\x1c" + data, b"\xff\x42", data)[turns % 4]

        one.line.damage = damage
        driver = one.driver()
        for _ in range(3):
            assert await driver.read() in one.given()
        await driver.close()


@asynccontextmanager
async def asked_bench(folder: Path) -> AsyncIterator[tuple[Sds011, SerialLine]]:
    """An SDS011 that was set to speak only when it is asked."""
    with Journal(journal_file(folder)) as journal:
        made = particles.Sds011(sensor(folder, journal, *particles.SDS_METRICS), pace_s=0, spin_up_s=0)
        async with plugged(folder / "line", made) as line:
            keys = {"driver": "sds011", "name": "pm-1", "port": line.path, "warm_up_s": 0, "timeout_s": 60}
            driver = Sds011(ParticleSettings.model_validate(keys))
            yield driver, line
            await driver.close()


async def test_a_sensor_that_is_pulled_out_in_the_midst_of_a_reading_is_read_on_when_it_is_back(tmp_path: Path) -> None:
    async with asked_bench(tmp_path) as (driver, line):

        def pull(answer: bytes) -> bytes:
            if answer:
                asyncio.get_running_loop().call_soon(line.unplug)
            return answer[:3]

        line.damage = pull
        for says in ("the adapter was unplugged", "is not there: is it plugged in"):
            with pytest.raises(SourceError, match=says):
                await driver.read()
        line.damage = bytes
        line.plug()
        assert await driver.read() == tuple(list(read_journal(journal_file(tmp_path)))[-1].values.values())


async def test_a_sensor_that_is_pulled_out_while_it_warms_up_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path, spin_up_s=WARM_UP_S) as one:
        driver = one.driver(warm_up_s=WARM_UP_S)
        reading = asyncio.create_task(driver.read())
        async with asyncio.timeout(5):
            while one.sensor.woken == 0:
                await asyncio.sleep(0)
        one.line.unplug()
        with pytest.raises(SourceError, match="the adapter was unplugged"):
            await reading
        await driver.close()


async def test_an_sds011_that_speaks_only_when_asked_is_asked(tmp_path: Path) -> None:
    async with asked_bench(tmp_path) as (driver, _):
        assert await driver.read() == tuple(next(read_journal(journal_file(tmp_path))).values.values())


def test_sleep_needs_time_to_warm_up() -> None:
    keys = {"driver": "pms5003", "name": "pm-1", "port": "/dev/ttyUSB0", "sleep": True, "interval_s": 30}
    with pytest.raises(ValidationError, match="give at least 60, twice warm_up_s"):
        ParticleSettings.model_validate(keys)
