"""Looking at a camera over RTSP: `reach` asks whether it answers, `watch` what it delivers. They never raise."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal, TypeVar

from edge.cameras.facts import Transport
from edge.net.address import Address
from edge.net.auth import Login
from edge.net.connect import redirected
from edge.net.errors import CameraError, shown
from edge.rtsp.connection import Connection, PortPair, connect
from edge.rtsp.dialogue import UNSUPPORTED, Dialogue, Redirected, Way
from edge.rtsp.meter import Meter
from kewang.wire.cameras import CameraReason

ANSWERS_LIMIT: Final = 3
"""Everything up to PLAY's answer may take so many times `timeout_s`."""
PARTING_S: Final = 1.0
"""For TEARDOWN, and again for closing."""
_REDIRECTS_LIMIT: Final = 1

_T = TypeVar("_T")
LowerWish = Literal["auto", "tcp", "udp"]


async def reach(address: Address, *, timeout_s: float = 5.0) -> Transport:
    """Connect, OPTIONS, close: whether the camera answers, and how fast. `timeout_s`: for each of the two."""
    look = _Look(address, timeout_s)
    return await look.told(look.reach())


async def watch(
    address: Address,
    *,
    watch_s: float = 4.5,
    lower: LowerWish = "auto",
    timeout_s: float = 5.0,
    until_keyframe: bool = False,
    other_hosts: bool = False,
) -> Transport:
    """Play the stream for `watch_s` from its first packet and measure it; TEARDOWN and close, also when cancelled.

    `timeout_s`: per answer and for the first packet; a late key frame is waited for as long again.
    `until_keyframe`: end as soon as one is whole. `other_hosts`: follow a redirect to another host, without login.
    """
    look = _Look(address, timeout_s, lower, other_hosts)
    return await look.told(look.watch(watch_s, until_keyframe))


class _Look:
    """One session and what it has measured so far."""

    def __init__(
        self, address: Address, timeout_s: float, lower: LowerWish = "auto", other_hosts: bool = False
    ) -> None:
        self._address, self._timeout_s, self._lower, self._other_hosts = address, timeout_s, lower, other_hosts
        self._asked = address
        self._measured: dict[str, Any] = {}
        self._connection: Connection | None = None
        self._dialogue: Dialogue | None = None
        self._ports: PortPair | None = None
        self._meter: Meter | None = None
        self._setup: asyncio.Task[Way | None] | None = None
        self._outcome = (CameraReason.NONE, "")

    async def told(self, work: Awaitable[None]) -> Transport:
        """Do `work`, part from the camera whatever happens, and tell what came of it."""
        try:
            await work
        except CameraError as error:
            self._outcome = error.reason, error.detail
        finally:
            await self._part()
        figures = self._meter.figures() if self._meter else {}
        reason, detail = self._outcome
        return Transport(reason, shown(detail, self._asked), **self._measured, **figures)

    async def reach(self) -> None:
        async with self._patiently():
            self._connection = await self._timed("tcp_ms", connect(self._address, self._timeout_s))
            dialogue = Dialogue(self._connection, self._address, _login(self._address))
            with suppress(Redirected):
                await self._timed("options_ms", dialogue.options())

    async def watch(self, watch_s: float, until_keyframe: bool) -> None:
        async with self._patiently():
            connection, meter = await self._played(watch_s)
        loop = asyncio.get_running_loop()
        while not connection.ended and (wait_s := meter.wait_s(loop.time(), until_keyframe)) > 0:
            connection.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await connection.changed.wait()
        now_s = loop.time()
        meter.close(now_s)
        done = until_keyframe and meter.keyframe is not None
        self._outcome = meter.outcome(now_s)
        if connection.ended and not done:
            self._outcome = self._broken_off(connection.ended, meter)

    def _broken_off(self, error: CameraError, meter: Meter) -> tuple[CameraReason, str]:
        """The connection ended before we wanted it to."""
        assert self._connection is not None
        if not self._connection.closed.is_set():
            return error.reason, error.detail
        if meter.began:
            return CameraReason.STALLED, f"{error.detail} while it sent"
        return CameraReason.NO_MEDIA, f"{error.detail} after PLAY, before any packet"

    @asynccontextmanager
    async def _patiently(self) -> AsyncIterator[None]:
        """All answers together have a limit too: a camera that is slow each time is one that does not answer."""
        limit_s = ANSWERS_LIMIT * self._timeout_s
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError:
            raise CameraError(CameraReason.TIMEOUT, f"its answers took more than {limit_s:g} s together") from None

    async def _played(self, watch_s: float) -> tuple[Connection, Meter]:
        """The stream is on its way; a redirect is followed once."""
        for _ in range(_REDIRECTS_LIMIT + 1):
            try:
                return await self._conversed(watch_s)
            except Redirected as moved:
                self._address = redirected(
                    self._address, moved.location, schemes=(self._address.scheme,), other_hosts=self._other_hosts
                )
                await self._part()
        raise CameraError(CameraReason.REDIRECT, "the camera redirects again and again")

    async def _conversed(self, watch_s: float) -> tuple[Connection, Meter]:
        self._connection = connection = await self._timed("tcp_ms", connect(self._address, self._timeout_s))
        self._dialogue = dialogue = Dialogue(connection, self._address, _login(self._address))
        await self._timed("options_ms", dialogue.options())
        video = await self._timed("describe_ms", dialogue.describe())
        way = await self._timed("setup_ms", self._agreed(connection, dialogue))
        self._meter = meter = Meter(video, asyncio.get_running_loop().time(), watch_s, self._timeout_s)
        self._listen(connection, way, meter)
        await self._timed("play_ms", dialogue.play())
        return connection, meter

    async def _agreed(self, connection: Connection, dialogue: Dialogue) -> Way:
        way = None if self._lower == "udp" else await self._set_up(dialogue.setup("tcp"))
        if way is None and self._lower != "tcp":
            self._ports = PortPair()
            await self._ports.open(connection, self._take)
            way = await self._set_up(dialogue.setup("udp", self._ports.port))
        if way is None:
            raise CameraError(*UNSUPPORTED)
        return way

    async def _set_up(self, asking: Coroutine[Any, Any, Way | None]) -> Way | None:
        """SETUP goes on when we are cancelled: only its answer names the session that has to be ended."""
        self._setup = asyncio.create_task(asking, name="rtsp-setup")
        return await asyncio.shield(self._setup)

    def _listen(self, connection: Connection, way: Way, meter: Meter) -> None:
        """From now on packets go to the meter."""
        self._channels = way.media, way.control
        if self._ports:
            self._ports.open_way(connection.places[0], way.media, way.control)
            self._channels = 0, 1
        connection.take = self._take

    def _take(self, channel: int, data: bytes) -> None:
        meter = self._meter
        if meter is None or self._connection is None:
            return
        media, control = self._channels
        if channel == media:
            meter.take(data, asyncio.get_running_loop().time(), time.time())
        elif channel == control:
            meter.take_control(data, time.time())
        else:
            meter.take_foreign()
        if meter.news:
            meter.news = False
            self._connection.changed.set()

    async def _timed(self, figure: str, work: Awaitable[_T]) -> _T:
        """Do `work` and note how long it took, when it went well."""
        started_s = time.monotonic()
        done = await work
        self._measured[figure] = 1000 * (time.monotonic() - started_s)
        return done

    async def _part(self) -> None:
        """TEARDOWN if the camera holds a session, then close; in bounded time, also while being cancelled."""
        connection, dialogue, ports, setup = self._connection, self._dialogue, self._ports, self._setup
        self._connection = self._dialogue = self._ports = self._setup = None
        if connection is None:
            return
        try:
            if setup:
                with suppress(CameraError, Redirected, TimeoutError):
                    async with asyncio.timeout(PARTING_S):
                        await setup
            if dialogue and dialogue.open and not connection.ended:
                with suppress(CameraError):
                    await connection.ask(dialogue.teardown(), PARTING_S)
        finally:
            if ports:
                ports.close()
            await connection.close(PARTING_S)


def _login(address: Address) -> Login:
    return Login(address.user, address.password)
