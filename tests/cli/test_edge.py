"""`kewang edge check`: what is wrong is told before the box is started, and what a box pays for its profile."""

from pathlib import Path

import pytest

from tests.cli.commands import kewang

SENSOR = """
[[sources]]
driver = "modbus-tcp"
name = "env-1"
host = "10.0.0.5"
registers = [{ metric = "temp_c", address = 0 }]
"""
POWER = '[power]\nsource = "env-1"\nlevels = [{ below = 12.4, stretch = 2 }]\n'


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
