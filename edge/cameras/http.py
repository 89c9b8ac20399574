"""MJPEG and single pictures over HTTP: a small client that measures what comes. It never raises for anything remote."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urljoin, urlsplit

from edge.cameras.address import PORTS, Address
from edge.cameras.facts import Transport
from edge.cameras.http_wire import Head, Wire, open_wire
from edge.cameras.multipart import LIMIT_BYTES, Parts, boundary_of
from edge.cameras.pace import Pace
from edge.rtsp.auth import Login, offers
from edge.rtsp.errors import SessionError
from kewang.wire.cameras import CameraReason

Kind = Literal["auto", "mjpeg", "snapshot"]
_TRIES: Final = 6
_PICTURES: Final = frozenset({"image/jpeg", "image/jpg", "image/pjpeg", "application/octet-stream", ""})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_REASONS: Final = {
    403: (CameraReason.AUTH, "this user may not see the picture"),
    404: (CameraReason.NOT_FOUND, "the camera has no picture there: check the path of its url"),
    410: (CameraReason.NOT_FOUND, "the camera has no such picture any more: check the path of its url"),
    429: (CameraReason.BUSY, "it is asked too often: raise picture_s"),
    503: (CameraReason.BUSY, "the camera has no free place now: too many are watching it"),
}


async def reach(address: Address, *, timeout_s: float = 5.0) -> Transport:
    """Connect and close: whether something listens there. A request would already cost the camera a session."""

    async def connected() -> Transport:
        async with open_wire(address, timeout_s) as wire:
            return Transport(CameraReason.NONE, tcp_ms=wire.tcp_ms)

    return await _looked(connected())


async def watch(
    address: Address,
    *,
    watch_s: float = 4.5,
    timeout_s: float = 5.0,
    kind: Kind = "auto",
    until_keyframe: bool = False,
    other_hosts: bool = False,
) -> Transport:
    """Fetch the picture, or watch the pictures for `watch_s`. `kind` auto: what it is, the camera says.

    `timeout_s`: for each answer and for the first picture. `other_hosts`: follow a redirect to another host, to which
    no login is sent.
    """
    look = _Look(address, watch_s, timeout_s, kind, until_keyframe, other_hosts)
    return await _looked(look.run())


async def _looked(looking: Awaitable[Transport]) -> Transport:
    try:
        return await looking
    except SessionError as error:
        return Transport(error.reason, error.detail)


@dataclass
class _Look:
    address: Address
    watch_s: float
    timeout_s: float
    kind: Kind
    until_keyframe: bool
    other_hosts: bool

    async def run(self) -> Transport:
        """Ask until the camera gives something else than a challenge or a redirect."""
        place, login, refusals = self.address, Login(self.address.user, self.address.password), 0
        for _ in range(_TRIES):
            async with open_wire(place, self.timeout_s) as wire:
                head = await wire.get(place, login.header("GET", place.wire_path))
                if head.status == 401:
                    refusals += 1
                    _meet(login, head, refusals)
                elif head.status in _REDIRECTS:
                    place, login = self._elsewhere(place, login, head)
                else:
                    _check(head)
                    return await self._body(wire, head)
        raise SessionError(CameraReason.REDIRECT, "the camera redirects without end")

    def _elsewhere(self, place: Address, login: Login, head: Head) -> tuple[Address, Login]:
        """Where the camera sends us. The login goes along only to the same host by the same way."""
        try:
            found = urlsplit(urljoin(place.wire_url, head.header("location")))
            host, port = found.hostname or "", found.port
        except ValueError:
            raise _no_address() from None
        if found.scheme not in ("http", "https") or not host:
            raise _no_address()
        path = (found.path or "/") + (f"?{found.query}" if found.query else "")
        there = Address(found.scheme, host, port or PORTS[found.scheme], path)
        if (host, found.scheme) == (place.host, place.scheme):
            return replace(there, user=place.user, password=place.password), login
        if not self.other_hosts:
            raise SessionError(
                CameraReason.REDIRECT, "the camera redirects to another host: put that into url, or redirects = true"
            )
        return there, Login(None, None)

    async def _body(self, wire: Wire, head: Head) -> Transport:
        boundary = boundary_of(head.header("content-type"))
        if boundary is None and self.kind == "mjpeg":
            raise SessionError(CameraReason.PROTOCOL, "what comes is no MJPEG: compare the url with its manual")
        if boundary is None or self.kind == "snapshot":
            return await self._snapshot(wire, head, boundary)
        return await self._pictures(wire, Parts(boundary))

    async def _snapshot(self, wire: Wire, head: Head, boundary: bytes | None) -> Transport:
        """One JPEG file; of a stream its first."""
        kind = head.header("content-type").partition(";")[0].strip().lower()
        if boundary is None and kind not in _PICTURES:
            raise SessionError(
                CameraReason.PROTOCOL, "what comes is no picture but a page: compare url with its manual"
            )
        if boundary is None and (head.length or 0) > LIMIT_BYTES:
            raise SessionError(CameraReason.TOO_LARGE, f"a picture of {head.length} bytes is announced")
        try:
            async with asyncio.timeout(self.timeout_s):
                file = await _first_part(wire, Parts(boundary)) if boundary is not None else await _whole(wire)
        except TimeoutError:
            raise SessionError(CameraReason.TIMEOUT, f"the picture was not whole in {self.timeout_s:g} s") from None
        if not file:
            raise SessionError(CameraReason.NO_MEDIA, "the answer holds no picture")
        if head.length is not None and boundary is None and len(file) < head.length:
            raise SessionError(CameraReason.STALLED, "the camera ended the picture before it was whole")
        return replace(_timed(wire, _now_s()), frames=1, keyframe=file)

    async def _pictures(self, wire: Wire, parts: Parts) -> Transport:
        """Watch until the time is over; a silence then is waited out until it counts as a stall."""
        seen = _Seen()
        try:
            async with asyncio.timeout(self.timeout_s) as limit:
                async for piece in wire.body():
                    for file in parts.feed(piece):
                        seen.take(file, _now_s())
                    if seen.first is None:
                        continue
                    ends_s = seen.pace.first_s + self.watch_s
                    if self.until_keyframe or _now_s() >= ends_s:
                        return seen.told(wire, CameraReason.NONE, "")
                    limit.reschedule(max(ends_s, seen.pace.last_s + seen.pace.stall_limit_s))
        except TimeoutError:
            return seen.told(wire, *seen.outcome(_now_s()))
        if seen.first is None:
            return seen.told(wire, CameraReason.NO_MEDIA, "the camera ended its stream before the first picture")
        return seen.told(wire, CameraReason.STALLED, "the camera ended its stream")


class _Seen:
    """The pictures that came: the first is kept, of the others when and how large."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.first: bytes | None = None

    def take(self, file: bytes, now_s: float) -> None:
        if self.first is None:
            self.first = file
        self.pace.tick(now_s, len(file))

    def outcome(self, now_s: float) -> tuple[CameraReason, str]:
        """What the end of the time means."""
        silence_s = now_s - self.pace.last_s
        if self.first is None:
            return CameraReason.NO_MEDIA, "the camera answered, but no picture came"
        if silence_s >= self.pace.stall_limit_s:
            self.pace.gap(silence_s)
            return CameraReason.STALLED, f"no picture for {silence_s:.1f} s"
        return CameraReason.NONE, ""

    def told(self, wire: Wire, reason: CameraReason, detail: str) -> Transport:
        pace, fps = self.pace, self.pace.fps
        return replace(
            _timed(wire, pace.first_s if self.first else None),
            reason=reason,
            detail=detail,
            frames=pace.frames,
            fps=fps,
            stalls=pace.long_gaps,
            stall_max_s=pace.longest_s if pace.frames else None,
            bitrate_kbps=pace.bitrate_kbps,
            keyframe_interval_s=1 / fps if fps else None,
            keyframe=self.first,
        )


def _timed(wire: Wire, whole_s: float | None) -> Transport:
    """The times of a session whose first picture was whole at `whole_s`."""
    return Transport(
        CameraReason.NONE,
        tcp_ms=wire.tcp_ms,
        first_packet_ms=None if wire.first_s is None else 1000 * (wire.first_s - wire.asked_s),
        first_keyframe_ms=None if whole_s is None else 1000 * (whole_s - wire.asked_s),
        codec="mjpeg",
    )


def _no_address() -> SessionError:
    return SessionError(CameraReason.REDIRECT, "the camera redirects to something that is no http address")


async def _whole(wire: Wire) -> bytes:
    file = bytearray()
    async for piece in wire.body():
        file += piece
        if len(file) > LIMIT_BYTES:
            raise SessionError(CameraReason.TOO_LARGE, f"a picture of over {LIMIT_BYTES} bytes")
    return bytes(file)


async def _first_part(wire: Wire, parts: Parts) -> bytes:
    async for piece in wire.body():
        if found := parts.feed(piece):
            return found[0]
    return b""


def _meet(login: Login, head: Head, refusals: int) -> None:
    """Take up a challenge, once; again only if the camera says that just its nonce is too old."""
    offered = offers(head.headers.get("www-authenticate", []))
    if not login.known:
        raise SessionError(CameraReason.AUTH, "the camera wants a login: give user and password_file")
    if refusals > 1 and not any(offer.stale for offer in offered):
        raise SessionError(CameraReason.AUTH, "user or password is refused")
    if login.meet(offered) is None:
        raise SessionError(CameraReason.AUTH, "the camera offers no way to log in that is known here")


def _check(head: Head) -> None:
    if 200 <= head.status < 300:
        return
    if head.status in _REASONS:
        raise SessionError(*_REASONS[head.status])
    reason = CameraReason.SERVER_ERROR if head.status >= 500 else CameraReason.PROTOCOL
    raise SessionError(reason, f"the camera answered {head.status}")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
