"""One RTSP session: takes pictures from the stream and sends them as RTP, over the connection or over UDP."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from typing import Final, Protocol

from firmware_sim.cameras.faults import Switched, TransportFault
from firmware_sim.cameras.rtp import interleaved, packet, sender_report
from firmware_sim.cameras.stream import Frame
from firmware_sim.cameras.tally import SessionTally

BACKLOG_BYTES: Final = 1_000_000
"""A client that is so far behind gets whole pictures less."""
_REPORT_EVERY_S: Final = 5.0
_UDP_TRIES: Final = 50


class Wire(Protocol):
    """How packets leave."""

    name: str
    announced: str
    """The Transport header of the answer to SETUP."""

    def rtp(self, packets: list[bytes]) -> None: ...
    def rtcp(self, data: bytes) -> None: ...
    def backlog_bytes(self) -> int: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class OverTcp:
    """Interleaved on the RTSP connection."""

    name = "tcp"

    def __init__(self, writer: asyncio.StreamWriter, channels: tuple[int, int], faults: Callable[[], Switched]) -> None:
        self._writer, self._channels, self._faults = writer, channels, faults
        self.announced = f"RTP/AVP/TCP;unicast;interleaved={channels[0]}-{channels[1]}"

    def rtp(self, packets: list[bytes]) -> None:
        """Send RTP packets."""
        frames = [interleaved(self._channels[0], each) for each in packets]
        if TransportFault.BAD_FRAMES in self._faults():
            frames = [each[:2] + b"\xff\xf0" + each[4:] for each in frames]
        self._writer.write(b"".join(frames))

    def rtcp(self, data: bytes) -> None:
        """Send an RTCP packet."""
        self._writer.write(interleaved(self._channels[1], data))

    def backlog_bytes(self) -> int:
        """What waits to be sent."""
        return self._writer.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()

    def close(self) -> None:
        """Nothing: the connection outlives a session."""


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._heard()


class OverUdp:
    """A pair of ports of our own, to a pair of the client's. Made by `open_udp`."""

    name = "udp"

    def __init__(
        self, writer: asyncio.StreamWriter, transports: list[asyncio.DatagramTransport], client_ports: tuple[int, int]
    ) -> None:
        self._writer, self._transports = writer, transports
        host = writer.get_extra_info("peername")[0]
        self._to = [(host, port) for port in client_ports]
        ports = "-".join(str(each.get_extra_info("sockname")[1]) for each in transports)
        self.announced = f"RTP/AVP;unicast;client_port={client_ports[0]}-{client_ports[1]};server_port={ports}"

    def rtp(self, packets: list[bytes]) -> None:
        """Send RTP packets."""
        for each in packets:
            self._transports[0].sendto(each, self._to[0])

    def rtcp(self, data: bytes) -> None:
        """Send an RTCP packet."""
        self._transports[1].sendto(data, self._to[1])

    def backlog_bytes(self) -> int:
        """Nothing waits: a datagram is sent or lost."""
        return 0

    def abort(self) -> None:
        """Break the RTSP connection."""
        self._writer.transport.abort()

    def close(self) -> None:
        """Give the ports back."""
        for transport in self._transports:
            transport.close()


async def open_udp(writer: asyncio.StreamWriter, client_ports: tuple[int, int], heard: Callable[[], None]) -> OverUdp:
    """Two ports in a row, the first even, as RTP wants it. Raises OSError when there are none."""
    loop = asyncio.get_running_loop()
    host = writer.get_extra_info("sockname")[0]
    for _ in range(_UDP_TRIES):
        first = random.randrange(40_000, 60_000, 2)
        opened: list[asyncio.DatagramTransport] = []
        try:
            for port in (first, first + 1):
                made = await loop.create_datagram_endpoint(lambda: _Receiver(heard), local_addr=(host, port))
                opened.append(made[0])
            return OverUdp(writer, opened, client_ports)
        except OSError:
            for transport in opened:
                transport.close()
    raise OSError("no two free UDP ports in a row")


class Session:
    """From SETUP to its end. `clock_s`: the camera's clock, Unix seconds; `order`: which of its sessions this is."""

    def __init__(self, faults: Callable[[], Switched], clock_s: Callable[[], float], seed: int, order: int) -> None:
        self.id = secrets.token_hex(8)
        self.wire: Wire | None = None
        self.playing = False
        self.alive_s = time.monotonic()
        self.tally = SessionTally("", self.alive_s)
        self.number = secrets.randbelow(1 << 16)
        """Of the next packet."""
        self.ticks = secrets.randbelow(1 << 32)
        """What RTP's clock shows at the camera's start."""
        self._source = secrets.randbelow(1 << 32)
        self._faults, self._clock_s = faults, clock_s
        self._rng = random.Random(f"loss-{seed}-{order}")
        self._report_s = 0.0

    def heard(self) -> None:
        """The client gave a sign of life."""
        self.alive_s = time.monotonic()

    def take(self, frame: Frame) -> None:
        """Send a picture, unless a fault holds it back or the client is too slow."""
        faults = self._faults()
        if self.wire is None or TransportFault.SILENT in faults:
            return
        if self.tally.frames >= faults.value(TransportFault.RESET, self.tally.frames + 1):
            self.wire.abort()
            return
        if self.tally.frames >= faults.value(TransportFault.STALL, self.tally.frames + 1):
            return
        if self.wire.backlog_bytes() > BACKLOG_BYTES:
            self.tally.frames_dropped += 1
            return
        self._report(self.wire, frame)
        self._send(self.wire, frame, faults.value(TransportFault.LOSS))

    def _send(self, wire: Wire, frame: Frame, loss: float) -> None:
        last = len(frame.payloads) - 1
        kept = []
        for index, payload in enumerate(frame.payloads):
            if self._rng.random() >= loss:
                ticks = self.ticks + frame.ticks
                kept.append(packet(payload, number=self.number, ticks=ticks, source=self._source, marker=index == last))
                self.tally.payload_bytes += len(payload)
            self.number += 1
        self.tally.frame(frame.ticks, len(frame.payloads), len(frame.payloads) - len(kept))
        self.tally.keyframes += frame.is_key
        if kept:
            wire.rtp(kept)

    def _report(self, wire: Wire, frame: Frame) -> None:
        now_s = time.monotonic()
        if now_s < self._report_s:
            return
        self._report_s = now_s + _REPORT_EVERY_S
        counted = {"packets": self.tally.packets_sent, "octets": self.tally.payload_bytes}
        wire.rtcp(sender_report(self._source, clock_s=self._clock_s(), ticks=self.ticks + frame.ticks, **counted))
