"""Looking for incidents: by state, kind, place and text, page by page, in the file and on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.chronicle import Chronicle
from gateway.found import Query
from gateway.incidents.model import Acknowledged, Change, Incident, Level, Scope
from gateway.turns import Turn
from tests.fakes import MemoryStore
from tests.gateway.serving import console, now_ms
from tests.gateway.watch_house import House

NOW_S = 1_800_000_000.0


def over(number: int, kind: str, level: Level, name: str, site: str = "", *devices: str) -> Incident:
    made = Incident(number, kind, Scope(level, name), "warning", NOW_S, NOW_S, dict.fromkeys(devices, NOW_S))
    made.sites, made.ended_s = {site} if site else set(), NOW_S + 60
    return made


MANY = [
    over(1, "outage", "site", "pasar-mardika", "pasar-mardika", "amb-1", "amb-2"),
    over(2, "outage", "device", "amb-7", "passo", "amb-7"),
    over(3, "pm25", "site", "passo", "passo", "amb-7/env-1"),
    over(4, "self", "gateway", "database"),
]
MANY[1].acknowledged = Acknowledged("Rina", NOW_S, "")


@pytest.fixture
def chronicle(tmp_path: Path) -> Iterator[Chronicle]:
    made = Chronicle(tmp_path / "incidents.db")
    notes = [Change("noted", MANY[3], NOW_S + 90, {"by": "budi", "note": "Disk café-3 replaced 100%"})]
    made.write([Turn(NOW_S, (*(Change("resolved", one, NOW_S + 60) for one in MANY), *notes))], [], NOW_S + 100)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (Query(), [4, 3, 2, 1]),
        (Query(state="open"), []),
        (Query(state="over"), [4, 3, 2, 1]),
        (Query(kind="outage"), [2, 1]),
        (Query(kind="outage", level="site"), [1]),
        (Query(site="passo"), [3, 2]),
        (Query(site="pas"), []),
        (Query(text="Pasar Mardika"), [1]),
        (Query(text="AMB-7"), [3, 2]),
        (Query(text="rina"), [2]),
        (Query(text="replaced 100%"), [4]),
        (Query(text="café"), [4]),
        (Query(text="#3"), [3]),
        (Query(text="devices"), []),
        (Query(text="' OR 1=1 --"), []),
        (Query(site="passo", text="env"), [3]),
    ],
)
def test_what_is_looked_for_is_found(query: Query, numbers: list[int], chronicle: Chronicle) -> None:
    found, count = chronicle.found(query, 0, 10)
    assert ([one.number for one in found], count) == (numbers, len(numbers))


def test_page_by_page(chronicle: Chronicle) -> None:
    pages = [chronicle.found(Query(), offset, 3) for offset in (0, 3, 6)]
    assert [[one.number for one in found] for found, _ in pages] == [[4, 3, 2], [1], []]
    assert {count for _, count in pages} == {4}


async def test_the_page_asks_and_turns_without_any_script(tmp_path: Path) -> None:
    house = House(tmp_path, now_ms() - 3_600_000)
    long = [over(number, "outage", "site", f"s-{number}", f"s-{number}") for number in range(1, 61)]
    house.watched.chronicle.write([Turn(NOW_S, tuple(Change("resolved", one, NOW_S) for one in long))], [], NOW_S)
    async with console(MemoryStore(), incidents=house.watched) as shown:
        first = await shown.text("/incidents?lang=en")
        assert (first.count('href="/incidents/'), "page 1 of 2" in first) == (50, True)
        (older,) = re.findall(r'<a href="([^"]+)" rel="next"', first)
        second = await shown.text(older)
        assert (second.count('href="/incidents/'), "page 2 of 2" in second) == (10, True)
        for asked in ("site=s-7", "text=S+7", "state=over&kind=outage&level=site&text=%237"):
            assert re.findall(r'href="/incidents/(\d+)"', await shown.text(f"/incidents?{asked}")) == ["7"]
        assert "Nothing like that is known." in await shown.text("/incidents?text=%3Cb%3E")
        for wrong in ("page=0", "page=x", "page=99999", "state=x", "kind=x", "page=%C2%B2"):
            await shown.text(f"/incidents?{wrong}")
        filtered = await shown.text("/incidents?site=s-7&text=%3Cb%3E")
        assert 'value="&lt;b&gt;"' in filtered
    house.watched.close()
