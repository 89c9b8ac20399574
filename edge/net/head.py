"""The head of a message of HTTP or RTSP: a first line, and fields below it."""

import re
from collections.abc import Mapping
from typing import Final

from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

LIMIT_BYTES: Final = 16_384
END: Final = re.compile(rb"\r?\n\r?\n")
Fields = dict[str, list[str]]
"""Lower-case name -> values in their order."""

_TEXT: Final = ("utf-8", "surrogateescape")
"""Whatever a camera writes in a header survives being sent back to it."""


def written(method: str, url: str, version: str, fields: Mapping[str, str]) -> bytes:
    """The head of a request. Raises CameraError when something can't stand in one."""
    if any(c in value for value in (url, *fields.values()) for c in "\r\n\0") or " " in url:
        raise CameraError(CameraReason.PROTOCOL, "an address or header holds a character that can't be sent")
    lines = [f"{method} {url} {version}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode(*_TEXT)


def read(data: bytes) -> tuple[str, Fields]:
    """The first line and the fields of a head without its end; what is no field is passed over."""
    first, *lines = data.decode(*_TEXT).splitlines() or [""]
    fields: Fields = {}
    values: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and values:
            values[-1] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if colon:
            values = fields.setdefault(name.strip().lower(), [])
            values.append(value.strip())
    return first, fields


def body_bytes(fields: Fields) -> int | None:
    """The body's length as announced, if it is. Raises CameraError when that is no number."""
    told = fields.get("content-length", [""])[0]
    if not told:
        return None
    if not (told.isascii() and told.isdigit()):
        raise CameraError(CameraReason.PROTOCOL, "an answer has a Content-Length that is no number")
    return int(told[:20])
