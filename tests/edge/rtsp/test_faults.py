"""Every fault of a camera has its own reason, costs bounded time, leaves no session, and harms no later look."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import psutil
import pytest

from edge.net.address import Address
from edge.rtsp import reach, watch
from edge.rtsp.session import LowerWish
from kewang.bench.process import free_port
from kewang.wire.cameras import CameraReason
from tests.edge.rtsp.fault_camera import GOOD_STREAM, SDP, Asked, FaultCamera, good, reply, running
from tests.edge.rtsp.packets import IDR, PPS, SPS, fragments, frames, interleaved, packet, sender_report

_TIMEOUT_S: Final = 1.0
_PATIENCE_S: Final = 5.0
_WATCH_S: Final = 0.2
PASSWORD: Final = "Rahasia-Pasar-77"


def _ended(status: str) -> bytes:
    return reply(status)


def _sdp(body: str) -> bytes:
    return reply("200 OK", "Content-Type: application/sdp\r\n", body)


def _of_length(length: int) -> bytes:
    return reply("200 OK", f"Content-Length: {length}\r\n") + b"v=0"


def _moved(location: str) -> bytes:
    return reply("301 Moved", f"Location: {location}\r\n")


def _elsewhere(_: FaultCamera, asked: Asked) -> bytes:
    return reply("302 Moved", f"Location: {asked.url}\r\n")


def _huge_keyframe() -> bytes:
    """A key frame that goes on and on."""
    piece = b"\x7c\x05" + bytes(60_000)
    first = packet(1, 0, b"\x7c\x85\x88" + bytes(100))
    return interleaved(0, first) + b"".join(interleaved(0, packet(n, 0, piece)) for n in range(2, 160))


def _cut_units() -> bytes:
    """Every payload ends in its NAL unit's header."""
    return b"".join(interleaved(0, packet(n, n * 3600, b"\x7c", marker=True)) for n in range(20))


def _without_every_tenth() -> bytes:
    """Every key frame lacks a packet."""
    key = [SPS, PPS, *fragments(IDR, 100)]
    made = [
        packet(n, n // len(key) * 90_000, key[n % len(key)], marker=n % len(key) == len(key) - 1) for n in range(200)
    ]
    return b"".join(interleaved(0, each) for n, each in enumerate(made) if n % 10 != 5)


_HTTP: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno!"
_ENDLESS: Final = b"RTSP/1.0 200 OK\r\n" + b"X-Filler: and so on\r\n" * 2000
_NOT_A_LENGTH: Final = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: -4\r\n\r\n"
_FAULTS: Final[dict[str, tuple[FaultCamera, CameraReason, str]]] = {
    "http": (FaultCamera({"OPTIONS": _HTTP}), CameraReason.PROTOCOL, "HTTP"),
    "another protocol": (FaultCamera(greeting=b"SSH-2.0-OpenSSH_9.2\r\n"), CameraReason.PROTOCOL, "not RTSP"),
    "noise": (FaultCamera(greeting=bytes(range(128, 256))), CameraReason.PROTOCOL, "not RTSP"),
    "no answer": (FaultCamera({"OPTIONS": b""}), CameraReason.TIMEOUT, "OPTIONS was not answered"),
    "endless header": (FaultCamera({"DESCRIBE": _ENDLESS}), CameraReason.TOO_LARGE, "header"),
    "4 GB": (FaultCamera({"DESCRIBE": _of_length(2**32)}), CameraReason.TOO_LARGE, "body"),
    "no length": (FaultCamera({"DESCRIBE": _NOT_A_LENGTH}), CameraReason.PROTOCOL, "Content-Length"),
    "body never ends": (FaultCamera({"DESCRIBE": _of_length(5000)}), CameraReason.TIMEOUT, "DESCRIBE was not answered"),
    "wants a login": (FaultCamera({"DESCRIBE": _ended("401 Unauthorized")}), CameraReason.AUTH, "login"),
    "forbidden": (FaultCamera({"DESCRIBE": _ended("403 Forbidden")}), CameraReason.AUTH, "may not"),
    "not found": (FaultCamera({"DESCRIBE": _ended("404 Not Found")}), CameraReason.NOT_FOUND, "path"),
    "full": (FaultCamera({"SETUP": _ended("453 Not Enough Bandwidth")}), CameraReason.BUSY, "too many"),
    "unavailable": (FaultCamera({"PLAY": _ended("503 Service Unavailable")}), CameraReason.BUSY, "too many"),
    "no transport": (FaultCamera({"SETUP": _ended("461 Unsupported Transport")}), CameraReason.TRANSPORT, "UDP"),
    "own error": (FaultCamera({"DESCRIBE": _ended("500 Oops")}), CameraReason.SERVER_ERROR, "500 to DESCRIBE"),
    "refuses all": (FaultCamera({"DESCRIBE": _ended("400 Bad Request")}), CameraReason.PROTOCOL, "400 to DESCRIBE"),
    "no session": (FaultCamera({"SETUP": _ended("200 OK")}), CameraReason.PROTOCOL, "session"),
    "round and round": (FaultCamera({"DESCRIBE": _elsewhere}), CameraReason.REDIRECT, "again"),
    "elsewhere": (FaultCamera({"DESCRIBE": _moved("rtsp://else.example/x")}), CameraReason.REDIRECT, "else.example"),
    "nowhere": (FaultCamera({"DESCRIBE": _moved("rtsp://[::/x")}), CameraReason.REDIRECT, "unreadable"),
    "garbage description": (FaultCamera({"DESCRIBE": _sdp("\x00\x01 what?")}), CameraReason.PROTOCOL, "description"),
    "only sound": (FaultCamera({"DESCRIBE": _sdp("m=audio 0 RTP/AVP 0\r\n")}), CameraReason.NO_MEDIA, "no video"),
    "codec": (
        FaultCamera({"DESCRIBE": _sdp(SDP.replace("H264", "MP4V-ES"))}), CameraReason.CODEC, "MP4V-ES",
    ),
    "control with a space": (
        FaultCamera({"DESCRIBE": _sdp(SDP.replace("trackID=1", "track 1"))}), CameraReason.PROTOCOL, "can't be sent",
    ),
    "silent": (FaultCamera(stream=b""), CameraReason.NO_MEDIA, "no packet"),
    "wrong channel": (FaultCamera(stream=interleaved(9, b"x" * 99) * 3), CameraReason.NO_MEDIA, "3 packets"),
    "no RTP": (FaultCamera(stream=interleaved(0, b"x" * 99) * 3), CameraReason.NO_MEDIA, "none of them RTP"),
    "wrong length": (
        FaultCamera(stream=GOOD_STREAM[:500] + b"$\0\0\x05" + bytes(999)), CameraReason.PROTOCOL, "not RTSP",
    ),
    "huge key frame": (FaultCamera(stream=_huge_keyframe()), CameraReason.TOO_LARGE, "8 MiB"),
    "cut units": (FaultCamera(stream=_cut_units()), CameraReason.DECODE, "no whole key frame"),
    "lost pieces": (FaultCamera(stream=_without_every_tenth()), CameraReason.LOSS, "10.0 %"),
    "no parameter sets": (
        FaultCamera(stream=interleaved(0, packet(1, 0, IDR, marker=True))), CameraReason.DECODE, "parameter sets",
    ),
}  # fmt: skip


def _fresh(camera: FaultCamera) -> FaultCamera:
    return replace(camera, asked=[], changed=asyncio.Event())


@pytest.mark.parametrize("name", _FAULTS)
async def test_each_fault_has_its_reason(name: str) -> None:
    template, reason, said = _FAULTS[name]
    waits = reason in (CameraReason.TIMEOUT, CameraReason.NO_MEDIA, CameraReason.DECODE, CameraReason.LOSS)
    async with running(_fresh(template)) as camera, asyncio.timeout(200):
        seen = await watch(camera.address(), watch_s=_WATCH_S, timeout_s=_TIMEOUT_S if waits else _PATIENCE_S)
        assert (seen.reason, said in seen.detail) == (reason, True), seen
        assert seen.keyframe is None
        camera.replies, camera.stream, camera.greeting = {}, GOOD_STREAM, b""
        camera.open_sessions = 0
        seen = await watch(camera.address(), watch_s=_WATCH_S, timeout_s=_PATIENCE_S)
        assert seen.reason is CameraReason.NONE
        assert (camera.methods[-1], camera.open_sessions) == ("TEARDOWN", 0)


async def test_a_sound_camera() -> None:
    """Sequence numbers and timestamps wrap on the way."""
    async with running(FaultCamera()) as camera:
        seen = await watch(camera.address(), watch_s=_WATCH_S)
    assert (seen.reason, seen.detail, seen.frames, seen.codec) == (CameraReason.NONE, "", 20, "h264")
    assert seen.fps == pytest.approx(25, abs=0.01)
    assert (seen.loss_pct, seen.stalls) == (0, 0)
    assert seen.keyframe == b"".join(b"\0\0\0\1" + unit for unit in (SPS, PPS, IDR))
    assert seen.keyframe_interval_s == pytest.approx(0.4)
    assert camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert [each.url.partition("/cam")[2] for each in camera.asked] == ["", "", "/trackID=1", "/", "/"]
    timed = (seen.tcp_ms, seen.options_ms, seen.describe_ms, seen.setup_ms, seen.play_ms, seen.first_packet_ms)
    assert all(each is not None and 0 <= each < 5000 for each in (*timed, seen.first_keyframe_ms))


async def test_nobody_listens() -> None:
    address = Address("rtsp", "127.0.0.1", free_port(), "/cam")
    assert (await watch(address)).reason is CameraReason.REFUSED
    assert (await reach(address)).reason is CameraReason.REFUSED


async def test_no_such_name() -> None:
    seen = await reach(Address("rtsp", "camera.invalid", 554, "/cam"))
    assert (seen.reason, "camera.invalid" in seen.detail) == (CameraReason.DNS, True)


async def test_a_camera_that_only_accepts() -> None:
    """Bytes that dribble in are no answer, however long they go on."""

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not reader.at_eof():
                writer.write(b"R" if not dribbled else b"TSP/1.0 200 OK"[len(dribbled) % 10 :][:1])
                dribbled.append(1)
                await writer.drain()
                await asyncio.sleep(0.02)
        finally:
            writer.close()
            ended.set()

    dribbled: list[int] = []
    ended = asyncio.Event()
    async with await asyncio.start_server(dribble, "127.0.0.1", 0) as server:
        address = Address("rtsp", "127.0.0.1", server.sockets[0].getsockname()[1], "/cam")
        assert (await watch(address, timeout_s=_TIMEOUT_S)).reason is CameraReason.TIMEOUT
        await ended.wait()
    assert len(dribbled) > 3


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize(
    ("stream", "after", "said"),
    [
        (GOOD_STREAM, None, "no packet for 2"),
        (GOOD_STREAM, _close, "closed the connection while it sent"),
        (GOOD_STREAM + interleaved(1, sender_report(0) + b"\x81\xcb\0\1\0\0\0\7"), None, "ended its stream"),
    ],
    ids=["falls silent", "closes", "says goodbye"],
)
async def test_a_stream_that_stops(
    stream: bytes, after: Callable[[asyncio.StreamWriter], Awaitable[None]] | None, said: str
) -> None:
    async with running(FaultCamera(stream=stream, after=after)) as camera:
        seen = await watch(camera.address(), watch_s=2.1)
    assert (seen.reason, said in seen.detail) == (CameraReason.STALLED, True), seen.detail
    assert seen.frames == 20


async def test_closes_before_the_first_packet() -> None:
    async with running(FaultCamera(stream=b"", after=_close)) as camera:
        seen = await watch(camera.address())
    assert (seen.reason, "before any packet" in seen.detail) == (CameraReason.NO_MEDIA, True)


@pytest.mark.parametrize("moment", ["SETUP", "PLAY"])
async def test_cancelled_it_still_says_goodbye(moment: str) -> None:
    async with running(FaultCamera(stream=b"")) as camera:
        looking = asyncio.create_task(watch(camera.address(), timeout_s=30), name="looking")
        await camera.until(lambda: moment in camera.methods)
        if moment == "PLAY":
            await asyncio.sleep(0)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        await camera.until(lambda: camera.open_connections == 0)
    assert (camera.methods[-1], camera.open_sessions) == ("TEARDOWN", 0)


async def test_a_clock_that_is_wrong() -> None:
    report = interleaved(1, sender_report(time.time() - 37))
    async with running(FaultCamera(stream=report + GOOD_STREAM)) as camera:
        seen = await watch(camera.address(), watch_s=_WATCH_S)
    assert seen.clock_offset_s == pytest.approx(-37, abs=1)


async def test_redirected_to_another_stream_of_the_same_camera() -> None:
    def once(camera: FaultCamera, asked: Asked) -> bytes:
        moved = reply("302 Moved", f"Location: rtsp://127.0.0.1:{camera.port}/other?x=1\r\n")
        return moved if asked.url.endswith("/cam") else good(camera, asked)

    async with running(FaultCamera({"DESCRIBE": once})) as camera:
        seen = await watch(camera.address(), watch_s=_WATCH_S)
    assert seen.reason is CameraReason.NONE
    assert [each.url.rpartition("/")[2] for each in camera.asked[:4]] == ["cam", "cam", "other?x=1", "other?x=1"]


@pytest.mark.parametrize("allowed", [False, True])
async def test_another_host_is_followed_when_allowed_and_gets_no_login(allowed: bool) -> None:
    wants = reply("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n')
    async with running(FaultCamera({"OPTIONS": wants})) as other:
        location = f"Location: rtsp://localhost:{other.port}/cam\r\n"
        async with running(FaultCamera({"DESCRIBE": reply("301 Moved", location)})) as camera:
            address = camera.address(user="admin", password=PASSWORD)
            seen = await watch(address, watch_s=_WATCH_S, other_hosts=allowed)
    assert seen.reason is (CameraReason.AUTH if allowed else CameraReason.REDIRECT)
    assert other.methods == (["OPTIONS"] if allowed else [])
    assert all("authorization" not in each.headers for each in other.asked)


async def test_reach_asks_one_thing() -> None:
    async with running(FaultCamera()) as camera:
        seen = await reach(camera.address())
        assert (seen.reason, camera.methods) == (CameraReason.NONE, ["OPTIONS"])
        assert seen.options_ms is not None
        camera.replies = {"OPTIONS": reply("405 Method Not Allowed")}
        assert (await reach(camera.address())).reason is CameraReason.NONE
        camera.replies = {"OPTIONS": reply("503 Service Unavailable")}
        assert (await reach(camera.address())).reason is CameraReason.BUSY


async def test_a_camera_that_asks_back() -> None:
    """Its own requests are answered, in the middle of the stream too, and not without end."""
    asks = b"OPTIONS rtsp://box RTSP/1.0\r\nCSeq: 9\r\n\r\nANNOUNCE rtsp://box RTSP/1.0\r\nCSeq: 10\r\n\r\n"
    async with running(FaultCamera(greeting=asks, stream=GOOD_STREAM + asks * 50)) as camera:
        seen = await watch(camera.address(), watch_s=_WATCH_S)
    assert (seen.reason, seen.frames) == (CameraReason.NONE, 20)
    assert 2 <= len(camera.answers) <= 16
    assert camera.answers[:2] == ["RTSP/1.0 200 OK", "RTSP/1.0 501 Not Implemented"]


@pytest.mark.parametrize("way", ["Basic", "Digest"])
async def test_a_camera_that_tells_what_it_was_told(way: str) -> None:
    """Whatever it echoes, nothing that we say of it holds the password."""

    def echo(camera: FaultCamera, asked: Asked) -> bytes:
        given = asked.headers.get("authorization")
        if given is None:
            return reply("401 Unauthorized", f'WWW-Authenticate: {way} realm="x", nonce="n"\r\n')
        named = re.sub(r"[^A-Za-z0-9-]", "", PASSWORD)
        return [
            reply(f"500 {given} {PASSWORD}"),
            _sdp(SDP.replace("H264", named)),
            _moved(f"rtsp://admin:{PASSWORD}@{named}.example/"),
            reply(f"404 {PASSWORD}"),
            f"{PASSWORD}\r\n\r\n".encode(),
        ][len(camera.asked) % 5]

    told = []
    async with running(FaultCamera({"DESCRIBE": echo})) as camera:
        address = camera.address("/p/{password}", user="admin", password=PASSWORD)
        for _ in range(10):
            camera.asked.append(Asked("", "", {}))
            told.append(await watch(address, watch_s=_WATCH_S))
    reasons = {each.reason for each in told}
    assert {CameraReason.SERVER_ERROR, CameraReason.REDIRECT, CameraReason.CODEC} <= reasons
    assert PASSWORD.lower() not in repr([address, *told]).lower()


def _datagram_camera() -> FaultCamera:
    """It sends over UDP alone; a stranger sends to the same port before it does."""
    ports: list[int] = []

    def setup(camera: FaultCamera, asked: Asked) -> bytes:
        if "TCP" in asked.headers["transport"]:
            return reply("461 Unsupported Transport")
        found = re.search(r"client_port=(\d+)-(\d+)", asked.headers["transport"])
        assert found
        assert int(found[1]) % 2 == 0
        assert int(found[2]) == int(found[1]) + 1
        ports.append(int(found[1]))
        return good(camera, asked)

    async def send(_: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        for host, data in (("127.0.0.2", [b"\x80" * 50] * 5), ("127.0.0.1", [p for f in frames(20) for p in f])):
            transport, _protocol = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(host, 0))
            for each in data:
                transport.sendto(each, ("127.0.0.1", ports[-1]))
            transport.close()

    return FaultCamera({"SETUP": setup}, stream=b"", after=send)


@pytest.mark.parametrize("lower", ["auto", "udp"])
async def test_datagrams(lower: LowerWish) -> None:
    """Over UDP after a 461, or at once when asked for; what comes from elsewhere is not looked at."""
    async with running(_datagram_camera()) as camera:
        seen = await watch(camera.address(), watch_s=_WATCH_S, lower=lower)
    assert (seen.reason, seen.frames, seen.loss_pct) == (CameraReason.NONE, 20, 0)
    assert seen.keyframe is not None
    assert camera.methods.count("SETUP") == (1 if lower == "udp" else 2)
    assert camera.methods[-1] == "TEARDOWN"


@pytest.mark.parametrize("lower", ["tcp", "udp"])
async def test_a_hundred_looks_leave_nothing_open(lower: LowerWish) -> None:
    """Neither sockets here nor sessions there, whether a look ends well or not."""
    async with running(FaultCamera() if lower == "tcp" else _datagram_camera()) as camera:
        await watch(camera.address(), until_keyframe=True, lower=lower)
        before = psutil.Process().num_fds()
        for number in range(100):
            camera.replies["PLAY"] = reply("503 Service Unavailable") if number % 3 == 0 else good
            await watch(camera.address(), until_keyframe=True, lower=lower)
        await camera.until(lambda: camera.open_connections == 0)
        assert camera.methods.count("TEARDOWN") == camera.methods.count("SETUP") == 101
        assert (camera.open_sessions, psutil.Process().num_fds()) == (0, before)


async def test_over_tls(self_signed: ssl.SSLContext) -> None:
    async with running(FaultCamera(), self_signed) as camera:
        seen = await watch(replace(camera.address(), scheme="rtsps"), watch_s=_WATCH_S)
    assert (seen.reason, seen.frames) == (CameraReason.NONE, 20)
    assert camera.methods[-1] == "TEARDOWN"


async def test_no_tls_where_it_was_expected() -> None:
    async with running(FaultCamera(greeting=reply("400 Bad Request"))) as camera:
        seen = await reach(replace(camera.address(), scheme="rtsps"))
    assert (seen.reason, "TLS" in seen.detail) == (CameraReason.PROTOCOL, True)
