"""JPEG out of RTP (RFC 2435): the first whole picture as a JPEG file, its headers made anew from the packets' own."""

import struct
from typing import Final

from edge.net.errors import CameraError
from edge.rtsp.nal import KEYFRAME_LIMIT_BYTES
from kewang.wire.cameras import CameraReason

_MAIN: Final = struct.Struct("!IBBBB")
_TABLES_BYTES: Final = 128
_KEPT_TABLES: Final = 4
_LUMA: Final = bytes.fromhex(
    "100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a333d3c3933383740485c4e404457453738506d51575f626768"
    "673e4d71797064785c656763"
)
_CHROMA: Final = bytes.fromhex("1112121815182f1a1a2f634238426363" + "63" * 48)
"""The quantisation tables of ITU-T T.81, K.1, in zigzag order, which a quality below 128 scales."""
_DC_LUMA: Final = "00010501010101010100000000000000000102030405060708090a0b"
_DC_CHROMA: Final = "00030101010101010101010000000000000102030405060708090a0b"
_AC_LUMA: Final = (
    "0002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f024336272"
    "82090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a73747576777879"
    "7a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8"
    "d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
_AC_CHROMA: Final = (
    "00020102040403040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f0156272d1"
    "0a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778"
    "797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6"
    "d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
_HUFFMAN: Final = tuple(
    (place, bytes.fromhex(table))
    for place, table in ((0, _DC_LUMA), (0x10, _AC_LUMA), (1, _DC_CHROMA), (0x11, _AC_CHROMA))
)
"""The Huffman tables of T.81, K.3, which RFC 2435 takes for granted: counts by length, then values."""


class JpegAssembler:
    """Payloads in, in the order they came; `keyframe` once a picture was whole. What is held is bounded."""

    lacks_sets = False

    def __init__(self) -> None:
        self.keyframe: bytes | None = None
        self.broken_keyframes = 0
        self.malformed = 0
        self._tables: dict[int, bytes] = {}
        self._scan = bytearray()
        self._head: bytes | None = None

    def take(self, payload: bytes, timestamp: int, marker: bool, follows: bool) -> bool:
        """One payload. Every picture is a key frame, so that none is worth telling: always False.

        Raises CameraError (TOO_LARGE).
        """
        if self.keyframe is not None:
            return False
        if not self._add(payload):
            self.malformed += 1
            self._head = None
        if marker:
            self._finish()
        return False

    def _add(self, payload: bytes) -> bool:
        """Whether the payload makes sense; a fragment whose forerunner is missing does, and is dropped."""
        if len(payload) <= _MAIN.size:
            return False
        place, kind, quality, width, height = _MAIN.unpack_from(payload)
        offset, position, interval = place & 0xFFFFFF, _MAIN.size, 0
        if 64 <= kind < 128:
            interval = int.from_bytes(payload[position : position + 2])
            position += 4
        if offset == 0:
            self._scan.clear()
            position, tables = self._quantisation(payload, position, quality)
            self._head = _head(kind & 63, interval, width * 8, height * 8, tables) if tables else None
            if self._head is None:
                return False
        elif offset != len(self._scan):
            self._head = None
        if len(self._scan) + len(payload) > KEYFRAME_LIMIT_BYTES:
            raise CameraError(CameraReason.TOO_LARGE, f"a frame is larger than {KEYFRAME_LIMIT_BYTES >> 20} MiB")
        if self._head is not None:
            self._scan += payload[position:]
        return True

    def _quantisation(self, payload: bytes, position: int, quality: int) -> tuple[int, bytes]:
        """Where the scan begins, and both tables; b"" when they are unknown or not of 8 bits."""
        if quality < 128:
            return position, _scaled(quality)
        precision, length = payload[position + 1 : position + 2], int.from_bytes(payload[position + 2 : position + 4])
        position += 4
        if length:
            tables = payload[position : position + length]
            if precision != b"\0" or len(tables) != length or length not in (64, _TABLES_BYTES):
                return position, b""
            if len(self._tables) < _KEPT_TABLES or quality in self._tables:
                self._tables[quality] = tables if length == _TABLES_BYTES else tables * 2
            return position + length, tables if length == _TABLES_BYTES else tables * 2
        return position, self._tables.get(quality, b"")

    def _finish(self) -> None:
        if self._head is not None and self._scan:
            self.keyframe = self._head + bytes(self._scan) + (b"" if self._scan[-2:] == b"\xff\xd9" else b"\xff\xd9")
            self._scan = bytearray()
        else:
            self.broken_keyframes += 1
        self._head = None


def _scaled(quality: int) -> bytes:
    quality = max(1, min(99, quality))
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return bytes(max(1, min(255, (each * scale + 50) // 100)) for each in _LUMA + _CHROMA)


def _head(kind: int, interval: int, width: int, height: int, tables: bytes) -> bytes | None:
    """Everything before the scan; None for a kind of JPEG that RFC 2435 does not name."""
    if kind > 1 or not width or not height:
        return None
    sampling = 0x21 if kind == 0 else 0x22
    parts = [b"\xff\xd8", _segment(0xDB, b"\0" + tables[:64] + b"\1" + tables[64:])]
    if interval:
        parts.append(_segment(0xDD, interval.to_bytes(2)))
    frame = struct.pack("!BHHB", 8, height, width, 3) + bytes((1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1))
    parts.append(_segment(0xC0, frame))
    parts += [_segment(0xC4, bytes((place,)) + table) for place, table in _HUFFMAN]
    parts.append(_segment(0xDA, bytes((3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0))))
    return b"".join(parts)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0xFF, marker, len(body) + 2) + body
