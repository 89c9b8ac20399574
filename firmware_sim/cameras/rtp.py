"""RTP and RTCP as a camera sends them: payloads of H.264 (RFC 6184) and H.265 (RFC 7798), sender reports (RFC 3550)."""

import struct
from collections.abc import Iterable, Iterator
from typing import Final

from firmware_sim.cameras.codecs import Codec

PAYLOAD_TYPE: Final = 96
MTU_BYTES: Final = 1400
_UNIX_TO_NTP_S: Final = 2_208_988_800
_FU_A: Final = 28
_FU_H265: Final = 49
_SENDER_REPORT, _DESCRIPTION = 200, 202


def payloads(codec: Codec, nals: Iterable[bytes], mtu_bytes: int = MTU_BYTES) -> list[bytes]:
    """The RTP payloads of an access unit, in order: a NAL unit each, or fragments of one that is too long."""
    cut = _h264_fragments if codec is Codec.H264 else _h265_fragments
    return [part for nal in nals for part in ([nal] if len(nal) <= mtu_bytes else cut(nal, mtu_bytes))]


def _h264_fragments(nal: bytes, mtu_bytes: int) -> Iterator[bytes]:
    indicator = nal[0] & 0xE0 | _FU_A
    for mark, part in _pieces(nal[1:], mtu_bytes - 2):
        yield bytes([indicator, mark | nal[0] & 0x1F]) + part


def _h265_fragments(nal: bytes, mtu_bytes: int) -> Iterator[bytes]:
    kind = nal[0] >> 1 & 0x3F
    head = bytes([nal[0] & 0x81 | _FU_H265 << 1, nal[1]])
    for mark, part in _pieces(nal[2:], mtu_bytes - 3):
        yield head + bytes([mark | kind]) + part


def _pieces(body: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of `body` with the mark of a fragment: 0x80 the first, 0x40 the last."""
    for start in range(0, len(body), size):
        mark = (0x80 if start == 0 else 0) | (0x40 if start + size >= len(body) else 0)
        yield mark, body[start : start + size]


def packet(payload: bytes, *, number: int, ticks: int, source: int, marker: bool) -> bytes:
    """An RTP packet. `number`: of the packet, `ticks`: of the picture; both wrap."""
    second = (0x80 if marker else 0) | PAYLOAD_TYPE
    return struct.pack("!BBHII", 0x80, second, number & 0xFFFF, ticks & 0xFFFFFFFF, source) + payload


def sender_report(source: int, *, clock_s: float, ticks: int, packets: int, octets: int) -> bytes:
    """A compound RTCP packet: a sender report and the source's name. `clock_s`: Unix seconds by the camera's clock."""
    whole = int(clock_s // 1)
    fraction = int((clock_s - whole) * 2**32)
    wrapped = [number & 0xFFFFFFFF for number in (whole + _UNIX_TO_NTP_S, fraction, ticks, packets, octets)]
    report = struct.pack("!BBHI5I", 0x80, _SENDER_REPORT, 6, source, *wrapped)
    name = b"\x01\x06camera\0\0\0\0"
    return report + struct.pack("!BBHI", 0x81, _DESCRIPTION, 1 + len(name) // 4, source) + name


def interleaved(channel: int, data: bytes) -> bytes:
    """`data` as a frame on an RTSP connection."""
    return struct.pack("!BBH", 0x24, channel, len(data)) + data
