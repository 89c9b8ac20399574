"""Open pages: server-sent events, and a real browser on phone and wall."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.ports import Table
from kewang.runtime.clock import SystemClock
from tests.chromium import Tab, chromium
from tests.fakes import MemoryStore
from tests.gateway import town
from tests.gateway.serving import LIMIT_S, QUICK, console

SIZES = {"phone": (390, 844), "wall": (1920, 1080)}


def now_ms() -> int:
    return SystemClock().wall_ms()


async def events(client: httpx.AsyncClient, path: str) -> AsyncGenerator[tuple[str, str], None]:
    """(name, data) of each server-sent event."""
    name, data = "", list[str]()
    async with client.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if not line:
                yield name, "\n".join(data)
                data = []
            elif line.startswith("event: "):
                name = line.removeprefix("event: ")
            else:
                data.append(line.removeprefix("data: "))


async def warmer(store: MemoryStore, temp_c: float) -> None:
    """A new reading of mardika-01."""
    tags = (("device", "mardika-01"), ("source", "env-1"))
    await store.write([Table("env", tags, ("temp_c",), [(now_ms(), temp_c)])])


async def test_what_is_written_arrives_and_only_what_changed_is_sent() -> None:
    store = MemoryStore()
    await town.settle(store, now_ms())
    async with asyncio.timeout(LIMIT_S), console(store, known=town.placements()) as shown:
        stream = events(shown.client, "/events?lang=en")
        first = [await anext(stream) for _ in range(5)]
        assert {name for name, _ in first} == {"sites", "beat", "strip", "quarantine", "own"}
        await warmer(store, 41.7)
        seen = [await anext(stream)]
        while "41.7" not in seen[-1][1]:
            seen.append(await anext(stream))
        assert seen[-1][0].startswith("site-")
        assert not {"sites", "quarantine", "own"} & {name for name, _ in seen}
        await stream.aclose()


async def test_readers_share_the_reads_and_nobody_reads_for_nobody() -> None:
    class Counting(MemoryStore):
        """Counts how often the newest points are asked for."""

        asked = 0

        async def newest(self, stream: str) -> list[object]:  # type: ignore[override]
            self.asked += stream == "env"
            return list(await super().newest(stream))

    store = Counting()
    async with console(store, replace(QUICK, tick_s=3600)) as shown:
        assert store.asked == 0
        answers = await asyncio.gather(*(shown.client.get("/") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert store.asked == 1


async def test_one_client_too_many_is_told_to_come_again() -> None:
    async with console(MemoryStore(), replace(QUICK, clients=1)) as shown, asyncio.timeout(LIMIT_S):
        first = events(shown.client, "/events")
        await anext(first)
        refused = await shown.client.get("/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        await first.aclose()
        while (status := await _status(shown.client)) == 503:
            pass
        assert status == 200


async def _status(client: httpx.AsyncClient) -> int:
    async with client.stream("GET", "/events") as answer:
        return answer.status_code


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path / "profile") as opened:
        yield opened


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("size", SIZES)
async def test_pages_fit_phone_and_wall(tab: Tab, size: str, language: str) -> None:
    """Nothing sticks out; on a wall no text is smaller than 19 px. KEWANG_SHOTS=folder keeps the pictures."""
    store = MemoryStore()
    await town.settle(store, now_ms())
    async with console(store, known=town.placements()) as shown:
        for name, path in {"live": "/", "device": "/device/mardika-01"}.items():
            await tab.open(f"{shown.address}{path}?lang={language}", *SIZES[size], phone=size == "phone")
            assert await tab.ask("document.documentElement.scrollWidth <= window.innerWidth")
            assert await tab.ask(STICKING_OUT) == []
            if size == "wall":
                assert await tab.ask(SMALLEST_TEXT) >= 19
            if folder := os.environ.get("KEWANG_SHOTS"):
                await tab.picture(Path(folder) / f"{name}-{size}-{language}.png", whole=size == "phone")


STICKING_OUT = """[...document.querySelectorAll('main *')].filter(e => {
  const box = e.getBoundingClientRect(); return box.width && (box.right > innerWidth + 1 || box.left < -1);
}).map(e => e.outerHTML.slice(0, 80))"""

SMALLEST_TEXT = """Math.min(...[...document.querySelectorAll('body *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.checkVisibility())
  .map(e => parseFloat(getComputedStyle(e).fontSize)))"""


async def test_the_browser_swaps_in_what_is_written(tab: Tab) -> None:
    store = MemoryStore()
    await town.settle(store, now_ms(), town.TOWN[:1])
    async with console(store, known=town.placements()) as shown:
        await tab.open(f"{shown.address}/?lang=en", *SIZES["wall"])
        await warmer(store, 41.7)
        await tab.until("document.body.innerText.includes('41.7')")
        await town.settle(store, now_ms(), (town.Box("pendatang-01", None, {"env-1": town.AIR}),))
        await tab.until("document.body.innerText.includes('pendatang-01')")
        await warmer(store, 42.8)
        await tab.until("document.body.innerText.includes('42.8')")


async def test_a_device_page_asks_again(tab: Tab) -> None:
    store = MemoryStore()
    await town.settle(store, now_ms(), town.TOWN[:1])
    async with console(store, replace(QUICK, device_s=0.2)) as shown:
        await tab.open(f"{shown.address}/device/mardika-01", *SIZES["phone"], phone=True)
        for temp_c, seen in ((41.7, "41,7"), (42.8, "42,8")):
            await warmer(store, temp_c)
            await tab.until(f"document.body.innerText.includes('{seen}')")


async def test_a_page_that_hears_nothing_says_so(tab: Tab) -> None:
    store = MemoryStore()
    await town.settle(store, now_ms())
    async with console(store, replace(QUICK, stale_s=1)) as shown:
        await tab.open(f"{shown.address}/", *SIZES["phone"], phone=True)
        await tab.until("document.querySelector('[sse-swap=beat]').innerText.length > 0")
        assert await tab.ask("document.getElementById('frozen').hidden")
    await tab.until("!document.getElementById('frozen').hidden")
    assert "DATA BASI" in await tab.ask("document.getElementById('frozen').innerText")


async def test_without_javascript_the_figures_are_there(tab: Tab) -> None:
    store = MemoryStore()
    await town.settle(store, now_ms())
    async with console(store) as shown:
        await tab.open(f"{shown.address}/?lang=en", *SIZES["phone"], phone=True, script=False)
        await tab.until("document.body && document.body.innerText.includes('of what was stated so far')")
