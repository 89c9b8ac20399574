"""The watch at work: one notice per cause, also over a restart and over a file that can't be written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.incidents.model import Scope
from gateway.incidents.watch import WatchRules
from gateway.notify.routes import QuietSettings
from gateway.ports import RetryLater
from gateway.turns import WHOLE_EVERY_S
from gateway.watched import open_watched
from gateway.watching import NOTES_A_MINUTE, WATCH
from kewang.wire.state import State
from tests.fakes import MemoryStore
from tests.gateway.watch_house import BOXES, NOTIFY, House

OPENED = "[CRITICAL] Site Mardika is not heard (#1)"
OVER = "[CRITICAL] Over: Site Mardika is not heard (#1)"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.watched.close()


async def test_a_site_that_falls_silent_is_one_notice_and_its_return_another(house: House) -> None:
    await house.live(400)
    assert house.told() == []
    house.silent = set(BOXES[:3])
    await house.live(200)
    assert house.told() == [OPENED]
    house.silent = set()
    await house.live(700)
    assert house.told() == [OPENED, OVER]
    (incident,) = house.watched.chronicle.incidents()
    assert incident.ended_s is not None
    found = house.watched.chronicle.one(incident.number)
    assert found is not None
    assert (found[1][0].what, found[1][-1].what) == ("opened", "resolved")


async def test_a_restart_in_an_incident_neither_tells_it_again_nor_forgets_its_end(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    house.restart()
    await house.live(300)
    assert house.told() == [OPENED]
    house.silent = set()
    house.restart()
    await house.live(900)
    assert house.told() == [OPENED, OVER]


async def test_what_can_not_be_kept_waits_and_is_told_once(house: House) -> None:
    await house.live(400)
    other = sqlite3.connect(house.folder / "gateway.db", isolation_level=None)
    house.watched.outbox._db.execute("PRAGMA busy_timeout = 10")
    other.execute("BEGIN IMMEDIATE")
    house.silent = set(BOXES[:3])
    await house.live(200)
    other.execute("ROLLBACK")
    other.close()
    assert house.told() == []
    await house.live(2)
    assert house.told() == [OPENED]


async def test_the_turns_are_kept_with_what_texts_need(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    house.restart()
    await house.live(60)
    turns = [turn for _, turn in house.watched.chronicle.turns()]
    assert [[change.what for change in turn.changes] for turn in turns] == [[], ["opened"], []]
    assert [(set(turn.places), turn.whole) for turn in turns] == [(set(BOXES), True), (set(), False), (set(), False)]
    assert [turn.begins for turn in turns] == [True, False, True]
    assert turns[0].last_s is None
    assert turns[2].last_s is not None
    assert turns[1].now_s <= turns[2].last_s < turns[2].now_s


async def test_after_a_restart_texts_know_places_before_anybody_has_told_them_again(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    house.watched.close()
    house.watched = open_watched(house.folder, WatchRules(), NOTIFY, house.clock)
    house.watched.watching.acknowledge(1, "ina", "")
    await house.watched.watching.turn(house.watched.watching.now_s())
    assert house.told() == [OPENED, "[CRITICAL] Taken on: Site Mardika is not heard (#1)"]


async def test_once_a_week_a_turn_holds_all_there_is(house: House) -> None:
    await house.live(400)
    house.silent = {BOXES[3]}
    await house.live(300)
    house.clock.pass_s(WHOLE_EVERY_S)
    house.restart()
    await house.live(400)
    house.silent = {BOXES[3], BOXES[0]}
    await house.live(300)
    turns = [turn for _, turn in house.watched.chronicle.turns()]
    assert [turn.whole for turn in turns] == [True, False, True, False]
    assert [[one.number for one in turn.open] for turn in turns] == [[], [], [1], []]
    assert set(turns[2].places) == set(BOXES)


async def test_after_a_kill_before_anybody_was_told_the_timeline_begins_once(house: House) -> None:
    await house.live(400)
    other = sqlite3.connect(house.folder / "gateway.db", isolation_level=None)
    house.watched.outbox._db.execute("PRAGMA busy_timeout = 10")
    other.execute("BEGIN IMMEDIATE")
    house.silent = set(BOXES[:3])
    await house.live(200)
    assert house.watched.chronicle.one(1) is not None
    other.execute("ROLLBACK")
    other.close()
    house.restart()
    await house.live(400)
    found = house.watched.chronicle.one(1)
    assert found is not None
    assert [step.what for step in found[1]] == ["opened"]
    assert house.told() == [OPENED]


async def test_an_acknowledgement_is_written_down(house: House) -> None:
    await house.live(400)
    house.silent = {BOXES[3]}
    await house.live(300)
    (number,) = house.watched.watching.open
    assert house.watched.watching.acknowledge(number, "ina", "on my way")
    assert not house.watched.watching.acknowledge(99, "ina", "")
    await house.live(1)
    found = house.watched.chronicle.one(number)
    assert found is not None
    assert found[0].acknowledged is not None
    assert (found[0].acknowledged.by, found[0].acknowledged.note) == ("ina", "on my way")


async def test_changes_are_points_for_the_boards(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    tables = list(house.watched.watching.points)
    assert {table.measurement for table in tables} == {"device_event", "incident"}
    downs = {dict(table.tags)["device"] for table in tables if table.rows[0][1] == "down"}
    assert downs == set(BOXES[:3])
    assert [table.rows[0][1] for table in tables if table.measurement == "incident"] == ["opened"]


async def test_births_name_the_cause(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    house.silent = set()
    for box in BOXES[:3]:
        birth = State.model_validate({"st": "on", "bt": "0f1e0c9a77d2", "n": 1, "why": "power"})
        house.watched.watching.born(box, birth, False)
    await house.live(700)
    (incident,) = house.watched.chronicle.incidents()
    assert incident.cause == "power"


async def test_a_database_that_is_away_is_an_incident_of_ours_and_so_is_its_end(house: House) -> None:
    await house.live(100)
    house.trouble = "no answer"
    await house.live(100)
    house.trouble = None
    await house.live(400)
    assert [subject.startswith("[CRITICAL] Over") for subject in house.told()] == [False, True]
    (incident,) = house.watched.chronicle.incidents()
    assert (incident.kind, incident.scope.level) == ("self", "gateway")


async def test_a_broker_that_is_away_is_one_incident_of_ours_and_no_outage_of_the_city(house: House) -> None:
    await house.live(400)
    house.connected, house.silent = False, set(BOXES)
    await house.live(300)
    house.connected, house.silent = True, set()
    await house.live(400)
    assert [(one.kind, one.scope.level) for one in house.watched.chronicle.incidents()] == [("self", "gateway")]
    assert [subject.startswith("[CRITICAL] Over") for subject in house.told()] == [False, True]


async def test_a_fault_of_the_watch_stops_no_reading(house: House, caplog: pytest.LogCaptureFixture) -> None:
    await house.live(10)
    watch = house.watched.watching._watch
    watch.presence = None  # type: ignore[assignment]
    for _ in range(3):
        house.watched.watching.heard(BOXES[0])
        house.watched.watching.measured(BOXES[0], "env-1", {"temp_c": 29.0})
    assert len([record for record in caplog.records if "readings go on" in record.message]) == 2


async def test_who_was_not_back_when_a_site_was_told_as_ended_ends_on_the_page_too(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    house.silent = {BOXES[0]}
    await house.live(1500)
    house.silent = set()
    await house.live(3000)
    assert [one.ended_s is None for one in house.watched.chronicle.incidents()].count(True) == 0
    assert sum("Over" in subject for subject in house.told()) == 1


async def test_a_chronicle_that_can_not_be_written_silences_no_notice(house: House) -> None:
    await house.live(400)
    house.watched.chronicle._db.execute("DROP TABLE change")
    house.silent = set(BOXES[:3])
    await house.live(200)
    assert any("Site Mardika is not heard" in subject for subject in house.told())
    assert any("its disk fills up" in subject for subject in house.told())


async def test_points_that_the_store_takes_later_or_only_in_parts_are_written(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    store, wanted = MemoryStore(), {(table.measurement, table.tags) for table in house.watched.watching.points}
    store.fail(RetryLater("busy"), 1)
    store.limit_rows = 1
    store.refuse = lambda table, _row: dict(table.tags).get("device") == BOXES[0]
    writing = asyncio.create_task(house.watched.watching.keep_writing(store))
    async with asyncio.timeout(60):
        while len(wanted - store.points.keys()) > 1:
            await asyncio.sleep(0.02)
    writing.cancel()
    await asyncio.wait([writing])
    assert writing.cancelled()
    assert wanted - store.points.keys() == {("device_event", (("device", BOXES[0]),))}


async def test_maintenance_silences_a_site_and_its_report_is_told_once_also_over_a_restart(house: House) -> None:
    await house.live(400)
    now_s = house.clock.wall_ms() / 1000
    house.watched.works.plan(Scope("site", "mardika"), None, now_s + 900, "Ina", "a new pole")
    await house.live(1)
    house.restart()
    house.silent = set(BOXES[:3])
    await house.live(500)
    assert house.told() == []
    assert house.watched.works.devices() == set(BOXES[:3])
    house.silent = {BOXES[0]}
    await house.live(400)
    report = "[WARNING] Maintenance of site Mardika is over, 1 device is not back"
    assert house.told() == [report, f"[WARNING] Device {BOXES[0]} is not heard (#1)"]
    house.restart()
    await house.live(300)
    assert len(house.told()) == 2
    (window,) = house.watched.windows(10)
    assert (window.by, window.missing, sorted(window.back)) == ("Ina", [BOXES[0]], BOXES[1:3])
    assert house.watched.works.windows == []
    again = house.watched.works.plan(Scope("site", "gong"), None, now_s + 9e5, "Ina", "")
    assert again.number == 2


async def test_numbers_of_maintenance_are_not_used_again_after_the_state_is_lost(house: House) -> None:
    now_s = house.clock.wall_ms() / 1000
    house.watched.works.plan(Scope("site", "mardika"), None, now_s + 900, "Ina", "")
    await house.live(1)
    house.watched.close()
    (house.folder / "gateway.db").unlink()
    house.open()
    assert house.watched.works.plan(Scope("site", "mardika"), None, now_s + 900, "Ina", "").number == 2
    await house.live(1)
    assert [window.number for window in house.watched.windows(10)] == [2]


async def test_a_corrected_wall_clock_moves_no_window(house: House) -> None:
    house.clock.offset_ms += 3_600_000
    wall_s = house.clock.wall_ms() / 1000
    window = house.watched.works.plan(Scope("site", "mardika"), wall_s + 60, wall_s + 120, "Ina", "")
    now_s = house.watched.watching.now_s()
    assert [window.from_s - now_s, window.until_s - now_s] == pytest.approx([60, 120])


async def test_notes_stand_in_the_timeline_and_call_nobody(house: House) -> None:
    await house.live(400)
    house.silent = {BOXES[3]}
    await house.live(300)
    watching, told = house.watched.watching, len(house.told())
    assert [watching.note(1, "ina", "asked at the site"), watching.note(1, "rudi", "no power")] == [True, True]
    assert not watching.note(99, "ina", "who?")
    house.silent = set()
    await house.live(900)
    assert watching.note(1, "ina", "the fuse was blown")
    await house.live(1)
    found = house.watched.chronicle.one(1)
    assert found is not None
    notes = [(step.why["by"], step.why["note"]) for step in found[1] if step.what == "noted"]
    assert notes == [("ina", "asked at the site"), ("rudi", "no power"), ("ina", "the fuse was blown")]
    assert len(house.told()) == told + 1
    assert [watching.note(1, "bot", "!") for _ in range(NOTES_A_MINUTE)] == [True] * (NOTES_A_MINUTE - 1) + [False]
    await house.live(60)
    assert watching.note(1, "ina", "it holds")
    assert all(change.what != "noted" for _, turn in house.watched.chronicle.turns() for change in turn.changes)


async def test_a_broker_that_came_back_while_we_did_not_run_is_believed_at_once(house: House) -> None:
    await house.live(100)
    house.connected = False
    await house.live(100)
    house.restart()
    house.connected = True
    await house.live(100)
    house.silent = set(BOXES[:3])
    await house.live(400)
    assert house.told()[2:] == [OPENED.replace("#1", "#2")]


async def test_what_another_version_kept_and_nobody_can_read_is_found_out_and_told_anew(house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    kept = house.watched.outbox.kept(WATCH)
    kept["engine"]["book"]["entries"][0]["incident"]["learnt_later"] = 1
    house.watched.outbox.put((), {WATCH: kept})
    house.restart()
    await house.live(400)
    assert house.told() == [OPENED, OPENED.replace("#1", "#2")]
    house.silent = set()
    await house.live(900)
    assert house.told()[2:] == [OVER.replace("#1", "#2")]
    assert house.watched.chronicle.incidents(open_only=True) == []


async def test_a_clock_that_was_set_is_the_one_by_which_people_want_quiet(tmp_path: Path) -> None:
    """A gateway that began twelve hours behind: it is night for who is told, and by its own time still noon."""
    notify = NOTIFY.model_copy(update={"quiet": [QuietSettings()]})
    noon = datetime(2026, 11, 25, 12, tzinfo=ZoneInfo(notify.time_zone))
    house = House(tmp_path, round(noon.timestamp() * 1000), notify)
    await house.live(400)
    house.clock.offset_ms += 12 * 3_600_000
    house.silent = {BOXES[3]}
    await house.live(400)
    (row,) = house.watched.outbox.rows()
    assert row.due_s - row.created_s == pytest.approx(6 * 3600, abs=900)
    house.watched.close()
