"""What is made of registers: analogue signals, levels from distances, counters; alone and on a line with boards."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.ports import SourceError
from edge.sources.derived import PULSES_PER_S, Counter, Level, of_signal
from edge.sources.modbus_rtu import ModbusRtu, ModbusRtuSettings
from edge.sources.registers import Register, RegisterMap
from firmware_sim.board import Board
from firmware_sim.faults import Fault
from firmware_sim.journal import read_journal
from firmware_sim.layout import Cell
from tests.rtu_bus import Bus, bus


@pytest.mark.parametrize(
    ("number", "value"), [(4, 0), (12, 250), (20, 500), (3.59, None), (3.6, -12.5), (21.01, None), (0, None)]
)
def test_a_current_loop_tells_a_broken_wire(number: float, value: float | None) -> None:
    found = of_signal("4-20mA", number, (0, 500))
    assert found == (None if value is None else pytest.approx(value))


@given(st.floats(0, 500), st.sampled_from(["4-20mA", "0-10V"]), st.sampled_from([0.001, 0.01]))
def test_edge_and_board_agree_on_signals_though_they_share_no_code(value: float, signal: str, scale: float) -> None:
    keys = {"metric": "water_level_cm", "address": 0, "scale": scale, "signal": signal, "span": (0, 500)}
    cell, register = Cell.model_validate(keys), Register.model_validate(keys)
    (word,) = cell.registers(value)
    found = register.value({("holding", 0): word})
    assert found == pytest.approx(cell.given([word]), abs=1e-3)
    assert found == pytest.approx(value, abs=500 * scale / 10)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.sampled_from([16, 32]), st.integers(0, 2**32))
def test_no_pulse_is_lost_or_counted_twice_while_a_counter_wraps(steps: list[int], bits: int, start: int) -> None:
    counter, count, now_s = Counter(bits), start % 2**bits, 0.0
    assert counter.since(count, now_s) is None
    for step in steps:
        count, now_s = (count + step) % 2**bits, now_s + 10
        assert counter.since(count, now_s) == step


@given(st.integers(0, 60_000), st.integers(0, 50))
def test_a_counter_that_began_anew_gives_what_it_counted_since(before: int, since: int) -> None:
    counter = Counter(16)
    counter.since(before, 0.0)
    assert counter.since(since, 10.0) == (since if since < before else since - before)
    assert counter.since(since + 3, 20.0) == 3


def test_a_gap_between_readings_loses_no_pulse() -> None:
    counter = Counter(16)
    counter.since(10, 0.0)
    assert counter.since(None, 10.0) is None
    assert counter.since(17, 3600.0) == 7
    assert counter.since(int(PULSES_PER_S), 3601.0) == PULSES_PER_S, "65536 - 17 + 10 pulses in a second are no wrap"


@pytest.mark.parametrize(
    ("level", "distance_cm", "value"),
    [
        ({"mounted_cm": 420}, 300, 120),
        ({"mounted_cm": 420}, 430, -10),
        ({"empty_cm": 120, "full_cm": 20}, 70, 50),
        ({"empty_cm": 120, "full_cm": 20}, 10, 100),
        ({"empty_cm": 120, "full_cm": 20}, 125, 0),
        ({"empty_cm": 120, "full_cm": 20}, None, None),
    ],
)
def test_a_distance_becomes_a_level(level: dict[str, float], distance_cm: float | None, value: float | None) -> None:
    assert Level.model_validate(level).value(distance_cm) == value


@pytest.mark.parametrize(
    ("level", "says"),
    [
        ({}, "give mounted_cm for water"),
        ({"empty_cm": 100}, "empty_cm and full_cm for a bin"),
        ({"mounted_cm": 100, "empty_cm": 100, "full_cm": 10}, "give mounted_cm for water"),
        ({"empty_cm": 10, "full_cm": 100}, "empty_cm must be more than full_cm"),
    ],
)
def test_a_level_that_cannot_be_is_refused(level: dict[str, float], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Level.model_validate(level)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"signal": "4-20mA"}, "signal and span go together"),
        ({"span": [0, 1]}, "signal and span go together"),
        ({"per_pulse": 0.2, "type": "f32"}, "a pulse counter is u16, u32 or u64"),
        ({"per_pulse": 0.2, "scale": 2}, "without signal, scale and offset"),
        ({"kind": "discrete", "type": "u32"}, "a discrete is 0 or 1"),
    ],
)
def test_a_register_that_cannot_be_is_refused(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Register.model_validate({"metric": "rain_mm", "address": 0} | keys)


def test_only_a_raw_number_may_stand_in_the_registers_of_another() -> None:
    raw, made = {"metric": "pulses", "address": 2}, {"metric": "rain_mm", "address": 2, "per_pulse": 0.2}
    assert RegisterMap.model_validate({"registers": [raw, made]}).spans(0)[0].count == 1
    twice = made | {"metric": "door_openings"}
    for wrong in ([raw, raw | {"metric": "temp_c"}], [made, twice], [raw, made | {"type": "u32"}]):
        with pytest.raises(ValidationError, match="overlap"):
            RegisterMap.model_validate({"registers": wrong})


async def reading(driver: ModbusRtu) -> dict[str, float | None]:
    return dict(zip(driver.metrics, await driver.read(), strict=True))


def last(one: Bus) -> dict[str, float | None]:
    return dict(list(read_journal(one.folder / "journal-0.jsonl"))[-1].values)


async def test_raw_and_scaled_values_of_analogue_inputs_are_those_of_the_board(tmp_path: Path) -> None:
    async with bus(tmp_path, 1, layout="analogue") as one:
        driver = one.driver()
        values = await reading(driver)
        assert values.pop("sim_n") == 1
        assert values == pytest.approx(last(one), abs=1e-3)
        assert values["water_level_cm"] == pytest.approx((values["loop_ma"] or 0) * 500 / 16 - 125, abs=1e-3)
        await driver.close()


@pytest.mark.parametrize(
    ("level", "metric"), [({"mounted_cm": 900}, "water_level_cm"), ({"empty_cm": 1400, "full_cm": 30}, "bin_fill_pct")]
)
async def test_an_ultrasonic_sensor_gives_distance_and_level(tmp_path: Path, level: Any, metric: str) -> None:
    async with bus(tmp_path, 1, layout="ultrasonic") as one:
        driver = one.driver(level=level)
        values = await reading(driver)
        distance_cm = last(one)["distance_cm"]
        assert distance_cm is not None
        assert values["distance_cm"] == distance_cm
        made = 900 - distance_cm if "mounted_cm" in level else 100 * (1400 - distance_cm) / 1370
        assert values[metric] == pytest.approx(made, abs=0.01)
        one.switch(1, Fault.NAN)
        values = await reading(driver)
        assert (values["distance_cm"], values[metric]) == (None, None)
        await driver.close()


def test_a_level_needs_a_distance() -> None:
    keys = {"driver": "modbus-rtu", "name": "bin-1", "port": "/dev/ttyUSB0", "level": {"mounted_cm": 900}}
    with pytest.raises(ValidationError, match="level makes water_level_cm of distance_cm: the map needs the one"):
        ModbusRtuSettings.model_validate(keys | {"registers": [{"metric": "temp_c", "address": 0}]})


CONTACT = {"metric": "door_open", "address": 1, "kind": "discrete"}


def counted(board: Board) -> tuple[int, int]:
    return board.counts[2], board.counts[3]


async def test_rain_and_doors_are_counted_over_wraps_and_restarts(tmp_path: Path) -> None:
    async with bus(tmp_path, 1, layout="counters") as one:
        driver, (board,) = one.driver(), one.boards
        board.counts.update({2: 65_530, 3: 2**32 - 3})
        first = await reading(driver)
        assert (first["rain_mm"], first["door_openings"]) == (None, None)
        assert first["pulses"] == board.counts[2]
        board.counts.update({2: 4, 3: 5})
        before = counted(board)
        values = await reading(driver)
        gone = counted(board)
        wrapped = gone[0] + 65_536 - (first["pulses"] or 0)
        assert values["rain_mm"] == pytest.approx(0.2 * wrapped)
        assert values["pulses"] == gone[0] >= before[0]
        board.counts.update({2: 40_000})
        await reading(driver)
        one.switch(1, Fault.RESET)
        with pytest.raises(SourceError):
            await driver.read()
        one.switch(1, None)
        board.counts[2] = 3
        values = await reading(driver)
        assert board.counts[2] < 40_000
        assert values["rain_mm"] == pytest.approx(0.2 * board.counts[2]) != 0
        await driver.close()


async def test_a_doors_contact_is_an_input(tmp_path: Path) -> None:
    async with bus(tmp_path, 1, layout="counters") as one:
        driver = one.driver()
        values = await reading(driver)
        assert values["door_open"] == one.boards[0].values["door_open"]
        one.boards[0].values["door_open"] = 1 - (values["door_open"] or 0)
        assert (await one.driver(map=None, registers=[CONTACT]).read()) == (one.boards[0].values["door_open"],)
        await driver.close()
