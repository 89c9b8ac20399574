"""What would have been sent: the production notifier over stored turns, under the same settings and under others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.chronicle import Chronicle
from gateway.incidents.model import Change, Incident, Scope, What
from gateway.incidents.rules import load_rules
from gateway.notify.routes import NotifySettings
from gateway.notify.sent import Sent, compared
from gateway.preview import LATE_S, WARM_S, Preview, preview
from gateway.turns import Turn
from gateway.watched import words_of
from kewang.wire.placement import Place
from kewang.wire.roster import Roster

T = 1_785_000_000.0
DAY_S = 86_400.0
KINDS = words_of(load_rules())
HERE = Place.model_validate({"from": 0, "site": "mardika", "lat": -3.7, "lon": 128.2})
AWAY = Place.model_validate({"from": 0, "site": "mardika", "lat": -3.9, "lon": 128.4})


@pytest.fixture
def chronicle(tmp_path: Path) -> Iterator[Chronicle]:
    with closing(Chronicle(tmp_path / "incidents.db")) as made:
        yield made


def settings(**more: Any) -> NotifySettings:
    told: dict[str, Any] = {
        "channels": {"chat": {"kind": "webhook", "url": "https://chat.example/"}},
        "recipients": {"shift": {"language": "en", "addresses": {"chat": "1"}}},
        "routes": [{"to": ["shift"], "by": ["chat"]}],
    }
    return NotifySettings.model_validate(told | more)


def change(what: What, number: int, at_s: float, severity: Any = "critical", kind: str = "outage") -> Change:
    devices = {f"amb-{number}": T}
    incident = Incident(number, kind, Scope("site", "mardika"), severity, T, at_s, devices, sites={"mardika"})
    incident.ended_s = at_s if what == "resolved" else None
    return Change(what, incident, at_s)


def begin(at_s: float = T, last_s: float | None = None, *open_: Incident, **more: Any) -> Turn:
    return Turn(at_s, (), {"amb-1": HERE}, True, open_, begins=True, last_s=last_s, **more)


def told(at_s: float, *changes: Change, **more: Any) -> Turn:
    return Turn(at_s, changes, **more)


def run(
    chronicle: Chronicle,
    tmp_path: Path,
    turns: Sequence[Turn],
    wanted: NotifySettings | None = None,
    from_s: float = T,
    until_s: float = T + DAY_S,
) -> Preview:
    chronicle.write(turns, [], T)
    folder = tmp_path / f"p{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return preview(chronicle, wanted or settings(), KINDS, folder, (from_s, until_s))


def seen(found: Preview) -> list[tuple[str, float]]:
    return [(one.key, round(one.created_s - T, 3)) for one in found.messages]


def test_each_change_is_told_at_its_turn_with_its_text(chronicle: Chronicle, tmp_path: Path) -> None:
    turns = [begin(), told(T + 90.3, change("opened", 1, T + 90)), told(T + 700.9, change("resolved", 1, T + 700))]
    found = run(chronicle, tmp_path, turns)
    assert seen(found) == [("1-opened", 90.3), ("1-resolved", 700.9)]
    assert found.messages[0].subject == "[CRITICAL] Site Mardika is not heard (#1)"
    assert "mlat=-3.70000" in found.messages[0].text
    assert (found.since_s, found.unheard, found.trouble) == (T, {}, None)


def test_a_digest_goes_at_the_gateway_s_own_turn_if_there_was_one(chronicle: Chronicle, tmp_path: Path) -> None:
    storm = [change("opened", number, T + 60, "warning") for number in range(1, 20)]
    late_s = T + 90 + LATE_S - 1
    found = run(chronicle, tmp_path, [begin(), told(T + 60, *storm), told(late_s)])
    assert [at_s for key, at_s in seen(found) if key.startswith("digest")] == [late_s - T]


def test_a_digest_that_the_gateway_had_none_of_goes_when_it_is_due(chronicle: Chronicle, tmp_path: Path) -> None:
    storm = [change("opened", number, T + 60, "warning") for number in range(1, 20)]
    more = settings(budget={"gather_s": 60.0})
    found = run(chronicle, tmp_path, [begin(), told(T + 60, *storm), told(T + 90.4)], more)
    assert [at_s for key, at_s in seen(found) if key.startswith("digest")] == [120.0]


def test_what_is_due_while_the_gateway_is_away_waits_for_its_start(chronicle: Chronicle, tmp_path: Path) -> None:
    storm = [change("opened", number, T + 60, "warning") for number in range(1, 20)]
    turns = [begin(), told(T + 60, *storm), begin(T + 400, T + 80)]
    found = run(chronicle, tmp_path, turns)
    assert [at_s for key, at_s in seen(found) if key.startswith("digest")] == [400.0]
    assert found.since_s == T


def test_a_gateway_that_lost_its_memory_begins_anew(chronicle: Chronicle, tmp_path: Path) -> None:
    turns = [
        begin(),
        told(T + 90, change("opened", 1, T + 90)),
        begin(T + 400),
        told(T + 500, change("resolved", 1, T + 500)),
    ]
    found = run(chronicle, tmp_path, turns)
    assert seen(found) == [("1-opened", 90.0)]
    assert found.since_s == T + 400


def test_what_was_open_before_is_closed_and_not_opened(chronicle: Chronicle, tmp_path: Path) -> None:
    before = change("opened", 1, T - 5 * DAY_S).incident
    found = run(chronicle, tmp_path, [begin(T, None, before), told(T + 500, change("resolved", 1, T + 500))])
    assert seen(found) == [("1-resolved", 500.0)]


def test_turns_before_the_time_warm_it_and_much_older_ones_are_left_alone(chronicle: Chronicle, tmp_path: Path) -> None:
    long_s = T - WARM_S - 10 * DAY_S
    old = [
        begin(long_s),
        told(long_s + 90, change("opened", 1, long_s + 90)),
        told(long_s + 91, change("opened", 2, long_s + 91)),
    ]
    opened = [one.incident for turn in old for one in turn.changes]
    new = [Turn(T - WARM_S - 5, (), {}, True, tuple(opened)), told(T - 60, change("opened", 3, T - 60))]
    ends = [told(T + 5 + n, change("resolved", n, T + 5)) for n in (1, 2, 3)]
    found = run(chronicle, tmp_path, [*old, *new, *ends])
    assert seen(found) == [("1-resolved", 6.0), ("2-resolved", 7.0), ("3-resolved", 8.0)]
    assert found.since_s == T - WARM_S - 5


def test_nobody_and_quiet_hours(chronicle: Chronicle, tmp_path: Path) -> None:
    quiet = settings(
        time_zone="Asia/Jayapura",
        routes=[{"to": ["shift"], "by": ["chat"], "at_least": "warning"}],
        quiet=[{"begin": "00:00", "end": "23:59:59"}],
    )
    changes = [change("opened", 1, T + 60, "warning"), change("opened", 2, T + 60, "info", "bin-full")]
    found = run(chronicle, tmp_path, [begin(), told(T + 60, *changes)], quiet)
    assert list(found.unheard) == [2]
    (one,) = found.messages
    assert one.due_s > one.created_s == T + 60


def test_texts_know_where_devices_were_then(chronicle: Chronicle, tmp_path: Path) -> None:
    turns = [
        begin(),
        told(T + 90, change("opened", 1, T + 90)),
        told(T + 700, change("worsened", 1, T + 700), places={"amb-1": AWAY}),
        told(T + 1500, change("resolved", 1, T + 1500), places={"amb-1": None}),
    ]
    texts = [one.text for one in run(chronicle, tmp_path, turns).messages]
    assert ["mlat=-3.70000" in text for text in texts] == [True, False, False]
    assert ["mlat=-3.90000" in text for text in texts] == [False, True, False]


def test_the_office_s_list_is_the_one_of_then(chronicle: Chronicle, tmp_path: Path) -> None:
    def roster(name: str) -> Roster:
        contact = {"name": name, "channel": "telegram", "address": f"-{len(name)}", "language": "id"}
        return Roster.model_validate({"time_zone": "Asia/Jayapura", "contacts": (contact,)}, strict=False)

    office = {"url": "https://office.example", "token_file": "none-is-read", "by": {"telegram": ["chat"]}}
    turns = [
        begin(roster=roster("ina")),
        told(T + 90, change("opened", 1, T + 90)),
        told(T + 900, change("opened", 2, T + 900), roster=roster("yanti")),
        told(T + 1900, change("opened", 3, T + 1900)),
    ]
    found = run(chronicle, tmp_path, turns, settings(office=office, routes=[]))
    assert [(one.key, one.recipient) for one in found.messages] == [
        ("1-opened", "-3"),
        ("2-opened", "-5"),
        ("3-opened", "-5"),
    ]
    assert found.roster == roster("yanti")


def test_a_clock_that_was_set_back_between_two_lives_stops_nothing(chronicle: Chronicle, tmp_path: Path) -> None:
    turns = [begin(T + 5000), told(T + 5090, change("opened", 1, T + 5090)), begin(T + 100, T + 5100)]
    found = run(chronicle, tmp_path, [*turns, told(T + 2000, change("resolved", 1, T + 2000))])
    assert seen(found) == [("1-opened", 5090.0), ("1-resolved", 2000.0)]


def test_a_template_that_fails_is_told(chronicle: Chronicle, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "one.txt").write_text("{{ nothing.of.this }}")
    found = run(chronicle, tmp_path, [begin(), told(T + 90, change("opened", 1, T + 90))], settings(templates=folder))
    assert found.trouble is not None
    assert "nothing" in found.trouble


def message(key: str, due_s: float = T, text: str = "a") -> Sent:
    return Sent(key, "chat", "1", due_s, due_s, "opened", "1", "critical", "s", text, "waiting")


def test_what_differs_has_its_sign() -> None:
    would = [message("1"), message("2", T + 5), message("3", T + 99), message("4", text="b"), message("6", T + 7)]
    was = [message("1"), message("2", T + 1), message("3"), message("4"), message("5", T + 6)]
    signs = {one.key: sign for sign, one in compared(would, was)}
    assert signs == {"1": " ", "2": " ", "3": "~", "4": "~", "5": "-", "6": "+"}
    assert [one.created_s for _, one in compared(would, was)] == sorted(one.created_s for one in [*would, was[-1]])
