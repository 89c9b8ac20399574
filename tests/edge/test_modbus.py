"""Modbus: numbers in registers, requests, and every way a bus can go wrong, against the simulated board over TCP."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ports import SourceError
from edge.sources.modbus import ModbusTcp, ModbusTcpSettings
from edge.sources.registers import MAX_SPAN, Kind, Register, RegisterMap, Span, tidy, unpack
from firmware_sim.board import Board, serving
from firmware_sim.faults import Fault, Faults, switch
from firmware_sim.journal import Given, Journal, read_journal
from firmware_sim.layout import Cell, map_file, read_layout
from firmware_sim.signals import Signals

TYPES = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "f32": "f", "u64": "Q", "s64": "q", "f64": "d"}
LIMIT_S = 30.0
"""Nothing here waits for so long: where a limit must pass, the loop's clock is put forward."""


def number_of(kind: str) -> st.SearchStrategy[float]:
    if kind in ("f32", "f64"):
        return st.floats(width=32 if kind == "f32" else 64, allow_nan=False)
    bits = 8 * struct.calcsize(">" + TYPES[kind])
    return st.integers(0, 2**bits - 1) if kind[0] == "u" else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


TYPED = st.sampled_from(sorted(TYPES)).flatmap(lambda kind: st.tuples(st.just(kind), number_of(kind)))


@given(TYPED, st.sampled_from(["big", "little"]))
def test_a_number_comes_out_of_its_registers_as_it_went_in(typed: tuple[str, float], word_order: str) -> None:
    kind, number = typed
    packed = struct.pack(">" + TYPES[kind], number)
    words = list(struct.unpack(f">{len(packed) // 2}H", packed))
    assert unpack(words if word_order == "big" else words[::-1], kind, word_order) == number


@given(
    TYPED,
    st.sampled_from(["big", "little"]),
    st.sampled_from([1.0, 0.1, 0.01, 0.5, 10.0, -1.0]),
    st.sampled_from([0.0, -40.0, 273.15]),
)
def test_edge_and_board_read_the_same_value_though_they_share_no_code(
    typed: tuple[str, float], word_order: str, scale: float, offset: float
) -> None:
    kind, number = typed
    keys = {"metric": "temp_c", "address": 7, "type": kind, "word_order": word_order, "scale": scale, "offset": offset}
    cell, register = Cell.model_validate(keys), Register.model_validate(keys)
    packed = struct.pack(">" + TYPES[kind], number)
    words = list(struct.unpack(f">{len(packed) // 2}H", packed))
    held: dict[tuple[Kind, int], int] = {("holding", 7 + i): word for i, word in enumerate(words)}
    assert register.value(held) == cell.given(words)


@given(st.floats(-1e6, 1e6), st.integers(0, 5))
def test_tidy_moves_a_value_by_less_than_its_last_digit(number: float, decimals: int) -> None:
    assert abs(tidy(number, decimals) - number) <= 0.5000001 * 10**-decimals
    assert isinstance(tidy(float(int(number)), decimals), int)


def a_map(*cells: tuple[int, str, Kind]) -> RegisterMap:
    metrics = ("temp_c", "rh_pct", "pm1_ugm3", "pm25_ugm3", "noise_dba")
    return RegisterMap.model_validate(
        {
            "registers": [
                {"metric": metric, "address": address, "type": kind, "kind": where}
                for metric, (address, kind, where) in zip(metrics, cells, strict=False)
            ]
        }
    )


@pytest.mark.parametrize(
    ("cells", "bridge", "spans"),
    [
        ([(0, "u16", "holding"), (1, "f32", "holding")], 0, [Span("holding", 0, 3)]),
        ([(1, "f32", "holding"), (0, "u16", "holding")], 0, [Span("holding", 0, 3)]),
        ([(0, "u16", "holding"), (2, "u16", "holding")], 0, [Span("holding", 0, 1), Span("holding", 2, 1)]),
        ([(0, "u16", "holding"), (5, "u16", "holding")], 4, [Span("holding", 0, 6)]),
        ([(0, "u16", "holding"), (6, "u16", "holding")], 4, [Span("holding", 0, 1), Span("holding", 6, 1)]),
        ([(0, "u16", "holding"), (1, "u16", "input")], 4, [Span("holding", 0, 1), Span("input", 1, 1)]),
        ([(0, "u16", "holding"), (100, "u16", "holding"), (124, "u16", "holding")], 100, [Span("holding", 0, 125)]),
        (
            [(0, "u16", "holding"), (100, "u16", "holding"), (124, "u32", "holding")],
            100,
            [Span("holding", 0, 101), Span("holding", 124, 2)],
        ),
    ],
)
def test_registers_that_lie_together_are_one_request(
    cells: list[tuple[int, str, Kind]], bridge: int, spans: list[Span]
) -> None:
    assert a_map(*cells).spans(bridge) == spans
    assert all(span.count <= MAX_SPAN for span in spans)


class Bench:
    """A board, its journal, its faults, and the driver that reads it."""

    def __init__(self, folder: Path, board: Board, driver: ModbusTcp, port: int) -> None:
        self.journal_file, self.control = folder / "journal.jsonl", folder / "control.json"
        self.board, self.driver, self.port = board, driver, port

    def switch(self, fault: Fault | None) -> None:
        switch(self.control, fault)

    def last_given(self) -> Given:
        return list(read_journal(self.journal_file))[-1]

    async def until_the_board_has_said_all(self) -> None:
        """It was asked, and what it says of the answer is on its way."""
        while self.board.fault is Fault.NONE:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def bench(folder: Path, name: str = "market-env", port: int = 0) -> AsyncIterator[Bench]:
    layout = read_layout(map_file(name))
    with Journal(folder / "journal.jsonl") as journal:
        board = Board(layout, Signals(5), journal, faults=Faults(control=folder / "control.json"))
        async with serving([board], port=port) as listening:
            driver = ModbusTcp(new_settings(listening, map_file(name)))
            yield Bench(folder, board, driver, listening)
            await driver.close()


def new_settings(port: int, file: Path, limit_s: float = LIMIT_S, **keys: Any) -> ModbusTcpSettings:
    base = {"driver": "modbus-tcp", "name": "env-1", "host": "127.0.0.1", "port": port, "map": file}
    return ModbusTcpSettings.model_validate(base | {"timeout_s": limit_s} | keys)


@pytest.mark.parametrize("name", ["market-env", "bin", "river"])
async def test_the_journal_holds_what_the_driver_read_value_by_value(tmp_path: Path, name: str) -> None:
    async with bench(tmp_path, name) as one:
        faults = [None, Fault.OUT_OF_RANGE, Fault.STUCK, Fault.WORD_ORDER, Fault.NAN, None]
        for number, fault in enumerate(faults, start=1):
            one.switch(fault)
            values = dict(zip(one.driver.metrics, await one.driver.read(), strict=True))
            assert values.pop("sim_n") == number
            assert values == one.last_given().values
        assert [given.number for given in read_journal(one.journal_file)] == list(range(1, len(faults) + 1))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.NO_ANSWER, r"no answer within 30 s: check power"),
        (Fault.EXCEPTION, r"10 holding registers from 0: exception code 4, device failure"),
        (Fault.SHORT, r"short frame of 11 bytes"),
        (Fault.GARBLED, r"garbled answer"),
        (Fault.RESET, r"connection closed by the device"),
    ],
)
async def test_each_fault_has_its_own_error_and_the_next_reading_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, says: str
) -> None:
    """Nobody cancels: a board that hangs fails at its own limit."""
    async with bench(tmp_path) as one:
        first = await one.driver.read()
        one.switch(fault)
        reading = asyncio.create_task(one.driver.read())
        if fault in (Fault.NO_ANSWER, Fault.SHORT):
            await one.until_the_board_has_said_all()
            monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.monotonic() + LIMIT_S)
        with pytest.raises(SourceError, match=says) as raised:
            await reading
        assert str(raised.value).startswith(f"unit 1 at 127.0.0.1:{one.port}: ")
        one.switch(None)
        assert (first[0], (await one.driver.read())[0]) == (1, 3)
        assert [given.number for given in read_journal(one.journal_file)] == [1, 3]


async def test_a_register_that_is_not_a_number_is_no_value_and_keeps_its_row(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.switch(Fault.NAN)
        values = dict(zip(one.driver.metrics, await one.driver.read(), strict=True))
        assert values["sim_n"] == 1
        assert values["temp_c"] is not None
        assert values["pm25_ugm3"] is None


async def test_a_value_out_of_range_is_passed_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.switch(Fault.OUT_OF_RANGE)
        values = dict(zip(one.driver.metrics, await one.driver.read(), strict=True))
        assert values["rh_pct"] == 151


async def test_it_finds_a_board_that_was_away(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        assert (await one.driver.read())[0] == 1
        port = one.port
    driver = ModbusTcp(new_settings(port, map_file("market-env")))
    with pytest.raises(SourceError, match="no connection: check that it has power"):
        await driver.read()
    async with bench(tmp_path, port=port):
        assert (await driver.read())[0] == 2
    with pytest.raises(SourceError):
        await driver.read()
    async with bench(tmp_path, port=port):
        assert (await driver.read())[0] == 3
        await driver.close()


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"map": None, "registers": [{"metric": "temp_c", "address": 0, "kind": "input"}]}, 1),
        ({"map": None, "registers": [{"metric": "temp_c", "address": 9, "type": "u32"}]}, 2),
        ({"unit": 9}, 4),
    ],
    ids=["other kind", "beyond the block", "other unit"],
)
async def test_a_map_that_does_not_fit_the_board_names_the_exception(
    tmp_path: Path, keys: dict[str, Any], code: int
) -> None:
    async with bench(tmp_path) as one:
        driver = ModbusTcp(new_settings(one.port, map_file("market-env"), **keys))
        with pytest.raises(SourceError, match=rf"exception code {code}, "):
            await driver.read()
        await driver.close()


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """Something that answers every request at a port with `answer(request)`, and is no Modbus device."""

    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while request := await reader.read(300):
                writer.write(answer(request))
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.get_running_loop().create_task(talk(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*talks)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_from_the_wire_give_a_source_error_and_nothing_else(noise: bytes) -> None:
    async def read_once() -> None:
        async with answering(lambda _: noise) as port:
            driver = ModbusTcp(new_settings(port, map_file("market-env"), 0.02))
            with pytest.raises(SourceError):
                await driver.read()
            await driver.close()

    asyncio.run(read_once())


@settings(deadline=None)
@given(st.integers(0, 30), st.binary(max_size=40), st.integers(0, 255))
def test_a_frame_with_any_body_gives_a_source_error_and_nothing_else(length: int, body: bytes, function: int) -> None:
    """The head fits the request, the rest is anything: never a value, never another exception."""

    def answer(request: bytes) -> bytes:
        frame = bytes([request[6], function]) + bytes([length]) + body
        return request[:4] + len(frame).to_bytes(2, "big") + frame

    fits = (function, length, len(body)) == (3, 20, 20)

    async def read_once() -> None:
        async with answering(answer) as port:
            driver = ModbusTcp(new_settings(port, map_file("market-env"), LIMIT_S if fits else 0.05))
            if fits:
                assert len(await driver.read()) == len(driver.metrics)
            else:
                with pytest.raises(SourceError):
                    await driver.read()
            await driver.close()

    asyncio.run(read_once())
