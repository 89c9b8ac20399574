"""Incidents and their timelines are kept over a restart, once each, and the oldest are forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.chronicle import Chronicle
from gateway.incidents.model import Acknowledged, Change, Incident, Scope

T = 1_785_000_000.0


@pytest.fixture
def chronicle(tmp_path: Path) -> Iterator[Chronicle]:
    made = Chronicle(tmp_path / "gateway.db")
    yield made
    made.close()


def incident(number: int = 1, ended_s: float | None = None) -> Incident:
    return Incident(
        number,
        "outage",
        Scope("site", "mardika"),
        "critical",
        T,
        T + 95,
        {"amb-1": T, "amb-2": T + 3},
        {"amb-1": T + 500},
        {"mardika"},
        {"power": 1},
        "power",
        acknowledged=Acknowledged("ina", T + 200, "seen"),
        ended_s=ended_s,
        stragglers=("amb-2",),
    )


def test_what_was_written_comes_back_after_a_restart(chronicle: Chronicle, tmp_path: Path) -> None:
    opened = Change("opened", incident(), T + 95)
    for _ in range(2):
        chronicle.write([opened, Change("acknowledged", incident(), T + 200, {"by": "ina"})], [incident()], T + 1)
    chronicle.close()
    again = Chronicle(tmp_path / "gateway.db")
    found = again.one(1)
    again.close()
    assert found is not None
    assert found[0] == incident()
    assert [(step.what, step.at_s, step.why, step.devices, step.back) for step in found[1]] == [
        ("opened", T + 95, {}, 2, 1),
        ("acknowledged", T + 200, {"by": "ina"}, 2, 1),
    ]


def test_open_ones_first_then_the_newest(chronicle: Chronicle) -> None:
    changes = [Change("opened", incident(number, T + 900 if number % 2 else None), T) for number in range(1, 7)]
    chronicle.write(changes, [], T + 1)
    assert [one.number for one in chronicle.incidents()] == [6, 4, 2, 5, 3, 1]
    assert [one.number for one in chronicle.incidents(open_only=True)] == [6, 4, 2]
    assert [one.number for one in chronicle.incidents(limit=4)] == [6, 4, 2, 5]
    assert chronicle.one(99) is None


def test_an_open_incident_that_changes_is_kept_as_it_is_now(chronicle: Chronicle) -> None:
    chronicle.write([Change("opened", incident(), T)], [incident()], T + 1)
    grown = incident()
    grown.devices["amb-3"] = T + 9
    chronicle.write([], [grown], T + 1)
    found = chronicle.one(1)
    assert found is not None
    assert (set(found[0].devices), len(found[1])) == ({"amb-1", "amb-2", "amb-3"}, 1)


def test_the_oldest_that_are_over_are_forgotten(tmp_path: Path) -> None:
    changes = [Change("opened", incident(number, None if number == 1 else T), T) for number in range(1, 9)]
    with closing(Chronicle(tmp_path / "incidents.db", kept=3)) as chronicle:
        chronicle.write(changes, [], T + 1)
        assert [one.number for one in chronicle.incidents()] == [1, 8, 7, 6]
        assert chronicle.one(2) is None


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"no database at all" * 400)
    made = Chronicle(path)
    made.write([Change("opened", incident(), T)], [], T + 1)
    made.close()
    assert [one.name for one in tmp_path.glob("*damaged*")]


def test_an_open_incident_that_nobody_speaks_of_any_more_is_over(chronicle: Chronicle) -> None:
    chronicle.write([Change("opened", incident(1), T)], [incident(1), incident(2)], T + 1)
    chronicle.write([], [incident(2)], T + 50)
    assert [(one.number, one.ended_s) for one in chronicle.incidents()] == [(2, None), (1, T + 50)]
