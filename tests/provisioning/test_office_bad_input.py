"""What attackers type and search for, through every field of every form of the office."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

import pytest

from provisioning.inventory.verify import verify
from tests.provisioning import corpus
from tests.provisioning.market import Town
from tests.provisioning.office_town import (
    INSTALLED,
    WAITING,
    logged_in,
)

DEVICE: Final = f"/office/device/{INSTALLED}"
FORMS: Final = {
    "/office/add": {
        "device": "amb-odd",
        "fingerprint": "A" * 26,
        "kind": "camera",
        "site": "gong",
        "preapproved": "no",
        "model": "m",
        "serial": "s",
        "note": "n",
    },
    f"{DEVICE}/do/describe": {"model": "m", "note": "n"},
    f"{DEVICE}/do/move": {"site": "gong", "lat": "-3.6", "lon": "128.1"},
    f"/office/device/{WAITING}/do/approve": {"site": "nowhere", "lat": "-3.6", "lon": "128.1"},
    f"{DEVICE}/do/maintenance": {"hours": "99", "reason": "why not"},
    f"{DEVICE}/do/replace": {"new": "amb-none", "reason": "why not"},
    f"{DEVICE}/source?name=cam-1": {
        "driver": "camera",
        "url": "rtsp://h/",
        "user": "u",
        "password": "p",
        "settings": "a = 1",
    },
    f"{DEVICE}/source": {"name": "odd-1", "driver": "camera"},
    "/office/site": {
        "site": "odd",
        "name": "n",
        "district": "d",
        "lat": "1",
        "lon": "1",
        "link": "wired",
        "uplink": "u",
        "feeder": "f",
    },
    "/office/person?login=nus": {"name": "n", "role": "technician", "phone": "", "district": "d", "language": "id"},
    "/office/contact/1": {
        "name": "n",
        "channel": "sms",
        "address": "+62811000",
        "language": "id",
        "district": "d",
        "from0": "08:00",
        "to0": "09:00",
        "days0_1": "1",
    },
    "/office/task": {"text": "t", "device": INSTALLED, "source": "cam-1", "assignee": "rudi"},
    "/office/labels": {"devices": "amb-none", "state": "retired", "site": "gong", "phone": "1", "file": "pdf"},
    "/office/audit/export": {"from": "2026-01-01", "to": "2026-01-02"},
    "/office/export/work": {"from": "2026-01-01", "to": "2026-01-02"},
    "/office/import/all": {"file": "x"},
}
SEARCHES: Final = {
    "/office/": ("q", "state", "site", "page"),
    "/office/audit": ("actor", "subject", "act", "from", "to", "below"),
    "/office/exports": ("from", "to"),
    "/office/tasks": ("state",),
    "/office/task": ("device", "source"),
    "/office/labels": ("device",),
    "/office/import": ("what",),
}
NAMED: Final = {"/office/site": "id", "/office/person": "login", f"{DEVICE}/source": "name", f"{DEVICE}": "done"}
RAW: Final = re.compile(r"<script>alert|<img src=x|<svg onload|9801547|root:x:0|\x00|\x1b|\u202e[a-z]")


def coded(fields: dict[str, str]) -> bytes:
    """A form's body, also of what no browser would send."""
    return urlencode(fields, errors="surrogatepass").encode()


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FORMS))
async def test_what_attackers_type_is_refused_or_kept_harmlessly(office: Town, path: str) -> None:
    """Every text in each form, every third one in each field: so of each sort some, as the corpus goes by sorts."""
    apart = min(3, len(FORMS[path]))
    await logged_in(office, "admin")
    token = (await office.client.get("/t/token")).json()["csrf"]
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for number, field in enumerate(FORMS[path]):
        for typed in corpus.TEXTS[number % apart :: apart]:
            body = coded({**FORMS[path], field: typed, "csrf": token})
            answer = await office.client.post(path, content=body, headers=kind)
            told = (path, field, typed[:40], answer.status_code)
            assert answer.status_code in (200, 303, 400, 403, 404, 409, 413), told
            if "text/html" in answer.headers.get("content-type", ""):
                assert not RAW.search(answer.text), told
    for page in (
        "/office/",
        DEVICE,
        "/office/sites",
        "/office/people",
        "/office/contacts",
        "/office/tasks",
        "/office/audit",
    ):
        shown = await office.client.get(page)
        assert shown.status_code == 200, page
        assert not RAW.search(shown.text), page
    assert verify(office.inventory).ok


@pytest.mark.slow
async def test_what_attackers_search_for_finds_nothing_and_breaks_nothing(office: Town) -> None:
    """Every text in every parameter. Those of one page are asked at once, each with another text."""
    await logged_in(office, "admin")
    for path, names in [*SEARCHES.items(), *((path, (name,)) for path, name in NAMED.items())]:
        for first in range(len(corpus.TEXTS)):
            texts = rotated(first, len(names))
            query = urlencode(dict(zip(names, texts, strict=True)), errors="surrogatepass")
            answer = await office.client.get(f"{path}?{query}")
            told = (path, [text[:40] for text in texts], answer.status_code)
            assert answer.status_code in (200, 303, 400, 404), told
            assert not RAW.search(answer.text), told


def rotated(first: int, count: int) -> list[str]:
    """`count` texts from number `first` on, begun anew at the end."""
    return [corpus.TEXTS[(first + each) % len(corpus.TEXTS)][:2000] for each in range(count)]
