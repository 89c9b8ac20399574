"""1-Wire thermometers: what Linux writes, and what can be wrong with the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.ports import SourceError
from edge.sources.onewire import Thermometer, ThermometerSettings, celsius
from firmware_sim import onewire
from firmware_sim.faults import Fault, switch
from firmware_sim.journal import Journal, read_journal
from tests.simulated import THERMOMETER, control_file, journal_file, sensor

WELL = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"
"""As the kernel's documentation shows it (w1_therm)."""


def driver(folder: Path, **keys: Any) -> Thermometer:
    base = {"driver": "ds18b20", "name": "cold-1", "device": THERMOMETER, "folder": folder / "w1"}
    return Thermometer(ThermometerSettings.model_validate(base | keys))


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Thermometer]:
    with Journal(journal_file(folder)) as journal:
        own = sensor(folder, journal, *onewire.METRICS)
        with onewire.on_the_bus(folder / "w1", THERMOMETER, own):
            yield driver(folder)


def test_the_kernels_text_is_understood() -> None:
    assert celsius(WELL) == 23.125
    assert celsius(WELL.replace("t=23125", "t=-1062")) == -1.062
    assert onewire.crc8(bytes.fromhex("72014b467fff0e10")) == 0x57


def test_a_text_that_is_cut_off_is_a_source_error_wherever() -> None:
    for end in range(len(WELL)):
        with pytest.raises(SourceError, match="it went away while it was read"):
            celsius(WELL[:end])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.GARBLED, f"{THERMOMETER}: wrong checksum: shorten the wires"),
        (Fault.NAN, "only zeros came: the data wire is shorted"),
        (Fault.STUCK, "85 °C, its value at power-on: its supply breaks down"),
        (Fault.SHORT, "it went away while it was read"),
    ],
)
async def test_each_fault_has_its_own_error_and_the_next_reading_works(tmp_path: Path, fault: Fault, says: str) -> None:
    async with bench(tmp_path) as one:
        switch(control_file(tmp_path), fault)
        with pytest.raises(SourceError, match=says):
            await one.read()
        switch(control_file(tmp_path), None)
        (value,) = await one.read()
        assert value == list(read_journal(journal_file(tmp_path)))[-1].values["temp_c"]


async def test_a_reader_that_waits_for_ever_is_told_and_does_not_stay(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        switch(control_file(tmp_path), Fault.NO_ANSWER)
        hasty = driver(tmp_path, timeout_s=0.1)
        with pytest.raises(SourceError, match=r"no answer within 0\.1 s: check the bus for a short"):
            await hasty.read()
        with pytest.raises(SourceError, match="hangs since an earlier reading"):
            await one.read()
        switch(control_file(tmp_path), None)
        assert await one.read()


async def test_a_thermometer_or_a_bus_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="switch 1-Wire on"):
        await driver(tmp_path).read()
    (tmp_path / "w1").mkdir()
    with pytest.raises(SourceError, match="is not on the bus: check its wires"):
        await driver(tmp_path).read()


@pytest.mark.parametrize("device", ["28-0316a2795cfz", "../../etc/passwd", "28-", "w1_bus_master1"])
def test_a_number_that_is_none_is_refused(device: str) -> None:
    with pytest.raises(ValidationError, match="is not like 28-0316a2795cff"):
        ThermometerSettings.model_validate({"driver": "ds18b20", "name": "cold-1", "device": device})
