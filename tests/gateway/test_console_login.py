"""Who is not logged in at provisioning sees nothing of the console; who watches the server still gets yes or no."""

import time
from typing import Literal

import pytest

from gateway.console.facts import Access
from kewang.wire.session import COOKIE, SessionPayload, encode
from tests.fakes import MemoryStore
from tests.gateway.serving import console

KEY, TOKEN, LOGIN = b"k" * 32, "a-token-of-the-test", "https://pasang.ambon.example/login"
CLOSED = ("/", "/device/mardika-01", "/events", "/api/v1/devices", "/api/v1/ledger", "/api/v1/quarantine", "/metrics")


def cookie(
    *, key: bytes = KEY, left_s: float = 60, role: Literal["technician", "operator"] = "technician"
) -> dict[str, str]:
    payload = SessionPayload(sid="s" * 22, sub="rudi", name="Rudi", role=role, lang="id", exp=int(time.time() + left_s))
    return {"Cookie": f"{COOKIE}={encode(payload, key)}"}


@pytest.mark.parametrize("path", CLOSED)
async def test_without_a_login_of_ours_nothing_is_shown(path: str) -> None:
    strangers: tuple[dict[str, str], ...] = (
        {},
        cookie(key=b"x" * 32),
        cookie(left_s=-1),
        {"Cookie": f"{COOKIE}=v1.e30.AAAA"},
    )
    async with console(MemoryStore(), access=Access(TOKEN, KEY, LOGIN)) as shown:
        for headers in strangers:
            assert (await shown.client.get(path, headers=headers)).status_code == 401
            led = await shown.client.get(path, headers={**headers, "Accept": "text/html"})
            assert (led.status_code, led.headers["location"].partition("?")[0]) == (303, LOGIN)
            assert led.headers["x-frame-options"] == "DENY"
        if path != "/events":
            assert (await shown.client.get(path, headers=cookie())).status_code in (200, 404)


async def test_health_and_the_services_are_let_in_by_their_own_rules() -> None:
    async with console(MemoryStore(), access=Access(TOKEN, KEY, LOGIN)) as shown:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await shown.client.get("/health")).status_code == 200
        assert (await shown.client.get("/ui/palette.css")).status_code == 200
        assert (await shown.client.get("/metrics", headers=bearer)).status_code == 200
        assert (await shown.client.get("/api/v1/heard", headers=bearer)).status_code == 200
        assert (await shown.client.get("/api/v1/heard", headers=cookie())).status_code == 401
        assert (await shown.client.get("/api/v1/devices", headers=bearer)).status_code == 200
        assert (await shown.client.get("/", headers=bearer)).status_code == 401


async def test_without_a_key_the_page_is_open() -> None:
    async with console(MemoryStore()) as shown:
        assert (await shown.client.get("/")).status_code == 200
