"""The gateway asks provisioning's real web app who gets alerts; what comes of bad answers, and of none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.notify.contacts import OfficeSettings
from gateway.notify.office import FIRST_S, OLD_S, Office
from gateway.notify.outbox import Outbox
from gateway.notify.routes import NotifySettings
from gateway.ports import Misconfigured, RetryLater
from kewang.runtime.settings import SettingsError
from kewang.wire.errors import WireError
from kewang.wire.roster import CONTACTS_LIMIT, LIMIT_BYTES
from provisioning.acts import contacts
from provisioning.acts.contacts import NewContact, NewShift
from provisioning.inventory import Contact
from provisioning.refusals import Refused
from provisioning.web.office.contacts import LATE_MS
from tests.gateway.notify.listening import listening
from tests.gateway.watch_house import BOXES
from tests.gateway.watch_house import House as WatchHouse
from tests.provisioning.market import OFFICE, Town, town


class House:
    """The gateway's side, whose clock the test turns."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.now_s = folder, 0.0
        self.settings = OfficeSettings(url=url, token_file=folder / "gateway.token", by={"telegram": ["bot"]})
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder / "gateway.db")
        self.office = Office(self.settings, self.outbox, lambda: self.now_s)
        self.counted: list[str] = []
        self.office.count = self.counted.append

    async def close(self) -> None:
        await self.office._http.close()
        self.outbox.close()

    def names(self) -> list[str]:
        return [] if self.office.roster is None else [one.name for one in self.office.roster.contacts]


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as found:
        yield found


def add(market: Town, name: str, address: str = "@ambon_cc") -> None:
    with market.inventory.writing(OFFICE) as work:
        contacts.add(work, NewContact(name, "telegram", address, "en", "sirimau"), (NewShift("12", 1080, 360),))


async def test_the_list_comes_with_shifts_and_districts_and_only_when_it_is_new(market: Town, tmp_path: Path) -> None:
    add(market, "Night")
    house = House(tmp_path, market.address + "/")
    for _ in range(2):
        await house.office.ask()
    assert house.office.roster is not None
    (night,) = house.office.roster.contacts
    assert (night.address, night.language, night.district, night.shifts[0].weekdays) == (
        *("@ambon_cc", "en", "sirimau"),
        "12",
    )
    assert house.office.roster.districts["amahusu"] == "nusaniwe"
    assert house.office.roster.time_zone == "Asia/Jayapura"
    add(market, "Day")
    await house.office.ask()
    assert (house.names(), house.counted) == (["Night", "Day"], ["new", "same", "new"])
    await house.close()


async def test_the_office_sees_whether_the_gateway_takes_its_list(market: Town, tmp_path: Path) -> None:
    await market.log_in("ina")
    assert "Gateway belum menanyakan daftar ini" in (await market.client.get("/office/contacts")).text
    house = House(tmp_path, market.address)
    await house.office.ask()
    assert "Gateway mengambil daftar ini" in (await market.client.get("/office/contacts")).text
    clock_ms = market.inventory.clock_ms
    market.inventory.clock_ms = lambda: clock_ms() + LATE_MS + 1000
    assert "Gateway tidak menanyakan daftar ini sejak" in (await market.client.get("/office/contacts")).text
    await house.close()


async def test_the_last_good_list_is_there_after_a_restart_without_provisioning(market: Town, tmp_path: Path) -> None:
    add(market, "Night")
    house = House(tmp_path, market.address)
    await house.office.ask()
    await house.close()
    house.settings = house.settings.model_copy(update={"url": "http://127.0.0.1:9"})
    house.open()
    assert house.names() == ["Night"]
    with pytest.raises(RetryLater, match="can't be reached"):
        await house.office.ask()
    assert house.office.trouble() is None
    house.now_s += OLD_S
    assert house.office.trouble() == "the office's list of contacts is more than a day old"
    assert house.names() == ["Night"]
    await house.close()


async def test_a_wrong_token_gets_nothing_and_is_told(market: Town, tmp_path: Path) -> None:
    add(market, "Night")
    other = tmp_path / "other"
    other.mkdir()
    put_token(other, "another")
    house = House(other, market.address)
    with pytest.raises(Misconfigured, match=r"answered 401.*token_file"):
        await house.office.ask()
    bare = await market.client.get("/api/v1/roster")
    assert (bare.status_code, "ambon_cc" in bare.text) == (401, False)
    assert house.office.trouble() is None
    house.now_s += FIRST_S
    assert house.office.trouble() == "the office's list of contacts never came"
    (other / "gateway.token").chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        await house.office.ask()
    with pytest.raises(SettingsError, match="chmod 600"):
        Office(house.settings, house.outbox, lambda: 0.0)
    await house.close()


async def test_nobody_who_can_be_told_is_trouble(market: Town, tmp_path: Path) -> None:
    house = House(tmp_path, market.address)
    await house.office.ask()
    assert house.office.trouble() == "nobody of the office's list can be told"
    add(market, "Night")
    await house.office.ask()
    assert house.office.trouble() is None
    await house.close()


async def test_an_outage_of_the_night_is_told_to_the_night_shift_and_its_end_at_noon_to_both(
    market: Town, tmp_path: Path
) -> None:
    """The real web app, the real watch: what the office writes is who hears of it."""
    with market.inventory.writing(OFFICE) as work:
        for name, address, shift in (("Night", "@night_shift", (1080, 360)), ("Day", "@day_shift", (360, 1080))):
            contacts.add(
                work,
                NewContact(name, "telegram", address, "en", "sirimau"),
                (NewShift("1234567", *shift),),
            )
    midnight = datetime(2026, 11, 25, tzinfo=ZoneInfo("Asia/Jayapura"))
    house = WatchHouse(tmp_path / "watch", int(midnight.timestamp() * 1000), notify(tmp_path, market.address))
    assert house.watched.office is not None
    await house.watched.office.ask()
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    assert recipients(house) == ["@night_shift"]
    house.clock.pass_s(12 * 3600)
    house.silent = set()
    await house.live(900)
    assert recipients(house) == ["@night_shift", "@day_shift", "@night_shift"]
    assert house.told()[0].startswith("[CRITICAL] Site Mardika is not heard")
    await house.watched.office._http.close()
    house.watched.close()


def notify(folder: Path, url: str) -> NotifySettings:
    told = {
        "channels": {"chat": {"kind": "webhook", "url": "https://chat.example/"}},
        "office": {"url": url, "token_file": folder / "gateway.token", "by": {"telegram": ["chat"]}},
    }
    return NotifySettings.model_validate(told)


def recipients(house: WatchHouse) -> list[str]:
    """Of every message, oldest first; those of one notice by name."""
    rows = sorted(house.watched.outbox.rows(), key=lambda row: (row.created_s, row.recipient))
    return [row.recipient for row in rows]


GOOD = b'{"v": 1, "time_zone": "Asia/Jayapura", "contacts": [], "districts": {}}'
ONE = '{"name": "x", "channel": "telegram", "address": "@abcde", "language": "id"}'
BAD = {
    "not JSON": b"<html>log in first</html>",
    "too many": GOOD.replace(b"[]", f"[{', '.join([ONE] * (CONTACTS_LIMIT + 1))}]".encode()),
    "a version to come": GOOD.replace(b'"v": 1', b'"v": 2'),
    "a zone": GOOD.replace(b"Asia/Jayapura", b"Ambon"),
    "a path": GOOD.replace(b"Asia/Jayapura", b"../../etc/passwd"),
    "a shift": GOOD.replace(b"[]", f'[{ONE[:-1]}, "shifts": [{{"weekdays": "8"}}]}}]'.encode()),
    "a district": GOOD.replace(b"{}", b'{"A B": "x"}'),
    "half": GOOD[:-5],
    "endless": GOOD + b" " * LIMIT_BYTES,
}


@asynccontextmanager
async def answering(*bodies: bytes) -> AsyncIterator[str]:
    """Somebody who is not our provisioning: the url of a server that gives these answers, each once."""
    left = list(bodies)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = left.pop(0)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
async def test_a_bad_answer_is_refused_and_the_old_list_is_used_on(tmp_path: Path, body: bytes) -> None:
    put_token(tmp_path)
    async with answering(GOOD.replace(b"[]", f"[{ONE}]".encode()), body) as url:
        house = House(tmp_path, url)
        await house.office.ask()
        with pytest.raises(WireError):
            await house.office.ask()
    assert house.names() == ["x"]
    await house.close()
    house.open()
    assert house.names() == ["x"]
    await house.close()


def put_token(folder: Path, text: str = "token") -> None:
    (folder / "gateway.token").write_text(text)
    (folder / "gateway.token").chmod(0o600)


async def test_it_asks_again_and_again_and_counts(tmp_path: Path) -> None:
    put_token(tmp_path)
    one = GOOD.replace(b"[]", f"[{ONE}]".encode())
    async with answering(b"no", one) as url:
        house = House(tmp_path, url)
        running = asyncio.create_task(house.office.run())
        async with asyncio.timeout(30):
            while len(house.counted) < 2:
                await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert (house.counted, house.names()) == (["refused", "new"], ["x"])
    house.outbox.close()


def test_the_office_takes_no_more_contacts_than_the_gateway(market: Town) -> None:
    with market.inventory.writing(OFFICE) as work:
        told = {"channel": "telegram", "address": "@ambon_cc", "changed_ms": 0}
        work.rows.add_all(Contact(name=f"c{n}", **told) for n in range(CONTACTS_LIMIT))
    with pytest.raises(Refused, match="500 contacts already"), market.inventory.writing(OFFICE) as work:
        contacts.add(work, NewContact("one more", "telegram", "@ambon_cc"))
