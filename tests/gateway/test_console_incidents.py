"""The pages of incidents: open and over, one with its timeline, taken on by who is logged in; on phone and wall."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from gateway.console.facts import Access
from gateway.console.filters import how_many
from gateway.incidents.model import Incident, Scope
from kewang.wire.state import State
from tests.chromium import chromium
from tests.fakes import MemoryStore
from tests.gateway.serving import console, now_ms
from tests.gateway.test_console_live import SIZES, SMALLEST_TEXT, STICKING_OUT
from tests.gateway.test_console_login import KEY, LOGIN, TOKEN, cookie
from tests.gateway.watch_house import BOXES, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, now_ms() - 3_600_000)
    yield made
    made.watched.close()


async def stormy(house: House) -> None:
    """A site that was out and is back, and a device that is out."""
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(300)
    house.silent = set()
    for box in BOXES[:3]:
        birth = State.model_validate({"st": "on", "bt": "0f1e0c9a77d2", "n": 1, "why": "power"})
        house.watched.watching.born(box, birth, False)
    await house.live(900)
    house.silent = {BOXES[3]}
    await house.live(300)


async def test_what_is_open_and_what_is_over(house: House) -> None:
    await stormy(house)
    async with console(MemoryStore(), incidents=house.watched) as shown:
        shown.facts.incidents = 1
        english = await shown.text("/incidents?lang=en")
        assert re.search(
            r"1 open incident.*Device amb-box-3 is not heard.*Over.*Site Mardika is not heard", english, re.S
        )
        assert "the power was away" in english
        assert "1 gangguan berlangsung" in await shown.text("/incidents?lang=id")
        assert "1 gangguan berlangsung" in await shown.text("/?lang=id")
        told = (await shown.client.get("/api/v1/incidents")).json()["incidents"]
        assert [(one["scope"]["name"], one["ended_s"] is None) for one in told] == [
            ("amb-box-3", True),
            ("mardika", False),
        ]
        one = await shown.text(f"/incidents/{told[1]['number']}?lang=en")
        assert re.search(r"Timeline.*opened.*ended", one, re.S)
        await shown.text("/incidents/999", 404)
        await shown.text("/incidents/x", 422)


async def test_programs_look_for_incidents_as_people_do(house: House) -> None:
    await stormy(house)
    async with console(MemoryStore(), incidents=house.watched) as shown:
        for asked, wanted in {
            "": ["amb-box-3", "mardika"],
            "?state=open": ["amb-box-3"],
            "?state=over&level=site": ["mardika"],
            "?site=mardika": ["mardika"],
            "?text=box-3": ["amb-box-3"],
            "?text=box-3&state=over": [],
            "?page=2": [],
            "?page=x&kind=outage": ["amb-box-3", "mardika"],
        }.items():
            told = (await shown.client.get(f"/api/v1/incidents{asked}")).json()
            assert [one["scope"]["name"] for one in told["incidents"]] == wanted, asked
            assert (told["count"], told["last"]) == (2 if asked == "?page=2" else len(wanted), 1)


async def test_a_change_of_language_keeps_what_is_looked_for(house: House) -> None:
    await stormy(house)
    async with console(MemoryStore(), incidents=house.watched) as shown:
        page = await shown.text("/incidents?lang=en&state=over&site=mardika&text=a%26b%3Cx%3E")
        (other,) = re.findall(r'<a href="([^"]*)" lang="id"', page)
        asked = {"lang": ["id"], "state": ["over"], "site": ["mardika"], "text": ["a&b<x>"]}
        assert parse_qs(unescape(other).removeprefix("?")) == asked
        page = await shown.text("/incidents" + unescape(other))
        assert 'value="mardika"' in page
        assert '<option value="over" selected>' in page
        assert "berlangsung</option>" in page
        assert "terbuka" not in page


@pytest.mark.parametrize(
    ("kind", "metric", "names", "english", "indonesian"),
    [
        ("camera-lost", "camera_state", ["a/cam-1"], "1 camera", "1 kamera"),
        ("outage", None, ["a/env-1", "a/env-2"], "2 sources", "2 sumber"),
        ("outage", None, ["a", "b"], "2 devices", "2 alat"),
        ("air", "pm25_ugm3", ["a/env-1"], "1 source", "1 sumber"),
    ],
)
def test_parts_of_a_device_are_not_counted_as_devices(
    kind: str, metric: str | None, names: list[str], english: str, indonesian: str
) -> None:
    devices = dict.fromkeys(names, 0.0)
    one = Incident(1, kind, Scope("device", "a"), "warning", 0.0, 0.0, devices, metric=metric)
    assert (how_many(one, "en"), how_many(one, "id")) == (english, indonesian)


async def test_a_gateway_that_is_not_well_gives_no_all_clear(house: House) -> None:
    async with console(MemoryStore(), incidents=house.watched) as shown:
        assert "No open incident" in await shown.text("/incidents?lang=en")
        shown.facts.connected = False
        page = await shown.text("/incidents?lang=en")
        assert "No open incident" not in page
        assert "NO ALL-CLEAR" in page


async def test_only_who_is_logged_in_and_on_our_page_takes_one_on(house: House) -> None:
    await stormy(house)
    (number,) = house.watched.watching.open
    path = f"/incidents/{number}/acknowledge"
    async with console(MemoryStore(), access=Access(TOKEN, KEY, LOGIN), incidents=house.watched) as shown:
        assert (await shown.client.post(path, data={"note": "x"})).status_code == 401
        page = (await shown.client.get(f"/incidents/{number}", headers=cookie())).text
        token = page.split('name="token" value="')[1].split('"')[0]
        for wrong in ({}, {"token": "x"}, {"token": "\u00e9"}):
            assert (await shown.client.post(path, data=wrong, headers=cookie())).status_code == 403
        huge = {"token": token, "note": "x" * 20_000}
        assert (await shown.client.post(path, data=huge, headers=cookie())).status_code == 403
        note = {"token": token, "note": "on my way\u202e<b>"}
        assert (await shown.client.post(path, data=note, headers=cookie())).status_code == 303
        await house.live(1)
        page = (await shown.client.get(f"/incidents/{number}?lang=en", headers=cookie())).text
        assert "Rudi: on my way&lt;b&gt;" in page
        assert "/acknowledge" not in page


async def test_a_note_is_written_by_who_is_logged_in_and_by_programs(house: House) -> None:
    await stormy(house)
    (number,) = house.watched.watching.open
    path, bearer = f"/incidents/{number}/note", {"Authorization": f"Bearer {TOKEN}"}
    async with console(MemoryStore(), access=Access(TOKEN, KEY, LOGIN), incidents=house.watched) as shown:
        page = (await shown.client.get(f"/incidents/{number}", headers=cookie())).text
        token = page.split('name="token" value="')[1].split('"')[0]
        assert (await shown.client.post(path, data={"note": "x"}, headers=cookie())).status_code == 403
        for note in ("", "no power in the street"):
            sent = await shown.client.post(path, data={"token": token, "note": note}, headers=cookie())
            assert sent.status_code == 303
        said = {"by": "ina", "note": "PLN was called"}
        assert (await shown.client.post(f"/api/v1{path}", json=said)).status_code == 401
        assert (await shown.client.post(f"/api/v1{path}", json={"by": "ina"}, headers=bearer)).status_code == 422
        assert (await shown.client.post(f"/api/v1{path}", json=said, headers=bearer)).json() == {"ok": True}
        assert (await shown.client.post("/api/v1/incidents/99/note", json=said, headers=bearer)).json() == {"ok": False}
        await house.live(1)
        page = (await shown.client.get(f"/incidents/{number}?lang=en", headers=cookie())).text
        assert re.search(r"note: Rudi.*no power in the street.*note: ina.*PLN was called", page, re.S)
        assert page.count("note: ") == 2


async def test_without_a_login_of_the_city_nobody_takes_one_on(house: House) -> None:
    await stormy(house)
    (number,) = house.watched.watching.open
    async with console(MemoryStore(), incidents=house.watched) as shown:
        assert f"<code>kewang incidents ack {number}</code>" in await shown.text(f"/incidents/{number}?lang=en")
        answer = await shown.client.post(f"/incidents/{number}/acknowledge", data={"token": ""})
        assert answer.status_code == 403


@pytest.mark.slow
async def test_pages_fit_phone_and_wall(house: House, tmp_path: Path) -> None:
    """Nothing sticks out; on a wall no text is smaller than 19 px. KEWANG_SHOTS=folder keeps the pictures."""
    await stormy(house)
    async with (
        console(MemoryStore(), incidents=house.watched) as shown,
        chromium(tmp_path / "profile") as tab,
    ):
        shown.facts.incidents = 1
        for size, (width, height) in SIZES.items():
            for name, path in {"incidents": "/incidents?site=mardika", "incident": "/incidents/1?"}.items():
                for language in ("id", "en"):
                    await tab.open(f"{shown.address}{path}&lang={language}", width, height, phone=size == "phone")
                    assert await tab.ask("document.documentElement.scrollWidth <= window.innerWidth")
                    assert await tab.ask(STICKING_OUT) == []
                    if size == "wall":
                        assert await tab.ask(SMALLEST_TEXT) >= 19
                    if folder := os.environ.get("KEWANG_SHOTS"):
                        await tab.picture(Path(folder) / f"{name}-{size}-{language}.png", whole=size == "phone")
