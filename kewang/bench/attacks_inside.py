"""Two servers on loopback with one port: one that nobody may reach (inside), and one that is allowed (outside)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

INSIDE: Final = "127.0.0.1"
OUTSIDE: Final = "127.0.0.2"
_TRIES: Final = 50
_PIECE: Final = b"x" * 1_000_000
_MOST_BYTES: Final = 2_000_000_000


class Inside:
    """`heard`, `outside_heard`: paths that were asked for. `/away` leads inside, `/endless` does not end."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.outside_heard: list[str] = []
        self.sent_bytes = 0
        self._open = ExitStack()
        self.port = 0

    def __enter__(self) -> Self:
        inside, outside = _two(self)
        self.port = inside.server_address[1]
        for server in (inside, outside):
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="inside")
            thread.start()
            self._open.callback(thread.join)
            self._open.callback(server.server_close)
            self._open.callback(server.shutdown)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()


def _two(shared: Inside) -> tuple[ThreadingHTTPServer, ThreadingHTTPServer]:
    """A port that is free at both addresses."""
    for _ in range(_TRIES):
        inside = ThreadingHTTPServer((INSIDE, 0), _asked(shared, shared.heard))
        with suppress(OSError):
            port = inside.server_address[1]
            return inside, ThreadingHTTPServer((OUTSIDE, port), _asked(shared, shared.outside_heard))
        inside.server_close()
    raise OSError("no port is free at both addresses")


def _asked(shared: Inside, heard: list[str]) -> type[BaseHTTPRequestHandler]:
    class Asked(BaseHTTPRequestHandler):
        """One request."""

        timeout = 10

        def do_GET(self) -> None:
            heard.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.close_connection = True
            with suppress(OSError):
                if self.path == "/endless":
                    self._endless()
                else:
                    self.send_response(302 if self.path == "/away" else 200)
                    self.send_header("Location", f"http://{INSIDE}:{shared.port}/")
                    self.send_header("Content-Length", "0")
                    self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def _endless(self) -> None:
            self.send_response(200)
            self.end_headers()
            while shared.sent_bytes < _MOST_BYTES:
                self.wfile.write(_PIECE)
                shared.sent_bytes += len(_PIECE)

        def log_message(self, *words: object) -> None:
            """Nobody reads it."""

    return Asked


@contextmanager
def names(said: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[None]:
    """Their owner answers look-ups of these names, look-up by look-up and again from the first."""
    real, asked = socket.getaddrinfo, dict.fromkeys(said, 0)

    def getaddrinfo(host: Any, port: Any, *more: Any, **words: Any) -> Any:
        if host not in said:
            return real(host, port, *more, **words)
        addresses = said[host][asked[host] % len(said[host])]
        asked[host] += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = real
