"""RTP as a camera sends it, made by hand: small frames of H.264, sender reports, interleaved frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

SPS: Final = bytes.fromhex("67420015f40a0fd80880")
PPS: Final = bytes.fromhex("68ce3c80")
IDR: Final = b"\x65\x88" + bytes(range(256)) * 6
SLICE: Final = b"\x41\x9a" + bytes(range(200))
NTP_UNIX_S: Final = 2_208_988_800


def packet(sequence: int, timestamp: int, payload: bytes, *, marker: bool = False, source: int = 7) -> bytes:
    second = 96 | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, second, sequence % 65536, timestamp % 2**32, source) + payload


def interleaved(channel: int, data: bytes) -> bytes:
    return struct.pack("!BBH", 0x24, channel, len(data)) + data


def sender_report(utc_s: float, *, ntp_s: float | None = None) -> bytes:
    """An SR of a camera whose clock shows `utc_s`, or whose NTP field just holds `ntp_s`."""
    shown = utc_s + NTP_UNIX_S if ntp_s is None else ntp_s
    return struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, int(shown), int(shown % 1 * 2**32), 0, 1, 1)


def fragments(unit: bytes, size: int = 700) -> list[bytes]:
    """The FU-A payloads of an H.264 NAL unit."""
    body = unit[1:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    head, kind = unit[0] & 0xE0 | 28, unit[0] & 0x1F
    flags = [(0x80 if at == 0 else 0) | (0x40 if at == len(pieces) - 1 else 0) for at in range(len(pieces))]
    return [bytes((head, flag | kind)) + piece for flag, piece in zip(flags, pieces, strict=True)]


def frames(count: int, *, fps: int = 25, gop: int = 10, first_sequence: int = 65_530) -> Iterator[tuple[bytes, ...]]:
    """The packets of each of `count` frames; every `gop` a key frame with its parameter sets."""
    sequence = first_sequence
    for number in range(count):
        payloads = [SPS, PPS, *fragments(IDR)] if number % gop == 0 else [SLICE]
        made = []
        for index, payload in enumerate(payloads):
            timestamp = 2**32 - 90_000 + number * 90_000 // fps
            made.append(packet(sequence, timestamp, payload, marker=index == len(payloads) - 1))
            sequence += 1
        yield tuple(made)
