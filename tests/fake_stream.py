"""A camera's stream in memory that behaves, and can be told to hang or to be gone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from edge.cameras.facts import Transport
from kewang.wire.cameras import CameraReason

_FOR_EVER_S = 1e9


class FakeStream:
    """edge.cameras.streams.Stream. `looks`: when each watch began; `open` tells how many are under way.

    A hanging one answers `reach`, then nothing more: each watch takes as long as its caller has patience.
    """

    def __init__(
        self, keyframe: Callable[[], bytes | None] = lambda: None, *, takes_s: float = 4.5, codec: str = "mjpeg"
    ) -> None:
        self._keyframe, self._takes_s, self._codec = keyframe, takes_s, codec
        self.reason = CameraReason.NONE
        self.hangs = False
        self.reaches: list[float] = []
        self.looks: list[float] = []
        self.open = self.most_open = 0

    async def reach(self) -> Transport:
        self.reaches.append(asyncio.get_running_loop().time())
        gone = self.reason in (CameraReason.REFUSED, CameraReason.TIMEOUT)
        return Transport(self.reason) if gone else Transport(CameraReason.NONE, tcp_ms=1.0, options_ms=1.0)

    async def watch(self, *, until_keyframe: bool) -> Transport:
        self.looks.append(asyncio.get_running_loop().time())
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            await asyncio.sleep(_FOR_EVER_S if self.hangs else 0.5 if until_keyframe else self._takes_s)
        finally:
            self.open -= 1
        seen = Transport(self.reason, tcp_ms=1.0, describe_ms=2.0, first_packet_ms=3.0, codec=self._codec)
        return replace(seen, keyframe=self._keyframe()) if self.reason is CameraReason.NONE else seen
