"""Particle sensors on a serial port: Plantower PMS5003 and Nova SDS011. Both write frames by themselves while awake."""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol, Self

from pydantic import Field, model_validator

from edge.ports import SourceError, Values
from edge.sources.lane import Lane
from edge.sources.serial_port import Manner, SerialSettings, SerialTransport, open_port
from edge.sources.settings import GRACE_S, problem

_MOST_BYTES: Final = 256
_UNPLUGGED: Final = "the adapter was unplugged: plug it in again"


class ParticleSettings(SerialSettings):
    """A particle sensor. It is alone on its port."""

    sleep: bool = Field(
        default=False, description="Fan and laser rest between two readings: they last years instead of about one."
    )
    warm_up_s: float = Field(
        default=30.0, ge=0, le=600, description="Seconds after power-on or sleep in which its numbers do not count."
    )

    @model_validator(mode="after")
    def _awake(self) -> Self:
        if self.sleep and self.interval_s < 2 * self.warm_up_s:
            least = 2 * self.warm_up_s
            raise problem(f"sleep = true with interval_s {self.interval_s:g}: give at least {least:g}, twice warm_up_s")
        return self

    def claims(self) -> dict[str, str]:
        """See SourceSettings."""
        return {str(self.port): f"{self.driver} {self.name}"}


class Frames(Protocol):
    """How a sensor writes and what it understands. A frame begins with `head` and has `length` bytes."""

    head: bytes
    length: int
    wake: bytes
    rest: bytes
    ask: bytes
    """Sent before each reading; empty = it speaks by itself."""

    def values(self, frame: bytes) -> Values | None:
        """What `frame` says; None if its checksum is wrong."""


class Listener(asyncio.Protocol):
    """What came since `begin`; the sensor's numbers are in `found` once a whole frame is there."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self.gone = False
        self.begin()

    def begin(self) -> None:
        """Listen from now on."""
        self.found: asyncio.Future[Values] = asyncio.get_running_loop().create_future()
        self.heard = 0
        self._bytes = b""

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self.heard += len(data)
        self._bytes = (self._bytes + data)[-_MOST_BYTES:]
        frames, start = self._frames, 0
        while (start := self._bytes.find(frames.head, start)) >= 0 and not self.found.done():
            frame = self._bytes[start : start + frames.length]
            values = frames.values(frame) if len(frame) == frames.length else None
            if values is not None:
                self.found.set_result(values)
            start += 1

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        self.gone = True
        if not self.found.done():
            self.found.set_exception(SourceError(_UNPLUGGED))
            self.found.exception()


class ParticleSensor:
    """Frames of one sensor. The first reading after the port was opened, and each after sleep, takes `warm_up_s`."""

    Settings = ParticleSettings
    stream = "env"
    metrics: tuple[str, ...]
    frames: Frames

    def __init__(self, settings: ParticleSettings) -> None:
        self.name, self.interval_s = settings.name, settings.interval_s
        self.timeout_s = settings.timeout_s + settings.warm_up_s + GRACE_S
        self._path, self._lane = settings.port, Lane.at(str(settings.port))
        self._limit_s, self._warm_up_s, self._sleeps = settings.timeout_s, settings.warm_up_s, settings.sleep
        self._open: tuple[SerialTransport, Listener] | None = None
        self._warm_s = 0.0
        self._awake = False

    async def read(self) -> Values:
        """One value per metric, from a frame that began after this was called. Raises SourceError."""
        try:
            transport, listener = await self._listening()
            values = await self._next(transport, listener)
        except SourceError as error:
            raise SourceError(f"{self._path}: {error}") from None
        if self._sleeps:
            transport.write(self.frames.rest)
            self._awake = False
        return values

    async def close(self) -> None:
        """Leave the port."""
        self._drop()
        await asyncio.sleep(0)

    async def _listening(self) -> tuple[SerialTransport, Listener]:
        if self._open is None or self._open[1].gone:
            self._drop()
            self._open = await open_port(self._lane, self._path, Manner(), lambda: Listener(self.frames))
        if not self._awake:
            self._open[0].write(self.frames.wake)
            self._awake, self._warm_s = True, asyncio.get_running_loop().time() + self._warm_up_s
        return self._open

    async def _next(self, transport: SerialTransport, listener: Listener) -> Values:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._warm_s - loop.time())
        if listener.gone:
            raise SourceError(_UNPLUGGED)
        listener.begin()
        transport.write(self.frames.ask)
        try:
            async with asyncio.timeout(self._limit_s):
                return await listener.found
        except TimeoutError:
            if not listener.heard:
                # It may have been without power, so it has to warm up again.
                self._drop()
            raise SourceError(_silence(listener.heard, self._limit_s)) from None

    def _drop(self) -> None:
        self._awake = False
        if self._open is not None:
            self._open[0].close()
            self._open = None


def _silence(heard: int, limit_s: float) -> str:
    if heard:
        return f"{heard} bytes came that are no whole frame: check the wires, or whether another sensor hangs there"
    return f"no frame within {limit_s:g} s: check 5 V, ground, and its TX on our RX"


@dataclass(frozen=True, slots=True)
class PmsFrames:
    """Plantower PMS5003, data manual V2.3 (2016), appendix I: 9600 baud 8N1, 32 bytes.

    `42 4D`, length 28, 13 words, the sum of all bytes before it. Words 4 to 6: PM1, PM2.5 and PM10 in ug/m3 "under
    atmospheric environment"; 1 to 3 are for calibration in factory air.
    """

    head = b"\x42\x4d\x00\x1c"
    length = 32
    # Appendix II: E4 sleep (0) or wake (1), E1 active mode (1), in which it stays until it is switched off.
    wake = bytes.fromhex("424de400010174") + bytes.fromhex("424de100010171")
    rest = bytes.fromhex("424de400000173")
    ask = b""

    def values(self, frame: bytes) -> Values | None:
        """See Frames."""
        if sum(frame[:30]) != int.from_bytes(frame[30:32], "big"):
            return None
        return tuple(int.from_bytes(frame[place : place + 2], "big") for place in (10, 12, 14))


class Pms5003(ParticleSensor):
    """Plantower PMS5003 (and PMS7003, which writes the same frames)."""

    metrics = ("pm1_ugm3", "pm25_ugm3", "pm10_ugm3")
    frames = PmsFrames()


def _command(number: int, *data: int) -> bytes:
    """A command for any SDS011: `AA B4`, number, 12 bytes of data, `FF FF`, the sum from the third byte, `AB`."""
    body = bytes([number, *data]) + bytes(12 - len(data)) + b"\xff\xff"
    return b"\xaa\xb4" + body + bytes([sum(body) % 256]) + b"\xab"


@dataclass(frozen=True, slots=True)
class SdsFrames:
    """Nova SDS011, laser dust sensor control protocol V1.3 (2015): 9600 baud 8N1, 10 bytes.

    `AA C0`, PM2.5 and PM10 in 0.1 ug/m3 (low byte first), 2 bytes of its id, the sum of these six, `AB`.
    """

    head = b"\xaa\xc0"
    length = 10
    # 6: sleep and work (not kept over power-off). 4: query; asked too, for it may have been set to speak only then.
    wake = _command(6, 1, 1)
    rest = _command(6, 1, 0)
    ask = _command(4)

    def values(self, frame: bytes) -> Values | None:
        """See Frames."""
        if sum(frame[2:8]) % 256 != frame[8] or frame[9] != 0xAB:
            return None
        return tuple(int.from_bytes(frame[place : place + 2], "little") / 10 for place in (2, 4))


class Sds011(ParticleSensor):
    """Nova SDS011."""

    metrics = ("pm25_ugm3", "pm10_ugm3")
    frames = SdsFrames()
