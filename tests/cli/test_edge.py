"""`kewang edge`: what is wrong is told before a start; how a box that runs is doing, in its log and status."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import docs.generate as generate
from edge.settings import read_settings
from kewang.bench.parts import Mosquitto
from kewang.bench.process import wait_for
from kewang.runtime.settings import SettingsError
from tests.cli.commands import LIMIT_S, kewang
from tests.unprivileged import unprivileged

SENSOR = """
[[sources]]
driver = "modbus-tcp"
name = "env-1"
host = "10.0.0.5"
registers = [{ metric = "temp_c", address = 0 }]
"""
POWER = '[power]\nsource = "env-1"\nlevels = [{ below = 12.4, stretch = 2 }]\n'
RESTING = """
device = "kotak-1"
clock = "untrusted"
[broker]
host = "127.0.0.1"
port = {port}
[outbox]
path = "outbox.db"
profile = "card"
[power]
source = "box"
metric = "mem_pct"
levels = [{{ below = 101, stretch = 6 }}]
"""
"""The memory of a machine is never so full: saved from the first reading on."""


@pytest.mark.parametrize("words", [("check",), ("run", "--check"), ("run",)])
def test_a_battery_of_which_its_source_says_nothing_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f'device = "kotak-1"\n[outbox]\npath = "outbox.db"\n{POWER}{SENSOR}')
    done = kewang("edge", *words, "-c", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "power.metric: source env-1 reads no supply_v: it reads temp_c, " in done.stderr


@pytest.mark.parametrize(
    ("outbox", "says"),
    [
        ('profile = "card"\nflush_s = 10\nflush_rows = 30', ["flush_s = 10 overrides card (300 s): take it out"]),
        ('profile = "card"\nflush_rows = 30', ["flush_rows = 30 overrides card (300 rows): take it out"]),
        ('profile = "card"\nflush_s = 300', []),
        ("flush_s = 100", []),
    ],
)
def test_what_takes_a_profile_its_effect_is_told(tmp_path: Path, outbox: str, says: list[str]) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f'device = "kotak-1"\n[outbox]\n{outbox}\n')
    done = kewang("edge", "check", "-c", str(file))
    assert done.returncode == 0, done.stderr
    assert all(each in done.stdout for each in says)
    assert ("overrides" in done.stdout) == bool(says)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: sockets have short names."""
    with tempfile.TemporaryDirectory(prefix="kw-") as made:
        yield Path(made)


def test_a_box_that_saves_card_and_battery_says_so(folder: Path, tmp_path: Path) -> None:
    """In its log that it started, connected and has no time; in its status the battery, and what is in memory."""
    with Mosquitto(tmp_path / "broker") as broker:
        file = folder / "edge.toml"
        file.write_text(RESTING.format(port=broker.port))
        command = [sys.executable, "-c", "from kewang.cli import main; main()", "edge", "run", "-c", str(file)]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as agent:
            try:
                status = until_told(file, "times its period")
                logged = (folder / "log").read_text()
            finally:
                agent.send_signal(signal.SIGTERM)
    assert "profile   card: to the disk every 300 s" in status
    assert "power     mem_pct " in status
    assert ": every source at 6 times its period" in status
    assert " rows in memory; outbox " in status
    assert "INFO    edge.service: device kotak-1 reads box; profile card" in logged
    assert f"INFO    edge.uplink: connected to 127.0.0.1:{broker.port}" in logged
    assert logged.count("clock not synchronised: readings wait for network time") == 1


def until_told(file: Path, text: str) -> str:
    """The status once it says `text` of an agent that is connected."""
    told: list[str] = []

    def says() -> bool:
        told.append(kewang("edge", "status", "-c", str(file)).stdout)
        return text in told[-1] and "NOT CONNECTED" not in told[-1]

    wait_for(says, LIMIT_S)
    return told[-1]


def test_a_settings_file_of_another_user_says_as_whom_to_read_it(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.touch()
    with unprivileged(file), pytest.raises(SettingsError, match="Permission denied: run it as the file's user: sudo"):
        read_settings(file)


def test_no_command_refuses_a_settings_file_before_it_is_read() -> None:
    """The library's own refusal has no next step."""
    options: list[Any] = [each for command in generate.programs().values() for each in command.params]
    asked = [option.type_descriptor.parameter_info.readable for option in options if "--config" in option.opts]
    assert len(asked) > 10
    assert not any(asked)
