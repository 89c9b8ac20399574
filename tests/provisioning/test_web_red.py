"""A visit that can't be finished: it ends red, with a reason, and is seen where it matters; also without a signal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

from provisioning.inventory import Audit, Maintenance, Photo, Visit
from tests.chromium import chromium
from tests.provisioning.forms import first, install, new, state
from tests.provisioning.link import Link
from tests.provisioning.market import (
    CAMERA_BOX,
    MARDIKA,
    PASSWORD,
    SENSOR_BOX,
    Town,
    fingerprint,
    label_path,
    phone_photo,
)
from tests.provisioning.test_web_walk import shots
from tests.provisioning.walk import Phone

NOTE = "Tiang miring <b>sekali</b>"


async def check(market: Town, device: str) -> str:
    """Begins a check of an installed device; the visit's id."""
    visit = new()
    label = {"device": device, "fingerprint": fingerprint(device)}
    await market.post(f"/t/visit/{visit}/start", {**label, "kind": "check", "request": new()}, 303)
    return visit


def ended(market: Town, visit: str) -> tuple[str | None, str, str | None]:
    with market.inventory.reading() as rows:
        found = rows.get_one(Visit, visit)
        return found.result, found.reason, found.number


def open_spans(market: Town) -> int:
    with market.inventory.reading() as rows:
        return rows.scalar(select(func.count()).select_from(Maintenance).where(Maintenance.to_ms.is_(None))) or 0


async def test_it_ends_red_with_reason_and_note_and_the_audit_log_says_so(market: Town) -> None:
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(CAMERA_BOX), 303)
    assert open_spans(market) == 1
    shown = (await market.client.get(f"/t/visit/{visit}")).text
    assert f'action="/t/visit/{visit}/leave"' in shown
    await market.post(
        f"/t/visit/{visit}/leave", {"request": new(), "reason": "no-power", "note": f" {NOTE}\u200b"}, 303
    )
    assert ended(market, visit) == ("red", f"no-power\n{NOTE}", None)
    assert (open_spans(market), state(market, CAMERA_BOX)) == (0, "approved")
    with market.inventory.reading() as rows:
        detail = rows.scalars(select(Audit.detail).where(Audit.act == "visit.finish")).one()
    assert json.loads(detail) == {"visit": visit, "result": "red", "number": None, "reason": f"no-power\n{NOTE}"}
    page = (await market.client.get(f"/t/visit/{visit}", follow_redirects=True)).text
    assert re.search(r"BELUM SELESAI.*Tidak ada listrik di sini\nTiang miring &lt;b&gt;sekali", page, re.S)


@pytest.mark.parametrize("fields", [{}, {"reason": "rain"}, {"reason": "", "note": NOTE}])
async def test_without_one_of_the_reasons_the_visit_goes_on(market: Town, fields: dict[str, str]) -> None:
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(SENSOR_BOX), 303)
    await market.post(f"/t/visit/{visit}/leave", {"request": new(), **fields}, 400)
    assert ended(market, visit) == (None, "", None)


async def test_the_camera_is_asked_about_where_there_is_one(market: Town) -> None:
    await market.log_in("rudi")
    for device, hidden in ((CAMERA_BOX, False), (SENSOR_BOX, True)):
        visit = new()
        await market.post(f"/t/visit/{visit}/site", first(device), 303)
        shown = (await market.client.get(f"/t/visit/{visit}")).text
        assert ("data-of-cameras hidden" in shown) is hidden, device


async def test_it_is_red_at_my_sites_until_a_visit_ends_well(market: Town) -> None:
    await market.log_in("rudi")
    await install(market, SENSOR_BOX)
    red = await check(market, SENSOR_BOX)
    assert SENSOR_BOX.upper() not in (await market.client.get("/t/red")).text
    await market.post(f"/t/visit/{red}/leave", {"request": new(), "reason": "other", "note": "Pasar tutup"}, 303)
    market.client.cookies.clear()
    await market.log_in("sari")
    shown = (await market.client.get("/t/red")).text
    assert re.search(rf"{SENSOR_BOX.upper()}.*belum selesai: Sebab lain\nPasar tutup.*rudi", shown, re.S)
    assert "Tidak ada yang merah" not in shown
    market.gateway.trouble = "away"
    assert SENSOR_BOX.upper() in (await market.client.get("/t/red")).text
    market.gateway.trouble = None
    market.client.cookies.clear()
    await market.log_in("nus")
    assert SENSOR_BOX.upper() not in (await market.client.get("/t/red")).text
    market.client.cookies.clear()
    await market.log_in("sari")
    again = await check(market, SENSOR_BOX)
    assert SENSOR_BOX.upper() in (await market.client.get("/t/red")).text
    market.boxes.report(SENSOR_BOX)
    await market.post(f"/t/visit/{again}/readings", {"request": new()}, 303)
    assert ended(market, again)[0] == "green"
    assert "Tidak ada yang merah" in (await market.client.get("/t/red")).text


async def test_the_office_sees_it_in_the_work_and_on_the_devices_page(market: Town) -> None:
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(CAMERA_BOX), 303)
    await market.post(f"/t/visit/{visit}/leave", {"request": new(), "reason": "camera-broken", "note": NOTE}, 303)
    market.client.cookies.clear()
    await market.log_in("ina")
    lines = (await market.post("/office/export/work", {})).text.splitlines()
    column = lines[0].split(";").index("belum selesai")
    assert {line.split(";")[0]: line.split(";")[column] for line in lines[1:]}["rudi"] == "1"
    page = (await market.client.get("/office/exports")).text
    assert '<td class="n" data-label="belum selesai">1</td>' in page
    device = (await market.client.get(f"/office/device/{CAMERA_BOX}")).text
    assert "Kameranya rusak\nTiang miring &lt;b&gt;sekali" in device


@pytest.mark.slow
@pytest.mark.parametrize("language", ["id", "en"])
async def test_on_a_phone_a_check_ends_red(market: Town, tmp_path: Path, language: str) -> None:
    await market.log_in("rudi")
    await install(market, CAMERA_BOX)
    async with chromium(tmp_path / "profile") as tab:
        phone = Phone(tab, market.address, language, shots(), "red")
        await phone.log_in("rudi", PASSWORD)
        await phone.open(f"{label_path(CAMERA_BOX)}?kind=check")
        await phone.at("start")
        await phone.go("start")
        await phone.at("readings")
        await tab.until("document.querySelectorAll('[data-step=readings] .signs li').length > 1")
        await phone.tap(".leave summary")
        await phone.tap(".leave input[value=camera-broken]")
        await tab.type(".leave [name=note]", NOTE)
        await phone.shot("reason")
        assert await phone.fits() == []
        await phone.tap(".leave button.go")
        await tab.until("document.querySelector('main.end.red') !== null")
        await phone.shot("end")
        assert await phone.fits() == []
        await phone.open("/t/red")
        await phone.shot("list")
        assert CAMERA_BOX.upper() in await tab.ask("document.querySelector('.rows').innerText")
        assert await phone.fits() == []


@pytest.mark.slow
async def test_without_a_signal_it_is_kept_and_arrives_after_the_photo(market: Town, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(phone_photo())
    async with Link(int(market.address.rpartition(":")[2])) as link, chromium(tmp_path / "profile") as tab:
        await tab.stand_at(*MARDIKA)
        phone = Phone(tab, link.url, "id", shots(), "red-offline")
        await phone.log_in("rudi", PASSWORD)
        await phone.ready()
        link.cut()
        await tab.offline(True)
        await until_photographed(phone, photo)
        await end_it(phone, "no-network")
        assert await tab.ask("kewangQueue.waiting()") == 3
        link.mend()
        await tab.offline(False)
        await phone.open("/t/")
        await tab.until("kewangQueue.waiting().then(n => n === 0)")
        assert not await tab.ask("document.getElementById('unfinished').checkVisibility()")
    with market.inventory.reading() as rows:
        found = rows.scalars(select(Visit)).one()
        assert (found.device, found.result, found.reason) == (SENSOR_BOX, "red", "no-network")
        assert rows.scalars(select(Photo.visit)).all() == [found.id]
    assert open_spans(market) == 0


async def until_photographed(phone: Phone, photo: Path) -> None:
    """Scanned, begun, placed, photographed."""
    await phone.open(label_path(SENSOR_BOX))
    await phone.at("start")
    assert not await phone.tab.ask("document.querySelector('.leave').checkVisibility()")
    await phone.go("start")
    await phone.at("site")
    await phone.tab.until("document.querySelector('.proposed') !== null")
    await phone.go("site")
    await phone.at("mounted")
    await phone.photograph("mounted", photo)
    await phone.at("sources")


async def end_it(phone: Phone, reason: str) -> None:
    """Three taps; the page says that it is kept."""
    await phone.tap(".leave summary")
    assert not await phone.tab.ask("document.querySelector('[data-of-cameras]').checkVisibility()")
    await phone.tap(f".leave input[value={reason}]")
    await phone.tap(".leave button.go")
    await phone.tab.until("document.getElementById('left').checkVisibility()")
    await phone.shot("kept")
    assert await phone.fits() == []
