"""What people and attackers put into the web app's fields."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import func, select

from provisioning.inventory import Device, Photo, Visit
from tests.provisioning import corpus
from tests.provisioning import market as town_of
from tests.provisioning.forms import acts, first, new, state
from tests.provisioning.market import (
    CAMERA_BOX,
    OFFICE,
    Town,
)


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Town]:
    async with town_of.town(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    "kind", ["HTML", "FORMULAS", "SQL", "LINE_PROTOCOL", "INFLUXQL", "PATHS", "UNSEEN", "LONG", "ODD"]
)
async def test_no_field_takes_what_means_no_good(market: Town, kind: str) -> None:
    """A refusal in words, never an error of ours, nothing half done; what is shown again is escaped."""
    await market.log_in("rudi")
    token = (await market.client.get("/t/token")).json()["csrf"]
    for text in getattr(corpus, kind):
        sent = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        before = acts(market)
        answers = await into_every_field(market, token, sent)
        for answer in answers:
            assert 300 < answer.status_code < 500, (answer.status_code, answer.request.url, answer.text[:300])
            assert not sent.startswith(("<", '"')) or sent not in answer.text
        assert acts(market) - before <= len(answers)
    assert state(market, CAMERA_BOX) == "new"
    with market.inventory.reading() as rows:
        assert rows.scalar(select(func.count()).select_from(Visit)) == 0
        assert rows.scalar(select(func.count()).select_from(Photo)) == 0


async def into_every_field(market: Town, token: str, text: str) -> list[httpx.Response]:
    """The answers of every form and address to `text` in each of their fields."""
    part = quote(text[:300], safe="")
    forms = [
        *((f"/t/visit/{new()}/site", first(CAMERA_BOX) | {field: text}) for field in PLACING),
        ("/t/code", {"device": text, "code": text}),
        ("/t/replace", {"old": text or "x", "fingerprint": text}),
        (f"/t/visit/{new()}/leave", {"request": new(), "reason": text}),
        (f"/t/visit/{new()}/readings", {"request": new(), "reason": text}),
        ("/t/task/1/note", {"note": text}),
    ]
    posted = [await market.client.post(path, data={**fields, "csrf": token}) for path, fields in forms]
    paths = (f"/d/{part}/{part}", f"/t/visit/{part}/end", f"/t/picture/{part}")
    return posted + [await market.client.get(path) for path in paths]


PLACING = ("request", "device", "fingerprint", "kind", "site")


async def test_a_position_that_can_t_be_is_no_position(market: Town) -> None:
    await market.log_in("rudi")
    for lat in ("NaN", "91", "1e999", "x", ""):
        await market.post(f"/t/visit/{new()}/site", first(CAMERA_BOX, lat=lat), 303)
        with market.inventory.reading() as rows:
            assert rows.get_one(Device, CAMERA_BOX).lat is None
        with market.inventory.writing(OFFICE) as work:
            work.rows.get_one(Device, CAMERA_BOX).state = "new"
