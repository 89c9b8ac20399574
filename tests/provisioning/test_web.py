"""The web app over a real inventory: labels, the visit by plain forms, own pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from provisioning.acts import devices, sites, tasks
from provisioning.acts.sites import NewSite
from provisioning.inventory import Actor, Device, Maintenance, Task, Visit
from provisioning.web.flow import STEPS
from tests.provisioning import market as town_of
from tests.provisioning.forms import acts, first, install, new, state
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


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Town]:
    async with town_of.town(tmp_path) as opened:
        yield opened


# ---- labels


async def test_a_label_in_any_case_opens_the_visit(market: Town) -> None:
    await market.log_in("rudi")
    for path in (label_path(CAMERA_BOX), f"/d/{CAMERA_BOX}/{fingerprint(CAMERA_BOX).lower()}"):
        answer = await market.client.get(path)
        assert (answer.status_code, CAMERA_BOX.upper() in answer.text) == (200, True)


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
    typed = {"device": f" {CAMERA_BOX.upper()} ", "code": fingerprint(CAMERA_BOX)[:8].lower()}
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


async def test_a_box_that_was_heard_before_the_visit_is_not_connected(market: Town) -> None:
    market.boxes.report(SENSOR_BOX)
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(SENSOR_BOX), 303)
    await asyncio.to_thread(market.boxes.certify, SENSOR_BOX)
    assert "Menunggu sambungan" in (await market.client.get(f"/t/visit/{visit}/progress")).text
    market.boxes.report(SENSOR_BOX)
    assert "Tersambung" in (await market.client.get(f"/t/visit/{visit}/progress")).text


async def test_sites_without_a_district_are_everybodys(market: Town) -> None:
    with market.inventory.writing(Actor.cli("test")) as work:
        sites.put(work, NewSite("dermaga", "Dermaga Feri", -3.69, 128.17))
    await market.log_in("rudi")
    shown = (await market.client.get(f"/d/{SENSOR_BOX}/{fingerprint(SENSOR_BOX)}")).text
    assert "Dermaga Feri" in shown
    assert "Pantai Amahusu" not in shown
    assert "Dermaga Feri" in (await market.client.get("/t/shell")).text


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
    await market.post(f"/t/visit/{visit}/leave", {"request": new(), "reason": "no-access"}, 303)
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


@pytest.mark.parametrize("device", [CAMERA_BOX, SENSOR_BOX])
async def test_a_last_step_that_is_tapped_twice_is_no_refusal(market: Town, device: str) -> None:
    await market.log_in("rudi")
    visit = await install(market, device)
    again = {"files": {"photo": ("b.jpg", picture("B"))}} if device == CAMERA_BOX else {}
    last = "notice" if device == CAMERA_BOX else "readings"
    await market.post(f"/t/visit/{visit}/{last}", {"request": new()}, 303, **again)
    await market.post(f"/t/visit/{visit}/leave", {"request": new(), "reason": "broken"}, 409)
    assert state(market, device) == "installed"


async def test_who_ends_a_visit_twice_as_not_finished_has_ended_it_once(market: Town) -> None:
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(SENSOR_BOX), 303)
    for _ in range(2):
        await market.post(f"/t/visit/{visit}/leave", {"request": new(), "reason": "no-power"}, 303)
    await market.post(f"/t/visit/{visit}/readings", {"request": new()}, 409)


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


async def test_the_phone_asks_the_same_questions_as_the_server(market: Town) -> None:
    """The script shows the sections that fit the visit, in the page's order."""
    await market.log_in("rudi")
    page = (await market.client.get(label_path(CAMERA_BOX))).text
    sections = re.findall(r'<section class="question" data-step="([a-z]+)"(?: data-kinds="([a-z ]+)")?', page)
    for kind, steps in STEPS.items():
        asked = [step for step, kinds in sections if not kinds or kind in kinds.split()]
        assert tuple(asked) == (*steps, "sent"), kind


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
