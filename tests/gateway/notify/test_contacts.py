"""Who of the office's contacts is told: by district, shift and channel; the end goes to who heard of the beginning."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from gateway.incidents.model import Change, Incident, Scope, Severity, What
from gateway.notify.contacts import unreachable
from gateway.notify.notifier import Notifier
from gateway.notify.outbox import Outbox
from gateway.notify.routes import NotifySettings
from gateway.notify.texts import Surroundings
from kewang.wire.roster import Contact, Roster

NIGHT = {"weekdays": "12345", "from_minute": 1080, "to_minute": 360}
DAY = {"weekdays": "1234567", "from_minute": 360, "to_minute": 1080}
MONDAY_NIGHT, TUESDAY_3AM, TUESDAY_NOON, SATURDAY_NIGHT = (
    datetime(2026, 11, day, hour, tzinfo=ZoneInfo("Asia/Jayapura")).timestamp()
    for day, hour in ((23, 22), (24, 3), (24, 12), (28, 22))
)
SETTINGS: dict[str, Any] = {
    "channels": {
        "bot": {"kind": "telegram", "token_file": "token"},
        "mail": {"kind": "mail", "host": "127.0.0.1", "security": "none", "sender": "kewang@kota.example"},
    },
    "office": {
        "url": "https://office.example",
        "token_file": "token",
        "by": {"telegram": ["bot"], "email": ["mail"]},
    },
}


def person(address: str, district: str | None = None, *shifts: dict[str, Any], language: str = "en") -> dict[str, Any]:
    channel = "email" if "@" in address[1:] else "telegram"
    told = {"name": address, "channel": channel, "address": address, "language": language, "shifts": shifts}
    return told | ({"district": district} if district else {})


def roster(*people: dict[str, Any]) -> Roster:
    districts = {"mardika": "sirimau", "passo": "baguala"}
    return Roster.model_validate({"time_zone": "Asia/Jayapura", "contacts": people, "districts": districts})


class House:
    """A notifier with the files it needs; `told` is who was told since the last look, and in which language."""

    def __init__(self, folder: Path, contacts: Roster | None, more: dict[str, Any] | None = None) -> None:
        self.settings = NotifySettings.model_validate(SETTINGS | (more or {}))
        self.outbox, self.roster = Outbox(folder / "gateway.db"), contacts
        self.seen = 0
        self.notifier = Notifier(self.settings, self.outbox, MONDAY_NIGHT)
        self.ahead_s = 0.0

    def restart(self, now_s: float) -> None:
        self.notifier = Notifier(self.settings, self.outbox, now_s)

    def tell(
        self,
        what: What,
        at_s: float,
        site: str = "mardika",
        severity: Severity = "critical",
        number: int = 1,
        sites: set[str] | None = None,
    ) -> list[str]:
        """The addresses that are told that it happened."""
        scope = Scope("site", site) if site else Scope("gateway", "database")
        here = sites if sites is not None else {site} if site else set()
        one = Incident(number, "outage", scope, severity, at_s, at_s, {"box": at_s}, sites=here)
        self.notifier.take([Change(what, one, at_s)], Surroundings(roster=self.roster, ahead_s=self.ahead_s), at_s)
        return self.told()

    def told(self) -> list[str]:
        rows = self.outbox.rows()
        new, self.seen = rows[: len(rows) - self.seen], len(rows)
        return sorted(row.recipient for row in new)


@pytest.mark.parametrize(
    ("at_s", "site", "expected"),
    [
        (MONDAY_NIGHT, "mardika", ["@centre", "@night"]),
        (TUESDAY_3AM, "mardika", ["@centre", "@night"]),
        (TUESDAY_NOON, "mardika", ["@centre", "day@x.id"]),
        (SATURDAY_NIGHT, "mardika", ["@centre"]),
        (TUESDAY_NOON, "passo", ["@centre", "@other"]),
        (TUESDAY_NOON, "", ["@centre"]),
    ],
)
def test_who_is_on_duty_in_that_district_is_told(tmp_path: Path, at_s: float, site: str, expected: list[str]) -> None:
    everybody = roster(
        person("@centre"),
        person("@night", "sirimau", NIGHT),
        person("day@x.id", "sirimau", DAY),
        person("@other", "baguala"),
    )
    house = House(tmp_path, everybody)
    assert house.tell("opened", at_s, site) == expected
    house.outbox.close()


def test_after_the_clock_was_set_people_are_on_duty_by_the_new_one(tmp_path: Path) -> None:
    """A gateway that began hours behind, as after a power cut, keeps its own time until it is started again."""
    house = House(tmp_path, roster(person("@night", "sirimau", NIGHT), person("@day", "sirimau", DAY)))
    house.ahead_s = TUESDAY_NOON - MONDAY_NIGHT
    assert house.tell("opened", MONDAY_NIGHT) == ["@day"]
    house.outbox.close()


@pytest.mark.parametrize(
    ("people", "site", "expected"),
    [
        ([person("@a", "sirimau", DAY), person("@b", "baguala")], "mardika", ["@a"]),
        ([person("@a", "baguala", DAY), person("@b", "baguala", NIGHT)], "mardika", ["@b"]),
        ([person("@a", "baguala", DAY)], "mardika", ["@a"]),
        ([person("@a", "baguala")], "", ["@a"]),
        ([], "mardika", []),
    ],
)
def test_a_notice_goes_to_somebody_if_there_is_anybody(
    tmp_path: Path, people: Sequence[dict[str, Any]], site: str, expected: list[str]
) -> None:
    house = House(tmp_path, roster(*people))
    assert house.tell("opened", MONDAY_NIGHT, site) == expected
    house.outbox.close()


def test_who_is_told_by_the_file_needs_no_stand_in_and_one_address_is_told_once(tmp_path: Path) -> None:
    file = {
        "recipients": {"shift": {"language": "id", "addresses": {"bot": "@a"}}},
        "routes": [{"to": ["shift"], "by": ["bot"]}],
    }
    house = House(tmp_path, roster(person("@a"), person("@far", "baguala", DAY)), file)
    assert house.tell("opened", MONDAY_NIGHT) == ["@a"]
    assert "KRITIS" in house.outbox._db.execute("SELECT content FROM message").fetchone()[0]
    house.roster = roster(person("@far", "baguala"))
    assert house.tell("opened", MONDAY_NIGHT, number=2) == ["@a"]
    house.roster = None
    assert house.tell("opened", MONDAY_NIGHT, number=3) == ["@a"]
    house.outbox.close()


def test_the_end_goes_to_who_heard_of_the_beginning_and_to_who_is_on_duty_then(tmp_path: Path) -> None:
    house = House(tmp_path, roster(person("@night", "sirimau", NIGHT), person("@day", "sirimau", DAY, language="id")))
    assert house.tell("opened", MONDAY_NIGHT) == ["@night"]
    house.restart(TUESDAY_NOON)
    assert house.tell("resolved", TUESDAY_NOON) == ["@day", "@night"]
    assert house.notifier._routes.contacts.kept() == []
    assert house.tell("opened", MONDAY_NIGHT + 86_400, number=2) == ["@night"]
    house.roster = None
    house.restart(TUESDAY_NOON + 86_400)
    assert house.tell("resolved", TUESDAY_NOON + 86_400, number=2) == ["@night"]
    house.outbox.close()


def test_below_the_least_severity_nobody_of_the_office_is_told(tmp_path: Path) -> None:
    office = SETTINGS["office"] | {"at_least": "warning"}
    house = House(tmp_path, roster(person("@a")), {"office": office})
    assert house.tell("opened", MONDAY_NIGHT, severity="info") == []
    assert house.tell("opened", MONDAY_NIGHT, severity="warning", number=2) == ["@a"]
    house.outbox.close()


def test_a_wish_for_a_channel_that_is_not_there_is_known_and_the_others_are_told(tmp_path: Path) -> None:
    sms = person("@b") | {"channel": "sms", "address": "+628110000001"}
    house = House(tmp_path, roster(sms, person("@a")))
    assert house.tell("opened", MONDAY_NIGHT) == ["@a"]
    assert house.roster is not None
    assert unreachable(house.roster, SETTINGS["office"]["by"]) == {"sms": 1}
    house.outbox.close()


@pytest.mark.parametrize(
    ("office", "said"),
    [
        ({"by": {"telegram": ["pigeon"]}}, "no channel is called 'pigeon'"),
        ({"by": {"telegram": []}}, "telegram: name a channel"),
        ({"url": "http://office.example"}, "write https"),
        ({"by": {"smoke": ["bot"]}}, "smoke"),
    ],
)
def test_settings_that_lead_nowhere_are_refused(office: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NotifySettings.model_validate(SETTINGS | {"office": SETTINGS["office"] | office})


@pytest.mark.parametrize("address", ["", "a b", "a\nBcc: b", "\u202e@a", "x" * 201])
def test_an_address_with_anything_odd_in_it_is_none(address: str) -> None:
    with pytest.raises(ValidationError):
        Contact.model_validate({"name": "x", "channel": "email", "language": "id", "address": address})


def test_a_roster_is_what_was_sent() -> None:
    told = roster(person("@a", "sirimau", NIGHT), person("b@x.id"))
    assert Roster.decode(told.encode()) == told
    assert json.loads(told.encode())["v"] == 1


@pytest.mark.parametrize(("escalation", "expected"), [(True, ["@day", "@night"]), (False, [])])
def test_what_nobody_takes_on_goes_to_all_of_the_district(
    tmp_path: Path, escalation: bool, expected: list[str]
) -> None:
    office = SETTINGS["office"] | {"escalation": escalation}
    people = person("@night", "sirimau", NIGHT), person("@day", "sirimau", DAY), person("@far", "baguala")
    house = House(tmp_path, roster(*people), {"office": office})
    assert house.tell("opened", MONDAY_NIGHT) == ["@night"]
    house.notifier.due(Surroundings(roster=house.roster), MONDAY_NIGHT + 600)
    assert house.told() == expected
    assert house.tell("resolved", MONDAY_NIGHT + 900) == (expected or ["@night"])
    house.outbox.close()
