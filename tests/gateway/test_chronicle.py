"""Incidents and their timelines are kept over a restart, once each, and the oldest are forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chronicle import UNTOLD_S, Chronicle
from gateway.incidents.facts import facts_of
from gateway.incidents.model import Acknowledged, Change, Incident, Scope
from gateway.notify.outbox_file import OutboxRefused
from gateway.turns import Turn, row_of, turn_of
from kewang.wire.placement import Place
from kewang.wire.roster import Roster

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


def turns(*changes: Change) -> list[Turn]:
    """One in which all of them are told."""
    return [Turn(T + 1, changes)]


def test_what_was_written_comes_back_after_a_restart(chronicle: Chronicle, tmp_path: Path) -> None:
    opened = Change("opened", incident(), T + 95)
    for _ in range(2):
        taken = Change("acknowledged", incident(), T + 200, {"by": "ina"})
        chronicle.write(turns(opened, taken), [incident()], T + 1)
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
    chronicle.write(turns(*changes), [], T + 1)
    assert [one.number for one in chronicle.incidents()] == [6, 4, 2, 5, 3, 1]
    assert [one.number for one in chronicle.incidents(open_only=True)] == [6, 4, 2]
    assert [one.number for one in chronicle.incidents(limit=4)] == [6, 4, 2, 5]
    assert chronicle.one(99) is None


def test_an_open_incident_that_changes_is_kept_as_it_is_now(chronicle: Chronicle) -> None:
    chronicle.write(turns(Change("opened", incident(), T)), [incident()], T + 1)
    grown = incident()
    grown.devices["amb-3"] = T + 9
    chronicle.write([], [grown], T + 1)
    found = chronicle.one(1)
    assert found is not None
    assert (set(found[0].devices), len(found[1])) == ({"amb-1", "amb-2", "amb-3"}, 1)


def test_the_oldest_that_are_over_are_forgotten(tmp_path: Path) -> None:
    changes = [Change("opened", incident(number, None if number == 1 else T), T) for number in range(1, 9)]
    with closing(Chronicle(tmp_path / "incidents.db", kept=3)) as chronicle:
        chronicle.write(turns(*changes), [], T + 1)
        assert [one.number for one in chronicle.incidents()] == [1, 8, 7, 6]
        assert chronicle.one(2) is None


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"no database at all" * 400)
    made = Chronicle(path)
    made.write(turns(Change("opened", incident(), T)), [], T + 1)
    made.close()
    assert [one.name for one in tmp_path.glob("*damaged*")]


def test_an_open_incident_that_nobody_speaks_of_any_more_is_over(chronicle: Chronicle) -> None:
    chronicle.write(turns(Change("opened", incident(1), T)), [incident(1), incident(2)], T + 1)
    chronicle.write([], [incident(2)], T + 50)
    assert [(one.number, one.ended_s) for one in chronicle.incidents()] == [(2, None), (1, T + 50)]


HERE = Place.model_validate({"from": 0, "site": "mardika", "lat": -3.7, "lon": 128.2, "sources": ("env-1",)})
AWAY = Place.model_validate({"from": 9, "site": "gong", "uplink": "fo-1", "feeder": "pln-2", "link": "cellular"})
CHANGES = st.builds(
    Change,
    st.sampled_from(["opened", "worsened", "cause", "acknowledged", "resolved"]),
    st.builds(incident, st.integers(1, 10**6), st.none() | st.floats(0, 2e9)),
    st.floats(0, 2e9),
    st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=2),
)


@given(
    st.builds(
        Turn,
        st.floats(0, 2e9),
        st.lists(CHANGES, max_size=2).map(tuple),
        st.dictionaries(st.sampled_from(["amb-1", "amb-2"]), st.sampled_from([None, HERE, AWAY])),
        st.booleans(),
        st.lists(st.builds(incident, st.integers(1, 10**6)), max_size=2).map(tuple),
        st.sampled_from([None, Roster(time_zone="Asia/Jayapura", districts={"mardika": "sirimau"})]),
        st.booleans(),
        st.none() | st.floats(0, 2e9),
    )
)
def test_a_turn_is_kept_whole(turn: Turn) -> None:
    assert turn_of(*row_of(turn)) == turn


def test_turns_come_back_in_order_and_the_oldest_are_forgotten(tmp_path: Path) -> None:
    told = [Turn(T + n, (Change("opened", incident(n), T),)) for n in range(1, 10)]
    with closing(Chronicle(tmp_path / "incidents.db", kept_turns=4)) as chronicle:
        assert chronicle.write([], [], T) == 0
        assert chronicle.write(told, [], T + 9) == 9
        assert list(chronicle.turns()) == list(zip(range(6, 10), told[5:], strict=True))
        assert next(chronicle.turns(after=7)) == (8, told[7])


def test_turns_are_kept_up_to_so_many_bytes(tmp_path: Path) -> None:
    told = [Turn(T + n, (Change("opened", incident(n), T),)) for n in range(1, 10)]
    each_bytes = len(row_of(told[0])[2])
    with closing(Chronicle(tmp_path / "incidents.db", kept_turn_bytes=round(3.5 * each_bytes))) as chronicle:
        chronicle.write(told, [], T + 9)
        assert len(list(chronicle.turns())) == 9
        chronicle.write([Turn(T + 10, whole=True)], [], T + 10)
        assert [number for number, _ in chronicle.turns()] == [7, 8, 9, 10]
        assert chronicle.whole_s() == T + 10


def test_what_nobody_was_told_of_before_a_kill_is_taken_back(chronicle: Chronicle) -> None:
    first, second = Change("opened", incident(), T), Change("worsened", incident(), T + 50)
    told = chronicle.write(turns(first), [incident()], T + 1)
    chronicle.write([Turn(T + 51, (second,))], [incident()], T + 51)
    chronicle.untold(told, T - UNTOLD_S)  # an older copy of the other file: this was told
    assert len(list(chronicle.turns())) == 2
    chronicle.untold(told, T + 1)
    assert [turn.changes for _, turn in chronicle.turns()] == [(first,)]
    found = chronicle.one(1)
    assert found is not None
    assert [step.what for step in found[1]] == ["opened"]


def test_places_are_those_told_last(chronicle: Chronicle) -> None:
    chronicle.write([Turn(T, places={"amb-9": AWAY}), Turn(T, places={"amb-1": HERE}, whole=True)], [], T)
    chronicle.write([Turn(T, places={"amb-2": AWAY, "amb-1": None}), Turn(T, places={"amb-3": HERE})], [], T)
    assert chronicle.places() == {"amb-2": AWAY, "amb-3": HERE}


def test_a_turn_that_can_not_be_read_is_passed_over(chronicle: Chronicle, caplog: pytest.LogCaptureFixture) -> None:
    chronicle.write([Turn(T, places={"amb-1": HERE}), Turn(T, places={"amb-2": HERE})], [], T)
    chronicle._db.execute("UPDATE turn SET content = x'00' WHERE id = 1")
    assert chronicle.places() == {"amb-2": HERE}
    assert [number for number, _ in chronicle.turns()] == [2]
    assert "can't be read" in caplog.text


def test_a_file_of_an_older_gateway_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "CREATE TABLE incident (number INTEGER PRIMARY KEY, opened_s REAL NOT NULL, ended_s REAL, facts TEXT NOT "
            "NULL); CREATE TABLE change (number INTEGER NOT NULL, at_s REAL NOT NULL, what TEXT NOT NULL, why TEXT NOT "
            "NULL, devices INTEGER NOT NULL, back INTEGER NOT NULL, PRIMARY KEY (number, at_s, what)) WITHOUT ROWID;"
        )
        old.execute("INSERT INTO incident VALUES (1, ?, NULL, ?)", (T, json.dumps(facts_of(incident()))))
        old.execute("INSERT INTO change VALUES (1, ?, 'opened', '{}', 2, 0)", (T,))
        old.commit()
    with closing(Chronicle(path, read_only=True)) as before:
        assert (list(before.turns()), before.incidents(), before.windows()) == ([], [incident()], [])
    with closing(Chronicle(path)) as now:
        now.write(turns(Change("resolved", incident(), T + 9)), [], T + 9)
        found = now.one(1)
        assert found is not None
        assert [step.what for step in found[1]] == ["opened", "resolved"]
        assert len(list(now.turns())) == 1


def test_a_file_of_a_newer_gateway_is_left_alone(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle._db.execute("PRAGMA user_version = 99")
    for read_only in (True, False):
        with pytest.raises(OutboxRefused, match="upgrade"):
            Chronicle(tmp_path / "gateway.db", read_only=read_only)


def test_commands_read_beside_a_gateway_that_writes(chronicle: Chronicle, tmp_path: Path) -> None:
    with closing(Chronicle(tmp_path / "gateway.db", read_only=True)) as reading:
        chronicle.write(turns(Change("opened", incident(), T)), [incident()], T + 1)
        assert reading.incidents() == [incident()]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reading.write([], [], T + 2)


def test_a_broken_page_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    with closing(Chronicle(path)) as made:
        made.write([Turn(T + n, (Change("opened", incident(n), T),)) for n in range(200)], [], T)
    pages = bytearray(path.read_bytes())
    pages[4096 * 2 : 4096 * 12] = b"\xff" * 4096 * 10
    path.write_bytes(pages)
    with closing(Chronicle(path)) as made:
        assert list(made.turns()) == []
    assert [one.name for one in tmp_path.glob("*damaged*")]


def test_a_storm_of_1000_devices_fits_into_some_kilobytes_a_turn() -> None:
    dark = incident()
    dark.devices = {f"amb-box-{n}": T + n * 0.0371 for n in range(1000)}
    dark.back = {f"amb-box-{n}": T + 900 + n * 0.0533 for n in range(1000)}
    assert len(row_of(Turn(T, (Change("resolved", dark, T),)))[2]) < 25_000
