"""A technician's visits in a real browser: both languages, and with the signal gone and the page killed in the middle.

KEWANG_SHOTS=folder keeps a picture of every screen.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from provisioning.inventory import Audit, Device, Maintenance, Photo, Visit
from tests.chromium import chromium
from tests.provisioning.link import Link
from tests.provisioning.market import CAMERA_BOX, MARDIKA, PASSWORD, SENSOR_BOX, Town, label_path, phone_photo, town
from tests.provisioning.walk import BUTTON, Phone, end, walk

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo as a phone takes it: megabytes, with the position of its owner."""
    file = tmp_path_factory.mktemp("photo") / "photo.jpg"
    file.write_bytes(phone_photo())
    return file


def shots() -> Path | None:
    folder = os.environ.get("KEWANG_SHOTS")
    return Path(folder) if folder else None


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("device", [CAMERA_BOX, SENSOR_BOX])
async def test_a_visit_from_the_label_to_green(tmp_path: Path, photo: Path, device: str, language: str) -> None:
    camera = device == CAMERA_BOX
    async with town(tmp_path) as market, chromium(tmp_path / "profile") as tab:
        phone = Phone(tab, market.address, language, shots(), "camera" if camera else "sensor")
        await tab.stand_at(*MARDIKA)
        await phone.log_in("rudi", PASSWORD)

        async def placed() -> None:
            await asyncio.to_thread(market.boxes.arrive, device)

        walked = await walk(phone, label_path(device), photo, camera=camera, placed=placed)
        assert walked.wrong == ()
        assert walked.taps <= 12
        assert walked.number.endswith("-0001")
        assert await tab.ask("kewangQueue.waiting()") == 0
        arrived_once(market, device, photos=2 if camera else 1)


async def test_a_visit_with_the_signal_gone_and_the_page_killed_three_times(tmp_path: Path, photo: Path) -> None:
    """From the label on nothing gets through; the whole browser is killed between the screens. It arrives once."""
    async with town(tmp_path) as market, Link(int(market.address.rpartition(":")[2])) as link:
        profile, seen = tmp_path / "profile", list[str]()
        for part in (where_it_hangs, what_it_looks_like, what_is_on_it):
            async with reopened(profile, link, seen) as phone:
                await part(phone, photo, link)
        nothing_arrived(market)
        link.mend()
        async with reopened(profile, link, seen) as phone:
            await back_in(phone)
            await phone.tab.until("kewangQueue.waiting().then(n => n === 0)")
            await asyncio.to_thread(market.boxes.arrive, CAMERA_BOX)
            await phone.open(label_path(CAMERA_BOX))
            for step in ("readings", "picture"):
                await phone.at(step)
                await phone.tab.until(BUTTON % step)
                await phone.go(step)
            walked = await end(phone, [])
        assert walked.number.endswith("-0001")
        arrived_once(market, CAMERA_BOX, photos=2)


async def where_it_hangs(phone: Phone, _: Path, link: Link) -> None:
    """The signal goes after the login; scanned, begun, placed."""
    await phone.log_in("rudi", PASSWORD)
    await phone.ready()
    link.cut()
    await phone.tab.offline(True)
    await phone.open(label_path(CAMERA_BOX))
    await phone.at("start")
    await phone.go("start")
    await phone.at("site")
    await phone.tab.until("document.querySelector('.proposed') !== null")
    await phone.shot("offline-site")
    await phone.go("site")
    await phone.at("mounted")


async def what_it_looks_like(phone: Phone, photo: Path, _: Link) -> None:
    """Scanned again: the page goes on where it was."""
    await phone.open(label_path(CAMERA_BOX))
    await phone.at("mounted")
    await phone.photograph("mounted", photo)
    await phone.at("sources")
    assert "cam-1" in await phone.tab.ask("document.querySelector('[data-step=sources]').innerText")
    await phone.shot("offline-sources")


async def what_is_on_it(phone: Phone, photo: Path, _: Link) -> None:
    """The rest that needs no signal; the notice's photo before its turn."""
    await phone.open(label_path(CAMERA_BOX))
    await phone.at("sources")
    await phone.go("sources")
    await phone.at("readings")
    await phone.tab.until("document.querySelector('[data-go=notice]')?.checkVisibility()")
    await phone.shot("offline-waiting")
    await phone.tap("[data-go=notice]")
    await phone.at("notice")
    await phone.photograph("notice", photo)
    await phone.at("readings")
    assert await phone.tab.ask("kewangQueue.waiting()") == 4


async def test_the_page_is_killed_while_it_sends(tmp_path: Path, photo: Path) -> None:
    """The answer of the server is lost each time, not the request: what was done already is not done again."""
    async with town(tmp_path) as market, Link(int(market.address.rpartition(":")[2])) as link:
        profile, seen = tmp_path / "profile", list[str]()
        async with reopened(profile, link, seen) as phone:
            await until_the_site_is_asked(phone)
            link.deaf_to = b"POST /t/visit/"
            await phone.go("site")
            async with asyncio.timeout(20):
                while not visits(market):
                    await asyncio.sleep(0.05)
            assert await phone.tab.ask("kewangQueue.waiting()") == 1
        link.cut()
        link.mend()
        async with reopened(profile, link, seen) as phone:
            await back_in(phone)
            await phone.open(label_path(SENSOR_BOX))
            await phone.at("mounted")
            await phone.photograph("mounted", photo)
            await asyncio.to_thread(market.boxes.arrive, SENSOR_BOX)
            for step in ("sources", "readings"):
                await phone.at(step)
                await phone.tab.until(BUTTON % step if step == "readings" else "true")
                await phone.go(step)
            walked = await end(phone, [])
        assert walked.number.endswith("-0001")
        arrived_once(market, SENSOR_BOX, photos=1)


async def until_the_site_is_asked(phone: Phone) -> None:
    """Logged in, scanned, begun."""
    await phone.log_in("rudi", PASSWORD)
    await phone.ready()
    await phone.open(label_path(SENSOR_BOX))
    await phone.at("start")
    await phone.go("start")
    await phone.at("site")
    await phone.tab.until("document.querySelector('.proposed') !== null")


@asynccontextmanager
async def reopened(profile: Path, link: Link, seen: list[str]) -> AsyncIterator[Phone]:
    """The phone with what its pages have kept; at the end of the block the browser is killed."""
    async with chromium(profile) as tab:
        await tab.stand_at(*MARDIKA)
        yield Phone(tab, link.url, "id", shots(), "offline", seen=seen)


async def back_in(phone: Phone) -> None:
    """Opens the first page; logs in again if the browser was killed before it wrote the session's cookie down."""
    await phone.open("/t/")
    if await phone.tab.ask("location.pathname") == "/login":
        await phone.log_in("rudi", PASSWORD)


def visits(market: Town) -> list[Visit]:
    with market.inventory.reading() as rows:
        return list(rows.scalars(select(Visit)))


def nothing_arrived(market: Town) -> None:
    with market.inventory.reading() as rows:
        assert rows.scalar(select(func.count()).select_from(Visit)) == 0
        assert rows.get_one(Device, CAMERA_BOX).state == "new"


def arrived_once(market: Town, device: str, photos: int) -> None:
    """One visit, green; every photo once; one approval; the device installed and no more under maintenance."""
    with market.inventory.reading() as rows:
        found = list(rows.scalars(select(Visit)))
        assert [(visit.device, visit.result, visit.person, visit.site) for visit in found] == [
            (device, "green", "rudi", "mardika")
        ]
        kept = list(rows.scalars(select(Photo).where(Photo.kind != "thumbnail")))
        assert len(kept) == photos
        for one in kept:
            file = market.inventory.folder / "photos" / one.sha256
            assert file.stat().st_size <= 150_000
            assert b"Exif" not in file.read_bytes()
        row = rows.get_one(Device, device)
        assert (row.state, row.site, row.lat is not None) == ("installed", "mardika", True)
        acts = list(rows.scalars(select(Audit.act).where(Audit.subject == device)))
        assert [acts.count(act) for act in ("visit.start", "device.approve", "device.accept", "visit.finish")] == [
            1
        ] * 4
        assert rows.scalar(select(func.count()).select_from(Maintenance).where(Maintenance.to_ms.is_(None))) == 0
