"""MJPEG and single pictures over HTTP: what is measured, and that nothing a server does can hurt."""

import asyncio
import resource
from collections.abc import Callable

import pytest

from edge.cameras.facts import Transport
from edge.cameras.http import Kind, reach, watch
from edge.cameras.multipart import Parts
from edge.net.address import Address
from kewang.wire.cameras import CameraReason
from tests.edge.cameras.scripted import Script, Visit, scripted
from tests.edge.cameras.test_decode import keyframe

SECRET = "Pa55w0rd-xyzzy"
OK = "HTTP/1.1 200 OK\r\n"
STREAM = OK + "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


async def look(
    script: Script,
    path: str = "/a",
    *,
    password: str | None = None,
    watch_s: float = 0.6,
    timeout_s: float = 0.5,
    kind: Kind = "auto",
    until_keyframe: bool = False,
    other_hosts: bool = False,
) -> tuple[Transport, list[str]]:
    async with scripted(script) as server:
        address = Address("http", "127.0.0.1", server.port, path, "admin" if password else None, password)
        async with asyncio.timeout(60):
            seen = await watch(
                address,
                watch_s=watch_s,
                timeout_s=timeout_s,
                kind=kind,
                until_keyframe=until_keyframe,
                other_hosts=other_hosts,
            )
    assert SECRET not in repr(seen)
    return seen, server.requests


def picture() -> bytes:
    return keyframe("mjpeg", 96, 64)


def part(*, length: bool = True, boundary: str = "frame") -> bytes:
    told = f"Content-Length: {len(picture())}\r\n" if length else ""
    return f"--{boundary}\r\nContent-Type: image/jpeg\r\n{told}\r\n".encode() + picture() + b"\r\n"


def streaming(*, length: bool = True, interval_s: float = 0.05, frames: int = 1000, head: str = STREAM) -> Script:
    async def script(visit: Visit) -> None:
        await visit.say(head)
        for _ in range(frames):
            await visit.say(part(length=length), wait_s=interval_s)

    return script


def saying(*pieces: str | bytes, then_hang: bool = False) -> Script:
    async def script(visit: Visit) -> None:
        await visit.say(*pieces)
        if then_hang:
            await visit.hang()

    return script


@pytest.mark.parametrize("length", [True, False])
async def test_a_stream_of_pictures_is_measured(length: bool) -> None:
    seen, _ = await look(streaming(length=length))
    assert (seen.reason, seen.codec, seen.keyframe) == (CameraReason.NONE, "mjpeg", picture())
    assert seen.frames is not None
    assert seen.fps is not None
    assert seen.bitrate_kbps is not None
    assert seen.keyframe_interval_s == pytest.approx(1 / seen.fps)
    assert seen.bitrate_kbps == pytest.approx(seen.fps * len(picture()) * 8 / 1000, rel=0.01)
    assert 2 <= seen.frames <= 20
    assert None not in (seen.tcp_ms, seen.first_packet_ms, seen.first_keyframe_ms)
    assert seen.stalls == 0


@pytest.mark.parametrize(
    "declared", ["frame", '"frame"', "--frame", "", "frame; charset=utf-8", '"fr=ame"; x="y"'], ids=str
)
@pytest.mark.parametrize("length", [True, False])
async def test_boundaries_are_understood_as_cameras_write_them(declared: str, length: bool) -> None:
    used = "fr=ame" if "fr=ame" in declared else "frame"

    async def script(visit: Visit) -> None:
        await visit.say(OK + f"Content-Type: multipart/x-mixed-replace; boundary={declared}\r\n\r\n")
        for _ in range(100):
            await visit.say(part(length=length, boundary=used), wait_s=0.01)

    seen, _ = await look(script, until_keyframe=True)
    assert (seen.reason, seen.keyframe) == (CameraReason.NONE, picture())


async def test_a_burst_of_pictures_tells_no_frame_rate() -> None:
    """Two that come in one packet would make a hundred thousand a second, which nobody believes."""
    seen, _ = await look(saying(STREAM.encode() + part() * 3, then_hang=True))
    assert (seen.fps, seen.bitrate_kbps, seen.keyframe) == (None, None, picture())


def test_nothing_but_empty_lines_is_not_kept() -> None:
    parts = Parts(b"frame")
    for _ in range(50):
        assert parts.feed(b"\r\n" * 1000) == []
        assert parts.held_bytes == 0
    assert parts.feed(part()) == [picture()]


async def test_however_the_bytes_are_cut() -> None:
    async def script(visit: Visit) -> None:
        body = part() + part()
        await visit.say(STREAM)
        for at in range(0, len(body), 7):
            await visit.say(body[at : at + 7])

    seen, _ = await look(script, until_keyframe=True, timeout_s=5)
    assert seen.keyframe == picture()


async def test_a_chunked_stream() -> None:
    async def script(visit: Visit) -> None:
        await visit.say(STREAM.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"))
        for _ in range(50):
            body = part()
            for piece in (body[:100], body[100:]):
                await visit.say(f"{len(piece):x};a=b\r\n", piece, "\r\n", wait_s=0.01)

    seen, _ = await look(script)
    assert (seen.reason, seen.keyframe) == (CameraReason.NONE, picture())


@pytest.mark.parametrize("kind", ["auto", "snapshot"])
@pytest.mark.parametrize("length", [True, False])
async def test_a_snapshot(kind: Kind, length: bool) -> None:
    told = f"Content-Length: {len(picture())}\r\n" if length else ""
    seen, _ = await look(saying(OK, f"Content-Type: image/jpeg\r\n{told}\r\n", picture()), kind=kind)
    assert (seen.reason, seen.frames, seen.fps, seen.keyframe) == (CameraReason.NONE, 1, None, picture())


async def test_the_first_picture_of_a_stream_as_a_snapshot() -> None:
    seen, _ = await look(streaming(), kind="snapshot")
    assert (seen.reason, seen.frames, seen.keyframe) == (CameraReason.NONE, 1, picture())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (saying(STREAM, then_hang=True), CameraReason.NO_MEDIA),
        (saying(STREAM), CameraReason.NO_MEDIA),
        (streaming(frames=3), CameraReason.STALLED),
        (saying(OK + "Content-Type: image/jpeg\r\n\r\n"), CameraReason.NO_MEDIA),
        (saying(OK + "Content-Type: image/jpeg\r\nContent-Length: 900\r\n\r\nxx"), CameraReason.STALLED),
        (
            saying(OK + "Content-Type: image/jpeg\r\nContent-Length: 900\r\n\r\nxx", then_hang=True),
            CameraReason.TIMEOUT,
        ),
        (saying("HTTP/1.1 404 Not Found\r\n\r\n"), CameraReason.NOT_FOUND),
        (saying("HTTP/1.1 403 No\r\n\r\n"), CameraReason.AUTH),
        (saying('HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'), CameraReason.AUTH),
        (saying("HTTP/1.1 503 Busy\r\n\r\n"), CameraReason.BUSY),
        (saying("HTTP/1.1 500 Oh\r\n\r\n"), CameraReason.SERVER_ERROR),
        (saying("HTTP/1.1 418 Teapot\r\n\r\n"), CameraReason.PROTOCOL),
        (saying(OK + "Content-Type: text/html\r\n\r\n<html>"), CameraReason.PROTOCOL),
        (saying("RTSP/1.0 400 Bad Request\r\n\r\n"), CameraReason.PROTOCOL),
        (saying("SSH-2.0-dropbear\r\n", then_hang=True), CameraReason.PROTOCOL),
        (saying(""), CameraReason.PROTOCOL),
        (saying("\r\n\r\n"), CameraReason.PROTOCOL),
        (saying("", then_hang=True), CameraReason.TIMEOUT),
        (saying(OK, then_hang=True), CameraReason.TIMEOUT),
        (saying(STREAM + "--frame\r\n\r\nno jpeg\r\n--frame\r\n\r\n"), CameraReason.PROTOCOL),
        (saying("HTTP/1.1 302 x\r\nLocation: http://192.0.2.1/b\r\n\r\n"), CameraReason.REDIRECT),
        (saying("HTTP/1.1 302 x\r\nLocation: https://127.0.0.1/b\r\n\r\n"), CameraReason.REDIRECT),
        (saying("HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n"), CameraReason.REDIRECT),
        (saying("HTTP/1.1 302 x\r\nLocation: http://[::1/\r\n\r\n"), CameraReason.REDIRECT),
        (saying("HTTP/1.1 302 x\r\n\r\n"), CameraReason.REDIRECT),
        (saying("HTTP/1.1 302 x\r\nLocation: /again\r\n\r\n"), CameraReason.REDIRECT),
    ],
    ids=lambda value: value.name if isinstance(value, CameraReason) else "",
)
async def test_every_fault_has_its_reason_and_a_sentence(script: Script, reason: CameraReason) -> None:
    seen, _ = await look(script)
    assert seen.reason is reason
    assert len(seen.detail) > 10


def endless(first: str, again: bytes) -> Script:
    async def script(visit: Visit) -> None:
        await visit.say(first)
        while True:
            await visit.say(again)

    return script


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (endless(OK, b"X-A: " + b"a" * 1000 + b"\r\n"), CameraReason.TOO_LARGE),
        (endless(OK + "X-A: ", b"a" * 1000), CameraReason.TOO_LARGE),
        (saying(OK + "Content-Type: image/jpeg\r\nContent-Length: 4294967296\r\n\r\n"), CameraReason.TOO_LARGE),
        (saying(OK + "Content-Type: image/jpeg\r\nContent-Length: -5\r\n\r\n"), CameraReason.PROTOCOL),
        (endless(OK + "Content-Type: image/jpeg\r\n\r\n", b"\xff\xd8" + b"a" * 65536), CameraReason.TOO_LARGE),
        (saying(STREAM + "--frame\r\nContent-Length: 4294967296\r\n\r\n", then_hang=True), CameraReason.TOO_LARGE),
        (endless(STREAM + "--frame\r\nContent-Type: image/jpeg\r\n\r\n", b"a" * 65536), CameraReason.TOO_LARGE),
        (endless(STREAM + "--frame\r\n", b"X: y\r\n" * 100), CameraReason.PROTOCOL),
        (endless(STREAM, b"\r\n" * 1000), CameraReason.NO_MEDIA),
        (endless(OK + "Transfer-Encoding: chunked\r\n\r\n", b"0" * 1000), CameraReason.PROTOCOL),
    ],
)
async def test_what_never_ends_or_is_far_too_large_is_refused(script: Script, reason: CameraReason) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen, _ = await look(script, timeout_s=3)
    assert seen.reason is reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 60_000


async def test_a_stream_that_stops_is_stalled_after_two_seconds() -> None:
    async def script(visit: Visit) -> None:
        await visit.say(STREAM)
        for _ in range(5):
            await visit.say(part(), wait_s=0.05)
        await visit.hang()

    seen, _ = await look(script)
    assert seen.reason is CameraReason.STALLED
    assert seen.stall_max_s is not None
    assert seen.stall_max_s >= 2
    assert seen.keyframe == picture()


@pytest.mark.parametrize(
    "challenge",
    [
        'Basic realm="cam"',
        'Digest realm="cam", nonce="abc", qop="auth"',
        'Digest realm="cam", nonce="abc", algorithm=SHA-256, qop="auth"',
    ],
)
async def test_it_logs_in_when_asked_and_only_then(challenge: str) -> None:
    async def script(visit: Visit) -> None:
        if "Authorization: " + challenge.partition(" ")[0] in visit.request:
            await streaming()(visit)
        else:
            await visit.say(f"HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n")

    seen, requests = await look(script, password=SECRET, until_keyframe=True)
    assert seen.reason is CameraReason.NONE
    assert ["Authorization" in request for request in requests] == [False, True]
    assert SECRET not in "".join(requests)


async def test_a_refused_password_is_not_tried_again() -> None:
    answer = 'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="cam", nonce="abc"\r\n\r\n'
    seen, requests = await look(saying(answer), password=SECRET)
    assert seen.reason is CameraReason.AUTH
    assert len(requests) == 2


async def test_a_login_inside_the_path_is_sent_but_never_told() -> None:
    seen, requests = await look(saying("HTTP/1.1 404 x\r\n\r\n"), "/snap?u={user}&p={password}", password=SECRET)
    assert seen.reason is CameraReason.NOT_FOUND
    assert f"GET /snap?u=admin&p={SECRET} " in requests[0]


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    async def script(visit: Visit) -> None:
        if visit.request.startswith("GET /b?x=1 "):
            await streaming()(visit)
        else:
            await visit.say("HTTP/1.1 302 x\r\nLocation: /b?x=1\r\n\r\n")

    seen, _ = await look(script, until_keyframe=True)
    assert seen.reason is CameraReason.NONE


async def test_to_another_host_it_goes_only_when_allowed_and_without_login() -> None:
    challenge = 'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
    async with scripted(saying(challenge)) as other:
        to = f"HTTP/1.1 302 x\r\nLocation: http://localhost:{other.port}/b\r\n\r\n"
        seen, _ = await look(saying(to), password=SECRET)
        assert (seen.reason, other.requests) == (CameraReason.REDIRECT, [])
        seen, _ = await look(saying(to), password=SECRET, other_hosts=True)
        assert seen.reason is CameraReason.AUTH
        assert len(other.requests) == 1
        assert "Authorization" not in other.requests[0]


async def test_reach_only_connects() -> None:
    asked: list[str] = []

    async def script(visit: Visit) -> None:
        asked.append(visit.request)

    async with scripted(script) as server:
        seen = await reach(Address("http", "127.0.0.1", server.port), timeout_s=1)
    assert seen.reason is CameraReason.NONE
    assert seen.tcp_ms is not None
    assert asked == []


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [("127.0.0.1", 1, CameraReason.REFUSED), ("no-such-camera.invalid", 80, CameraReason.DNS)],
)
@pytest.mark.parametrize("ask", [reach, watch])
async def test_no_way_to_it(
    host: str, port: int, reason: CameraReason, ask: Callable[..., "asyncio.Future[Transport]"]
) -> None:
    assert (await ask(Address("http", host, port), timeout_s=5)).reason is reason
