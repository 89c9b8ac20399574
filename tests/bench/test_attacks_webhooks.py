"""T18: every address that leads inside is refused by every carrier; without the guard they would not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.notify.guard import Guard
from kewang.bench.attacks import NOT_RUN
from kewang.bench.attacks_webhooks import IN_THIS_PROCESS, OTHERS, OURS, Webhooks


def test_webhooks_and_pings_reach_nothing_inside(tmp_path: Path) -> None:
    rows = [attack.run() for attack in Webhooks(tmp_path).attacks(IN_THIS_PROCESS)]
    assert [row for row in rows if not row.refused or not row.control_passed] == []
    assert len(rows) > len(OURS + OTHERS)
    assert {row.threat for row in rows} == {"T18"}
    assert "T18" not in NOT_RUN


def test_apprise_reaches_nothing_inside(tmp_path: Path) -> None:
    attacks = Webhooks(tmp_path).attacks(["apprise"])
    assert [attack.name for attack in attacks if attack.attempt()] == []
    assert attacks[0].run().control_passed


def test_without_the_guard_they_get_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "check", lambda self, address: None)
    monkeypatch.setattr(Guard, "check_url", lambda self, url: None)
    wanted = {
        *(f"{each} sent to {host}" for each in IN_THIS_PROCESS for host in ("127.0.0.1", "0x7f000001", "localhost")),
        *(f"{each} sent to a name of two minds" for each in IN_THIS_PROCESS),
        *(f"{each} sent without TLS" for each in IN_THIS_PROCESS),
    }
    attacks = [each for each in Webhooks(tmp_path).attacks(IN_THIS_PROCESS) if each.name in wanted]
    assert {each.name for each in attacks if not each.run().refused} == wanted
