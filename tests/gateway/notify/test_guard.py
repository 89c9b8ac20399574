"""The guard of webhooks: nothing inside is reached, whatever an address, a name or an answer says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.notify.guard import Forbidden, Guard
from gateway.notify.webhook import Webhook
from gateway.ports import Misconfigured, Poison, RetryLater
from tests.gateway.notify.messengers import message, messenger

INNER = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.5",
    "172.16.3.4",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.251",
    "239.1.1.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.5",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:5",
    "2002:7f00:1::1",
    "2002:c0a8:101::1",
    "::7f00:1",
    "2001:0:101:101::f5ff:fffa",
    "2001:db8::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "3fff::1",
    "5f00::1",
]
METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "::ffff:169.254.169.254"]
PUBLIC = [
    "1.1.1.1",
    "103.10.11.12",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "64:ff9b::101:101",
    "2001:200::1",
    "2a00:1450::1",
]


OURS = Guard(["127.0.0.1"], plain_http=True)


@asynccontextmanager
async def hook_to(url: str, guard: Guard) -> AsyncIterator[Webhook]:
    """A webhook that is closed again."""
    hook = Webhook(url, None, guard, 5)
    try:
        yield hook
    finally:
        await hook.close()


def url(address: str) -> str:
    return f"https://[{address}]/hook" if ":" in address else f"https://{address}/hook"


@pytest.mark.parametrize("address", INNER + METADATA)
def test_inner_addresses_are_refused(address: str) -> None:
    with pytest.raises(Forbidden):
        Guard().check_url(url(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    Guard().check_url(url(address))


def test_what_is_listed_may_be_reached_but_metadata_only_one_by_one() -> None:
    Guard(["10.0.0.0/8"]).check_url(url("10.0.0.5"))
    with pytest.raises(Forbidden):
        Guard(["10.0.0.0/8"]).check_url(url("192.168.1.1"))
    with pytest.raises(Forbidden, match="metadata"):
        Guard(["169.254.0.0/16", "fd00::/8"]).check_url(url("169.254.169.254"))
    Guard(["169.254.169.254"]).check_url(url("169.254.169.254"))


@pytest.mark.parametrize(
    "bad",
    [
        "http://example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_",
        "https:///nohost",
        "https://user:password@example.org/",
        "https://example.org/\r\nHost: 127.0.0.1",
        "example.org",
        "",
    ],
)
def test_other_schemes_and_passwords_in_addresses_are_refused(bad: str) -> None:
    with pytest.raises(Forbidden):
        Guard().check_url(bad)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "017700000001", "localhost", "[::ffff:127.0.0.1]", "[::1]"],
)
async def test_no_spelling_of_our_own_address_reaches_it(host: str) -> None:
    async with messenger() as server:
        async with hook_to(f"http://{host}:{server.port}/", Guard(plain_http=True)) as hook:
            with pytest.raises(Misconfigured, match=r"inner address|address is none"):
                await hook.send(message())
        assert server.requests == []


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Name -> what the resolver says, look-up by look-up; the last for ever."""
    known: dict[str, list[list[str]]] = {}
    real = asyncio.BaseEventLoop.getaddrinfo

    async def getaddrinfo(self: Any, host: Any, port: Any, **more: Any) -> Any:
        if host not in known:
            return await real(self, host, port, **more)
        said = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in said]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return known


async def test_a_name_that_stands_for_an_inner_address_too_is_refused(names: dict[str, list[list[str]]]) -> None:
    async with messenger() as server:
        names["hook.example"] = [["127.0.0.1", "10.0.0.5"]]
        async with hook_to(f"http://hook.example:{server.port}/", OURS) as hook:
            with pytest.raises(Misconfigured, match="inner address"):
                await hook.send(message())
        assert server.requests == []


async def test_a_name_that_changes_its_mind_is_connected_to_as_it_was_judged(names: dict[str, list[list[str]]]) -> None:
    """First an allowed address, where nobody listens, then an inner one, where somebody does: one look-up a request."""
    async with messenger() as inside:
        names["hook.example"] = [["127.0.0.2"], ["127.0.0.1"]]
        guard = Guard(["127.0.0.2"], plain_http=True)
        async with hook_to(f"http://hook.example:{inside.port}/", guard) as hook:
            with pytest.raises(RetryLater, match="reached"):
                await hook.send(message())
            assert len(names["hook.example"]) == 1
            with pytest.raises(Misconfigured, match="inner address"):
                await hook.send(message())
        assert inside.requests == []


async def test_the_socket_itself_is_judged_whoever_resolved() -> None:
    """Were the resolver passed by, the last look would still refuse."""
    async with messenger() as server:
        connector = Guard(plain_http=True).connector()
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.ClientConnectorError) as refused:
                await session.get(f"http://127.0.0.1:{server.port}/")
        assert isinstance(refused.value.os_error, Forbidden)
        assert server.requests == []


async def test_redirects_are_not_followed() -> None:
    async with messenger() as inside, messenger([f"away {inside.url}/latest/meta-data"]) as server:
        async with hook_to(f"{server.url}/", OURS) as hook:
            with pytest.raises(Misconfigured, match="302"):
                await hook.send(message())
        assert inside.requests == []


async def test_an_answer_without_end_is_cut_off() -> None:
    async with messenger(["huge"]) as server, hook_to(f"{server.url}/", OURS) as hook:
        assert await hook.send(message()) == ""


async def test_what_a_webhook_refuses_for_good_is_no_trouble_of_the_channel() -> None:
    async with messenger(["422"]) as server, hook_to(f"{server.url}/", OURS) as hook:
        with pytest.raises(Poison):
            await hook.send(message())


async def test_an_address_of_the_offices_list_is_judged_and_its_fault_is_its_own() -> None:
    """A contact by webhook: the address is the recipient's. A bad one is refused for good, not the channel."""
    async with messenger() as server:
        open_ = Webhook("{recipient}", None, Guard(["127.0.0.1"], plain_http=True))
        await open_.send(message(recipient=f"{server.url}/duty"))
        server.will("404")
        with pytest.raises(Poison, match="404"):
            await open_.send(message("2-opened", recipient=f"{server.url}/gone"))
        await open_.close()
        shut = Webhook("{recipient}", None, Guard())
        for address in (server.url, "https://127.0.0.1/", "https://169.254.169.254/latest", "office"):
            with pytest.raises(Poison):
                await shut.send(message("3-opened", recipient=address))
        await shut.close()
    assert [request.path for request in server.requests] == ["/duty", "/gone"]
