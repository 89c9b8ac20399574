"""What nobody takes on comes to those who are named for it: once, together, and also over a restart."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.incidents.model import Acknowledged, Change, Severity
from gateway.notify.notifier import Notifier
from gateway.notify.outbox import Outbox
from gateway.notify.routes import NotifySettings
from gateway.notify.texts import LinkSettings, Surroundings, Texts
from kewang.ui.words import LANGUAGES, Language
from tests.gateway.notify.test_notifier import change
from tests.gateway.notify.test_texts import incident, notice

NOW_S = 1_800_000_000.0
AFTER_S = 600.0
ROUTES: list[dict[str, object]] = [
    {"to": ["shift"], "by": ["chat"]},
    {"to": ["head"], "by": ["chat"], "escalation": True},
]


def settings(routes: list[dict[str, object]] | None = None, **escalation: object) -> NotifySettings:
    return NotifySettings.model_validate(
        {
            "channels": {"chat": {"kind": "webhook", "url": "https://chat.example/"}},
            "recipients": {name: {"language": "en", "addresses": {"chat": name}} for name in ("shift", "head")},
            "routes": ROUTES if routes is None else routes,
            "escalation": escalation,
        }
    )


class Desk:
    """A notifier with its outbox; nobody delivers."""

    def __init__(self, folder: Path, chosen: NotifySettings | None = None) -> None:
        self.file, self.settings, self.now_s = folder / "gateway.db", chosen or settings(), NOW_S
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.file)
        self.notifier = Notifier(self.settings, self.outbox, self.now_s)

    def restart(self) -> None:
        self.outbox.close()
        self.open()

    def tell(self, *changes: Change) -> None:
        self.notifier.take(changes, Surroundings(), self.now_s)

    def until(self, at_s: float) -> None:
        """Look whenever something is due, as the gateway does."""
        while (due_s := self.notifier.next_s) <= at_s:
            self.now_s = max(self.now_s, due_s)
            self.notifier.due(Surroundings(), self.now_s)
        self.now_s = at_s

    def head(self) -> list[tuple[float, str]]:
        """What the head heard, and so long after the beginning."""
        wanted = "SELECT created_s, json_extract(content, '$.subject') FROM message WHERE recipient = 'head'"
        with closing(sqlite3.connect(self.file)) as db:
            rows = db.execute(wanted)
            return [(at_s - NOW_S, subject) for at_s, subject in rows]


def severe(number: int, severity: Severity = "critical") -> Change:
    opened = change("opened", number, NOW_S)
    return replace(opened, incident=replace(opened.incident, severity=severity))


def test_what_nobody_takes_on_is_told_once_more_and_once_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tell(severe(1))
    desk.until(NOW_S + AFTER_S - 1)
    assert desk.head() == []
    desk.restart()
    desk.until(NOW_S + AFTER_S)
    desk.restart()
    desk.until(NOW_S + 90_000)
    assert desk.head() == [(AFTER_S, "[CRITICAL] Nobody has taken it on for 10 minutes: Site pasar is not heard (#1)")]
    desk.outbox.close()


@pytest.mark.parametrize("what", ["acknowledged", "resolved"])
def test_what_is_taken_on_or_over_is_not(what: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tell(severe(1))
    desk.until(NOW_S + 300)
    if what == "acknowledged":
        taken = replace(severe(1), what="acknowledged")
        desk.tell(replace(taken, incident=replace(taken.incident, acknowledged=Acknowledged("rina", NOW_S))))
    else:
        over = replace(severe(1), what="resolved")
        desk.tell(replace(over, incident=replace(over.incident, ended_s=desk.now_s)))
    desk.until(NOW_S + 90_000)
    assert desk.head() == []
    desk.outbox.close()


def test_what_is_less_severe_waits_until_it_is_told_as_worse(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tell(severe(1, "warning"), severe(2, "info"))
    desk.until(NOW_S + 2000)
    assert desk.head() == []
    desk.tell(replace(severe(1), what="worsened"))
    desk.until(NOW_S + 90_000)
    assert [at_s for at_s, _ in desk.head()] == [2000 + AFTER_S]
    desk.outbox.close()


def test_a_storm_makes_one_and_who_comes_later_waits_for_the_next(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tell(*(severe(number) for number in range(1, 8)))
    desk.until(NOW_S + 120)
    desk.tell(severe(8))
    desk.until(NOW_S + 90_000)
    assert desk.head() == [
        (AFTER_S, "[CRITICAL] Nobody has taken on 7 incidents for 10 minutes"),
        (2 * AFTER_S, "[CRITICAL] Nobody has taken it on for 18 minutes: Site pasar is not heard (#8)"),
    ]
    desk.outbox.close()


def test_its_numbers_are_those_of_the_settings(tmp_path: Path) -> None:
    desk = Desk(tmp_path, settings(after_min=3.0, at_least="warning", every_min=1.0))
    desk.tell(severe(1, "warning"))
    desk.until(NOW_S + 60)
    desk.tell(severe(2, "warning"))
    desk.until(NOW_S + 90_000)
    assert [at_s for at_s, _ in desk.head()] == [180.0, 240.0]
    desk.outbox.close()


def test_where_nobody_is_named_for_it_nothing_is_kept_or_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, settings(ROUTES[:1]))
    desk.tell(severe(1))
    assert "escalation" not in json.dumps(desk.outbox.kept("notifier"))
    desk.until(NOW_S + 90_000)
    assert desk.head() == []
    assert len(desk.outbox.rows()) == 1
    desk.outbox.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_says_why_it_comes(language: Language) -> None:
    told = replace(notice("escalated"), waited_s=600.0)
    text = Texts(LinkSettings(console="https://pantau.example"), "Asia/Jayapura").written(
        told, [incident()], Surroundings(), language
    )
    assert text.failed is None
    lines = text.body.split("\n")
    if language == "id":
        assert lines[0] == "[KRITIS] Sudah 10 menit belum ada yang menangani: Lokasi pasar tidak terdengar (#12)"
    else:
        assert lines[1] == "People were told, and nobody has taken it on: so it comes to you too."
    assert "https://pantau.example/incidents/12" in lines[-1]
