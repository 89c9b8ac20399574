"""Modbus RTU: boards as units on a serial line (a pty), and all that goes wrong on such a line."""

import asyncio
import grp
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ports import SourceError
from edge.sources.lane import Lane
from edge.sources.modbus_rtu import RtuWay
from edge.sources.serial_port import Manner
from firmware_sim.faults import Fault
from firmware_sim.journal import read_journal
from firmware_sim.rtu import crc16
from tests.rtu_bus import bus
from tests.unprivileged import unprivileged


@given(st.binary(max_size=40))
def test_the_two_checksums_agree_though_they_share_no_code(body: bytes) -> None:
    answer = bytes([7, 3, len(body)]) + body
    way = RtuWay(Path("/dev/ttyUSB0"), Manner(), 1.0, Lane("/dev/ttyUSB0"))
    assert not way.contradicts_itself(answer + crc16(answer), 7)
    assert way.contradicts_itself(answer + bytes(byte ^ 1 for byte in crc16(answer)), 7)


@given(st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=10))
def test_an_answer_is_found_behind_any_noise_and_noise_alone_is_none(noise: bytes, body: bytes, tail: bytes) -> None:
    way = RtuWay(Path("/dev/ttyUSB0"), Manner(), 1.0, Lane("/dev/ttyUSB0"))
    answer = bytes([7, 3, len(body)]) + body
    answer += crc16(answer)
    found = way.answer_in(noise + answer + tail, 7)
    # Noise may hold a whole answer itself, with its checksum: then that one is found.
    assert found == answer or (found in noise + answer and crc16(found[:-2]) == found[-2:])
    alone = way.answer_in(noise, 7)
    assert alone == b"" or crc16(alone[:-2]) == alone[-2:]


async def test_the_journals_hold_what_the_drivers_read_though_they_share_the_port(tmp_path: Path) -> None:
    async with bus(tmp_path, 1, 2, 247) as one:
        drivers = [one.driver(unit) for unit in (1, 2, 247)]
        for _ in range(2):
            await asyncio.gather(*(driver.read() for driver in drivers))
        rows = await asyncio.gather(*(driver.read() for driver in drivers))
        for place, (driver, row) in enumerate(zip(drivers, rows, strict=True)):
            values = dict(zip(driver.metrics, row, strict=True))
            last = list(read_journal(tmp_path / f"journal-{place}.jsonl"))[-1]
            assert values.pop("sim_n") == last.number == 3
            assert values == last.values
        for driver in drivers:
            await driver.close()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.NO_ANSWER, r"no answer within 1 s: check power, the wires A and B"),
        (Fault.EXCEPTION, r"10 holding registers from 0: exception code 4, device failure"),
        (Fault.SHORT, r"12 bytes came that are no whole answer: check cable, baud and parity"),
        (Fault.GARBLED, r"garbled answer \(010314\w+\): check cable, shield and end resistor"),
    ],
)
async def test_each_fault_has_its_own_error_and_delays_no_neighbour(tmp_path: Path, fault: Fault, says: str) -> None:
    async with bus(tmp_path, 1, 2) as one:
        ill, well = one.driver(1), one.driver(2)
        one.switch(1, fault)
        failing = asyncio.gather(ill.read(), return_exceptions=True)
        assert (await well.read())[0] == 1
        (error,) = await failing
        assert isinstance(error, SourceError)
        with pytest.raises(SourceError, match=says):
            raise error
        assert str(error).startswith(f"unit 1 at {one.port}: ")
        one.switch(1, None)
        assert (await ill.read())[0] == 2
        await ill.close()
        await well.close()


async def test_noise_before_an_answer_is_passed_over(tmp_path: Path) -> None:
    async with bus(tmp_path, 1) as one:
        driver = one.driver()
        one.line.damage = lambda data: b"\x00\xff\x13" + data
        assert (await driver.read())[0] == 1
        await driver.close()


@pytest.mark.parametrize("damage", [lambda data: data[3:], lambda data: b"\xff" * 300, lambda _: b"\x01"])
async def test_noise_instead_of_an_answer_is_an_error_and_the_next_reading_works(tmp_path: Path, damage: Any) -> None:
    async with bus(tmp_path, 1) as one:
        driver = one.driver()
        one.line.damage = damage
        with pytest.raises(SourceError, match=r"check cable|check power"):
            await driver.read()
        one.line.damage = bytes
        assert (await driver.read())[0] == 2
        await driver.close()


async def test_an_adapter_that_was_unplugged_is_told_and_found_again_under_its_path(tmp_path: Path) -> None:
    async with bus(tmp_path, 1) as one:
        driver = one.driver()
        assert (await driver.read())[0] == 1
        one.line.unplug()
        for says in ("the adapter was unplugged", "is not there: is it plugged in"):
            with pytest.raises(SourceError, match=says):
                await driver.read()
        one.line.plug()
        assert (await driver.read())[0] == 2
        await driver.close()


async def test_an_adapter_that_is_unplugged_in_the_midst_of_a_reading_is_told_at_once(tmp_path: Path) -> None:
    async with bus(tmp_path, 1) as one:
        driver = one.driver(answer_s=60, timeout_s=60)

        def pull(_: bytes) -> bytes:
            asyncio.get_running_loop().call_soon(one.line.unplug)
            return b"\x01\x03"

        one.line.damage = pull
        with pytest.raises(SourceError, match="the adapter was unplugged: plug it in again"):
            await driver.read()
        one.line.damage = bytes
        one.line.plug()
        assert (await driver.read())[0] == 2
        await driver.close()


async def test_two_devices_with_one_unit_number_are_named_as_a_cause(tmp_path: Path) -> None:
    async with bus(tmp_path, 1, 1) as one:
        driver = one.driver()
        with pytest.raises(SourceError, match="whether two devices have this unit number"):
            await driver.read()
        await driver.close()


async def test_a_wrong_speed_is_named_as_a_cause(tmp_path: Path) -> None:
    async with bus(tmp_path, 1) as one:
        driver = one.driver(baud=19_200)
        with pytest.raises(SourceError, match=r"no answer within 1 s: .*baud and parity"):
            await driver.read()
        await driver.close()


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    import serial

    async with bus(tmp_path, 1) as one:
        driver = one.driver()
        with (
            serial.Serial(str(one.port), exclusive=True),
            pytest.raises(SourceError, match=r"another program uses it: 'sudo fuser -v"),
        ):
            await driver.read()
        assert (await driver.read())[0] == 1
        await driver.close()


async def test_a_port_that_one_may_not_open_names_the_group(tmp_path: Path) -> None:
    async with bus(tmp_path, 1) as one:
        driver = one.driver()
        os.chown(one.port, -1, grp.getgrnam("dialout").gr_gid)
        with unprivileged(one.port, 0o060), pytest.raises(SourceError, match=r"'sudo usermod -aG dialout kewang'"):
            await driver.read()
        with unprivileged(one.port), pytest.raises(SourceError, match="switch the login shell on this port off"):
            await driver.read()
        assert (await driver.read())[0] == 1
        await driver.close()
