"""The way to a camera's stream, by its settings: RTSP, HTTP, or what FFmpeg opens. All deliver a Transport."""

from dataclasses import dataclass
from typing import Literal, Protocol

from edge.cameras.facts import Transport
from edge.cameras.slots import shared
from edge.net.address import Address
from kewang.wire.cameras import CameraReason

Lower = Literal["auto", "tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How to look. `timeout_s`: for each answer; `watch_s`: how long the stream is watched; `other_hosts`: follow a
    redirect to another host."""

    timeout_s: float = 5.0
    watch_s: float = 4.5
    lower: Lower = "auto"
    other_hosts: bool = False

    @property
    def longest_s(self) -> float:
        """A look that takes longer has failed, whatever it waits for."""
        return self.watch_s + 4 * self.timeout_s


class Stream(Protocol):
    """One stream of a camera. Neither method raises for anything remote."""

    async def reach(self) -> Transport:
        """Does it answer? Costs the camera no session."""

    async def watch(self, *, until_keyframe: bool) -> Transport:
        """What does it deliver? `until_keyframe`: end as soon as there is a whole key frame."""


@dataclass
class RtspStream:
    """RTSP by our own client; what that can't take apart (RTP/JPEG, odd codecs) by libavformat."""

    address: Address
    manner: Manner
    _by_libav: bool | None = None
    """Whether libavformat could take the stream apart that we could not; None: not tried."""

    async def reach(self) -> Transport:
        from edge import rtsp

        return await rtsp.reach(self.address, timeout_s=self.manner.timeout_s)

    async def watch(self, *, until_keyframe: bool) -> Transport:
        if self._by_libav:
            transport = await _by_libav(self.address, self.manner, until_keyframe)
            self._by_libav = transport.reason is CameraReason.NONE or None
            return transport
        transport = await self._by_us(until_keyframe)
        if transport.reason is not CameraReason.CODEC:
            self._by_libav = None
        elif self._by_libav is None and self._may_fall_back:
            other = await _by_libav(self.address, self.manner, until_keyframe)
            self._by_libav = other.reason is CameraReason.NONE and other.keyframe is not None
            return other if self._by_libav else transport
        return transport

    @property
    def _may_fall_back(self) -> bool:
        """libavformat follows a redirect to any host and takes the login along: so never with one, unless allowed."""
        return self.address.password is None or self.manner.other_hosts

    async def _by_us(self, until_keyframe: bool) -> Transport:
        from edge import rtsp

        return await rtsp.watch(
            self.address,
            watch_s=self.manner.watch_s,
            lower=self.manner.lower,
            timeout_s=self.manner.timeout_s,
            until_keyframe=until_keyframe,
            other_hosts=self.manner.other_hosts,
        )


@dataclass
class HttpStream:
    """MJPEG or single pictures over HTTP."""

    address: Address
    manner: Manner
    kind: Literal["auto", "mjpeg", "snapshot"] = "auto"

    async def reach(self) -> Transport:
        from edge.cameras import http

        return await http.reach(self.address, timeout_s=self.manner.timeout_s)

    async def watch(self, *, until_keyframe: bool) -> Transport:
        from edge.cameras import http

        return await http.watch(
            self.address,
            watch_s=self.manner.watch_s,
            timeout_s=self.manner.timeout_s,
            kind=self.kind,
            until_keyframe=until_keyframe,
            other_hosts=self.manner.other_hosts,
        )


@dataclass
class OtherStream:
    """What FFmpeg can open, such as RTMP and HLS."""

    address: Address
    manner: Manner

    async def reach(self) -> Transport:
        from edge.cameras import http

        return await http.reach(self.address, timeout_s=self.manner.timeout_s)

    async def watch(self, *, until_keyframe: bool) -> Transport:
        return await _by_libav(self.address, self.manner, until_keyframe)


async def _by_libav(address: Address, manner: Manner, until_keyframe: bool) -> Transport:
    from edge.cameras import libav

    return await shared().in_fallback(
        libav.watch, address, watch_s=manner.watch_s, timeout_s=manner.timeout_s, until_keyframe=until_keyframe
    )


def stream_of(address: Address, kind: str, manner: Manner) -> Stream:
    """The way to `address`. `kind`: as in the settings."""
    if kind == "other" or (kind == "auto" and (address.scheme == "rtmp" or ".m3u8" in address.path)):
        return OtherStream(address, manner)
    if address.scheme in ("rtsp", "rtsps"):
        return RtspStream(address, manner)
    return HttpStream(address, manner, "mjpeg" if kind == "mjpeg" else "snapshot" if kind == "snapshot" else "auto")
