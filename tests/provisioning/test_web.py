"""The web app over a real inventory: login, labels, the visit by plain forms, and what people get wrong."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import func, select

from kewang.wire.session import COOKIE
from provisioning.acts import devices, people, tasks
from provisioning.inventory import Audit, Device, Maintenance, Photo, Task, Visit
from provisioning.web.guards import HEADERS
from provisioning.web.options import WebOptions
from tests.provisioning import corpus
from tests.provisioning import market as town_of
from tests.provisioning.market import (
    CAMERA_BOX,
    MARDIKA,
    OFFICE,
    OTHER_BOX,
    PASSWORD,
    SENSOR_BOX,
    WIT,
    Town,
    fingerprint,
    label_path,
    picture,
)


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Town]:
    async with town_of.town(tmp_path) as opened:
        yield opened


def new() -> str:
    return str(uuid.uuid4())


def first(device: str, **more: str) -> dict[str, str]:
    """Fields of the step with which the server hears of an installation."""
    spot = {"lat": str(MARDIKA[0]), "lon": str(MARDIKA[1]), "accuracy_m": "12"}
    label = {"device": device, "fingerprint": fingerprint(device), "kind": "install"}
    return {"request": new(), "site": "mardika", **label, **spot, **more}


async def install(market: Town, device: str) -> str:
    """A whole installation by plain forms; the visit's id."""
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(device), 303)
    await market.post(f"/t/visit/{visit}/mounted", {"request": new()}, 303, files={"photo": ("a.jpg", picture("A"))})
    await market.post(f"/t/visit/{visit}/sources", {"request": new()}, 303)
    await asyncio.to_thread(market.boxes.arrive, device)
    await market.post(f"/t/visit/{visit}/readings", {"request": new()}, 303)
    if "cam" in device:
        await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 303)
        await market.post(f"/t/visit/{visit}/notice", {"request": new()}, 303, files={"photo": ("b.jpg", picture("B"))})
    return visit


def state(market: Town, device: str) -> str:
    with market.inventory.reading() as rows:
        return rows.get_one(Device, device).state


def acts(market: Town) -> int:
    """How many rows the audit log has."""
    with market.inventory.reading() as rows:
        return rows.scalar(select(func.count()).select_from(Audit)) or 0


# ---- login


async def test_login_sets_a_cookie_that_only_we_can_read(market: Town) -> None:
    answer = await market.log_in("rudi")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(COOKIE))
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "Rudi Latuconsina" in (await market.client.get("/t/")).text


async def test_the_cookie_is_secure_where_people_come_by_https(tmp_path: Path) -> None:
    async with town_of.town(tmp_path, options=WebOptions(bytes(32), https=True, zone=WIT)) as market:
        shown = await market.client.get("/login")
        assert "secure" in shown.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "path", ["/t/", "/t/mine", "/t/red", "/t/tasks", "/t/code", "/t/shell", "/t/visit/x", "/d/a/b"]
)
async def test_without_a_login_every_page_leads_to_it(market: Town, path: str) -> None:
    answer = await market.client.get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


async def test_a_label_scanned_before_the_login_is_not_lost(market: Town) -> None:
    where = (await market.client.get(label_path(CAMERA_BOX))).headers["location"]
    shown = (await market.client.get(where)).text
    token = shown.split('name="csrf" value="')[1].split('"')[0]
    target = shown.split('name="next" value="')[1].split('"')[0]
    said = {"login": "RUDI ", "password": PASSWORD, "csrf": token, "next": target}
    answer = await market.client.post("/login", data=said)
    assert answer.headers["location"] == label_path(CAMERA_BOX)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/t/\\evil", "/t/..//evil", "/login", "x"]
)
async def test_a_login_leads_nowhere_else(market: Town, target: str) -> None:
    shown = (await market.client.get("/login")).text
    token = shown.split('name="csrf" value="')[1].split('"')[0]
    said = {"login": "rudi", "password": PASSWORD, "csrf": token, "next": target}
    assert (await market.client.post("/login", data=said)).headers["location"] in ("/t/", "/t/..//evil"[:3])


async def test_wrong_passwords_are_slowed_down_and_the_right_one_waits_too(market: Town) -> None:
    answers = [await market.log_in("rudi", f"wrong-{n}") for n in range(8)]
    assert [answer.status_code for answer in answers[:4]] == [401] * 4
    assert answers[-1].status_code == 429
    assert (await market.log_in("rudi")).status_code == 429
    assert (await market.log_in("sari")).status_code == 303


async def test_forms_without_our_token_change_nothing(market: Town) -> None:
    await market.log_in("rudi")
    before = acts(market)
    for path, fields in ((f"/t/visit/{new()}/site", first(CAMERA_BOX)), ("/logout", {}), ("/t/code", {"device": "x"})):
        for token in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
            answer = await market.client.post(path, data=fields | token)
            assert (answer.status_code, "P-CSRF" in answer.text) == (403, True)
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    await market.post(f"/t/visit/{new()}/site", first(CAMERA_BOX), 403, headers=elsewhere)
    assert acts(market) == before
    assert state(market, CAMERA_BOX) == "new"


async def test_after_logout_the_old_cookie_is_worth_nothing(market: Town) -> None:
    await market.log_in("rudi")
    kept = dict(market.client.cookies)
    await market.post("/logout", {}, 303)
    market.client.cookies.clear()
    market.client.cookies.update(kept)
    assert COOKIE in kept
    assert (await market.client.get("/t/")).status_code == 303


async def test_a_shut_out_person_is_out_at_once(market: Town) -> None:
    await market.log_in("rudi")
    with market.inventory.writing(OFFICE) as work:
        people.disable(work, "rudi")
    assert (await market.client.get("/t/")).status_code == 303


async def test_the_language_is_the_persons_until_the_switch_is_used(market: Town) -> None:
    await market.log_in("rudi")
    assert "Halo, Rudi" in (await market.client.get("/t/")).text
    assert "Hello, Rudi" in (await market.client.get("/t/?lang=en")).text
    assert "Hello, Rudi" in (await market.client.get("/t/")).text


# ---- labels


async def test_a_label_in_any_case_opens_the_visit(market: Town) -> None:
    await market.log_in("rudi")
    for path in (label_path(CAMERA_BOX), f"/d/{CAMERA_BOX}/{fingerprint(CAMERA_BOX).lower()}"):
        answer = await market.client.get(path)
        assert (answer.status_code, "AMB-CAM-7K3F93" in answer.text) == (200, True)


async def test_what_a_label_can_be_refused_for(market: Town) -> None:
    await market.log_in("rudi")
    with market.inventory.writing(OFFICE) as work:
        devices.revoke(work, OTHER_BOX, "reported lost")
    for path, status, code in (
        ("/d/tte-cam-7k3f9q/" + fingerprint(CAMERA_BOX), 404, "P-404"),
        ("/d/X/" + fingerprint(CAMERA_BOX), 404, "P-404"),
        (f"/d/{CAMERA_BOX}/{fingerprint(SENSOR_BOX)}", 409, "P-409"),
        (f"/d/{CAMERA_BOX}/{fingerprint(CAMERA_BOX)[:7]}", 409, "P-409"),
        (label_path(OTHER_BOX), 403, "P-403"),
    ):
        answer = await market.client.get(path)
        assert (answer.status_code, code in answer.text) == (status, True), path
        assert "wa.me/6281100000" in answer.text


async def test_a_typed_code_leads_to_the_same_screen(market: Town) -> None:
    await market.log_in("rudi")
    typed = {"device": " amb-CAM-7k3f93 ", "code": fingerprint(CAMERA_BOX)[:8].lower()}
    answer = await market.post("/t/code", typed, 303)
    assert (await market.client.get(answer.headers["location"])).status_code == 200
    await market.post("/t/code", {"device": CAMERA_BOX, "code": "AAAAAAAA"}, 409)
    await market.post("/t/code", {"device": CAMERA_BOX, "code": "AAA"}, 400)


# ---- the visit


@pytest.mark.parametrize("device", [CAMERA_BOX, SENSOR_BOX])
async def test_a_visit_by_plain_forms_ends_green(market: Town, device: str) -> None:
    await market.log_in("rudi")
    visit = await install(market, device)
    ended = await market.client.get(f"/t/visit/{visit}", follow_redirects=True)
    assert "SELESAI – HIJAU" in ended.text
    assert "2026-0001" in ended.text or "-0001" in ended.text
    assert state(market, device) == "installed"
    assert device.upper() in (await market.client.get("/t/mine")).text


async def test_nothing_is_green_before_it_is_stored(market: Town) -> None:
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(SENSOR_BOX), 303)
    refused = await market.post(f"/t/visit/{visit}/readings", {"request": new()}, 409)
    assert "P-409" in refused.text
    await asyncio.to_thread(market.boxes.certify, SENSOR_BOX)
    await market.post(f"/t/visit/{visit}/readings", {"request": new()}, 409)
    market.boxes.report(SENSOR_BOX)
    market.gateway.trouble = "away"
    await market.post(f"/t/visit/{visit}/readings", {"request": new(), "reason": "weak-link"}, 409)
    market.gateway.trouble = None
    await market.post(f"/t/visit/{visit}/readings", {"request": new()}, 303)


async def test_maintenance_lasts_as_long_as_the_visit(market: Town) -> None:
    def spans() -> int:
        with market.inventory.reading() as rows:
            open_ones = select(func.count()).select_from(Maintenance).where(Maintenance.to_ms.is_(None))
            return rows.scalar(open_ones) or 0

    await market.log_in("rudi")
    await install(market, SENSOR_BOX)
    assert spans() == 0
    label = {"device": SENSOR_BOX, "fingerprint": fingerprint(SENSOR_BOX)}
    visit = new()
    await market.post(f"/t/visit/{visit}/start", {**label, "kind": "check", "request": new()}, 303)
    assert spans() == 1
    await market.post(f"/t/visit/{visit}/leave", {"request": new(), "reason": "unsafe"}, 303)
    assert spans() == 0
    assert "BELUM SELESAI" in (await market.client.get(f"/t/visit/{visit}/end")).text


async def test_the_same_request_twice_is_done_once(market: Town) -> None:
    await market.log_in("rudi")
    visit, fields, json = new(), first(CAMERA_BOX), {"headers": {"Accept": "application/json"}}
    one = await market.post(f"/t/visit/{visit}/site", fields, 200, **json)
    before = acts(market)
    two = await market.post(f"/t/visit/{visit}/site", fields, 200, **json)
    assert one.json() == two.json()
    assert one.json()["receipt"] == fields["request"]
    assert acts(market) == before
    other = await market.post(f"/t/visit/{visit}/site", fields | {"site": "gong"}, 409, **json)
    assert other.json()["code"] == "P-409"


async def test_two_technicians_on_one_device(market: Town) -> None:
    await market.log_in("rudi")
    theirs = new()
    await market.post(f"/t/visit/{theirs}/site", first(CAMERA_BOX), 303)
    market.client.cookies.clear()
    await market.log_in("sari")
    refused = await market.post(f"/t/visit/{new()}/site", first(CAMERA_BOX, site="gong"), 409)
    assert "Rudi" in refused.text
    await market.post(f"/t/visit/{theirs}/sources", {"request": new()}, 404)
    assert (await market.client.get(f"/t/visit/{theirs}")).status_code == 404
    with market.inventory.reading() as rows:
        assert [visit.person for visit in rows.scalars(select(Visit))] == ["rudi"]
        assert rows.get_one(Device, CAMERA_BOX).site == "mardika"


async def test_a_technician_of_another_district_is_refused(market: Town) -> None:
    await market.log_in("nus")
    refused = await market.post(f"/t/visit/{new()}/site", first(CAMERA_BOX), 403)
    assert "P-403" in refused.text
    assert state(market, CAMERA_BOX) == "new"


async def test_what_the_phone_kept_for_another_person_is_not_sent_as_mine(market: Town) -> None:
    await market.log_in("rudi")
    headers = {"Accept": "application/json", "Kewang-Person": "sari"}
    refused = await market.post(f"/t/visit/{new()}/site", first(CAMERA_BOX), 401, headers=headers)
    assert refused.json() == {"code": "P-401", "other": "rudi"}


async def test_replace_move_check_and_retire(market: Town) -> None:
    await market.log_in("rudi")
    await install(market, CAMERA_BOX)
    shown = (await market.client.get(label_path(CAMERA_BOX))).text
    assert "Pasar Mardika, Blok B" in shown
    old = {"old": CAMERA_BOX, "fingerprint": fingerprint(CAMERA_BOX)}
    await market.post("/t/replace", old)
    assert "AMB-CAM-7K3F93" in (await market.client.get(label_path(OTHER_BOX))).text
    label = {"device": OTHER_BOX, "fingerprint": fingerprint(OTHER_BOX)}
    visit = new()
    await market.post(f"/t/visit/{visit}/start", {**label, "kind": "replace", "old": CAMERA_BOX, "request": new()}, 303)
    assert (state(market, CAMERA_BOX), state(market, OTHER_BOX)) == ("revoked", "approved")
    await market.post(f"/t/visit/{visit}/leave", {"request": new(), "reason": "other"}, 303)
    await market.post("/t/replace", {"old": ""}, 303)
    moved = new()
    move = {**label, "kind": "move", "site": "gong", "request": new()}
    await market.post(f"/t/visit/{moved}/site", move, 303)
    with market.inventory.reading() as rows:
        assert rows.get_one(Device, OTHER_BOX).site == "gong"
    await market.post(f"/t/visit/{moved}/leave", {"request": new(), "reason": "other"}, 303)
    gone = new()
    await market.post(f"/t/visit/{gone}/start", {**label, "kind": "retire", "request": new()}, 303)
    assert state(market, OTHER_BOX) == "retired"
    assert "TIDAK DIPAKAI" in (await market.client.get(f"/t/visit/{gone}/end")).text


async def test_a_camera_that_is_degraded_makes_the_visit_amber(market: Town) -> None:
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(OTHER_BOX), 303)
    await asyncio.to_thread(market.boxes.arrive, OTHER_BOX)
    market.gateway.store(OTHER_BOX, "cam", "cam-1", {"camera_state": 2, "camera_reason": 45, "reachable": 1})
    assert "tertutup" in (await market.client.get(f"/t/visit/{visit}/progress")).text
    for step in ("sources", "readings", "picture"):
        await market.post(f"/t/visit/{visit}/{step}", {"request": new()}, 303)
    for photo in ("mounted", "notice"):
        await market.post(f"/t/visit/{visit}/{photo}", {"request": new()}, 303, files={"photo": ("a", picture(photo))})
    with market.inventory.reading() as rows:
        assert rows.get_one(Visit, visit).result == "amber"
    assert "SELESAI – KUNING" in (await market.client.get(f"/t/visit/{visit}/end")).text


# ---- own pages


async def test_tasks_are_taken_noted_and_done(market: Town) -> None:
    with market.inventory.writing(OFFICE) as work:
        number = tasks.assign(work, "Kamera <b>gelap</b>", device=CAMERA_BOX, assignee="rudi").id
    await market.log_in("rudi")
    assert "Kamera &lt;b&gt;gelap&lt;/b&gt;" in (await market.client.get("/t/tasks")).text
    await market.post(f"/t/task/{number}/take", {}, 303)
    await market.post(f"/t/task/{number}/note", {"note": "lensa kotor"}, 303)
    await market.post(f"/t/task/{number}/done", {"note": "sudah dilap"}, 303)
    await market.post(f"/t/task/{number}/burn", {}, 404)
    with market.inventory.reading() as rows:
        done = rows.get_one(Task, number)
        assert (done.state, done.note) == ("done", "sudah dilap")


async def test_what_is_red_at_my_sites(market: Town) -> None:
    await market.log_in("rudi")
    await install(market, SENSOR_BOX)
    assert "Tidak ada yang merah" in (await market.client.get("/t/red")).text
    market.gateway.devices[SENSOR_BOX].condition = "silent"
    assert SENSOR_BOX.upper() in (await market.client.get("/t/red")).text
    market.client.cookies.clear()
    await market.log_in("nus")
    assert SENSOR_BOX.upper() not in (await market.client.get("/t/red")).text


# ---- bad input


@pytest.mark.parametrize(
    "kind", ["HTML", "FORMULAS", "SQL", "LINE_PROTOCOL", "INFLUXQL", "PATHS", "UNSEEN", "LONG", "ODD"]
)
async def test_no_field_takes_what_means_no_good(market: Town, kind: str) -> None:
    """A refusal in words, never an error of ours, nothing half done; what is shown again is escaped."""
    await market.log_in("rudi")
    token = (await market.client.get("/t/token")).json()["csrf"]
    for text in getattr(corpus, kind):
        sent = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        before = acts(market)
        answers = await into_every_field(market, token, sent)
        for answer in answers:
            assert 300 < answer.status_code < 500, (answer.status_code, answer.request.url, answer.text[:300])
            assert not sent.startswith(("<", '"')) or sent not in answer.text
        assert acts(market) - before <= len(answers)
    assert state(market, CAMERA_BOX) == "new"
    with market.inventory.reading() as rows:
        assert rows.scalar(select(func.count()).select_from(Visit)) == 0
        assert rows.scalar(select(func.count()).select_from(Photo)) == 0


async def into_every_field(market: Town, token: str, text: str) -> list[httpx.Response]:
    """The answers of every form and address to `text` in each of their fields."""
    part = quote(text[:300], safe="")
    forms = [
        *((f"/t/visit/{new()}/site", first(CAMERA_BOX) | {field: text}) for field in PLACING),
        ("/t/code", {"device": text, "code": text}),
        ("/t/replace", {"old": text or "x", "fingerprint": text}),
        (f"/t/visit/{new()}/leave", {"request": new(), "reason": text}),
        (f"/t/visit/{new()}/readings", {"request": new(), "reason": text}),
        ("/t/task/1/note", {"note": text}),
    ]
    posted = [await market.client.post(path, data={**fields, "csrf": token}) for path, fields in forms]
    paths = (f"/d/{part}/{part}", f"/t/visit/{part}/end", f"/t/picture/{part}")
    return posted + [await market.client.get(path) for path in paths]


PLACING = ("request", "device", "fingerprint", "kind", "site")


async def test_a_position_that_can_t_be_is_no_position(market: Town) -> None:
    await market.log_in("rudi")
    for lat in ("NaN", "91", "1e999", "x", ""):
        await market.post(f"/t/visit/{new()}/site", first(CAMERA_BOX, lat=lat), 303)
        with market.inventory.reading() as rows:
            assert rows.get_one(Device, CAMERA_BOX).lat is None
        with market.inventory.writing(OFFICE) as work:
            work.rows.get_one(Device, CAMERA_BOX).state = "new"
