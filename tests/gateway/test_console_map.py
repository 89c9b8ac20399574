"""The map of the sites and the page of one: every state by symbol and word, with any names, sizes and stores."""

import os
import re
from dataclasses import replace
from html import unescape
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.ports import Lives, Refused, SeriesId, Table
from gateway.quarantine import quarantine_tables
from gateway.sqlite_sink import SqliteStore
from kewang.ui.states import STATES
from kewang.ui.words import LANGUAGES, words
from kewang.wire.placement import Placement
from tests.chromium import chromium
from tests.fakes import MemoryStore
from tests.gateway import ambon
from tests.gateway.serving import QUICK, console, now_ms
from tests.gateway.test_console import HOSTILE, INLINE
from tests.gateway.test_console_live import SMALLEST_TEXT, STICKING_OUT

RTL = "\u202epasar\u2066" + "x" * 200


def rows(page: str) -> dict[str, str]:
    """The table of sites: name -> state as its chip says it."""
    table = page.partition('id="list"')[2].partition("</table>")[0]
    found = re.findall(r'<span class="chip \w+">([^<]*)</span>.*?<bdi>([^<]*)</bdi>', table, re.S)
    return {name: " ".join(state.split()) for state, name in found}


def spots(page: str) -> dict[str, str]:
    """The marks of the map: what a mark says -> its class."""
    found = re.findall(r'<a id="spot-\w+"[^>]*aria-label="([^"]*)"><svg class="spot (\w+)[" ]', page)
    return {unescape(said): mark for said, mark in found}


async def test_every_state_has_its_symbol_word_and_colour_on_map_and_table(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "kewang.db")
    await store.prepare(Lives(14))
    await ambon.settle(store, now_ms())
    async with console(store, known=ambon.placements()) as shown:
        for language in LANGUAGES:
            page = await shown.text(f"/map?lang={language}")
            say = words(language).gettext
            word = {state.key: say(state.word) for state in STATES}
            told = rows(page)
            assert told["Simpang Passo"] == f"■ {word['down']}"
            assert told["Terminal Wayame"] == f"▲ {word['degraded']}"
            assert told["Pasar Laha"] == f"◇ {word['unknown']}"
            assert told["Pantai Natsepa"] == f"● {word['maintenance']}"
            assert told["Pasar Mardika"] == f"○ {word['normal']}"
            marks = spots(page)
            assert (
                marks[f"Simpang Passo: {word['down']}, {say('2 devices') if language == 'en' else '2 alat'}"] == "alarm"
            )
            assert set(marks.values()) == {"alarm", "warn", "info", "unknown", "plain"}
            for state in STATES:
                assert f"{state.symbol}</span> {word[state.key]} <b>" in page
            assert page.count('class="land"') == 1
            assert INLINE.search(page) is None
    await store.close()


async def test_what_is_not_on_the_map_is_listed_beside_it_and_a_site_opens_its_devices() -> None:
    store = MemoryStore()
    await ambon.settle(store, now_ms())
    async with console(store, known=ambon.placements()) as shown:
        page = await shown.text("/map?lang=en")
        beside = page.partition("Not on the map")[2].partition("</section>")[0]
        assert re.search(r"Kantor Desa Latuhalat.*■ down.*no position", beside, re.S)
        assert re.search(r"Salah Ketik.*position far from all others", beside, re.S)
        assert "1 device without a site" in beside
        assert not any("Latuhalat" in said or "Salah" in said for said in spots(page))
        assert set(rows(await shown.text("/map?lang=en&off=1"))) == {"Kantor Desa Latuhalat", "Salah Ketik"}
        (link,) = re.findall(r'<a id="spot-\w+" href="(/site/simpang-passo)"', page)
        site = await shown.text(f"{link}?lang=en")
        assert re.findall(r'href="/device/([^"]*)"', site) == ["passo-01", "passo-02"]
        assert site.count("down: silent since") == 2
        assert "tamu-7c" in await shown.text("/site/?lang=en")
        assert "Not here" in await shown.text("/site/nowhere?lang=en", 404)


async def test_near_sites_are_one_mark_that_a_look_closer_takes_apart() -> None:
    store = MemoryStore()
    await ambon.settle(store, now_ms())
    async with console(store, known=ambon.placements()) as shown:
        page = await shown.text("/map?lang=en")
        ((link, said),) = re.findall(r'href="(/map\?box=[^"]*)" aria-label="([^"]*)"', page)
        assert said == "4 sites, the worst is Pasar Batu Merah: down"
        closer = await shown.text(unescape(link))
        assert {one.partition(":")[0] for one in spots(closer)} == {
            "Pasar Batu Merah", "Pasar Mardika", "Taman Pattimura", "Pelabuhan Yos Sudarso"
        }  # fmt: skip
        assert len(rows(closer)) == 4
        for box in ("nan,0,1,1", "1,1,0,0", "x", "0,0,1e999,1", "1,2,3", "-500,0,500,1"):
            assert len(rows(await shown.text(f"/map?box={quote(box)}"))) == 12


async def test_filters_are_kept_over_a_change_of_language_and_hold_for_table_and_search() -> None:
    store = MemoryStore()
    await ambon.settle(store, now_ms())
    async with console(store, known=ambon.placements()) as shown:
        page = await shown.text("/map?lang=en&state=down&q=pasar")
        assert set(rows(page)) == {"Pasar Batu Merah"}
        (other,) = re.findall(r'<a href="([^"]*)" lang="id"', page)
        assert set(rows(await shown.text("/map" + unescape(other)))) == {"Pasar Batu Merah"}
        assert 'lang="id"' in await shown.text("/map" + unescape(other))
        assert "No site is like that." in await shown.text("/map?lang=en&state=maintenance&q=passo")


async def test_hostile_names_of_sites_and_devices_are_text() -> None:
    store = MemoryStore()
    await ambon.settle(store, now_ms())
    known = ambon.placements()
    for device, site in (("passo-01", HOSTILE), ("wayame-01", RTL)):
        place = known[device].h[0].model_copy(update={"site": site, "feeder": HOSTILE})
        known[device] = Placement(h=known[device].h).model_copy(update={"h": (place,)})
    await store.write([Table("env", (("device", HOSTILE), ("source", HOSTILE)), ("temp_c",), [(now_ms(), 30.0)])])
    async with console(store, known=known) as shown:
        for path in ("/map", f"/site/{quote(HOSTILE, safe='')}", f"/site/{quote(RTL, safe='')}", "/site/", "/ledger"):
            page = (await shown.client.get(path)).text
            assert "<img" not in page.replace('<img src="/ui/', "")
        labels = re.findall(r'<text class="name[^>]*>([^<]*)<', await shown.text("/map"))
        assert all(len(unescape(label)) <= 28 and "\u202e" not in label for label in labels)
        assert "passo-01" in await shown.text(f"/site/{quote(HOSTILE, safe='')}")


async def test_empty_just_started_and_away_are_told() -> None:
    store, seen = MemoryStore(), {"/map": "13 lokasi", "/ledger": "mardika-01", "/quarantine": "1 bacaan dikarantina"}
    store.away = True
    async with console(store, replace(QUICK, pause_per_read=0), known=ambon.placements()) as shown:
        for path in seen:
            page = await shown.text(f"{path}?lang=en")
            assert "DATABASE AWAY" in page
            assert "has not been read since the gateway started" in page
        store.away = False
        for path in seen:
            await shown.until(f"{path}?lang=en", "No readings yet")
        shown.facts.known["baru-01"] = ambon.placed("pasar-mardika").model_copy(
            update={"h": (ambon.placed("pasar-mardika").h[0].model_copy(update={"site": "pasar-baru"}),)}
        )
        await ambon.settle(store, now_ms())
        await store.write(quarantine_tables([Refused(SeriesId("env", "mardika-01", "env-1"), now_ms(), "empty", "{}")]))
        for path, words_seen in seen.items():
            await shown.until(f"{path}?lang=id", words_seen)
        store.away = True
        for path in seen:
            page = await shown.until(f"{path}?lang=en", "DATABASE AWAY")
            assert re.search(r"Figures as of \d\d:\d\d:\d\d", page)


async def test_1000_sites_and_3000_devices_are_bounded_pages_of_one_snapshot() -> None:
    class Counting(MemoryStore):
        """Counts how often the newest points are asked for."""

        asked = 0

        async def newest(self, stream: str) -> list[object]:  # type: ignore[override]
            self.asked += stream == "env"
            return list(await super().newest(stream))

    store, at_ms = Counting(), now_ms()
    names = [f"box-{number:05}" for number in range(3000)]
    tables = [Table("env", (("device", n), ("source", "env-1")), ("temp_c",), [(at_ms, 30.0)]) for n in names]
    await store.write(tables)
    where = {f"site-{n:04}": (-3.9 + (n % 40) / 100, 128.0 + (n // 40) / 60) for n in range(1000)}
    known = {
        name: Placement.model_validate(
            {"h": [{"from": 1, "site": site, "lat": where[site][0], "lon": where[site][1]}]}, strict=False
        )
        for name, site in zip(names, sorted(where) * 3, strict=True)
    }
    async with console(store, replace(QUICK, tick_s=3600, ledger_s=3600), known=known) as shown:
        whole, second = await shown.text("/map?lang=en"), await shown.text("/map?lang=en&page=20")
        pages = [await shown.text(path) for path in ("/ledger", "/site/site-0007", "/quarantine", "/?lang=en")]
    assert store.asked == 1
    assert "<b>1,000</b>" in whole
    assert len(rows(whole)) == len(rows(second)) == 50
    assert not rows(whole).keys() & rows(second).keys()
    assert 20 < len(spots(whole)) <= 250
    assert sum(int(re.findall(r"^(\d+) sites|$", said)[0] or 1) for said in spots(whole)) == 1000
    assert "900 more sites" in pages[-1]
    assert [len(page.encode()) < 300_000 for page in (whole, second, *pages)] == [True] * 6


SIZES = {"phone": (390, 844), "desk": (1366, 768), "wall": (1920, 1080)}
PAGES = {
    "map": "/map?",
    "site": "/site/pasar-mardika?",
    "ledger": "/ledger?",
    "quarantine": "/quarantine?",
    "day": "/device/mardika-01?",
}


@pytest.mark.slow
async def test_pages_fit_phone_desk_and_wall_and_keys_reach_the_marks(tmp_path: Path) -> None:
    """Nothing sticks out, nothing is cut off, no text on a wall is below 19 px. KEWANG_SHOTS=folder keeps pictures."""
    store, folder = MemoryStore(), os.environ.get("KEWANG_SHOTS")
    pages = PAGES if folder else {name: PAGES[name] for name in ("map", "ledger", "quarantine")}
    await ambon.a_day(store, now_ms())
    await ambon.settle(store, now_ms())
    async with console(store, known=ambon.placements()) as shown, chromium(tmp_path / "profile") as tab:
        for (size, (width, height)), (name, path) in product(SIZES.items(), pages.items()):
            for language in LANGUAGES if folder else ("id",):
                await tab.open(f"{shown.address}{path}lang={language}", width, height, phone=size == "phone")
                assert await tab.ask("document.documentElement.scrollWidth <= window.innerWidth"), (size, name)
                assert await tab.ask(STICKING_OUT.replace("main *", "main :not(.chart *)")) == [], (size, name)
                assert await tab.ask(CUT_OFF) == [], (size, name)
                if size == "wall":
                    assert await tab.ask(SMALLEST_TEXT) >= 19, name
                if folder:
                    await tab.picture(Path(folder) / f"{name}-{size}-{language}.png", whole=True)
        await tab.open(f"{shown.address}/map?lang=en", *SIZES["desk"])
        await tab.ask("document.querySelector('.skip').focus()")
        await tab.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        assert await tab.ask("document.activeElement.id.startsWith('spot-')")
        assert await tab.ask("document.activeElement.getAttribute('aria-label')") in spots(
            await shown.text("/map?lang=en")
        )


CUT_OFF = """[...document.querySelectorAll('main .panel, main .chip, main td, main th, main h1')].filter(
  e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && !e.closest('.unseen, thead')
    && getComputedStyle(e).clipPath === 'none').map(e => e.outerHTML.slice(0, 80))"""
