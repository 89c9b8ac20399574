"""The simulated board, spoken to with pymodbus' own client, and as a process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient

from firmware_sim.__main__ import main
from firmware_sim.board import Board, serving
from firmware_sim.faults import Fault, Faults, Spell, switch
from firmware_sim.journal import Journal, read_journal
from firmware_sim.layout import map_file, read_layout
from firmware_sim.signals import Signals

MARKET = map_file("market-env")


async def registers_of(port: int, address: int = 0, count: int = 10, unit: int = 1) -> list[int]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, reconnect_delay=0, retries=0)
    assert await client.connect()
    try:
        return list((await client.read_holding_registers(address, count=count, device_id=unit)).registers)
    finally:
        client.close()


async def test_only_a_read_that_covers_the_running_number_is_a_new_reading(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        board = Board(read_layout(MARKET), Signals(1), journal)
        async with serving([board]) as port:
            assert (await registers_of(port))[:2] == [0, 1]
            await registers_of(port, address=2, count=2)
            await registers_of(port, address=1, count=3)
            assert board.number == 1
            assert (await registers_of(port, count=3))[:2] == [0, 2]
    whole, part = read_journal(tmp_path / "j")
    assert set(whole.values) == {"temp_c", "rh_pct", "pm25_ugm3", "noise_dba", "nh3_ppm"}
    assert (part.number, set(part.values)) == (2, {"temp_c"})


async def test_several_boards_behind_one_port_keep_their_own_numbers_and_faults(tmp_path: Path) -> None:
    with Journal(tmp_path / "1") as one, Journal(tmp_path / "2") as two:
        broken = Faults((Spell(Fault.EXCEPTION, 0, 3600),))
        layout = read_layout(MARKET)
        boards = [Board(layout, Signals(1), one, unit=1, faults=broken), Board(layout, Signals(2), two, unit=2)]
        async with serving(boards) as port:
            assert await registers_of(port, unit=1) == []
            assert len(await registers_of(port, unit=2)) == 10
    assert [len(list(read_journal(tmp_path / name))) for name in "12"] == [0, 1]


async def test_a_new_start_on_the_same_journal_goes_on_counting(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        with Journal(tmp_path / "j") as journal:
            async with serving([Board(read_layout(MARKET), Signals(1), journal)]) as port:
                assert (await registers_of(port))[:2] == [0, expected]
    assert [given.number for given in read_journal(tmp_path / "j")] == [1, 2, 3]


async def test_a_stuck_board_says_the_same_while_its_number_goes_on(tmp_path: Path) -> None:
    seconds = iter(range(0, 10**6, 500))
    with Journal(tmp_path / "j") as journal:
        faults = Faults((Spell(Fault.STUCK, 900, 10_000),))
        board = Board(read_layout(MARKET), Signals(1), journal, faults=faults, now_s=lambda: float(next(seconds)))
        async with serving([board]) as port:
            for _ in range(4):
                await registers_of(port)
    free, *stuck = read_journal(tmp_path / "j")
    assert [given.number for given in (free, *stuck)] == [1, 2, 3, 4]
    assert all(given.values == free.values for given in stuck)


@contextmanager
def process(arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`python -m firmware_sim ...`, ready; killed at the end."""
    command = [sys.executable, "-m", "firmware_sim", *arguments]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        yield started, json.loads(started.stdout.readline())
    finally:
        started.kill()
        started.communicate()


async def test_what_a_killed_board_gave_out_is_in_its_journal(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    with process(["board", "--journal", str(journal), "--seed", "7"]) as (started, ready):
        for _ in range(5):
            await registers_of(ready["port"])
        os.kill(started.pid, signal.SIGKILL)
        started.wait()
    assert [given.number for given in read_journal(journal)] == [1, 2, 3, 4, 5]


async def test_one_process_serves_boards_of_several_kinds_and_stops_when_asked(tmp_path: Path) -> None:
    control = tmp_path / "control.json"
    arguments = ["board", "--boards", "3", "--map", "market-env,river", "--journal", str(tmp_path / "j.jsonl")]
    with process([*arguments, "--control", str(control)]) as (started, ready):
        assert [Path(board["map"]).stem for board in ready["boards"]] == ["market-env", "river", "market-env"]
        assert [board["seed"] for board in ready["boards"]] == [1, 2, 3]
        assert len({board["port"] for board in ready["boards"]}) == 3
        third = ready["boards"][2]
        assert main(["switch", third["control"], "exception"]) == 0
        assert await registers_of(third["port"]) == []
        assert main(["switch", third["control"], "plan"]) == 0
        assert len(await registers_of(third["port"])) == 10
        started.send_signal(signal.SIGTERM)
        assert started.wait() == 0
    assert [given.number for given in read_journal(Path(third["journal"]))] == [2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--faults", "bored@1+2"], "faults are none, no_answer"),
        (["--map", "nothing"], "nothing: No such file"),
    ],
)
def test_wrong_arguments_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["board", "--journal", str(tmp_path / "j"), *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_board_without_a_running_number_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "map.toml").write_text('[[registers]]\nmetric = "temp_c"\naddress = 1\n')
    assert main(["board", "--journal", str(tmp_path / "j"), "--map", str(tmp_path / "map.toml")]) == 2
    assert "needs a register with metric 'sim_n'" in capsys.readouterr().err


def test_a_control_file_that_is_nonsense_leaves_the_board_to_its_plan(tmp_path: Path) -> None:
    control = tmp_path / "control.json"
    faults = Faults((Spell(Fault.STUCK, 10, 5),), control)
    assert faults.at(0) is Fault.NONE
    assert faults.at(12) is Fault.STUCK
    switch(control, Fault.NAN)
    assert faults.at(12) is Fault.NAN
    for nonsense in ("", "[]", '{"fault": "bored"}', '{"fault": 3}'):
        control.with_suffix(".new").write_text(nonsense)
        control.with_suffix(".new").replace(control)
        assert faults.at(12) is Fault.STUCK
    switch(control, Fault.RESET)
    assert faults.at(0) is Fault.RESET
    control.unlink()
    assert faults.at(0) is Fault.NONE
