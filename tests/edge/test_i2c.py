"""I2C sensors: formulas and checksums of the datasheets, their transfers byte by byte, and a bus that is ill."""

import asyncio
import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ports import Source, SourceError, Values
from edge.sources.bme280 import Calibration
from edge.sources.i2c import adapters
from edge.sources.sht3x import crc8
from firmware_sim import bme280, sht3x
from firmware_sim.faults import Fault, Faults, switch
from firmware_sim.i2c import Bus, I2cDevice
from firmware_sim.journal import Journal, read_journal
from firmware_sim.sensor import Sensor
from firmware_sim.signals import Signals
from tests.simulated import control_file, journal_file, source_of
from tests.unprivileged import unprivileged


def test_the_checksum_of_the_datasheet() -> None:
    """SHT3x-DIS, 4.12."""
    assert crc8(b"\xbe\xef") == 0x92


def test_the_worked_example_of_bosch() -> None:
    """BMP280 datasheet (BST-BMP280-DS001, 3.12), which shares temperature and pressure with the BME280."""
    p = (0, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    calibration = Calibration((0, 27504, 26435, -1000), p, (0,) * 7)
    data = (415148 << 4).to_bytes(3, "big") + (519888 << 4).to_bytes(3, "big") + b"\x80\x00"
    assert calibration.values(data) == (25.082, None, 1006.533)


@given(st.floats(-10, 60), st.floats(1, 99), st.floats(850, 1100))
def test_compensation_in_floats_agrees_with_the_one_in_whole_numbers(temp_c: float, rh: float, hpa: float) -> None:
    device: Any = bme280.Bme280.__new__(bme280.Bme280)
    said: dict[str, float] = {}

    class Given:
        fault = Fault.NONE
        gave = said.update

        def measure(self) -> dict[str, float]:
            return {"temp_c": temp_c, "rh_pct": rh, "pressure_hpa": hpa}

    device.__init__(Given())
    for byte in (0xF4, 0b001_001_01):
        device.take(byte)
    calibration = Calibration.read(bytes(device.registers[0x88:0xA2]), bytes(device.registers[0xE1:0xE8]))
    values = calibration.values(bytes(device.registers[0xF7:0xFF]))
    assert values == pytest.approx((said["temp_c"], said["rh_pct"], said["pressure_hpa"]), abs=0.02)
    assert values == pytest.approx((temp_c, rh, hpa), abs=0.05)


class Bench:
    """A bus with sensors, and the drivers that read them."""

    def __init__(self, folder: Path, bus: Bus) -> None:
        self.folder, self.bus = folder, bus

    def driver(self, name: str, **keys: Any) -> Source:
        token = adapters.set(self.bus.open)
        try:
            return source_of(name, bus=self.folder / "i2c-1", **({"timeout_s": 5.0} | keys))
        finally:
            adapters.reset(token)

    def switch(self, fault: Fault | None) -> None:
        switch(control_file(self.folder), fault)

    def given(self) -> list[Values]:
        return [tuple(each.values.values()) for each in read_journal(journal_file(self.folder))]


Made = Callable[[Sensor], I2cDevice]


@contextmanager
def bench(folder: Path, devices: Mapping[int, Sequence[Made]]) -> Iterator[Bench]:
    """The first device has the journal; the others, with other values, have one of their own."""
    made: dict[int, list[I2cDevice]] = {}
    place, journals = 0, list[Journal]()
    for address, there in devices.items():
        made[address] = []
        for make in there:
            journals.append(Journal(folder / f"journal-{place}.jsonl" if place else journal_file(folder)))
            metrics = bme280.METRICS
            own = Sensor(metrics, Signals(place), journals[-1], Faults(control=control_file(folder)))
            made[address].append(make(own))
            place += 1
    try:
        yield Bench(folder, Bus(made))
    finally:
        for journal in journals:
            journal.close()


async def test_a_bme280_is_read_as_its_datasheet_says_byte_by_byte(tmp_path: Path) -> None:
    with bench(tmp_path, {0x76: [bme280.Bme280]}) as one:
        driver = one.driver("bme280")
        assert await driver.read() == pytest.approx(one.given()[0], abs=0.02)
        said = [(address, write.hex(), len(answer)) for address, write, answer in one.bus.transfers]
        assert said == [
            (0x76, "d0", 1),
            (0x76, "88", 26),
            (0x76, "e1", 7),
            (0x76, "f201", 0),
            (0x76, "f425", 0),
            (0x76, "f3", 1),
            (0x76, "f7", 8),
        ]
        assert one.bus.opened == 0


async def test_a_bmp280_has_no_humidity_and_one_that_never_ends_is_told(tmp_path: Path) -> None:
    with bench(tmp_path, {0x76: [lambda own: bme280.Bme280(own, chip=0x58, busy=2)]}) as one:
        temperature, humidity, pressure = await one.driver("bme280").read()
        assert humidity is None
        assert (temperature, pressure) == pytest.approx((one.given()[0][0], one.given()[0][2]), abs=0.02)
    slow: Made = lambda own: bme280.Bme280(own, busy=99)  # noqa: E731
    with bench(tmp_path, {0x76: [slow]}) as one, pytest.raises(SourceError, match="never ends measuring"):
        await one.driver("bme280").read()


async def test_two_sensors_share_a_bus_and_are_never_read_at_once(tmp_path: Path) -> None:
    with bench(tmp_path, {0x76: [bme280.Bme280], 0x45: [sht3x.Sht3x]}) as one:
        drivers = [one.driver("bme280"), one.driver("sht3x", address=0x45)]
        for _ in range(3):
            await asyncio.gather(*(driver.read() for driver in drivers))
        addresses = [address for address, _, _ in one.bus.transfers]
        assert sum(one != other for one, other in pairwise(addresses)) == 5


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.EXCEPTION, "0x44 on .*i2c-1: no sensor answers: check its 3.3 V, SDA and SCL"),
        (Fault.RESET, "0x44 on .*i2c-1: timeout: the bus is held down"),
        (Fault.GARBLED, r"wrong checksum \(\w{12}\): shorten the wires"),
        (Fault.NO_ANSWER, "no answer within 0.2 s: the bus is held down"),
    ],
)
async def test_each_fault_has_its_own_error_and_the_next_reading_works(tmp_path: Path, fault: Fault, says: str) -> None:
    with bench(tmp_path, {0x44: [sht3x.Sht3x]}) as one:
        driver = one.driver("sht3x", timeout_s=0.2)
        one.switch(fault)
        with pytest.raises(SourceError, match=says):
            await driver.read()
        one.switch(None)
        patient = one.driver("sht3x")
        assert (await patient.read())[0] == pytest.approx(one.given()[-1][0], abs=0.02)


async def test_a_transfer_that_hangs_is_told_at_once_and_holds_up_no_other_bus(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with bench(tmp_path, {0x44: [sht3x.Sht3x]}) as ill, bench(tmp_path / "other", {0x44: [sht3x.Sht3x]}) as well:
        driver, neighbour = ill.driver("sht3x", timeout_s=0.1), well.driver("sht3x")
        ill.switch(Fault.NO_ANSWER)
        with pytest.raises(SourceError, match="no answer within"):
            await driver.read()
        for _ in range(3):
            with pytest.raises(SourceError, match=r"hangs since an earlier reading|no answer within"):
                await driver.read()
            await neighbour.read()
        ill.switch(None)


@pytest.mark.parametrize("kind", [sht3x.Sht3x, bme280.Bme280])
async def test_two_sensors_at_one_address_are_found_out_where_the_protocol_can(tmp_path: Path, kind: Made) -> None:
    """An SHT3x has checksums. Two BME280 have none: they mix what they say, unseen."""
    address, name = (0x44, "sht3x") if kind is sht3x.Sht3x else (0x76, "bme280")
    other: Made = kind if kind is sht3x.Sht3x else lambda own: bme280.Bme280(own, chip=0x2A)
    with bench(tmp_path, {address: [kind, other]}) as one, pytest.raises(SourceError, match="whether two"):
        await one.driver(name).read()


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOENT, "there is no such bus: switch I2C on"),
        (errno.EACCES, "permission denied: run 'sudo usermod -aG i2c kewang'"),
        (errno.EBUSY, "busy: the bus is held down"),
    ],
)
async def test_a_bus_that_cannot_be_opened_says_what_to_do(tmp_path: Path, number: int, says: str) -> None:
    with bench(tmp_path, {}) as one:
        one.bus.open_error = number
        with pytest.raises(SourceError, match=says):
            await one.driver("bme280").read()


async def test_the_real_adapter_opens_device_files(tmp_path: Path) -> None:
    """What smbus2 makes of a file that is not there, that we may not open, and that is no bus."""
    file = tmp_path / "i2c-1"
    with pytest.raises(SourceError, match="there is no such bus"):
        await source_of("sht3x", bus=file).read()
    file.write_bytes(b"")
    with unprivileged(file), pytest.raises(SourceError, match="permission denied"):
        await source_of("sht3x", bus=file).read()
    with pytest.raises(SourceError, match="can't be opened"):
        await source_of("sht3x", bus=file).read()
