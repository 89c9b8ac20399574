"""RTP and RTCP (RFC 3550): what a packet says, what is missing of a row of them, and what a sender's clock shows."""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

HEADER: Final = struct.Struct("!BBHII")
_SEQUENCES: Final = 1 << 16
_TIMESTAMPS: Final = 1 << 32
_DROPOUT_LIMIT: Final = 3000
_MISORDER_LIMIT: Final = 100
_LEAP_LIMIT_S: Final = 60
"""More from one packet to the next is no time that passed: the sender began to count anew."""
_SENDER_REPORT: Final = 200
_GOODBYE: Final = 203
_NTP_TO_UNIX_S: Final = 2_208_988_800
_PLAUSIBLE_UNIX_S: Final = 946_598_400
"""31 December 1999: cameras that lost their time begin at 2000, those that count from power-on are far before it."""


class Packet(NamedTuple):
    """A packet's fields; its payload is `data[start:end]`."""

    marker: bool
    sequence: int
    timestamp: int
    source: int
    start: int
    end: int


def parse(data: bytes) -> Packet | None:
    """The fields of an RTP packet; None if it is none or is cut."""
    if len(data) < HEADER.size:
        return None
    first, second, sequence, timestamp, source = HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    start, end = HEADER.size, len(data)
    if first & 0x3F:
        start += 4 * (first & 0x0F)
        if first & 0x10:
            if start + 4 > end:
                return None
            start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
        if first & 0x20:
            end -= data[-1]
        if start > end:
            return None
    return Packet(second >= 0x80, sequence, timestamp, source, start, end)


def is_control(data: bytes) -> bool:
    """Whether a datagram is RTCP (RFC 5761: some cameras send both on one channel)."""
    return len(data) >= 8 and data[0] >> 6 == 2 and 192 <= data[1] <= 223


@dataclass(slots=True)
class Reception:
    """Counts what came and what should have come; restarts when the sender does."""

    received: int = 0
    _source: int | None = None
    _base: int = 0
    _highest: int = 0
    _expected_before: int = 0
    _jumped_to: int | None = None

    def take(self, source: int, sequence: int) -> bool:
        """Count a packet; whether it directly follows the one before."""
        self.received += 1
        if source != self._source:
            self._restart(source, sequence)
            return False
        ahead = (sequence - self._highest) % _SEQUENCES
        if ahead == 1:
            self._highest += 1
            return True
        if ahead < _DROPOUT_LIMIT:
            self._highest += ahead
        elif ahead <= _SEQUENCES - _MISORDER_LIMIT:
            self._jump(sequence)
        return False

    def _jump(self, sequence: int) -> None:
        """Too far to be loss: after two in a row the sender has begun anew, one alone is a stray."""
        if sequence == self._jumped_to:
            self._restart(self._source, (sequence - 1) % _SEQUENCES)
            self._highest += 1
        self._jumped_to = (sequence + 1) % _SEQUENCES

    def _restart(self, source: int | None, sequence: int) -> None:
        self._expected_before = self.expected
        self._source, self._base, self._highest, self._jumped_to = source, sequence, sequence, None

    @property
    def expected(self) -> int:
        return self._expected_before + (0 if self._source is None else self._highest - self._base + 1)

    @property
    def loss_pct(self) -> float | None:
        """Share of packets that never came; None before the first."""
        expected = self.expected
        return 100.0 * max(0, expected - self.received) / expected if expected else None


@dataclass(slots=True)
class Timeline:
    """Timestamps of a stream without their wrap, in ticks from its first, and the jitter of their arrival."""

    clock_hz: int
    ticks: int = 0
    jitter_s: float = 0.0
    _last: int | None = None
    _transit_s: float | None = None

    def take(self, timestamp: int) -> int:
        """Ticks from the first packet to one with this timestamp."""
        if self._last is not None:
            ahead = (timestamp - self._last) % _TIMESTAMPS
            ahead -= 0 if ahead < _TIMESTAMPS // 2 else _TIMESTAMPS
            if abs(ahead) > _LEAP_LIMIT_S * self.clock_hz:
                ahead, self._transit_s = 1, None
            self.ticks += ahead
        self._last = timestamp
        return self.ticks

    def arrived(self, now_s: float) -> None:
        """The packet just taken came at `now_s`: the smoothed difference of RFC 3550, 6.4.1."""
        transit_s = now_s - self.ticks / self.clock_hz
        if self._transit_s is not None:
            self.jitter_s += (abs(transit_s - self._transit_s) - self.jitter_s) / 16
        self._transit_s = transit_s


@dataclass(frozen=True, slots=True)
class ControlReport:
    """What a compound RTCP packet tells: the sender's UTC in Unix seconds, if it sent one that can be a date."""

    utc_s: float | None
    goodbye: bool


def control(data: bytes) -> ControlReport:
    """Read RTCP; what is cut or unknown is passed over."""
    utc_s, goodbye, position = None, False, 0
    while position + 4 <= len(data) and data[position] >> 6 == 2:
        kind = data[position + 1]
        length = 4 + 4 * (data[position + 2] << 8 | data[position + 3])
        if kind == _SENDER_REPORT and length >= 28 and position + 16 <= len(data):
            seconds, fraction = struct.unpack_from("!II", data, position + 8)
            utc_s = _plausible(seconds - _NTP_TO_UNIX_S + fraction / 2**32)
        goodbye = goodbye or kind == _GOODBYE
        position += length
    return ControlReport(utc_s, goodbye)


def _plausible(unix_s: float) -> float | None:
    """Many cameras put their time since power-on where a date belongs; those are not wrong clocks but none."""
    return unix_s if unix_s >= _PLAUSIBLE_UNIX_S else None
