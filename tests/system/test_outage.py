"""A site loses its uplink, for real: one notice by chat and by mail, the cause from the births, one closing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kewang.bench.city import City, CityPlan, Device
from kewang.bench.link import Line
from tests.gateway.notify.mail_server import MailServer, mail_server
from tests.gateway.notify.messengers import Messenger, messenger

TOKEN = "12345:a-bot-of-the-test"
SITE = ("mardika-1", "mardika-2", "mardika-3")
OTHER = ("gong-1", "gong-2")
FASTER = 6.0
LIMIT_S = 150.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


def notify_toml(folder: Path, chat: Messenger, mail: MailServer) -> str:
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    return f"""
[channels.chat]
kind = "telegram"
token_file = "{token}"
base_url = "{chat.url}"
[channels.mail]
kind = "mail"
host = "127.0.0.1"
port = {mail.port}
security = "none"
sender = "kewang@ambon.example"
[recipients.shift]
language = "en"
addresses = {{ chat = "-100200", mail = "jaga@ambon.example" }}
[[routes]]
to = ["shift"]
by = ["chat"]
[[routes]]
to = ["shift"]
by = ["mail"]
"""


def city_of(notify: str) -> City:
    devices = tuple(
        Device(name, placement={"site": name.partition("-")[0], "uplink": "fo-1" if name in SITE else "fo-2"})
        for name in (*SITE, *OTHER)
    )
    return City(CityPlan(devices, notify=notify, faster=FASTER, linked=True, box_interval_s=2.0, flush_s=1.0))


async def until(told: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not told():
            await asyncio.sleep(0.1)


def texts(chat: Messenger) -> list[str]:
    return [str(request.body["text"]) for request in chat.taken.values()]


async def test_a_site_that_loses_its_uplink(tmp_path: Path) -> None:
    async with messenger() as chat, mail_server() as mail:
        city = city_of(notify_toml(tmp_path, chat, mail))
        links = city.links
        assert links is not None
        try:
            await asyncio.to_thread(city.start)
            await until(lambda: city.database.devices() >= {*SITE, *OTHER})
            for name in SITE:
                await asyncio.to_thread(links.switch, name, Line.CUT)
            await until(lambda: len(texts(chat)) == 1 and len(mail.mails) == 1)
            assert "Site Mardika is not heard" in texts(chat)[0]
            for name in SITE:
                await asyncio.to_thread(links.switch, name, Line.UP)
            await until(lambda: len(texts(chat)) == 2 and len(mail.mails) == 2)
            assert "Over: Site Mardika is not heard" in texts(chat)[1]
        finally:
            await asyncio.to_thread(city.close)
