"""The clocks of `kewang bench field` are what they are said to be, and its judge calls a wrong date wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.journal import Given
from kewang.bench.field_machine import Machine, build_library
from kewang.bench.field_stories import LIE_S, STORIES, Kind
from kewang.bench.field_truth import judge
from kewang.bench.process import PartFailed
from kewang.bench.stored import SYNCHRONISED, StoredPoint
from kewang.runtime.clock import boot_id
from tests.lacking import lacking

LIMIT_S = 30.0
LOOK = """
import sys, time
from kewang.runtime.clock import SystemClock, boot_id
clock = SystemClock()
for _ in sys.stdin:
    print(boot_id(), clock.mono_ms(), clock.wall_ms() - int(sys.argv[1]), clock.synchronised(), flush=True)
"""
YEAR_S = 31_536_000
T0_MS = 1_785_000_000_000
LIE_MS = int(1000 * LIE_S)
OLD = "date: older than what is kept"
AHEAD = "date: ahead of the gateway's clock"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "machine", build_library(tmp_path))
    try:
        made.check()
    except PartFailed as error:
        lacking(str(error))
    return made


def test_a_program_sees_the_clock_of_its_machine_while_it_runs(machine: Machine) -> None:
    words = machine.command([sys.executable, "-c", LOOK, str(machine_ms())])
    seen = []
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as program:
        assert program.stdin
        assert program.stdout
        for offset_s, kept in ((3 * YEAR_S, False), (0, True), (-3600, False)):
            machine.serve(offset_s) if kept else machine.set(offset_s)
            program.stdin.write("look\n")
            boot, mono_ms, wall_ms, synchronised = program.stdout.readline().split()
            assert 0 <= int(mono_ms) < 1000 * LIMIT_S
            assert 0 <= int(wall_ms) - 1000 * offset_s < 1000 * LIMIT_S
            assert synchronised == str(kept)
            seen.append(boot)
        program.stdin.close()
    machine.boot()
    words = machine.command([sys.executable, "-c", LOOK, "0"])
    again = subprocess.run(words, input="look\n", capture_output=True, text=True, check=True)
    assert len({*seen, again.stdout.split()[0], boot_id()}) == 3


def machine_ms() -> int:
    """Unix ms by the clock of this machine, whatever another one says."""
    told = subprocess.run(["date", "+%s%3N"], capture_output=True, check=True)
    return int(told.stdout)


def point(number: int, error_ms: int, quality: int = SYNCHRONISED, reason: str | None = None) -> StoredPoint:
    """A reading given out a second after the one before, dated so far from that."""
    return StoredPoint("kali-1", "env-1", number, T0_MS + 1000 * number + error_ms, {}, (), reason, quality)


def kind_of(made: StoredPoint) -> Kind:
    given = {made.number: Given(made.number, T0_MS + 1000 * made.number, {})}
    (kind,) = judge([made], given).kinds
    return kind


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (point(1, 40), Kind.RIGHT),
        (point(1, -9_000, 1), Kind.RIGHT),
        (point(1, 40, reason=AHEAD), Kind.WRONG),
        (point(1, 60_000), Kind.WRONG),
        (point(1, -60_000, 1), Kind.WRONG),
        (point(1, 1000 * YEAR_S), Kind.WRONG),
        (point(1, LIE_MS + 40, reason=AHEAD), Kind.AHEAD),
        (point(1, LIE_MS + 40), Kind.WRONG),
        (point(1, -LIE_MS), Kind.BEHIND),
        (point(1, -600_000, 0), Kind.CHAINED),
        (point(1, 500, 0), Kind.WRONG),
        (point(1, 946_684_800_000 - T0_MS, 0, OLD), Kind.NO_DATE),
        (point(1, 946_684_800_000 - T0_MS, 2, OLD), Kind.WRONG),
    ],
)
def test_what_a_date_is_called(made: StoredPoint, kind: Kind) -> None:
    assert kind_of(made) is kind


def test_chained_dates_lie_in_order_between_those_that_are_known() -> None:
    given = {number: Given(number, T0_MS + 1000 * number, {}) for number in range(1, 5)}
    well = [point(1, 0), point(2, -900, 0), point(3, -1500, 0), point(4, 0)]
    assert judge(well, given).failed == []
    assert judge([point(1, 0), point(2, -300, 0), point(3, -1400, 0), point(4, 0)], given).failed
    assert judge([point(1, 0), point(2, -1000, 0), point(3, -1500, 0), point(4, 0)], given).failed
    assert judge([point(1, 0), point(2, -900, 0), point(3, -500, 0), point(4, -1600)], given).failed


def test_a_story_wants_all_its_kinds_and_days() -> None:
    given = {1: Given(1, T0_MS + 1000, {})}
    told = judge([point(1, 0, 1)], given)
    assert told.held_against(STORIES["no-time"]) == []
    assert len(told.held_against(STORIES["steps"])) == 1
    assert len(told.held_against(STORIES["cuts"])) == 2
    assert any("2028-02-29" in text for text in told.held_against(STORIES["calendar"]))
