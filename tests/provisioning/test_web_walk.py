"""A technician's visits in a real browser: both languages, and with the signal gone and the page killed in the middle.

KEWANG_SHOTS=folder keeps a picture of every screen.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import func, select

from provisioning.inventory import Audit, Device, Maintenance, Photo, Visit
from tests.chromium import chromium
from tests.provisioning.link import Link
from tests.provisioning.market import CAMERA_BOX, MARDIKA, PASSWORD, SENSOR_BOX, Town, label_path, phone_photo, town
from tests.provisioning.offline_walk import OfflineWalk, back_in, reopened
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
    async with town(tmp_path) as market, Link(int(market.address.rpartition(":")[2])) as link:
        walk = OfflineWalk(tmp_path / "profile", link, label_path(CAMERA_BOX), PASSWORD, photo, shots())
        await walk.without_signal()
        nothing_arrived(market)
        await walk.until_sent()
        await asyncio.to_thread(market.boxes.arrive, CAMERA_BOX)
        walked = await walk.to_the_end()
        assert walked.number.endswith("-0001")
        arrived_once(market, CAMERA_BOX, photos=2)


async def test_the_page_is_killed_while_it_sends(tmp_path: Path, photo: Path) -> None:
    """The answer of the server is lost each time, not the request: what was done already is not done again."""
    async with town(tmp_path) as market, Link(int(market.address.rpartition(":")[2])) as link:
        profile, seen = tmp_path / "profile", list[str]()
        async with reopened(profile, link, shots(), seen) as phone:
            await until_the_site_is_asked(phone)
            link.deaf_to = b"POST /t/visit/"
            await phone.go("site")
            async with asyncio.timeout(20):
                while not visits(market):
                    await asyncio.sleep(0.05)
            assert await phone.tab.ask("kewangQueue.waiting()") == 1
        link.cut()
        link.mend()
        async with reopened(profile, link, shots(), seen) as phone:
            await back_in(phone, PASSWORD)
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
