"""The pages of ledger and quarantine: complete or not, since when; what was refused, and the command that decides."""

import asyncio
import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path

from gateway.console.live import QUARANTINE_SHOWN, open_quarantine
from gateway.console.refusals import SETTINGS
from gateway.ports import Lives, Refused, SeriesId, Store, Table
from gateway.quarantine import quarantine_tables
from gateway.replay import mark
from gateway.sqlite_sink import SqliteStore
from tests.cli.commands import kewang
from tests.fakes import MemoryStore
from tests.gateway import town
from tests.gateway.serving import QUICK, console, now_ms

OPTIONS = replace(QUICK, pause_per_read=0)
HOT = '{"tq":2,"k":["temp_c"],"r":[31.5]}'
WET = '{"tq":2,"k":["rh_pct"],"r":[140.2]}'


def listed(page: str) -> dict[str, list[str]]:
    """Device -> the cells of its row, as text."""
    rows = re.findall(r'<tr><th scope="row"[^>]*>(.*?)</th>(.*?)</tr>', page, re.S)
    heads = [unescape(re.findall(r"<bdi>([^<]*)", head)[0]) for head, _ in rows]
    cells = dict(zip(heads, (re.findall(r"<td[^>]*>(.*?)</td>", rest, re.S) for _, rest in rows), strict=True))
    return {name: [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in some] for name, some in cells.items()}


async def test_each_device_is_complete_or_not_and_since_when(store: Store) -> None:
    await town.settle(store, now_ms(), (*town.TOWN[:3], town.TOWN[5]))
    hour = now_ms() // town.HOUR_MS - 2
    for device, made, dropped in (("mardika-01", 50, 4), ("mardika-03", 9, 9)):
        tags = (("device", device), ("source", "env-9"))
        row = (now_ms(), town.RUN, hour, made, dropped)
        await store.write([Table("tally", tags, ("run", "hour", "made", "dropped"), [row])])
    async with console(store, OPTIONS, known=town.placements()) as shown:
        page = await shown.until("/ledger?lang=en", "not complete</span>")
        figures = (await shown.client.get("/api/v1/ledger")).json()
        since = re.findall(r"\d\d:00(?::00)?", listed(page)["mardika-01"][0])
        assert listed(page)["mardika-01"][0].startswith("■ not complete since")
        assert len(since) == 1
        assert listed(page)["mardika-02"][0] == "○ complete"
        assert listed(page)["mardika-03"][0].startswith("▲ dropped by the box since")
        assert listed(page)["passo-01"][0].startswith("◇ not known since")
        assert list(listed(page))[:2] == ["mardika-01", "passo-01"]
        one = figures["devices"]["mardika-01"]
        numbers = [f"{one[name]:,}" for name in ("made", "stored", "quarantined", "dropped", "held", "lost")]
        assert listed(page)["mardika-01"][1:] == numbers
        assert f"{figures['lost']} readings missing</h1>" in page
        assert set(listed(await shown.text("/ledger?lang=en&show=missing"))) == {"mardika-01"}
        assert set(listed(await shown.text("/ledger?lang=en&show=unsure&q=passo"))) == {"passo-01"}
        indonesian = await shown.text("/ledger?lang=id&show=dropped")
        assert listed(indonesian)["mardika-03"][0].startswith("▲ dibuang oleh kotak sejak")


async def test_a_complete_city_is_called_so() -> None:
    store = MemoryStore()
    await town.settle(store, now_ms(), town.TOWN[:2])
    async with console(store, OPTIONS, known=town.placements()) as shown:
        assert "<h1>Complete</h1>" in await shown.until("/ledger?lang=en", "<h1>Complete")
        await town.settle(store, now_ms(), (town.TOWN[5],))
        page = await shown.until("/ledger?lang=en", "as far as is known")
        assert "1 device is silent: what it made meanwhile is not known yet." in page


def groups(page: str) -> dict[str, tuple[str, list[list[str]]]]:
    """Kind -> what its panel says, and the words of its two commands."""
    found = {}
    for panel in page.split('class="panel refusal"')[1:]:
        said = " ".join(re.sub(r"<[^>]*>", " ", unescape(panel.partition("</section>")[0])).split())
        commands = [shlex.split(unescape(one)) for one in re.findall(r"<code>(sudo [^<]*)</code>", panel)]
        found[re.findall(r": ([^<:]*)</h2>", panel)[0]] = said, commands
    return found


async def refused_of_three_kinds(store: Store) -> SeriesId:
    """Three out of range, one that is well by today's catalogue (whose series is returned), and one empty."""
    wet, hot = SeriesId("env", "mardika-01", "env-1"), SeriesId("env", "mardika-02", "bin-1")
    rows = [Refused(wet, now_ms() - n * 60_000, "range: rh_pct=140.2", WET) for n in (1, 2, 3)]
    rows += [Refused(hot, now_ms() - 90_000, "unknown metric: temp_c", HOT), Refused(hot, now_ms(), "empty", "{}")]
    await store.write(quarantine_tables(rows))
    return hot


async def test_what_waits_is_found_however_many_rows_are_done_with() -> None:
    store, newest_ms = MemoryStore(), now_ms()
    wet = SeriesId("env", "mardika-01", "env-1")
    rows = [Refused(wet, newest_ms - n, "range: rh_pct=140.2", WET) for n in range(QUARANTINE_SHOWN + 1)]
    await store.write(quarantine_tables(rows))
    await mark(store, rows[:-1])
    assert await open_quarantine(store) == rows[-1:]


async def test_what_was_refused_is_grouped_and_its_commands_do_what_they_say(tmp_path: Path) -> None:
    file = tmp_path / "kewang.db"
    store = SqliteStore(file)
    await store.prepare(Lives(14))
    hot = await refused_of_three_kinds(store)
    async with console(store, OPTIONS) as shown:
        known = groups(await shown.text("/quarantine?lang=en"))
        assert list(known) == ["out of range", "no value", "unknown metric"]
        assert known["out of range"][0].startswith("> mardika-01 env-1 : out of range ▲ 3 readings dated from")
        assert "By today's rules they are refused again" in known["out of range"][0]
        assert "All of them are well by today's rules" in known["unknown metric"][0]
        replay, delete = known["unknown metric"][1][0], known["out of range"][1][1]
        for words, wanted in ((replay, "stored 1"), (delete, "deleted 3")):
            assert words[:5] + words[6:8] == ["sudo", "-u", "kewang", "kewang", "quarantine", "--config", SETTINGS]
            here = [*words[4:6], "--store", f"sqlite:///{file}", *words[8:], "--yes"]
            assert wanted in (await asyncio.to_thread(kewang, *here)).stdout
        assert "tanpa nilai" in await shown.until("/quarantine?lang=id", "1 bacaan dikarantina")
        assert "Nothing like that is known" in await shown.text("/quarantine?lang=en&device=nobody")
    assert [value for _, value in await store.values(hot, "temp_c", 0, now_ms())] == [31.5]
    await store.close()


async def test_hostile_rows_are_text_and_their_commands_are_quoted() -> None:
    store, bad = MemoryStore(), "x'; touch $(id) <img src=x>"
    await store.write(quarantine_tables([Refused(SeriesId("env", bad, bad), now_ms(), f"{bad}: {bad}", bad)]))
    async with console(store, OPTIONS) as shown:
        page = await shown.text("/quarantine?lang=en")
    assert "<img src=x" not in page
    for command in re.findall(r"<code>(sudo [^<]*)</code>", page):
        words = shlex.split(unescape(command))
        assert words[8:] == ["--device", bad, "--reason", bad]
