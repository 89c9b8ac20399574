"""The page of maintenance: planned, open and over; only the office plans; what is worked on looks like no alarm."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.console.facts import Access
from gateway.incidents.model import Scope
from tests.chromium import chromium
from tests.fakes import MemoryStore
from tests.gateway.serving import QUICK, Served, console, now_ms
from tests.gateway.test_console_live import SIZES, SMALLEST_TEXT, STICKING_OUT
from tests.gateway.test_console_login import KEY, LOGIN, TOKEN, cookie
from tests.gateway.town import TOWN, placements, settle
from tests.gateway.watch_house import BOXES, House

OFFICE = cookie(role="operator", left_s=3600)
TECHNICIAN = cookie(left_s=3600)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PLAN = {"level": "site", "name": "Mardika ", "from": "", "hours": "2", "note": "a new pole"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, now_ms())
    yield made
    made.watched.close()


def guarded(house: House) -> Any:
    return console(MemoryStore(), access=Access(TOKEN, KEY, LOGIN), incidents=house.watched)


async def page(shown: Served, headers: dict[str, str] = OFFICE) -> str:
    answer = await shown.client.get("/maintenance?lang=en", headers=headers)
    assert answer.status_code == 200
    return answer.text


def token_of(text: str) -> str:
    return text.split('name="token" value="')[1].split('"', maxsplit=1)[0]


async def test_the_office_plans_and_ends_and_nobody_else(house: House) -> None:
    async with guarded(house) as shown:
        shown.facts.incidents = 0
        assert (await shown.client.post("/maintenance", data=PLAN)).status_code == 401
        token = token_of(await page(shown))
        assert "Operators of the office plan maintenance." in await page(shown, TECHNICIAN)
        for wrong, headers in (({}, OFFICE), ({"token": "x"}, OFFICE), ({"token": token}, TECHNICIAN)):
            for path in ("/maintenance", "/maintenance/1/end"):
                answer = await shown.client.post(path, data=PLAN | wrong, headers=headers)
                assert answer.status_code == 403
        assert house.watched.works.windows == []
        sent = await shown.client.post("/maintenance", data=PLAN | {"token": token}, headers=OFFICE)
        assert sent.status_code == 303
        (window,) = house.watched.works.windows
        assert (window.scope.name, window.by, window.note, window.begun) == ("mardika", "Rudi", "a new pole", True)
        assert window.until_s - window.from_s == pytest.approx(7200, abs=60)
        house.silent = {BOXES[0]}
        await house.live(400)
        text = await page(shown)
        assert re.search(rf"Maintenance of site Mardika.*Away now.*{BOXES[0]}", text, re.S)
        ended = await shown.client.post("/maintenance/1/end", data={"token": token}, headers=OFFICE)
        assert ended.status_code == 303
        await house.live(1)
        assert re.search(rf"Nobody is working.*Over.*1 device was not back:.*{BOXES[0]}", await page(shown), re.S)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "mardka"}, "Did you mean mardika?"),
        ({"name": "<b>"}, "Nothing of this kind is called &lt;b&gt;."),
        ({"hours": "x"}, "It would be over before it begins"),
        ({"hours": "9" * 400}, "It would be over before it begins"),
        ({"hours": "721"}, "30 days at most"),
        ({"from": "2096-01-01T08:00"}, "more than a year"),
        ({"from": "9999-12-31T23:59"}, "more than a year"),
    ],
)
async def test_what_makes_no_sense_is_said_and_the_form_stays(house: House, wrong: dict[str, str], told: str) -> None:
    async with guarded(house) as shown:
        fields = PLAN | wrong | {"token": token_of(await page(shown))}
        answer = await shown.client.post("/maintenance?lang=en", data=fields, headers=OFFICE)
        assert answer.status_code == 422
        assert told in answer.text
        assert 'value="a new pole"' in answer.text


async def test_programs_plan_with_the_service_token(house: House) -> None:
    wish = {"level": "feeder", "name": "pln-1", "for_s": 600, "by": "ina"}
    async with guarded(house) as shown:
        post = shown.client.post
        assert (await post("/api/v1/maintenance", json=wish)).status_code == 401
        refused = await post("/api/v1/maintenance", json=wish, headers=BEARER)
        assert (refused.status_code, refused.json()["code"]) == (409, "unknown")
        for wrong in ({"for_s": None}, {"until_s": 1e10}, {"level": "city"}, {"by": ""}):
            assert (await post("/api/v1/maintenance", json=wish | wrong, headers=BEARER)).status_code == 422
        from_s = now_ms() / 1000 + 3600
        right = wish | {"level": "device", "name": BOXES[3], "from_s": from_s}
        window = (await post("/api/v1/maintenance", json=right, headers=BEARER)).json()["window"]
        assert (window["until_s"] - window["from_s"], window["begun"]) == (pytest.approx(600, abs=1), False)
        listed = (await shown.client.get("/api/v1/maintenance", headers=BEARER)).json()["windows"]
        assert [one["scope"]["name"] for one in listed] == [BOXES[3]]
        ended = [(await post("/api/v1/maintenance/1/end", json={}, headers=BEARER)).json()["ok"] for _ in range(2)]
        assert ended == [True, False]


async def test_what_is_worked_on_looks_like_no_alarm() -> None:
    store, boxes = MemoryStore(), tuple(box for box in TOWN if box.site == "pasar-passo")
    await settle(store, now_ms(), boxes, minutes=2)
    async with console(store, replace(QUICK, device_s=0.1), known=placements(boxes)) as shown:
        device = await shown.text("/device/passo-01?lang=en")
        assert re.search(r'chip alarm">■ down: silent since', device)
        shown.facts.maintained = {"passo-01"}
        live = await shown.until("/?lang=en", "in maintenance")
        assert "all are heard" in live
        assert not re.search(r'device troubled">\s*<header><h3><a href="/device/passo-01', live)
        device = await shown.until("/device/passo-01?lang=en", "in maintenance")
        assert re.search(r'chip info">● in maintenance</span>\s*<span class="chip plain">○ silent since', device)
        assert "chip alarm" not in device.partition("<section")[0]


@pytest.mark.slow
async def test_the_page_fits_phone_and_wall(house: House, tmp_path: Path) -> None:
    """Nothing sticks out; on a wall no text is smaller than 19 px. KEWANG_SHOTS=folder keeps the pictures."""
    works, now_s = house.watched.works, now_ms() / 1000
    for box in BOXES[:2]:
        works.plan(Scope("device", box), None, now_s + 600, "Ina", "the box gets a new power supply")
    house.silent = {BOXES[0], BOXES[1]}
    await house.live(300)
    works.end(1)
    works.plan(Scope("site", "gong"), now_s + 86_400, now_s + 90_000, "Rudi Latuheru", "PLN changes the transformer")
    await house.live(2)
    async with guarded(house) as shown, chromium(tmp_path / "profile") as tab:
        shown.facts.incidents = 1
        name, _, value = OFFICE["Cookie"].partition("=")
        await tab.call("Network.setCookie", name=name, value=value, url=shown.address)
        for size, (width, height) in SIZES.items():
            for language in ("id", "en"):
                await tab.open(f"{shown.address}/maintenance?lang={language}", width, height, phone=size == "phone")
                assert await tab.ask("document.documentElement.scrollWidth <= window.innerWidth")
                assert await tab.ask(STICKING_OUT) == []
                if size == "wall":
                    assert await tab.ask(SMALLEST_TEXT) >= 19
                if folder := os.environ.get("KEWANG_SHOTS"):
                    await tab.picture(Path(folder) / f"maintenance-{size}-{language}.png", whole=size == "phone")
