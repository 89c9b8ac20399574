"""A gateway killed in the middle of 50 open incidents: no notice is sent again, none is forgotten."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.gateway.watch_house import House

MARKET = {f"amb-box-{n:02}": f"site-{n:02}" for n in range(100)}
SILENT = set(sorted(MARKET)[:50])
"""Half of the boxes, each alone at its site: no larger cause explains them."""


def notices(folder: Path) -> Counter[tuple[str, int]]:
    """(opened or resolved, number) of each incident in each message."""
    db = sqlite3.connect(folder / "gateway.db")
    try:
        rows = db.execute(
            "SELECT json_extract(content, '$.facts.kind'), json_extract(content, '$.subject'), "
            "json_extract(content, '$.text') FROM message ORDER BY id"
        ).fetchall()
    finally:
        db.close()
    numbers = [
        (kind, {int(one) for one in re.findall(r"\(#(\d+)\)", f"{subject} {text}")}) for kind, subject, text in rows
    ]
    return Counter(("resolved" if kind == "resolved" else "opened", one) for kind, told in numbers for one in told)


@pytest.mark.parametrize("dies_s", [[170], [150, 230, 500]])
async def test_killed_in_the_middle_of_50_open_incidents(tmp_path: Path, dies_s: list[int]) -> None:
    """While seven are told and 43 wait for the digest; and thrice, of which twice after all are told."""
    house = House(tmp_path / "gateway", sites=MARKET)
    await house.live(200)
    house.silent, lived_s = SILENT, 0
    for at_s in dies_s:
        await house.live(at_s - lived_s)
        assert len(house.watched.watching.open) == 50
        house.kill()
        lived_s = at_s
    await house.live(700)
    numbers = house.watched.watching.open.keys()
    assert len(numbers) == 50
    assert notices(house.folder) == {("opened", number): 1 for number in numbers}
    house.silent = set()
    await house.live(300)
    house.kill()
    await house.live(1000)
    assert notices(house.folder) == {(what, number): 1 for what in ("opened", "resolved") for number in numbers}
    assert [one.ended_s for one in house.watched.chronicle.incidents() if one.ended_s is None] == []
    house.watched.close()
