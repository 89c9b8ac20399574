"""Login to the web app: cookies, limits, tokens, language."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kewang.wire.session import COOKIE
from provisioning.acts import people
from provisioning.web.guards import HEADERS
from provisioning.web.options import WebOptions
from tests.provisioning import market as town_of
from tests.provisioning.forms import acts, first, new, state
from tests.provisioning.market import (
    CAMERA_BOX,
    OFFICE,
    PASSWORD,
    WIT,
    Town,
    label_path,
)


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Town]:
    async with town_of.town(tmp_path) as opened:
        yield opened


async def test_login_sets_a_cookie_that_only_we_can_read(market: Town) -> None:
    answer = await market.log_in("rudi")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(COOKIE))
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "Rudi Latuconsina" in (await market.client.get("/t/")).text


async def test_the_cookie_is_secure_where_people_come_by_https(tmp_path: Path) -> None:
    async with town_of.town(tmp_path, options=WebOptions(bytes(32), https=True, zone=WIT)) as market:
        shown = await market.client.get("/login")
        assert "secure" in shown.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "path", ["/t/", "/t/mine", "/t/red", "/t/tasks", "/t/code", "/t/shell", "/t/visit/x", "/d/a/b"]
)
async def test_without_a_login_every_page_leads_to_it(market: Town, path: str) -> None:
    answer = await market.client.get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


async def test_a_label_scanned_before_the_login_is_not_lost(market: Town) -> None:
    where = (await market.client.get(label_path(CAMERA_BOX))).headers["location"]
    shown = (await market.client.get(where)).text
    token = shown.split('name="csrf" value="')[1].split('"')[0]
    target = shown.split('name="next" value="')[1].split('"')[0]
    said = {"login": "RUDI ", "password": PASSWORD, "csrf": token, "next": target}
    answer = await market.client.post("/login", data=said)
    assert answer.headers["location"] == label_path(CAMERA_BOX)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/t/\\evil", "/t/..//evil", "/login", "x"]
)
async def test_a_login_leads_nowhere_else(market: Town, target: str) -> None:
    shown = (await market.client.get("/login")).text
    token = shown.split('name="csrf" value="')[1].split('"')[0]
    said = {"login": "rudi", "password": PASSWORD, "csrf": token, "next": target}
    assert (await market.client.post("/login", data=said)).headers["location"] in ("/t/", "/t/..//evil"[:3])


async def test_wrong_passwords_are_slowed_down_and_the_right_one_waits_too(market: Town) -> None:
    answers = [await market.log_in("rudi", f"wrong-{n}") for n in range(8)]
    assert [answer.status_code for answer in answers[:4]] == [401] * 4
    assert answers[-1].status_code == 429
    assert (await market.log_in("rudi")).status_code == 429
    assert (await market.log_in("sari")).status_code == 303


async def test_forms_without_our_token_change_nothing(market: Town) -> None:
    await market.log_in("rudi")
    before = acts(market)
    for path, fields in ((f"/t/visit/{new()}/site", first(CAMERA_BOX)), ("/logout", {}), ("/t/code", {"device": "x"})):
        for token in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
            answer = await market.client.post(path, data=fields | token)
            assert (answer.status_code, "P-CSRF" in answer.text) == (403, True)
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    await market.post(f"/t/visit/{new()}/site", first(CAMERA_BOX), 403, headers=elsewhere)
    assert acts(market) == before
    assert state(market, CAMERA_BOX) == "new"


async def test_after_logout_the_old_cookie_is_worth_nothing(market: Town) -> None:
    await market.log_in("rudi")
    kept = dict(market.client.cookies)
    await market.post("/logout", {}, 303)
    market.client.cookies.clear()
    market.client.cookies.update(kept)
    assert COOKIE in kept
    assert (await market.client.get("/t/")).status_code == 303


async def test_a_shut_out_person_is_out_at_once(market: Town) -> None:
    await market.log_in("rudi")
    with market.inventory.writing(OFFICE) as work:
        people.disable(work, "rudi")
    assert (await market.client.get("/t/")).status_code == 303


async def test_the_language_is_the_persons_until_the_switch_is_used(market: Town) -> None:
    await market.log_in("rudi")
    assert "Halo, Rudi" in (await market.client.get("/t/")).text
    assert "Hello, Rudi" in (await market.client.get("/t/?lang=en")).text
    assert "Hello, Rudi" in (await market.client.get("/t/")).text
