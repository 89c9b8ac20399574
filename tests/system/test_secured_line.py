"""The whole line with certificates: a technician's visit from label to green, a revocation, and where secrets stand.

Office (web app, device API, guard), Mosquitto with mTLS, gateway with its database, an agent with a simulated board.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from edge.enrol.label import qr_terminal
from firmware_sim.layout import map_file
from kewang.bench.phone import Phone, Visited, visit
from kewang.bench.process import wait_for
from kewang.bench.programs import BoardsProgram
from kewang.bench.secured import BENCH
from kewang.bench.stack import DISTRICT, MARDIKA, SITE, SecuredStack, WaitingBox, board_source
from provisioning.acts import contacts, devices, sources
from tests.provisioning.market import picture

DEVICE = "amb-env-line"
BOARD = "market-env"
SECRET = "kunci:Rahasia/7x@Mardika%20"
LIMIT_S = 120.0
pytestmark = pytest.mark.timeout(480)
COMMAND = [sys.executable, "-c", "from kewang.cli import main; main()"]


@dataclass
class Line:
    """What stands while the tests look at it. `visited`: the technician's visit."""

    stack: SecuredStack
    box: WaitingBox
    boards: BoardsProgram
    password: str
    visited: Visited
    pages: str


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A box put up by a technician, green. One of its cameras is nowhere; it is there for its password."""
    folder = tmp_path_factory.mktemp("line")
    boards = BoardsProgram(folder / "boards", [BOARD])
    with SecuredStack(folder / "stack", watching=True) as stack, boards:
        board = board_source("env-1", boards.ports[0], map_file(BOARD), 1.0)
        box = stack.box(DEVICE, [board])
        with box, Phone(stack.office.web_url, MARDIKA) as phone:
            stack.await_state(DEVICE, "pending")
            password = stack.technician("rudi")
            phone.log_in("rudi", password)
            visited = visit(
                phone, stack.label_path(DEVICE), SITE, picture(size=(1280, 720)), camera=False, limit_s=LIMIT_S
            )
            add_camera(stack)
            # Nobody waits for the hour at which it asks by itself: it is told to.
            wait_for(kept_password(box).exists, LIMIT_S)
            pages = "".join(map(phone.get, ("/t/", "/t/mine", "/t/red", stack.label_path(DEVICE))))
            yield Line(stack, box, boards, password, visited, pages)


def kept_password(box: WaitingBox) -> Path:
    """Where the box keeps the camera's password."""
    return box.folder / "identity" / "secrets" / "cam-1.password"


def add_camera(stack: SecuredStack) -> None:
    keys = {"url": "rtsp://127.0.0.1:1/stream", "kind": "other", "user": "kewang"}
    with stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
        sources.put(work, DEVICE, sources.NewSource("cam-1", "camera", keys, {"password": SECRET}))


def test_from_the_label_to_green_by_what_is_stored(line: Line) -> None:
    visited = line.visited
    assert (visited.result, visited.taps) == ("green", 5)
    assert visited.number.endswith("-0001")
    assert line.stack.state(DEVICE) == "installed"
    assert line.stack.database.count(device=DEVICE) > 0
    told = json.loads(asked(line, f"/api/v1/acceptance/{DEVICE}?since_ms=0"))
    assert {each["source"] for each in told["sources"]} >= {"env-1"}


def asked(line: Line, path: str) -> str:
    """What the gateway's API answers to whoever has the token."""
    token = (line.stack.office.state / "gateway.token").read_text().strip()
    answer = httpx.get(
        f"http://127.0.0.1:{line.stack.gateway.port}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200
    return answer.text


def secrets_of(line: Line) -> dict[str, set[str]]:
    """What must stand nowhere, by name, in every spelling."""
    state, office = line.stack.office.state, line.stack.office
    login = base64.b64encode(f"kewang:{SECRET}".encode()).decode()
    camera = {SECRET, quote(SECRET, safe=""), quote(SECRET), json.dumps(SECRET)[1:-1], login, "Rahasia"}
    found = {"the camera": camera, "the administrator": {office.admin.password}, "the technician": {line.password}}
    for name in ("session.key", "gateway.token", "seal.key"):
        found[name] = {(state / name).read_text().strip()}
    for key in [*state.rglob("ca/*.key"), *state.rglob("offline/*.key"), line.box.folder / "identity" / "key.pem"]:
        found[key.name] = {key.read_text().splitlines()[1]}
    return found


def told(line: Line, text: str) -> list[str]:
    """Whose secret is in `text`."""
    return [name for name, spellings in secrets_of(line).items() if any(each in text for each in spellings)]


def test_secrets_are_many_and_where_they_belong(line: Line) -> None:
    """What follows proves something only if these are the secrets that are in use."""
    assert len(secrets_of(line)) >= 12
    assert all(len(each) >= 7 for spellings in secrets_of(line).values() for each in spellings)
    assert told(line, kept_password(line.box).read_text()) == ["the camera"]


def test_the_gateway_has_the_offices_list_within_its_minute(line: Line) -> None:
    """Both know the same token; what the office writes is with the gateway after its next question (each second)."""
    with line.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
        contacts.add(work, contacts.NewContact("Command Center", "telegram", "@ambon_cc", district=DISTRICT))
    kept = line.stack.folder / "incidents" / "gateway.db"

    def list_of_office() -> dict[str, Any]:
        with closing(sqlite3.connect(f"file:{kept}?mode=ro", uri=True)) as db:
            found = db.execute("SELECT json FROM kept WHERE name = 'office'").fetchone()
        return json.loads(json.loads(found[0])) if found else {}

    wait_for(lambda: bool(list_of_office().get("contacts")), LIMIT_S)
    assert [(one["address"], one["district"]) for one in list_of_office()["contacts"]] == [("@ambon_cc", DISTRICT)]
    assert list_of_office()["districts"] == {SITE: DISTRICT}
    assert [one["login"] for one in list_of_office()["technicians"]] == ["rudi"]
    token = (line.stack.office.state / "gateway.token").read_text().strip()
    assign = f"http://127.0.0.1:{line.stack.gateway.port}/api/v1/incidents/9/assign"
    refused = httpx.post(assign, json={"to": "rudi", "by": "test"}, headers={"Authorization": f"Bearer {token}"})
    assert refused.json() == {"ok": False, "detail": "This incident is over."}


def test_no_secret_in_logs(line: Line) -> None:
    for part in (*line.stack.parts, line.box, line.boards):
        assert told(line, part.log_path.read_text(errors="replace")) == [], part.name
    assert DEVICE in line.stack.office.broker.log_path.read_text()


def test_no_secret_in_the_process_list(line: Line) -> None:
    pids = {str(part.pid) for part in (*line.stack.parts, line.box, line.boards)}
    assert len(pids) == 5
    shown = b"\n".join(_read(Path("/proc") / pid / "cmdline") for pid in os.listdir("/proc") if pid.isdigit())
    shown += b"\n".join(_read(Path("/proc") / pid / "environ") for pid in pids)
    assert b"provision" in shown
    assert told(line, shown.decode("utf-8", "replace")) == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_no_secret_on_pages_or_labels(line: Line) -> None:
    config = str(line.box.folder / "edge.toml")
    label = [*COMMAND, "edge", "identity", "--label", "-c", config]
    shown = subprocess.run(label, capture_output=True, text=True, check=True, timeout=120)
    # Host, id and fingerprint make the whole code: there is nothing else in it.
    host = line.stack.office.web_url.partition("://")[2]
    assert shown.stdout.strip() == qr_terminal(host, DEVICE, line.stack.fingerprint(DEVICE)).strip()
    assert DEVICE.upper() in line.pages
    assert told(line, line.pages + shown.stdout + shown.stderr) == []


def test_no_secret_in_the_database_or_behind_the_console(line: Line) -> None:
    base = line.stack.database.file
    rows = b"".join(_read(base.with_name(base.name + ending)) for ending in ("", "-wal"))
    assert DEVICE.encode() in rows
    page = line.stack.gateway.get("/") or b""
    assert told(line, (rows + page).decode("utf-8", "replace")) == []
    assert told(line, asked(line, "/api/v1/devices")) == []


def test_revoked_it_is_cut_off_and_dropped(line: Line) -> None:
    """Within a second nothing more of it is stored; the box reads on, and nobody lets it in."""
    stack, journal = line.stack, line.boards.journal(0)
    closed = f"Client {DEVICE} "
    before = stack.office.broker.log_path.read_text().count(closed)
    with stack.office.inventory() as inventory:
        with inventory.writing(BENCH) as work:
            devices.revoke(work, DEVICE, "stolen")
        revoked_ms = inventory.clock_ms()
    wait_for(lambda: stack.office.broker.log_path.read_text().count(closed) > before, LIMIT_S)
    read = journal.read_text().count("\n")
    wait_for(lambda: journal.read_text().count("\n") > read + 4, LIMIT_S)
    dates = [point.date_ms for point in stack.database.points() if point.device == DEVICE]
    assert dates
    assert max(dates) < revoked_ms + 1000
    wait_for(lambda: "connecting failed" in line.box.log_path.read_text(), LIMIT_S)
    assert told(line, line.box.log_path.read_text() + stack.office.program.log_path.read_text()) == []
