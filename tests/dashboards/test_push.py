"""Boards sent to a Grafana: made, replaced, tried again; and what each refusal asks of a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.alerts import rules
from dashboards.boards import all_boards
from dashboards.push import Grafana, Refused, Unreachable, client
from dashboards.voice import Voice
from tests.cli.commands import kewang, told
from tests.dashboards.grafana_server import TOKEN, GrafanaServer

BOARDS = all_boards([Voice("id"), Voice("en")])[:7]


@pytest.fixture
def server() -> Iterator[GrafanaServer]:
    with GrafanaServer() as running:
        yield running


@pytest.fixture
def grafana(server: GrafanaServer) -> Iterator[Grafana]:
    with client(server.url, TOKEN) as open_:
        yield Grafana(open_, lambda _: None)


def test_boards_are_made_and_later_replaced(server: GrafanaServer, grafana: Grafana) -> None:
    assert grafana.push(BOARDS, "first")[0] == "/d/kewang-wall-id/kewang"
    assert server.folders == {"kewang-id": "Kewang (Bahasa Indonesia)", "kewang-en": "Kewang (English)"}
    grafana.push(BOARDS, "second")
    assert {one["version"] for one in server.boards.values()} == {2}
    assert server.requests.count("POST /api/folders") == 2


def test_what_grafana_says_of_itself_moves_no_terminal(server: GrafanaServer, grafana: Grafana) -> None:
    server.version = "13.2\x1b[2J"
    server.script("/api/dashboards/db", (200, {"url": "/d/\x1b]0;x"}))
    assert grafana.push(BOARDS[:1], "x") == ["/d/ ]0;x"]
    assert grafana.version == "13.2 [2J"
    server.script("/api/health", (200, ["13"]), (200, {"version": "\u00b2"}))
    for _ in range(2):
        with pytest.raises(Refused, match="no Grafana"):
            grafana.push(BOARDS[:1], "x")


def test_what_may_pass_is_tried_again(server: GrafanaServer, grafana: Grafana) -> None:
    server.script("/api/dashboards/db", (503, {"message": "starting"}), (429, {}))
    assert len(grafana.push(BOARDS[:1], "x")) == 1
    assert server.requests.count("POST /api/dashboards/db") == 3
    server.script("/api/health", *[(502, "")] * 4)
    with pytest.raises(Unreachable, match="after 4 tries: 502"):
        grafana.push(BOARDS[:1], "x")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/health", 404, "with its path if it has one"),
        ("/api/health", 302, "it sends us to 'https://elsewhere/'"),
        ("/api/folders/kewang-id", 401, "make one of a service account with role Editor"),
        ("/api/folders", 403, "give its service account the role Editor"),
        ("/api/folders", 409, "a folder of this title is there"),
        ("/api/dashboards/db", 400, "change the files instead"),
        ("/api/dashboards/db", 412, "rename that one, then push again"),
    ],
)
def test_each_refusal_says_what_to_do(
    server: GrafanaServer, grafana: Grafana, path: str, status: int, said: str
) -> None:
    server.script(path, (status, {"message": "because"}))
    with pytest.raises(Refused, match=f"answered {status}.*{said}") as refused:
        grafana.push(BOARDS[:1], "x")
    assert TOKEN not in str(refused.value)


def test_a_board_that_changed_meanwhile_is_not_overwritten(server: GrafanaServer, grafana: Grafana) -> None:
    grafana.push(BOARDS[:1], "x")
    server.script("/api/dashboards/uid/kewang-wall-id", (404, {}))
    with pytest.raises(Refused, match="412"):
        grafana.push(BOARDS[:1], "y")


@pytest.mark.parametrize(("version", "said"), [("8.5.27", "need 9 or newer"), ("", "is no Grafana")])
def test_another_version_is_told(version: str, said: str) -> None:
    with GrafanaServer(version) as old, client(old.url, TOKEN) as open_, pytest.raises(Refused, match=said):
        Grafana(open_).push(BOARDS[:1], "x")


def test_alert_rules_go_as_groups_and_again(server: GrafanaServer, grafana: Grafana) -> None:
    grafana.push(BOARDS, "x")
    ours = rules(Voice("id"))
    for _ in range(2):
        assert grafana.push_rules(ours, "id") == sum(len(one["rules"]) for one in ours["groups"])
    assert {name: one["interval"] for name, one in server.groups.items()} == {"kewang-platform": 60, "kewang-slow": 300}
    silent = server.groups["kewang-platform"]["rules"][0]
    assert (silent["uid"], silent["noDataState"], silent["folderUID"]) == ("kewang-silent", "Alerting", "kewang-id")
    assert silent["annotations"]["__dashboardUid__"] in server.boards
    server.script("/api/v1/provisioning/folder/kewang-id/rule-groups/kewang-platform", (403, {"message": "no"}))
    with pytest.raises(Refused, match=r"alert rules kewang-platform.*403.*role Editor"):
        grafana.push_rules(ours, "id")


@pytest.mark.parametrize("status", [400, 503])
def test_an_echoed_token_and_orders_to_the_terminal_are_not_shown(
    server: GrafanaServer, grafana: Grafana, status: int
) -> None:
    server.script("/api/folders/kewang-id", *[(status, {"message": f"{TOKEN} \x1b[2Jgone\n"})] * 4)
    with pytest.raises((Refused, Unreachable)) as told:
        grafana.push(BOARDS[:1], "x")
    assert "TOKEN" in str(told.value)
    assert TOKEN not in str(told.value)
    assert str(told.value).isprintable()


def test_a_page_that_is_no_grafana(server: GrafanaServer, grafana: Grafana) -> None:
    server.script("/api/health", (200, "<html>"))
    with pytest.raises(Refused, match="no JSON"):
        grafana.push(BOARDS[:1], "x")


def test_the_command(server: GrafanaServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    server.watched = os.getpid()
    done = kewang("dashboards", "push", "--url", server.url, "--token-file", str(token), "--alerts", "--json")
    assert done.returncode == 0, done.stderr
    assert told(done)["grafana"] == "13.2.3"
    assert len(told(done)["boards"]) == len(server.boards) == 12
    assert told(done)["alert_rules"] == sum(len(one["rules"]) for one in server.groups.values()) > 0
    assert [line for line in server.looked if str(token) in line], "this is what ps showed meanwhile"
    assert not [line for line in server.looked if TOKEN in line]
    assert TOKEN not in done.stdout + done.stderr
    token.write_text("wrong")
    done = kewang("dashboards", "push", "--url", server.url, "--token-file", str(token))
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "wrong" not in done.stderr
