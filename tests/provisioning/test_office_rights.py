"""Who may see and do what in the office: every route and role, and the token that every form needs."""

from __future__ import annotations

import re
from typing import Final

from fastapi.routing import APIRoute
from sqlalchemy import select

from provisioning.inventory import Audit, Device
from provisioning.web.office import PARTS
from provisioning.web.office.house import House
from tests.provisioning.market import Town
from tests.provisioning.office_town import (
    INSTALLED,
    LOGINS,
    logged_in,
)

ALL: Final = ("operator", "admin")
ADMIN: Final = ("admin",)
DEVICE: Final = f"/office/device/{INSTALLED}"
ROUTES: Final = {
    ("GET", "/office"): ALL,
    ("GET", "/office/"): ALL,
    ("GET", "/office/device/{device}"): ALL,
    ("GET", "/office/add"): ALL,
    ("POST", "/office/add"): ALL,
    ("GET", "/office/device/{device}/do/{deed}"): ALL,
    ("POST", "/office/device/{device}/do/{deed}"): ALL,
    ("GET", "/office/device/{device}/source"): ALL,
    ("POST", "/office/device/{device}/source"): ALL,
    ("GET", "/office/device/{device}/source/{name}/remove"): ALL,
    ("POST", "/office/device/{device}/source/{name}/remove"): ALL,
    ("GET", "/office/import"): ALL,
    ("POST", "/office/import"): ALL,
    ("POST", "/office/import/all"): ALL,
    ("GET", "/office/labels"): ALL,
    ("POST", "/office/labels"): ALL,
    ("GET", "/office/sites"): ALL,
    ("GET", "/office/site"): ALL,
    ("POST", "/office/site"): ALL,
    ("GET", "/office/site/{site}/remove"): ALL,
    ("POST", "/office/site/{site}/remove"): ALL,
    ("GET", "/office/people"): ADMIN,
    ("GET", "/office/person"): ADMIN,
    ("POST", "/office/person"): ADMIN,
    ("GET", "/office/person/{login}/{turn}"): ADMIN,
    ("POST", "/office/person/{login}/{turn}"): ADMIN,
    ("GET", "/office/contacts"): ALL,
    ("GET", "/office/contact"): ALL,
    ("POST", "/office/contact"): ALL,
    ("GET", "/office/contact/{contact}"): ALL,
    ("POST", "/office/contact/{contact}"): ALL,
    ("GET", "/office/contact/{contact}/remove"): ALL,
    ("POST", "/office/contact/{contact}/remove"): ALL,
    ("GET", "/office/tasks"): ALL,
    ("GET", "/office/task"): ALL,
    ("POST", "/office/task"): ALL,
    ("GET", "/office/task/{task}"): ALL,
    ("POST", "/office/task/{task}"): ALL,
    ("GET", "/office/audit"): ALL,
    ("POST", "/office/audit/verify"): ALL,
    ("POST", "/office/audit/export"): ALL,
    ("GET", "/office/watch"): ALL,
    ("GET", "/office/exports"): ALL,
    ("POST", "/office/export/inventory"): ALL,
    ("POST", "/office/export/work"): ALL,
}
"""Every route and the roles that get an answer from it; everybody else is refused."""
FILLED: Final = {
    "device": INSTALLED,
    "deed": "describe",
    "name": "cam-1",
    "site": "amahusu",
    "login": "nus",
    "turn": "end",
    "contact": "1",
    "task": "1",
}
POSTS: Final = sorted(path for method, path in ROUTES if method == "POST")


def filled(path: str) -> str:
    return path.format(**FILLED)


def rows_of_audit(office: Town) -> list[str]:
    with office.inventory.reading() as rows:
        return list(rows.scalars(select(Audit.act).order_by(Audit.number)))


def device(office: Town, name: str) -> Device:
    with office.inventory.reading() as rows:
        return rows.get_one(Device, name)


async def test_every_route_is_in_the_table_and_each_role_gets_what_it_may(office: Town) -> None:
    there = {("GET", "/office")} | {
        (method, route.path)
        for part in PARTS
        for route in part(House(None)).router().routes  # type: ignore[arg-type]
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert there == set(ROUTES)
    for method, path in ROUTES:
        answer = await office.client.request(method, filled(path))
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path
    for role in LOGINS:
        await logged_in(office, role)
        token = (await office.client.get("/t/token")).json()["csrf"]
        for (method, path), roles in ROUTES.items():
            form = {"data": {"csrf": token}} if method == "POST" else {}
            answer = await office.client.request(method, filled(path), **form)  # type: ignore[arg-type]
            told = (role, method, path, answer.status_code)
            assert answer.status_code < 500, told
            assert (answer.status_code == 403) == (role not in roles), told
            if answer.status_code == 403:
                assert "P-403" in answer.text, told


async def test_a_technician_is_refused_in_the_own_language_and_nothing_is_done(office: Town) -> None:
    await logged_in(office, "technician")
    before = rows_of_audit(office)
    answer = await office.client.get("/office/")
    assert "Halaman ini untuk kantor." in answer.text
    await office.post(f"{DEVICE}/do/revoke", {"reason": "because I can"}, 403)
    assert rows_of_audit(office) == before
    assert device(office, INSTALLED).state == "installed"


async def test_every_form_needs_the_token_of_this_login(office: Town) -> None:
    await logged_in(office, "operator")
    foreign = (await office.client.get("/t/token")).json()["csrf"]
    await logged_in(office, "admin")
    before = rows_of_audit(office)
    for path in POSTS:
        for token in ("", "x" * 64, foreign):
            answer = await office.client.post(filled(path), data={"csrf": token, "reason": "no reason at all"})
            assert (answer.status_code, "P-CSRF" in answer.text) == (403, True), (path, token)
    own = (await office.client.get("/t/token")).json()["csrf"]
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    answer = await office.client.post(f"{DEVICE}/do/revoke", data={"csrf": own, "reason": "x" * 9}, headers=elsewhere)
    assert answer.status_code == 403
    assert rows_of_audit(office) == before


async def test_every_page_in_both_languages_without_anything_inline(office: Town) -> None:
    await logged_in(office, "admin")
    for method, path in ROUTES:
        for language in ("id", "en") if method == "GET" and path != "/office" else ():
            answer = await office.client.get(filled(path), params={"lang": language}, follow_redirects=True)
            assert answer.status_code == 200, path
            assert f'<html lang="{language}">' in answer.text
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", answer.text), path
            for form in re.findall(r'<form[^>]*method="post".*?</form>', answer.text, re.S):
                assert 'name="csrf"' in form, path
