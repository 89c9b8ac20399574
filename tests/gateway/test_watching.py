"""The watch at work: one notice per cause, also over a restart and over a file that can't be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.incidents.model import Incident
from gateway.incidents.watch import WatchRules
from gateway.notify.budget import BudgetRules, Notice
from gateway.notify.delivery import DeliveryRules
from gateway.notify.message import Message
from gateway.watched import Telling, Watched, open_watched
from kewang.wire.placement import Place, Placement
from kewang.wire.state import State
from tests.fake_outbox import ManualClock

START_MS = 1_785_000_000_000
BOXES = [f"amb-box-{n}" for n in range(4)]


def plain(
    notice: Notice, incidents: Mapping[int, Incident], places: Mapping[str, Place], now_s: float
) -> list[Message]:
    """One message to one chat; names what it is about."""
    return [
        Message(
            key=notice.key,
            channel="chat",
            recipient="1",
            subject=notice.kind,
            text=", ".join(f"{incidents[n].scope.level} {incidents[n].scope.name}" for n in notice.incidents),
            severity=notice.severity,
            created_s=now_s,
            expires_s=now_s + 86_400,
        )
    ]


class House:
    """A gateway's watch, whose clock only the test turns."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(wall_ms=START_MS, synchronised=True)
        self.folder = folder
        self.silent: set[str] = set()
        self.open()

    def open(self) -> None:
        telling = Telling(plain, {}, DeliveryRules(), BudgetRules())
        self.watched: Watched = open_watched(self.folder, WatchRules(), telling, self.clock)
        for box in BOXES:
            place = {"from": START_MS, "site": "mardika" if box < BOXES[3] else "gong", "link": "wired"}
            self.watched.watching.placed(box, Placement.model_validate({"h": [place]}, strict=False))

    def restart(self) -> None:
        """As after a kill -9: nothing is said, the files are as they are."""
        self.watched.close()
        self.open()

    async def live(self, seconds: int) -> None:
        """Each second a turn, each 10 s a message of each box that is heard, and our own."""
        for _ in range(seconds):
            self.clock.pass_s(1)
            if self.clock.mono_ms() // 1000 % 10 == 0:
                self.watched.watching.looped()
                for box in BOXES:
                    if box not in self.silent:
                        self.watched.watching.heard(box)
            await self.watched.watching.turn(self.watched.watching.now_s())

    def told(self) -> list[tuple[str, str]]:
        """Subjects and keys, oldest first."""
        db = sqlite3.connect(self.folder / "gateway.db")
        try:
            rows = db.execute("SELECT json_extract(content,'$.subject'), json_extract(content,'$.text') FROM message")
            return rows.fetchall()
        finally:
            db.close()


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
    assert house.told() == [("opened", "site mardika")]
    house.silent = set()
    await house.live(700)
    assert house.told() == [("opened", "site mardika"), ("resolved", "site mardika")]
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
    assert house.told() == [("opened", "site mardika")]
    house.silent = set()
    house.restart()
    await house.live(900)
    assert house.told() == [("opened", "site mardika"), ("resolved", "site mardika")]


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
    assert house.told() == [("opened", "site mardika")]


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
