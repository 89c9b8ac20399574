"""MJPEG and single pictures over HTTP: a small client that measures what comes. It never raises for anything remote."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Final, Literal

from edge.cameras.facts import Transport
from edge.cameras.multipart import LIMIT_BYTES, Parts, boundary_of
from edge.cameras.pace import Pace
from edge.net.address import Address
from edge.net.auth import REFUSED, Login
from edge.net.connect import redirected
from edge.net.errors import CameraError, shown
from edge.net.http import Head, Wire, open_wire
from kewang.wire.cameras import CameraReason

Kind = Literal["auto", "mjpeg", "snapshot"]
_TRIES: Final = 6
_PICTURES: Final = frozenset({"image/jpeg", "image/jpg", "image/pjpeg", "application/octet-stream", ""})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SCHEMES: Final = ("http", "https")
_ENDLESS: Final = (CameraReason.REDIRECT, "the camera redirects without end")
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

    return await _looked(address, connected())


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
    return await _looked(address, look.run())


async def _looked(address: Address, looking: Awaitable[Transport]) -> Transport:
    try:
        return await looking
    except CameraError as error:
        return Transport(error.reason, shown(error.detail, address))


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
        place, login = self.address, Login(self.address.user, self.address.password)
        head = Head(0)
        for _ in range(_TRIES):
            async with open_wire(place, self.timeout_s) as wire:
                sent = login.header("GET", place.wire_path)
                head = await wire.ask("GET", sent)
                if head.status == 401:
                    login.take_up(head.headers.get("www-authenticate", []), refused=bool(sent))
                elif head.status in _REDIRECTS:
                    place = redirected(place, head.header("location"), schemes=_SCHEMES, other_hosts=self.other_hosts)
                    login = login if place.user else Login(None, None)
                else:
                    _check(head)
                    return await self._body(wire, head)
        raise CameraError(*(REFUSED if head.status == 401 else _ENDLESS))

    async def _body(self, wire: Wire, head: Head) -> Transport:
        boundary = boundary_of(head.header("content-type"))
        if boundary is None and self.kind == "mjpeg":
            raise CameraError(CameraReason.PROTOCOL, "what comes is no MJPEG: compare the url with its manual")
        if boundary is None or self.kind == "snapshot":
            return await self._snapshot(wire, head, boundary)
        return await self._pictures(wire, Parts(boundary))

    async def _snapshot(self, wire: Wire, head: Head, boundary: bytes | None) -> Transport:
        """One JPEG file; of a stream its first."""
        kind = head.header("content-type").partition(";")[0].strip().lower()
        if boundary is None and kind not in _PICTURES:
            raise CameraError(CameraReason.PROTOCOL, "what comes is no picture but a page: compare url with its manual")
        try:
            async with asyncio.timeout(self.timeout_s):
                file = await (wire.whole(LIMIT_BYTES) if boundary is None else _first_part(wire, Parts(boundary)))
        except TimeoutError:
            raise CameraError(CameraReason.TIMEOUT, f"the picture was not whole in {self.timeout_s:g} s") from None
        if not file:
            raise CameraError(CameraReason.NO_MEDIA, "the answer holds no picture")
        if wire.cut:
            raise CameraError(CameraReason.STALLED, "the camera ended the picture before it was whole")
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


async def _first_part(wire: Wire, parts: Parts) -> bytes:
    async for piece in wire.body():
        if found := parts.feed(piece):
            return found[0]
    return b""


def _check(head: Head) -> None:
    if 200 <= head.status < 300:
        return
    if head.status in _REASONS:
        raise CameraError(*_REASONS[head.status])
    reason = CameraReason.SERVER_ERROR if head.status >= 500 else CameraReason.PROTOCOL
    raise CameraError(reason, f"the camera answered {head.status}")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
