"""A visit without a signal: from the label on nothing gets through, and the whole browser is killed between screens."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chromium import chromium
from tests.provisioning.link import Link
from tests.provisioning.market import MARDIKA
from tests.provisioning.walk import BUTTON, Phone, Walked, end


@asynccontextmanager
async def reopened(profile: Path, link: Link, shots: Path | None, seen: list[str]) -> AsyncIterator[Phone]:
    """The phone with what its pages have kept; at the end of the block the browser is killed."""
    async with chromium(profile) as tab:
        await tab.stand_at(*MARDIKA)
        yield Phone(tab, link.url, "id", shots, "offline", seen=seen)


async def back_in(phone: Phone, password: str) -> None:
    """Opens the first page; logs in again if the browser was killed before it wrote the session's cookie down."""
    await phone.open("/t/")
    if await phone.tab.ask("location.pathname") == "/login":
        await phone.log_in("rudi", password)


@dataclass
class OfflineWalk:
    """`rudi` installs the camera box of `label`, whose one source is cam-1."""

    profile: Path
    link: Link
    label: str
    password: str
    photo: Path
    shots: Path | None = None
    cut_s: float = 0.0
    """When the signal went, by the monotonic clock."""
    _seen: list[str] = field(default_factory=list)

    async def without_signal(self) -> None:
        """All that can be answered, in three lives of the browser."""
        for part in (self._where_it_hangs, self._what_it_looks_like, self._what_is_on_it):
            async with self.phone() as phone:
                await part(phone)

    async def until_sent(self) -> None:
        """The signal is back, no sooner than KEWANG_CUT_S seconds after it went; everything that waits is sent."""
        await asyncio.sleep(max(0.0, self.cut_s + float(os.environ.get("KEWANG_CUT_S", "0")) - time.monotonic()))
        self.link.mend()
        async with self.phone() as phone:
            await back_in(phone, self.password)
            await phone.tab.until("kewangQueue.waiting().then(n => n === 0)")

    async def to_the_end(self) -> Walked:
        """What needs a signal: the readings are stored, the picture is clear."""
        async with self.phone() as phone:
            await back_in(phone, self.password)
            await phone.open(self.label)
            for step in ("readings", "picture"):
                await phone.at(step)
                await phone.tab.until(BUTTON % step)
                await phone.go(step)
            return await end(phone, [])

    def phone(self) -> AbstractAsyncContextManager[Phone]:
        """Opened again, with what its pages have kept."""
        return reopened(self.profile, self.link, self.shots, self._seen)

    async def _where_it_hangs(self, phone: Phone) -> None:
        """The signal goes after the login; scanned, begun, placed."""
        await phone.log_in("rudi", self.password)
        await phone.ready()
        self.link.cut()
        self.cut_s = time.monotonic()
        await phone.tab.offline(True)
        await phone.open(self.label)
        await phone.at("start")
        await phone.go("start")
        await phone.at("site")
        await phone.tab.until("document.querySelector('.proposed') !== null")
        await phone.shot("offline-site")
        await phone.go("site")
        await phone.at("mounted")

    async def _what_it_looks_like(self, phone: Phone) -> None:
        """Scanned again: the page goes on where it was."""
        await phone.open(self.label)
        await phone.at("mounted")
        await phone.photograph("mounted", self.photo)
        await phone.at("sources")
        assert "cam-1" in await phone.tab.ask("document.querySelector('[data-step=sources]').innerText")
        await phone.shot("offline-sources")

    async def _what_is_on_it(self, phone: Phone) -> None:
        """The rest that needs no signal; the notice's photo before its turn."""
        await phone.open(self.label)
        await phone.at("sources")
        await phone.go("sources")
        await phone.at("readings")
        await phone.tab.until("document.querySelector('[data-go=notice]')?.checkVisibility()")
        await phone.shot("offline-waiting")
        await phone.tap("[data-go=notice]")
        await phone.at("notice")
        await phone.photograph("notice", self.photo)
        await phone.at("readings")
        assert await phone.tab.ask("kewangQueue.waiting()") == 4
