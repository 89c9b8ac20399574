"""The page's connections are bounded: visitors never take the file descriptors that broker and database need."""

import asyncio
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MAX_CONNECTIONS: Final = 256
"""More than the page's streams and its readers need, and far below the 1,024 files a service may usually open."""
IDLE_S: Final = 15.0
ACCEPT_AT_ONCE: Final = 64
"""Connections accepted in one turn of the loop. Without descriptors each of them would be an error in the log."""


class BoundedHttp(H11Protocol):
    """HTTP that hangs up on connections beyond `limit`, and on those that ask for nothing within 1 to 2 `idle_s`."""

    limit: ClassVar[int] = MAX_CONNECTIONS
    idle_s: ClassVar[float] = IDLE_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the loop."""
        super().connection_made(transport)
        self._seen: RequestResponseCycle | None = None
        if len(self.connections) > self.limit:
            transport.abort()
        else:
            self.loop.call_later(self.idle_s, self._look)

    def _look(self) -> None:
        """uvicorn's own timer runs between whole requests only: half a request would be waited for without end."""
        if self.transport.is_closing():
            return
        if self.cycle is self._seen and _answered(self.cycle):
            self.transport.abort()
            return
        self._seen = self.cycle
        self.loop.call_later(self.idle_s, self._look)


def _answered(cycle: RequestResponseCycle | None) -> bool:
    return cycle is None or cycle.response_complete
