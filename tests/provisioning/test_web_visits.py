"""Visits by plain forms, as the phone and a browser without JavaScript send them."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import func, select

from provisioning.acts import tasks
from provisioning.inventory import Device, Maintenance, Photo, Task, Visit
from tests.provisioning import corpus
from tests.provisioning.market import (
    CAMERA_BOX,
    OFFICE,
    OTHER_BOX,
    SENSOR_BOX,
    Town,
    fingerprint,
    label_path,
    picture,
)
from tests.provisioning.web_town import acts, first, install, new, state


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
    assert CAMERA_BOX.upper() in (await market.client.get(label_path(OTHER_BOX))).text
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
