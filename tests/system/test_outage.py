"""Real processes: a site loses its uplink, the broker is away. Each is one notice by chat and by mail, one closing.

Meanwhile the gateway pings its watcher, and the canary's daily test arrives where it should and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from edge.status import NotRunning, ask, socket_path
from kewang.bench.city import City, CityPlan, Device
from kewang.bench.link import Line
from tests.gateway.notify.mail_server import MailServer, mail_server
from tests.gateway.notify.messengers import Messenger, messenger

TOKEN = "12345:a-bot-of-the-test"
SITE = ("mardika-1", "mardika-2", "mardika-3")
OTHER = ("gong-1", "gong-2")
BIRD = "amb-canary-1"
FASTER = 6.0
QUICKER = 12.0
AWAY_S = 300.0 / QUICKER
"""Five minutes."""
AFTER_S = 300.0 / QUICKER
"""Longer than a silence is held after the broker's return, with its hold."""
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
[recipients.test]
language = "en"
addresses = {{ chat = "-100300" }}
[[routes]]
to = ["shift"]
by = ["chat"]
[[routes]]
to = ["shift"]
by = ["mail"]
[[routes]]
to = ["test"]
by = ["chat"]
kinds = ["canary"]
"""


def watch(folder: Path, watcher: Messenger) -> dict[str, object]:
    """More of [incidents]: the ping and the canary."""
    file = folder / "ping.url"
    file.write_text(f"{watcher.url}/a-secret")
    file.chmod(0o600)
    ping = {"url_file": str(file), "every_s": 10.0, "allowed": ["127.0.0.1"], "plain_http": True}
    return {"ping": ping, "canary": {"device": BIRD}}


def city_of(notify: str, watch: dict[str, object], faster: float = FASTER) -> City:
    devices = tuple(
        Device(name, placement={"site": name.partition("-")[0], "uplink": "fo-1" if name in SITE else "fo-2"})
        for name in (*SITE, *OTHER)
    )
    devices += (Device(BIRD, placement={"site": "canary"}),) if watch else ()
    plan = CityPlan(devices, notify=notify, watch=watch, faster=faster, linked=True, box_interval_s=2.0, flush_s=1.0)
    return City(plan)


async def until(told: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not told():
            await asyncio.sleep(0.1)


def texts(chat: Messenger, to: str = "-100200") -> list[str]:
    return [str(one.body["text"]) for one in chat.taken.values() if one.body["chat_id"] == to]


async def test_a_site_that_loses_its_uplink(tmp_path: Path) -> None:
    async with messenger() as chat, mail_server() as mail, messenger() as watcher:
        city = city_of(notify_toml(tmp_path, chat, mail), watch(tmp_path, watcher))
        links = city.links
        assert links is not None
        try:
            await asyncio.to_thread(city.start)
            await until(lambda: city.database.devices() >= {*SITE, *OTHER, BIRD})
            for name in (*SITE, BIRD):
                await asyncio.to_thread(links.switch, name, Line.CUT)
            await until(lambda: len(texts(chat)) == 1 and len(mail.mails) == 1)
            assert "Site Mardika is not heard" in texts(chat)[0]
            await until(lambda: len(texts(chat, "-100300")) == 1)
            assert f"Daily test: {BIRD} is silent" in texts(chat, "-100300")[0]
            for name in SITE:
                await asyncio.to_thread(links.switch, name, Line.UP)
            await until(lambda: len(texts(chat)) == 2 and len(mail.mails) == 2)
            assert "Over: Site Mardika is not heard" in texts(chat)[1]
            assert "their connection was away" in texts(chat)[1]
            assert {request.path for request in watcher.requests} == {"/a-secret"}
        finally:
            await asyncio.to_thread(city.close)


async def test_a_broker_that_is_away_for_five_minutes(tmp_path: Path) -> None:
    """No outage of the city, nor of who comes back one after the other: one incident about ourselves."""
    async with messenger() as chat, mail_server() as mail:
        city = city_of(notify_toml(tmp_path, chat, mail), {}, QUICKER)
        try:
            await asyncio.to_thread(city.start)
            await until(lambda: city.database.devices() >= {*SITE, *OTHER})
            city.cut(city.edges, True)
            await asyncio.to_thread(city.broker.kill9)
            await passes(AWAY_S)
            assert len(texts(chat)) == len(mail.mails) == 1
            assert "no connection to the broker" in texts(chat)[0]
            await asyncio.to_thread(city.broker.start)
            for name in city.edges:
                city.cut([name], False)
                await until(lambda name=name: is_connected(city, name))  # type: ignore[misc]
            await passes(AFTER_S)
            assert len(texts(chat)) == len(mail.mails) == 2
            assert "Over: The gateway has trouble: no connection to the broker" in texts(chat)[1]
            answer = await asyncio.to_thread(city.gateway.get, "/api/v1/incidents")
            assert [one["kind"] for one in json.loads(answer or b"")["incidents"]] == ["self"]
        finally:
            await asyncio.to_thread(city.close)


async def passes(seconds: float) -> None:
    """The time of the story itself."""
    end_s = time.monotonic() + seconds
    await until(lambda: time.monotonic() >= end_s)


def is_connected(city: City, name: str) -> bool:
    with suppress(NotRunning):
        return bool(ask(socket_path(city.edges[name].outbox))["connected"])
    return False
