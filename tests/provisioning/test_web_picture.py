"""Whether the picture is clear is asked of somebody who sees it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from provisioning.inventory import Visit
from tests.chromium import chromium
from tests.provisioning.forms import first, new
from tests.provisioning.link import Link
from tests.provisioning.market import OTHER_BOX, PASSWORD, Town, picture
from tests.provisioning.test_web_walk import shots
from tests.provisioning.walk import SHOWN, Phone

ASKED = "document.querySelector('form[data-seen=shown] button').checkVisibility()"
TOLD = "document.querySelector('.sign[data-seen=%s]').checkVisibility()"


async def up_to_the_picture(market: Town) -> str:
    """A visit whose next question is the picture, of which none has come; its id."""
    await market.log_in("rudi")
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(OTHER_BOX), 303)
    await market.post(f"/t/visit/{visit}/mounted", {"request": new()}, 303, files={"photo": ("a.jpg", picture("A"))})
    await market.post(f"/t/visit/{visit}/sources", {"request": new()}, 303)
    await asyncio.to_thread(market.boxes.certify, OTHER_BOX)
    market.boxes.report(OTHER_BOX)
    await market.post(f"/t/visit/{visit}/readings", {"request": new()}, 303)
    return visit


def done(market: Town, visit: str) -> set[str]:
    with market.inventory.reading() as rows:
        return {step["step"] for step in rows.get_one(Visit, visit).steps}


async def test_nobody_says_that_a_picture_is_clear_before_one_has_come(market: Town) -> None:
    visit = await up_to_the_picture(market)
    refused = await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 409)
    assert "Belum ada gambar dari alat ini." in refused.text
    assert "picture" not in done(market, visit)
    market.boxes.show(OTHER_BOX)
    await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 303)
    assert "picture" in done(market, visit)


async def test_a_picture_of_an_earlier_visit_shows_nothing_of_today(market: Town) -> None:
    market.boxes.show(OTHER_BOX)
    visit = await up_to_the_picture(market)
    assert "<img" not in (await market.client.get(f"/t/visit/{visit}/pictures")).text
    await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 409)
    market.boxes.show(OTHER_BOX)  # the same to a byte: the camera hangs, or nothing moves before it
    assert "<img" in (await market.client.get(f"/t/visit/{visit}/pictures")).text
    await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 303)


async def test_a_camera_that_was_moved_is_asked_for_a_new_picture(market: Town) -> None:
    visit = await up_to_the_picture(market)
    market.boxes.show(OTHER_BOX)
    assert "Ambil gambar baru" in (await market.client.get(f"/t/visit/{visit}")).text
    await market.post(f"/t/visit/{visit}/anew", {}, 303)
    assert "<img" not in (await market.client.get(f"/t/visit/{visit}/pictures")).text
    await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 409)
    market.boxes.show(OTHER_BOX)
    await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 303)
    market.client.cookies.clear()
    await market.log_in("sari")
    await market.post(f"/t/visit/{visit}/anew", {}, 404)


async def test_without_one_it_goes_on_in_amber(market: Town) -> None:
    visit = await up_to_the_picture(market)
    await market.post(f"/t/visit/{visit}/picture", {"request": new(), "reason": "no-picture"}, 303)
    assert {"picture", "amber-no-picture"} <= done(market, visit)


async def test_without_a_script_the_page_gives_the_picture_time_and_a_way_to_fetch_it_again(market: Town) -> None:
    visit = await up_to_the_picture(market)
    path = f"/t/visit/{visit}"
    waiting = (await market.client.get(path)).text
    assert '<noscript><meta http-equiv="refresh" content="3">' in waiting
    assert re.search(r'data-seen="shown" hidden', waiting)
    market.boxes.show(OTHER_BOX)
    shown = (await market.client.get(path)).text
    assert '<noscript><meta http-equiv="refresh" content="30">' in shown
    assert re.search(r'<img src="/t/picture/.*<noscript>.*Ambil lagi.*</noscript>.*Ya, jelas', shown, re.S)


async def begin(phone: Phone, visit: str) -> None:
    """Open the visit where a picture is waited for."""
    await phone.log_in("rudi", PASSWORD)
    await phone.ready()
    await phone.open(f"/t/visit/{visit}")
    await phone.at("picture")
    assert not await phone.tab.ask(ASKED)


async def another(market: Town, phone: Phone) -> None:
    """Ask for a new picture, and see it."""
    await phone.tap("[data-anew] button")
    await phone.at("picture")
    await phone.tab.until("!document.querySelector('.thumbnail')")
    assert not await phone.tab.ask(ASKED)
    await asyncio.to_thread(market.boxes.show, OTHER_BOX)
    await phone.tab.until(ASKED)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["id", "en"])
async def test_on_a_phone_the_question_waits_until_the_picture_is_seen(
    market: Town, tmp_path: Path, language: str
) -> None:
    visit = await up_to_the_picture(market)
    async with Link(int(market.address.rpartition(":")[2])) as link, chromium(tmp_path / "profile") as tab:
        phone = Phone(tab, link.url, language, shots(), "picture")
        await begin(phone, visit)
        link.deaf_to = b"GET /t/picture/"
        await asyncio.to_thread(market.boxes.show, OTHER_BOX)
        await tab.until(TOLD % "loading")
        assert not await tab.ask(ASKED)
        link.cut()
        await tab.until(TOLD % "failed")
        assert not await tab.ask(ASKED)
        await phone.shot("failed")
        assert await phone.fits() == []
        link.mend()
        await phone.tap("[data-again]")
        await tab.until(ASKED)
        assert await tab.ask(SHOWN)
        assert not await tab.ask(TOLD % "failed")
        await phone.shot("shown")
        await another(market, phone)
        await phone.go("picture")
        await phone.at("notice")
