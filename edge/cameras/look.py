"""One look at a camera: what its stream delivered, the picture in it, and what both are judged to be."""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.cameras.decode import Decoded, DecodeError, decode
from edge.cameras.facts import Transport
from edge.cameras.health import Assessment, CameraHealth
from edge.cameras.slots import shared
from edge.cameras.streams import Manner, Stream
from edge.net.address import Address
from edge.onvif import Endpoint
from edge.onvif import look as ask_onvif
from kewang.wire.cameras import CameraReason


@dataclass(frozen=True, slots=True)
class Look:
    """`transport` says DECODE, CODEC or TOO_LARGE where the key frame gave no picture."""

    transport: Transport
    decoded: Decoded | None
    assessment: Assessment


class Eye:
    """Looks at one stream of one camera, and has `health` judge it in the one thread for pictures."""

    def __init__(self, stream: Stream, health: CameraHealth, manner: Manner, clock_synced: Callable[[], bool]) -> None:
        self.health = health
        self._stream, self._manner, self._clock_synced = stream, manner, clock_synced

    async def reach(self) -> Transport:
        """Whether the camera answers; not judged yet."""
        return await self._stream.reach()

    async def reached(self, transport: Transport) -> Assessment:
        """Judge what `reach` gave."""
        return await shared().in_thread(self.health.reached, transport, _now_s())

    async def watch(self, *, until_keyframe: bool = False) -> Transport:
        """What the stream delivers; it takes no longer than the camera's patience says."""
        return await patiently(self._stream, self._manner, until_keyframe)

    async def look(self, *, until_keyframe: bool = False) -> Look:
        """Watch and judge."""
        return await self.saw(await self.watch(until_keyframe=until_keyframe))

    async def saw(self, transport: Transport) -> Look:
        """Judge what `watch` gave."""
        if not self._clock_synced():
            # Beside a clock that is not right itself, a difference says nothing about the camera's.
            transport = replace(transport, clock_offset_s=None)
        return await shared().in_thread(self._judge, transport, _now_s())

    async def ask(self, endpoint: Endpoint, address: Address, timeout_s: float) -> None:
        """Ask by ONVIF, with the login of `address`; what it tells goes out with the next assessment."""
        login = (address.user, address.password)
        facts = await ask_onvif(endpoint, *login, timeout_s, stream_path=address.path, streams=False)
        self.health.noted(
            clock_offset_s=facts.clock_offset_s if self._clock_synced() else None,
            recording=facts.recording,
            tamper=facts.tamper,
            uptime_s=facts.uptime_s,
        )

    def _judge(self, transport: Transport, now_s: float) -> Look:
        transport, decoded = picture_of(transport)
        assessment = self.health.saw(
            transport,
            decoded.picture if decoded else None,
            now_s,
            fingerprint=zlib.crc32(transport.keyframe) if transport.keyframe else None,
            corrupt=decoded.corrupt if decoded else False,
        )
        return Look(replace(transport, keyframe=None), decoded, assessment)


async def patiently(stream: Stream, manner: Manner, until_keyframe: bool) -> Transport:
    """Watch `stream`; TIMEOUT if that takes longer than any camera may."""
    try:
        async with asyncio.timeout(manner.longest_s):
            return await stream.watch(until_keyframe=until_keyframe)
    except TimeoutError:
        return Transport(CameraReason.TIMEOUT, f"not done within {manner.longest_s:g} s")


def picture_of(transport: Transport) -> tuple[Transport, Decoded | None]:
    """The picture in the key frame, and `transport` with the reason why there is none. Blocking."""
    if transport.keyframe is None or transport.codec is None:
        return transport, None
    try:
        return transport, decode(transport.codec, transport.keyframe)
    except DecodeError as error:
        if transport.reason is not CameraReason.NONE:
            return transport, None
        return replace(transport, reason=error.reason, detail=str(error)), None


def _now_s() -> float:
    return asyncio.get_running_loop().time()
