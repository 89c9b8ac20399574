"""Photos: what is not one, what is too much, what it must not tell; pieces that come in any order, twice, or late."""

from __future__ import annotations

import io
import struct
import uuid
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import func, select

from provisioning.inventory import Photo
from provisioning.refusals import Refused
from provisioning.web.photos import KEPT_BYTES, KEPT_PX, LIMIT_BYTES, cleaned
from tests.provisioning import market as town_of
from tests.provisioning.market import DAY_MS, SENSOR_BOX, Town, fingerprint, phone_photo, picture


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Town]:
    async with town_of.town(tmp_path) as opened:
        yield opened


def bomb(side: int) -> bytes:
    """A PNG of `side` x `side` black pixels in a few hundred kB."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(b"\0" * (side // 8 + 1) * side, 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_phones_photo_becomes_small_and_tells_nothing_of_its_owner() -> None:
    made = cleaned(phone_photo())
    assert len(made) <= KEPT_BYTES
    with Image.open(io.BytesIO(made)) as kept:
        assert (kept.format, max(kept.size)) == ("JPEG", KEPT_PX)
        assert dict(kept.getexif()) == {}
    for tell in (b"Exif", b"PhoneMaker", b"GPS"):
        assert tell not in made


def test_a_photo_taken_sideways_stands_upright() -> None:
    image, kept = Image.new("RGB", (400, 200), "red"), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(kept, "JPEG", exif=exif)
    with Image.open(io.BytesIO(cleaned(kept.getvalue()))) as made:
        assert made.size == (200, 400)


def test_what_hangs_behind_the_picture_is_gone() -> None:
    assert b"<script>" not in cleaned(picture() + b"<script>alert(1)</script>")


@pytest.mark.parametrize(
    ("photo", "code"),
    [
        (b"", "P-400"),
        (b"<svg onload=alert(1)>", "P-400"),
        (b"\xff\xd8\xff\xe0 but no picture", "P-400"),
        (picture()[:900], "P-400"),
        (b"GIF89a" + b"\0" * 100, "P-400"),
        (b"%PDF-1.7", "P-400"),
        (bomb(8000), "P-413"),
        (bomb(30_000), "P-413"),
        (b"\0" * (LIMIT_BYTES + 1), "P-413"),
    ],
    ids=["nothing", "svg", "head", "half", "gif", "pdf", "bomb", "large bomb", "long"],
)
def test_what_is_no_photo_is_refused(photo: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        cleaned(photo)
    assert refused.value.code == code


async def begun(market: Town) -> str:
    """A visit of Rudi's that waits for its photo."""
    await market.log_in("rudi")
    visit = str(uuid.uuid4())
    label = {"device": SENSOR_BOX, "fingerprint": fingerprint(SENSOR_BOX), "kind": "install", "site": "mardika"}
    await market.post(f"/t/visit/{visit}/site", {**label, "request": str(uuid.uuid4())}, 303)
    return visit


async def put(
    market: Town, visit: str, number: str, photo: bytes, start: int, end: int, status: int = 200
) -> dict[str, object]:
    """Sends `photo[start:end]`."""
    token = (await market.client.get("/t/token")).json()["csrf"]
    path = f"/t/visit/{visit}/photo/{number}?kind=mounted&total={len(photo)}&offset={start}"
    answer = await market.client.put(path, content=photo[start:end], headers={"Kewang-Csrf": token})
    assert answer.status_code == status, answer.text
    said: dict[str, object] = answer.json()
    return said


async def test_pieces_are_taken_up_again(market: Town) -> None:
    visit, number, photo = await begun(market), str(uuid.uuid4()), picture("LAPAK", (800, 600))
    half = len(photo) // 2
    assert await put(market, visit, number, photo, 0, 0) == {"have": 0}
    assert await put(market, visit, number, photo, 0, half) == {"have": half}
    assert await put(market, visit, number, photo, 0, half) == {"have": half}
    assert await put(market, visit, number, photo, half + 9, len(photo)) == {"have": half}
    last = await put(market, visit, number, photo, half, len(photo))
    assert last["receipt"] == number
    assert await put(market, visit, number, photo, 0, 0) == last
    assert await put(market, visit, number, photo, 0, len(photo)) == last
    with market.inventory.reading() as rows:
        assert rows.scalar(select(func.count()).select_from(Photo)) == 1
    assert list((market.inventory.folder / "photos" / "incoming").iterdir()) == []


async def test_pieces_that_are_no_photo_leave_nothing(market: Town) -> None:
    visit, number = await begun(market), str(uuid.uuid4())
    said = await put(market, visit, number, b"no photo at all", 0, 15, 400)
    assert said["code"] == "P-400"
    await put(market, visit, str(uuid.uuid4()), b"x" * (1 << 20) + b"x", 0, 10, 413)
    await put(market, str(uuid.uuid4()), number, picture(), 0, len(picture()), 404)
    with market.inventory.reading() as rows:
        assert rows.scalar(select(func.count()).select_from(Photo)) == 0
    assert [file.name for file in (market.inventory.folder / "photos").iterdir() if file.is_file()] == []


async def test_50_mb_are_not_read(market: Town) -> None:
    visit = await begun(market)
    fifty = {"photo": ("a.jpg", b"\xff" * 50_000_000)}
    token = (await market.client.get("/t/token")).json()["csrf"]
    path = f"/t/visit/{visit}/mounted"
    answer = await market.client.post(path, data={"csrf": token, "request": visit}, files=fifty)
    assert (answer.status_code, "P-413" in answer.text) == (413, True)
    assert (await market.client.get("/t/")).status_code == 200


async def test_a_thumbnail_is_for_who_is_logged_in_and_for_seven_days(market: Town) -> None:
    visit = await begun(market)
    market.boxes.show(SENSOR_BOX, "env-1")
    with market.inventory.reading() as rows:
        name = rows.scalars(select(Photo.sha256)).one()
    shown = await market.client.get(f"/t/picture/{name}")
    assert (shown.status_code, shown.headers["content-type"], visit != name) == (200, "image/jpeg", True)
    with market.inventory.writing(town_of.OFFICE) as work:
        work.rows.scalars(select(Photo)).one().expires_ms = market.inventory.clock_ms() - 1
    assert (await market.client.get(f"/t/picture/{name}")).status_code == 404
    with market.inventory.writing(town_of.OFFICE) as work:
        work.rows.scalars(select(Photo)).one().expires_ms = market.inventory.clock_ms() + 7 * DAY_MS
    market.client.cookies.clear()
    assert (await market.client.get(f"/t/picture/{name}")).status_code == 303
