"""H.264 (RFC 6184) and H.265 (RFC 7798) out of RTP: where key frames are, and the first whole one as Annex B."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

KEYFRAME_LIMIT_BYTES: Final = 8 * 1024 * 1024
_START_CODE: Final = b"\0\0\0\1"
_SETS_LIMIT: Final = 4
_SET_LIMIT_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Syntax:
    """Where the two codecs differ. `pictures`, `keys`, `sets`: types of NAL units; a header has `header_bytes`."""

    codec: str
    header_bytes: int
    pictures: frozenset[int]
    keys: frozenset[int]
    sets: tuple[int, ...]
    aggregate: int
    fragment: int
    last_plain: int

    def kind(self, unit: bytes) -> int:
        """The type of the NAL unit (or of the packet) that begins so."""
        return unit[0] & 0x1F if self.header_bytes == 1 else unit[0] >> 1 & 0x3F

    def fragment_kind(self, payload: bytes) -> int:
        byte = payload[self.header_bytes]
        return byte & 0x1F if self.header_bytes == 1 else byte & 0x3F

    def fragment_header(self, payload: bytes) -> bytes:
        """The header of the NAL unit whose first fragment this is."""
        kind = self.fragment_kind(payload)
        if self.header_bytes == 1:
            return bytes((payload[0] & 0xE0 | kind,))
        return bytes((payload[0] & 0x81 | kind << 1, payload[1]))


H264: Final = Syntax("h264", 1, frozenset((1, 2, 5)), frozenset((5,)), (7, 8), aggregate=24, fragment=28, last_plain=23)
H265: Final = Syntax(
    "h265", 2, frozenset(range(32)), frozenset(range(16, 22)), (32, 33, 34), aggregate=48, fragment=49, last_plain=47
)
SYNTAXES: Final = {"h264": H264, "h265": H265}


class Assembler:
    """Payloads in, in the order they came; `keyframe` once one was whole. What is held is bounded."""

    def __init__(self, syntax: Syntax, parameter_sets: Iterable[bytes] = ()) -> None:
        self.keyframe: bytes | None = None
        self.broken_keyframes = 0
        self.malformed = 0
        self._syntax = syntax
        self._sets: dict[int, list[bytes]] = {kind: [] for kind in syntax.sets}
        self._timestamp: int | None = None
        self._begin()
        for unit in parameter_sets:
            if len(unit) > syntax.header_bytes:
                self._keep_set(syntax.kind(unit), unit)

    @property
    def lacks_sets(self) -> bool:
        """Whether no key frame could be decoded, as its parameter sets never came."""
        return not all(self._sets.values())

    def take(self, payload: bytes, timestamp: int, marker: bool, follows: bool) -> bool:
        """One payload; `follows`: no packet is missing before it. Whether it holds a part of a key frame.

        Raises CameraError (TOO_LARGE).
        """
        if self.keyframe is not None:
            return self._shows_key(payload)
        if timestamp != self._timestamp:
            if follows:
                self._finish()
            self._timestamp = timestamp
            self._begin()
        elif not follows:
            self._whole = False
        shows_key = self._add(payload)
        if marker and self._pictures:
            self._finish()
            self._begin()
        return shows_key

    def _begin(self) -> None:
        self._unit = bytearray()
        self._own_sets: set[int] = set()
        self._pictures, self._key, self._whole, self._open = 0, False, True, False

    def _shows_key(self, payload: bytes) -> bool:
        """Cheaply, without taking anything apart that need not be."""
        syntax = self._syntax
        if len(payload) <= syntax.header_bytes:
            return False
        kind = syntax.kind(payload)
        if kind == syntax.fragment:
            kind = syntax.fragment_kind(payload)
        elif kind == syntax.aggregate:
            return any(syntax.kind(unit) in syntax.keys for unit in _aggregated(syntax, payload) or ())
        return kind in syntax.keys

    def _add(self, payload: bytes) -> bool:
        syntax = self._syntax
        if len(payload) <= syntax.header_bytes:
            return self._spoilt()
        kind = syntax.kind(payload)
        if kind == syntax.fragment:
            return self._add_fragment(payload)
        if self._open:
            self._spoilt()
        if kind == syntax.aggregate:
            units = _aggregated(syntax, payload)
            return self._spoilt() if units is None else self._add_units(units)
        return self._add_unit(payload) if kind <= syntax.last_plain else self._spoilt()

    def _add_units(self, units: list[bytes]) -> bool:
        shown = [self._add_unit(unit) for unit in units]
        return True in shown

    def _add_unit(self, unit: bytes) -> bool:
        kind = self._syntax.kind(unit)
        if kind in self._sets:
            self._own_sets.add(kind)
            self._keep_set(kind, unit)
        self._seen(kind, unit[self._syntax.header_bytes :])
        self._extend(_START_CODE + unit)
        return kind in self._syntax.keys

    def _add_fragment(self, payload: bytes) -> bool:
        syntax = self._syntax
        body = syntax.header_bytes + 1
        if len(payload) <= body:
            return self._spoilt()
        flags, kind = payload[body - 1], syntax.fragment_kind(payload)
        if flags & 0x80:
            if self._open:
                self._spoilt()
            self._open = True
            self._seen(kind, payload[body:])
            self._extend(_START_CODE + syntax.fragment_header(payload))
        elif not self._open:
            self._whole = False
        self._extend(payload[body:])
        if flags & 0x40:
            self._open = False
        if kind in syntax.keys:
            self._key = True
        return kind in syntax.keys

    def _seen(self, kind: int, body: bytes) -> None:
        """A NAL unit begins. A picture's first slice says so in its first bit, in both codecs."""
        if kind in self._syntax.pictures:
            if not self._pictures and not (body and body[0] & 0x80):
                self._whole = False
            self._pictures += 1
            self._key = self._key or kind in self._syntax.keys

    def _extend(self, data: bytes) -> None:
        if len(self._unit) + len(data) > KEYFRAME_LIMIT_BYTES:
            raise CameraError(CameraReason.TOO_LARGE, f"a frame is larger than {KEYFRAME_LIMIT_BYTES >> 20} MiB")
        if self._whole:
            self._unit += data

    def _spoilt(self) -> bool:
        self.malformed += 1
        self._whole = self._open = False
        return False

    def _keep_set(self, kind: int, unit: bytes) -> None:
        known = self._sets.get(kind)
        if known is not None and unit not in known and len(unit) <= _SET_LIMIT_BYTES:
            known.append(bytes(unit))
            del known[:-_SETS_LIMIT]

    def _finish(self) -> None:
        """The frame has ended: keep it if it is a whole key frame that can be decoded."""
        if not self._key:
            return
        if not self._whole or self._open:
            self.broken_keyframes += 1
        elif not self.lacks_sets:
            missing = (kind for kind in self._syntax.sets if kind not in self._own_sets)
            sets = (_START_CODE + unit for kind in missing for unit in self._sets[kind])
            self.keyframe = b"".join(sets) + bytes(self._unit)
            self._unit = bytearray()


def _aggregated(syntax: Syntax, payload: bytes) -> list[bytes] | None:
    """The NAL units of an aggregation packet; None if their lengths do not fit it."""
    units = list(_units(payload, syntax.header_bytes))
    told = syntax.header_bytes + sum(2 + len(unit) for unit in units)
    return units if units and told == len(payload) and all(len(u) > syntax.header_bytes for u in units) else None


def _units(payload: bytes, position: int) -> Iterator[bytes]:
    while position + 2 <= len(payload):
        after = position + 2 + (payload[position] << 8 | payload[position + 1])
        yield payload[position + 2 : after]
        position = after
