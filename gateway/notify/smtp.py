"""Python's SMTP client with an end to everything: an answer has a time and a size, and any moment can be cut short."""

import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

_ANSWER_LINES: Final = 100
_ANSWER_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 4096


class Smtp(smtplib.SMTP):
    """A talk with `host`, not connected yet. `limit_s`: longest time of one answer. `tls`: encrypt at once.

    `wired` is given what cuts the connection, from another thread too, before a byte is said. That is a descriptor of
    its own: the client's socket changes with encryption.
    """

    def __init__(
        self, host: str, limit_s: float, tls: ssl.SSLContext | None, wired: Callable[[socket.socket], None]
    ) -> None:
        self._wire: socket.socket | None = None
        super().__init__(timeout=limit_s)
        self._host, self._limit_s, self._tls, self._wired = host, limit_s, tls, wired

    def greeted(self, port: int) -> None:
        """Connect and hear the greeting. Raises SMTPConnectError if it is none."""
        code, said = self.connect(self._host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def getreply(self) -> tuple[int, bytes]:
        """See smtplib. An answer without end is a lost connection."""
        if self.sock is not None:
            left = self.file.left if isinstance(self.file, _Lines) else b""
            self.file: Any = _Lines(self.sock, left, self._limit_s)
        return super().getreply()

    def close(self) -> None:
        """See smtplib."""
        super().close()
        if self._wire is not None:
            self._wire.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self._wire = plain.dup()
        self._wired(self._wire)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)


class _Lines:
    """The lines of one answer, as smtplib reads them. `left`: what came after the last one."""

    def __init__(self, sock: socket.socket, left: bytes, limit_s: float) -> None:
        self._sock, self.left, self._limit_s = sock, left, limit_s
        self._ends_s = time.monotonic() + limit_s
        self._lines = self._bytes = 0

    def readline(self, limit: int) -> bytes:
        """The next line, at most `limit` bytes of it; what there is at the end of the connection. Raises OSError."""
        self._lines += 1
        while b"\n" not in self.left and len(self.left) < limit and (piece := self._piece()):
            self.left += piece
        end = min(self.left.find(b"\n") + 1 or limit, limit)
        line, self.left = self.left[:end], self.left[end:]
        self._bytes += len(line)
        if self._lines > _ANSWER_LINES or self._bytes > _ANSWER_BYTES:
            raise OSError("an answer without end")
        return line

    def close(self) -> None:
        """Holds nothing."""

    def _piece(self) -> bytes:
        remains_s = self._ends_s - time.monotonic()
        if remains_s <= 0:
            raise TimeoutError("an answer without end")
        self._sock.settimeout(remains_s)
        try:
            return self._sock.recv(_PIECE_BYTES)
        finally:
            with suppress(OSError):
                self._sock.settimeout(self._limit_s)
