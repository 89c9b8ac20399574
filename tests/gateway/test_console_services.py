"""What provisioning asks: stored data by source, who was heard, who floods; and only with the token."""

import httpx
import pytest

from gateway.console.facts import Access
from gateway.ports import Store, Table
from kewang.wire.state import State
from tests.fakes import MemoryStore
from tests.gateway.serving import Served, console, now_ms

TOKEN = "a-token-of-the-test"
PATHS = ("/api/v1/acceptance/mardika-01", "/api/v1/heard", "/api/v1/floods")


def asking(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


async def ask(shown: Served, path: str, token: str = TOKEN) -> httpx.Response:
    return await shown.client.get(path, headers=asking(token))


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_asks_without_the_token(path: str) -> None:
    for access, given in ((Access(TOKEN), ""), (Access(TOKEN), "other"), (Access(), TOKEN), (Access(), ""), (None, "")):
        async with console(MemoryStore(), access=access) as shown:
            answer = await ask(shown, path, given)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert TOKEN not in answer.text
    async with console(MemoryStore(), access=Access(TOKEN)) as shown:
        assert (await ask(shown, path)).status_code == 200


async def test_acceptance_tells_what_is_stored_of_one_device_since_then(store: Store) -> None:
    began_ms = now_ms() - 60_000
    tags = (("device", "mardika-01"), ("source", "env-1"))
    camera = (("device", "mardika-01"), ("source", "cam-1"))
    other = (("device", "mardika-02"), ("source", "env-9"))
    old, first, last = began_ms - 1, began_ms, began_ms + 10_000
    await store.write(
        [Table("env", tags, ("temp_c", "rh_pct"), [(old, 1.0, 2.0), (first, 29.0, 70.0), (last, 30.1, None)])]
    )
    await store.write(
        [Table("cam", camera, ("camera_state",), [(last, 1.0)]), Table("env", other, ("temp_c",), [(last, 1.0)])]
    )
    async with console(store, access=Access(TOKEN)) as shown:
        shown.facts.last_heard["mardika-01"] = last
        shown.facts.births["mardika-01"] = State(st="on", bt="4f1e0c9a77d2", n=1, fw="kewang 1")
        told = (await ask(shown, f"/api/v1/acceptance/mardika-01?since_ms={began_ms}")).json()
    spans = [(one["stream"], one["source"], one["first_ms"], one["newest_ms"], one["rows"]) for one in told["sources"]]
    assert spans == [("env", "env-1", first, last, 2), ("cam", "cam-1", last, last, 1)]
    assert [one["values"] for one in told["sources"]] == [{"temp_c": 30.1, "rh_pct": 70.0}, {"camera_state": 1.0}]
    assert (told["device"], told["heard_ms"], told["trouble"]) == ("mardika-01", last, None)
    assert told["birth"] == {"st": "on", "bt": "4f1e0c9a77d2", "n": 1, "fw": "kewang 1"}


async def test_a_device_nobody_knows_has_nothing_and_a_bad_name_is_refused() -> None:
    async with console(MemoryStore(), access=Access(TOKEN)) as shown:
        told = (await ask(shown, "/api/v1/acceptance/nobody-01")).json()
        assert (told["sources"], told["birth"], told["heard_ms"]) == ([], None, None)
        for bad in ("A", "x'%20OR%20'1'='1", "a" * 33):
            assert (await ask(shown, f"/api/v1/acceptance/{bad}")).status_code == 422


async def test_a_store_that_is_away_is_said() -> None:
    store = MemoryStore()
    async with console(store, access=Access(TOKEN)) as shown:
        store.away = True
        answer = await ask(shown, PATHS[0])
        assert answer.status_code == 503
        assert answer.json()["trouble"]


async def test_heard_and_floods_are_the_gateways_own() -> None:
    async with console(MemoryStore(), access=Access(TOKEN)) as shown:
        shown.facts.last_heard = {"mardika-01": 5}
        shown.facts.flooding = [{"device": "mardika-02", "since_ms": 7, "dropped": 9}]
        assert (await ask(shown, "/api/v1/heard")).json()["heard_ms"] == {"mardika-01": 5}
        assert (await ask(shown, "/api/v1/floods")).json()["floods"] == shown.facts.flooding
