"""When libavformat is asked for what our own client can't take apart."""

import asyncio
from contextlib import closing, suppress

import pytest

from edge.cameras.streams import Manner, RtspStream
from edge.net.address import Address
from kewang.wire.cameras import CameraReason

_VP8 = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=control:t\r\n"


@pytest.mark.parametrize(("password", "other_hosts", "asked"), [("secret", False, 0), (None, False, 1), ("s", True, 1)])
async def test_libavformat_never_gets_the_login_unless_redirects_are_allowed(
    password: str | None, other_hosts: bool, asked: int
) -> None:
    """It would take it along to whatever host the camera names in a redirect."""
    by_libav: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError):
            while request := (await reader.readuntil(b"\r\n\r\n")).decode():
                if "User-Agent: kewang" not in request:
                    by_libav.append(request)
                    break
                number = next(line for line in request.splitlines() if line.startswith("CSeq"))
                body = _VP8 if request.startswith("DESCRIBE") else ""
                writer.write(f"RTSP/1.0 200 OK\r\n{number}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(asyncio.create_task(answer(reader, writer), name="visit"))

    visits: list[asyncio.Task[None]] = []
    async with await asyncio.start_server(visited, "127.0.0.1", 0) as server:
        address = Address("rtsp", "127.0.0.1", server.sockets[0].getsockname()[1], "/a", password and "admin", password)
        seen = await RtspStream(address, Manner(1.0, 0.2, other_hosts=other_hosts)).watch(until_keyframe=True)
        await asyncio.gather(*visits)
    assert seen.reason is CameraReason.CODEC
    assert "VP8" in seen.detail
    assert len(by_libav) == asked
