"""The own password, changed in the web app by a technician and by the office."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kewang.wire.session import COOKIE
from provisioning.acts import people
from provisioning.acts.rows import person_row
from provisioning.inventory import Audit, LoginSession
from provisioning.refusals import Refused
from tests.chromium import chromium
from tests.gateway.serving import plain_client
from tests.provisioning.market import OFFICE, PASSWORD, Town
from tests.provisioning.walk import Phone

NEW = "papeda-kuah-kuning"
PATH = "/t/password"


def typed(present: str = PASSWORD, new: str = NEW, again: str = NEW) -> dict[str, str]:
    return {"present": present, "new": new, "again": again}


def rows_of(market: Town, act: str, subject: str = "rudi") -> list[str]:
    """Who did `act` to `subject`."""
    with market.inventory.reading() as rows:
        found = select(Audit.actor).where(Audit.act == act, Audit.subject == subject).order_by(Audit.number)
        return list(rows.scalars(found))


def open_sessions(market: Town, person: str = "rudi") -> int:
    with market.inventory.reading() as rows:
        open_ones = (LoginSession.person == person, LoginSession.ended_ms.is_(None))
        return rows.scalar(select(func.count()).select_from(LoginSession).where(*open_ones)) or 0


@pytest.mark.parametrize("login", ["rudi", "ina"])
async def test_everybody_changes_the_own_password_and_stays_logged_in_here_alone(market: Town, login: str) -> None:
    await market.log_in(login)
    elsewhere = dict(market.client.cookies)
    market.client.cookies.clear()
    await market.log_in(login)
    here = market.client.cookies[COOKIE]
    answer = await market.post(PATH, typed(), 303)
    assert market.client.cookies[COOKIE] != here
    done = await market.client.get(answer.headers["location"])
    assert "Kata sandi Anda sudah diganti." in done.text
    assert NEW not in done.text + str(answer.headers)
    assert open_sessions(market, login) == 1
    assert rows_of(market, "person.password", login) == [login]
    assert (await market.client.get("/t/")).status_code == 200
    for cookies in (elsewhere, {**elsewhere, COOKIE: here}):
        market.client.cookies.clear()
        market.client.cookies.update(cookies)
        assert (await market.client.get("/t/")).status_code == 303
    market.client.cookies.clear()
    assert (await market.log_in(login)).status_code == 401
    assert (await market.log_in(login, NEW)).status_code == 303


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        (typed(again=NEW + "x"), 400, "Kedua kata sandi baru tidak sama."),
        (typed(new="short", again="short"), 400, "harus 10 sampai 200 karakter"),
        (typed(new="rudi-di-pasar", again="rudi-di-pasar"), 400, "terlalu mudah ditebak"),
        (typed(new=PASSWORD, again=PASSWORD), 400, "sama dengan yang sekarang"),
        (typed(present="wrong-one-here"), 401, "Kata sandi sekarang salah."),
        ({}, 401, "Kata sandi sekarang salah."),
    ],
    ids=["differ", "short", "easy", "same", "wrong", "nothing"],
)
async def test_what_is_refused_says_why_and_changes_nothing(
    market: Town, fields: dict[str, str], status: int, said: str
) -> None:
    await market.log_in("rudi")
    shown = await market.post(PATH, fields, status)
    assert said in shown.text
    assert f"P-{status}" in shown.text
    assert not [value for value in fields.values() if value in shown.text]
    assert (await market.client.get("/t/")).status_code == 200
    market.client.cookies.clear()
    assert (await market.log_in("rudi")).status_code == 303


async def test_a_wrong_present_password_counts_as_a_failed_login(market: Town) -> None:
    await market.log_in("rudi")
    answers = []
    for _ in range(7):
        token = (await market.client.get("/t/token")).json()["csrf"]
        answers.append((await market.client.post(PATH, data={**typed("wrong-one-here"), "csrf": token})).status_code)
    assert answers[:5] == [401] * 5
    assert answers[5:] == [429] * 2
    assert rows_of(market, "session.failure") == ["nobody"] * 5
    await market.post(PATH, typed(), 429)
    market.client.cookies.clear()
    assert (await market.log_in("rudi")).status_code == 429
    await market.log_in("sari")
    await market.post(PATH, typed(), 303)


async def test_failed_logins_count_here_too(market: Town) -> None:
    await market.log_in("rudi")
    kept = dict(market.client.cookies)
    market.client.cookies.clear()
    for n in range(6):
        await market.log_in("rudi", f"wrong-{n}")
    market.client.cookies.update(kept)
    await market.post(PATH, typed(), 429)
    assert rows_of(market, "person.password") == []


async def test_without_our_token_or_a_login_nothing_is_changed(market: Town) -> None:
    assert (await market.client.get(PATH)).headers["location"] == "/login?next=%2Ft%2Fpassword"
    assert (await market.client.post(PATH, data=typed())).headers["location"] == "/login"
    await market.log_in("rudi")
    for token in ({}, {"csrf": "0" * 64}):
        refused = await market.client.post(PATH, data=typed() | token)
        assert (refused.status_code, "P-CSRF" in refused.text) == (403, True)
    await market.post(PATH, typed(), 403, headers={"Sec-Fetch-Site": "cross-site"})
    assert (rows_of(market, "person.password"), rows_of(market, "session.failure")) == ([], [])


async def test_a_password_that_the_administrator_changed_meanwhile_stays(market: Town) -> None:
    """What was proven is the old one: it is not enough any more."""
    with market.inventory.writing(OFFICE) as work:
        old = person_row(work.rows, "rudi").password_hash
        given = people.set_password(work, "rudi")
    with pytest.raises(Refused, match="P-409"), market.inventory.writing(OFFICE) as work:
        people.set_password(work, "rudi", NEW, instead_of=old)
    assert (await market.log_in("rudi", given)).status_code == 303


async def test_it_is_reached_with_one_tap(market: Town) -> None:
    await market.log_in("rudi")
    assert f'href="{PATH}"' in (await market.client.get("/t/")).text
    market.client.cookies.clear()
    await market.log_in("ina")
    header = re.search(r"<header.*?</header>", (await market.client.get("/office/")).text, re.S)
    assert header
    assert f'href="{PATH}"' in header[0]
    assert 'href="/office/"' in (await market.client.get(PATH)).text


@pytest.mark.slow
@pytest.mark.parametrize("language", ["id", "en"])
async def test_on_a_phone(market: Town, tmp_path: Path, language: str) -> None:
    async with chromium(tmp_path / "profile") as tab:
        phone = Phone(tab, market.address, language)
        await phone.log_in("rudi", PASSWORD)
        await phone.ready()
        await phone.tap(f'[href="{PATH}"]')
        await tab.until(f"location.pathname === '{PATH}' && document.readyState === 'complete'")
        assert await phone.fits() == []
        for name, text in typed("wrong-one-here").items():
            await tab.type(f"[name={name}]", text)
        await phone.tap("button.go")
        await tab.until("document.querySelector('[role=alert]') !== null")
        assert await phone.fits() == []
        for name, text in typed().items():
            await tab.type(f"[name={name}]", text)
        await phone.tap("button.go")
        await tab.until("location.search === '?done'")
        assert await phone.fits() == []
        await phone.tap("a.go")
        await tab.until("location.pathname === '/t/' && document.readyState === 'complete'")
    async with plain_client(market.address) as market.client:
        assert (await market.log_in("rudi", NEW)).status_code == 303
