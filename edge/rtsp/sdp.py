"""What a camera says that it sends: the video of its description (RFC 8866), and the addresses to ask for it."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

CODECS: Final = {"H264": "h264", "H265": "h265", "HEVC": "h265", "JPEG": "mjpeg"}
"""Names in a description -> ours, of what can be taken apart here."""
_STATIC: Final = {"26": ("JPEG", 90_000), "31": ("H261", 90_000), "32": ("MPV", 90_000), "33": ("MP2T", 90_000)}
_SETS_KEYS: Final = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
_SETS_LIMIT: Final = 16
_SET_LIMIT_BYTES: Final = 4096
_CLOCK_HZ: Final = 90_000
_RATE = re.compile(r"\d{1,3}(?:\.\d{1,6})?")
_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,20}")


@dataclass(frozen=True, slots=True)
class Video:
    """The video of a description. `control`, `aggregate`: where to SETUP and to PLAY, as the camera wrote it."""

    codec: str
    clock_hz: int
    control: str = ""
    aggregate: str = ""
    parameter_sets: tuple[bytes, ...] = ()
    frame_rate: float | None = None


@dataclass(slots=True)
class _Section:
    """A media section, or the head of the description."""

    kind: str = ""
    formats: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def first(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.attributes if key == name), default)


def video(body: bytes) -> Video:
    """The first video in `body` whose codec we know. Raises CameraError (PROTOCOL, NO_MEDIA, CODEC)."""
    head, *media = _sections(body.decode("utf-8", "replace"))
    if not media:
        raise CameraError(CameraReason.PROTOCOL, "the camera's description of its streams can't be read")
    unknown: list[str] = []
    for section in media:
        if section.kind != "video":
            continue
        for number in section.formats:
            name, clock_hz = _encoding(section, number)
            if codec := CODECS.get(name):
                return _video(section, number, codec, clock_hz, head.first("control"))
            unknown.append(name)
    if not unknown:
        raise CameraError(CameraReason.NO_MEDIA, "the camera's description holds no video: is its encoder switched on?")
    raise CameraError(CameraReason.CODEC, f"the camera sends {unknown[0]}; known are H264, H265 and JPEG")


def _sections(text: str) -> list[_Section]:
    sections = [_Section()]
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals:
            continue
        if key == "m":
            kind, *rest = value.split() or [""]
            sections.append(_Section(kind.lower(), rest[2:18]))
        elif key == "a":
            name, _, told = value.partition(":")
            sections[-1].attributes.append((name.strip().lower(), told.strip()))
    return sections


def _encoding(section: _Section, number: str) -> tuple[str, int]:
    """Name (upper case) and clock of a format. A format nobody explains is called by its number."""
    for name, told in section.attributes:
        payload_type, _, encoding = told.partition(" ")
        if name == "rtpmap" and payload_type == number:
            called, _, rate = encoding.strip().partition("/")
            hz = re.match(r"\d{1,7}", rate)
            shown = called.upper() if _NAME.fullmatch(called) else "an unreadable codec"
            return shown, int(hz[0]) if hz and int(hz[0]) else _CLOCK_HZ
    shown = f"payload type {number}" if _NAME.fullmatch(number) else "an unreadable codec"
    return _STATIC.get(number, (shown, _CLOCK_HZ))


def _video(section: _Section, number: str, codec: str, clock_hz: int, aggregate: str) -> Video:
    sets: tuple[bytes, ...] = ()
    for name, told in section.attributes:
        payload_type, _, parameters = told.partition(" ")
        if name == "fmtp" and payload_type == number:
            sets += _parameter_sets(parameters)
    rate = _RATE.match(section.first("framerate"))
    frame_rate = float(rate[0]) if rate and float(rate[0]) > 0 else None
    return Video(codec, clock_hz, section.first("control"), aggregate, sets[:_SETS_LIMIT], frame_rate)


def _parameter_sets(parameters: str) -> tuple[bytes, ...]:
    """The NAL units that a description gives out of band; what can't be decoded is left out."""
    found: list[bytes] = []
    for parameter in parameters.split(";"):
        key, _, value = parameter.strip().partition("=")
        if key.lower() in _SETS_KEYS:
            found += (_base64(text) for text in value.split(",")[:_SETS_LIMIT])
    return tuple(each for each in found if 0 < len(each) <= _SET_LIMIT_BYTES)


def _base64(text: str) -> bytes:
    try:
        return b64decode(text.strip()[: 2 * _SET_LIMIT_BYTES] + "==")
    except (Base64Error, ValueError):
        return b""


def base_url(requested: str, content_base: str | None, content_location: str | None) -> str:
    """What the controls of a description are relative to."""
    told = content_base or content_location
    try:
        return urljoin(requested, told) if told else requested
    except ValueError:
        return requested


def control_url(base: str, control: str) -> str:
    """Where to ask for a stream. Appended as every client does: cameras with a query in their address rely on it."""
    if control in ("", "*"):
        return base
    if control.lower().startswith(("rtsp://", "rtsps://")):
        return control
    return f"{base.rstrip('/')}/{control.lstrip('/')}"
