"""uvicorn as a task of a program: it starts on a socket it is given and ends when told; signals are the program's."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from kewang.web.connections import ACCEPT_AT_ONCE, BoundedHttp

HANDSHAKE_S: Final = 5.0
"""Who connects and does not finish the TLS handshake by then is hung up on."""


class Server(uvicorn.Server):
    """uvicorn without its own signal handling: the program has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class TlsServer(Server):
    """A server with TLS whose certificate can be replaced while it serves, and that waits for no slow handshake."""

    def __init__(self, config: uvicorn.Config, context: ssl.SSLContext) -> None:
        super().__init__(config)
        self._context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own, which has no limit for handshakes."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        loop = asyncio.get_running_loop()
        self.servers: list[asyncio.Server] = []
        for each in sockets or []:
            server = await loop.create_server(
                self._protocol,
                sock=each,
                ssl=self._context,
                backlog=self.config.backlog,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
            self.servers.append(server)
        self.started = True

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate chain. Raises OSError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def config_of(app: Any, http: type[BoundedHttp] = BoundedHttp) -> uvicorn.Config:
    """How all of ours are run: bounded, quiet, without words about themselves."""
    return uvicorn.Config(
        app,
        http=http,
        backlog=ACCEPT_AT_ONCE,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
