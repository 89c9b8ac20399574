"""The device API as a part of `kewang provision serve`: its own listener, TLS with the service certificate."""

import asyncio
import logging
import socket
import ssl
from typing import ClassVar, Final

from kewang.runtime.program import wait_or
from kewang.web.connections import BoundedHttp
from kewang.web.server import TlsServer, config_of, tls_context
from provisioning.authority import ServiceLeaf
from provisioning.devices.app import Rates, create_app
from provisioning.devices.office import Office

log = logging.getLogger(__name__)

TIDY_S: Final = 300.0


class ManyBoxes(BoundedHttp):
    """After a power cut in a district hundreds of boxes come at once; each stays for a moment only."""

    limit: ClassVar[int] = 512


class DeviceApi:
    """Serves until `stopping`. `host`, `port`: where; port 0 takes a free one, `port` tells it then."""

    def __init__(self, office: Office, leaf: ServiceLeaf, host: str, port: int, rates: Rates | None = None) -> None:
        """Raises OSError when the port is taken, or the certificate can't be used."""
        self._office, self._leaf = office, leaf
        self._context: ssl.SSLContext = tls_context(str(leaf.certificate), str(leaf.key))
        self._server = TlsServer(config_of(create_app(office, rates), ManyBoxes), self._context)
        self._listening = socket.create_server((host, port), backlog=256)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listening.getsockname()[1]
        return port

    @property
    def is_serving(self) -> bool:
        """Whether it answers."""
        return self._server.started

    def reload(self) -> None:
        """Use the certificate's files as they are now, for new connections. Raises OSError, ssl.SSLError."""
        self._context.load_cert_chain(str(self._leaf.certificate), str(self._leaf.key))

    def _use_new_certificate(self) -> None:
        """Whoever renews it has replaced the files; those in use go on when they can't be read."""
        try:
            self.reload()
        except (OSError, ssl.SSLError) as error:
            log.error("device API: the certificate's files can't be used: %s", error)

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping`."""
        log.info("device API: port %d", self.port)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._server.serve([self._listening]), name="device-api")
            while not await wait_or(stopping, TIDY_S):
                self._office.forget_old()
                self._use_new_certificate()
            self._server.should_exit = True
            await serving
