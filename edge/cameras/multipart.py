"""MJPEG over HTTP taken apart: bytes of a body in, JPEG files out. No sockets here; what is held is bounded."""

import re
from typing import Final

from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

LIMIT_BYTES: Final = 8 * 2**20
"""The longest picture that is taken."""
_HEAD_LIMIT_BYTES: Final = 4096
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_LENGTH: Final = re.compile(rb"(?i)(?:^|\n)content-length[ \t]*:[ \t]*(\d{1,20})[ \t]*\r?(?:\n|$)")
_BOUNDARY: Final = re.compile(r'(?i);\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;]*))')
_JPEG: Final = b"\xff\xd8"


def boundary_of(content_type: str) -> bytes | None:
    """What stands between the parts, without dashes, which cameras write as they like; None: not multipart."""
    if not content_type.strip().lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2] or "").strip("-").encode("latin-1", "replace") if found else b""


class Parts:
    """Takes a multipart body apart, however its bytes are cut. Raises CameraError once it makes no sense."""

    def __init__(self, boundary: bytes) -> None:
        self._ends = b"--" + boundary if boundary else b"\r\n--"
        self._held = bytearray()
        self._searched = 0
        self._length: int | None = None
        self._in_part = False

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that `data` completes."""
        self._held += data
        found: list[bytes] = []
        while True:
            if not self._in_part and not self._head():
                break
            file = self._file()
            if file is None:
                break
            if file:
                found.append(_checked(file))
        return found

    def _head(self) -> bool:
        """Pass the part's header; whether it is whole. A boundary without one is passed too."""
        start = re.match(rb"[\r\n]*", self._held)
        # At once: a server may send nothing but empty lines.
        del self._held[: start.end() if start else 0]
        end = _HEAD_END.search(self._held)
        if (end.start() if end else len(self._held)) > _HEAD_LIMIT_BYTES:
            raise CameraError(CameraReason.PROTOCOL, "what comes is no MJPEG: a part's header does not end")
        if end is None:
            return False
        length = _LENGTH.search(bytes(self._held[: end.start()]))
        self._length = int(length[1]) if length else None
        if self._length is not None and self._length > LIMIT_BYTES:
            raise CameraError(CameraReason.TOO_LARGE, f"a picture of {self._length} bytes is announced")
        del self._held[: end.end()]
        self._in_part, self._searched = True, 0
        return True

    def _file(self) -> bytes | None:
        """The part's content; None while it is not whole."""
        end = self._length or self._end()
        if end is None or len(self._held) < end:
            if len(self._held) > LIMIT_BYTES:
                raise CameraError(CameraReason.TOO_LARGE, f"a picture of over {LIMIT_BYTES} bytes")
            return None
        file = bytes(self._held[:end])
        del self._held[:end]
        self._in_part = False
        return file if self._length else file.rstrip(b"\r\n-")

    def _end(self) -> int | None:
        """Where the next boundary begins, in a part that does not tell its length."""
        at = self._held.find(self._ends, self._searched)
        self._searched = max(0, len(self._held) - len(self._ends))
        return at if at >= 0 else None


def _checked(file: bytes) -> bytes:
    if not file.startswith(_JPEG):
        raise CameraError(CameraReason.PROTOCOL, "the parts that come are no JPEG files: compare url with its manual")
    return file
