"""Cameras that announce themselves, and datagrams that only pretend to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from edge.onvif import DEVICE_PATH, Endpoint, Found, discover
from edge.onvif.discovery import MAX_FOUND
from firmware_sim.cameras.onvif_discovery import answering

HERE = "127.0.0.1"
WAIT_S = 0.4


@asynccontextmanager
async def shouting(answers: Sequence[bytes]) -> AsyncIterator[int]:
    """Sends all of `answers` to whoever sends a datagram to the port that it yields."""

    class Shouting(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for answer in answers:
                transport.sendto(answer, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Shouting, local_addr=(HERE, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.abort()


def match(addresses: str, scopes: str = "") -> bytes:
    """A ProbeMatch, without namespaces."""
    inside = f"<XAddrs>{addresses}</XAddrs><Scopes>{scopes}</Scopes>"
    return f"<Envelope><Body><ProbeMatches><ProbeMatch>{inside}</ProbeMatch></ProbeMatches></Body></Envelope>".encode()


@pytest.mark.parametrize("by", ["host", "multicast"])
async def test_cameras_are_found_with_what_they_announce(by: str) -> None:
    addresses = [f"http://{HERE}:{port}{DEVICE_PATH}" for port in (8081, 8080)]
    async with answering(addresses, model="KW 200", port=0) as port:
        if by == "host":
            found = await discover(WAIT_S, host=HERE, port=port)
        else:
            found = await discover(WAIT_S, interfaces=[HERE], port=port)
    assert found == tuple(Found(Endpoint(HERE, each), "KW 200", "KW 200") for each in (8080, 8081))


async def test_nobody_there_is_nobody_found() -> None:
    async with shouting([]) as port:
        assert await discover(WAIT_S, host=HERE, port=port) == ()


async def test_no_network_is_said() -> None:
    with pytest.raises(OSError, match="nreachable"):
        await discover(WAIT_S, interfaces=[])


@pytest.mark.parametrize(
    ("announced", "endpoint"),
    [
        ("http://192.0.2.7:8000/onvif/x", Endpoint(HERE, 8000, "/onvif/x")),
        ("http://[fe80::1]/onvif/x", Endpoint(HERE, 80, "/onvif/x")),
        ("https://192.0.2.7/onvif/x", Endpoint(HERE, 443, "/onvif/x", tls=True)),
        ("ftp://192.0.2.7/x http://h:81/y", Endpoint(HERE, 81, "/y")),
        ("http://h:99999/x http://[ nonsense", Endpoint(HERE)),
        ("http://h", Endpoint(HERE)),
        ("", Endpoint(HERE)),
    ],
)
async def test_a_camera_is_asked_where_it_answered_from(announced: str, endpoint: Endpoint) -> None:
    async with shouting([match(announced)]) as port:
        (found,) = await discover(WAIT_S, host=HERE, port=port)
    assert found.endpoint == endpoint


async def test_nonsense_is_passed_over_and_the_camera_behind_it_found() -> None:
    nonsense = [
        b"",
        b"\xff" * 1400,
        b"<a>" * 3000,
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><ProbeMatch>&b;</ProbeMatch>",
        match("x" * 20_000),
        match("http://h/late", "onvif://www.onvif.org/name/A%1b%5B31mB onvif://www.onvif.org/name/second"),
    ]
    async with shouting(nonsense) as port:
        (found,) = await discover(WAIT_S, host=HERE, port=port)
    assert (found.endpoint.path, found.name) == ("/late", "A[31mB")


async def test_a_flood_of_cameras_is_cut_off() -> None:
    many = [f"<ProbeMatch><XAddrs>http://h:{1000 + n}/x</XAddrs></ProbeMatch>" for n in range(MAX_FOUND + 100)]
    async with shouting([f"<a>{''.join(many[n : n + 100])}</a>".encode() for n in range(0, len(many), 100)]) as port:
        assert len(await discover(WAIT_S, host=HERE, port=port)) == MAX_FOUND
