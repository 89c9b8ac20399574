"""`kewang edge discover` and `try`: what hangs on the box, and one reading of it, with errors that say what to do."""

import asyncio
import errno
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.sources.discover import Look, discover, on_bus, on_i2c, thermometers
from edge.sources.i2c import adapters, bus_trouble
from edge.sources.lane import Lane
from firmware_sim import bme280, particles, sht3x
from firmware_sim.faults import Fault, switch
from firmware_sim.i2c import Bus
from firmware_sim.journal import Journal
from firmware_sim.serial_line import SerialLine, plugged
from kewang.cli.edge import app
from tests.rtu_bus import bus
from tests.simulated import THERMOMETER, control_file, journal_file, sensor


@asynccontextmanager
async def writing(folder: Path, kind: type[particles.ParticleSensor], *metrics: str) -> AsyncIterator[SerialLine]:
    with Journal(journal_file(folder)) as journal:
        made = kind(sensor(folder, journal, *metrics), pace_s=0.05, spin_up_s=0)
        async with plugged(folder / "line", made) as line:
            yield line


async def run(*words: str) -> tuple[int, str, str]:
    """The command, in a thread: it has a loop of its own, and ours is that of the simulators."""
    done = await asyncio.to_thread(CliRunner().invoke, app, list(words))
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "kind", "metrics"),
    [
        ("pms5003", particles.Pms5003, particles.PMS_METRICS),
        ("sds011", particles.Sds011, particles.SDS_METRICS),
    ],
)
async def test_who_writes_on_a_port_is_found_and_can_be_tried(
    tmp_path: Path, name: str, kind: type[particles.ParticleSensor], metrics: tuple[str, ...]
) -> None:
    async with writing(tmp_path, kind, *metrics) as line:
        code, out, _ = await run("discover", "--port", str(line.path))
        assert code == 0
        assert f"kewang edge try {name} port={line.path}" in out
        code, out, _ = await run("try", name, f"port={line.path}", "warm_up_s=0", "--json")
        assert code == 0
        assert json.loads(out.splitlines()[-1])["values"].keys() == set(metrics)


async def test_modbus_units_are_found_when_they_are_asked_for(tmp_path: Path) -> None:
    async with bus(tmp_path, 2, 3) as one:
        look = Look([one.port], range(1, 5), listen_s=0.01)
        (found,) = (await discover(look))["serial"]
        assert found["answers"] == [f"modbus-rtu port={one.port} unit={unit}" for unit in (2, 3)]
        (silent,) = (await discover(Look([one.port], listen_s=0.01)))["serial"]
        assert silent["answers"] == []


async def test_a_reading_is_shown_with_units_and_what_is_out_of_range_is_told(tmp_path: Path) -> None:
    async with bus(tmp_path, 1) as one:
        map_file = tmp_path / "map.toml"
        map_file.write_text('[[registers]]\nmetric = "rh_pct"\naddress = 3\nscale = 0.1\n')
        words = ("try", "modbus-rtu", f"port={one.port}", f"map={map_file}")
        code, out, _ = await run(*words)
        assert code == 0
        assert "%" in out
        assert "Relative humidity" in out
        map_file.write_text('[[registers]]\nmetric = "rh_pct"\naddress = 3\nscale = 10\n')
        code, out, _ = await run(*words)
        assert code == 1
        assert "OUT OF RANGE: rh_pct" in out
        assert "compare map and scale with the manual" in out


async def test_a_source_of_a_file_is_tried_by_its_name(tmp_path: Path) -> None:
    async with writing(tmp_path, particles.Pms5003, *particles.PMS_METRICS) as line:
        config = tmp_path / "edge.toml"
        config.write_text(
            'device = "desk-1"\n[[sources]]\ndriver = "pms5003"\nname = "pm-1"\nwarm_up_s = 0\n'
            f'port = "{line.path.name}"\n'
        )
        code, out, _ = await run("try", "pm-1", "--config", str(config))
        assert code == 0
        assert "Particulate matter PM2.5" in out
        code, _, err = await run("try", "pm-2", "--config", str(config))
        assert code == 2
        assert "no source 'pm-2' (there are box, pm-1)" in err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["try", "pms5003", "port=/dev/ttyNONE", "warm_up_s=0"], 3, "/dev/ttyNONE: is not there: is it plugged in"),
        (["try", "pms5003", "prot=/dev/ttyUSB0"], 2, "unknown key 'prot'; did you mean 'port'?"),
        (["try", "pms5003", "/dev/ttyUSB0"], 2, "write KEY=VALUE, as in port=/dev/ttyUSB0"),
        (["try", "pms503"], 2, "unknown driver 'pms503'; did you mean 'pms5003'?"),
        (["try", "sht3x", "bus=/dev/i2c-none"], 3, "0x44 on /dev/i2c-none: there is no such bus"),
        (["try", "x", "port=1", "--config", "edge.toml"], 2, "KEY=VALUE is for a driver"),
    ],
)
async def test_what_is_wrong_is_told_with_the_next_step(words: list[str], code: int, says: str) -> None:
    got, _, err = await run(*words)
    assert got == code
    assert says in err


async def test_a_port_that_is_not_there_is_told_by_discover(tmp_path: Path) -> None:
    code, out, _ = await run("discover", "--port", str(tmp_path / "line"))
    assert code == 0
    assert "TROUBLE: is not there: is it plugged in" in out


def test_i2c_sensors_and_thermometers_are_found(tmp_path: Path) -> None:
    with Journal(journal_file(tmp_path)) as journal:
        own = sensor(tmp_path, journal, *bme280.METRICS)
        adapter = Bus({0x77: [bme280.Bme280(own)], 0x45: [sht3x.Sht3x(own)]}).open(tmp_path)
        assert on_bus(adapter) == ["bme280 address=0x77", "sht3x address=0x45"]
    for name in (THERMOMETER, "00-400000000000", "w1_bus_master1"):
        (tmp_path / "w1" / name).mkdir(parents=True)
    assert [each.answers for each in thermometers(tmp_path / "w1")] == [[f"ds18b20 device={THERMOMETER}"]]
    assert thermometers(tmp_path / "none") == []


async def test_a_bus_that_hangs_is_left_and_told(tmp_path: Path) -> None:
    with Journal(journal_file(tmp_path)) as journal:
        made = Bus({0x77: [bme280.Bme280(sensor(tmp_path, journal, *bme280.METRICS))]})
        adapters.set(made.open)
        switch(control_file(tmp_path), Fault.NO_ANSWER)
        try:
            found = await on_i2c(tmp_path / "i2c-1", 0.05)
            assert found.trouble.startswith("no answer within 0.05 s: the bus is held down")
        finally:
            switch(control_file(tmp_path), None)


async def test_a_port_that_does_not_open_is_left_and_told(tmp_path: Path) -> None:
    lane, opened = Lane.at(str(tmp_path / "line")), threading.Event()
    lane.leave(opened.wait)
    try:
        (found,) = (await discover(Look([tmp_path / "line"], limit_s=0.05)))["serial"]
        assert found["trouble"] == "did not open within 0.05 s: unplug the adapter and plug it in again"
    finally:
        opened.set()
        await lane.run(int)


def test_every_number_of_the_kernel_has_a_next_step() -> None:
    for number in errno.errorcode:
        assert ":" in bus_trouble(Path("/dev/i2c-1"), OSError(number, os.strerror(number)), 1.0)
