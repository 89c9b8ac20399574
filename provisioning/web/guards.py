"""What stands before every route: our headers on every answer, and a limit for the size of a body."""

import asyncio
import contextlib
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kewang.ui.pages import HEADERS as PAGE_HEADERS

_MORE: Final = "img-src 'self' data: blob:; worker-src 'self'; manifest-src 'self'; "
HEADERS: Final = {
    **PAGE_HEADERS,
    # A photo just taken is shown from memory (blob:); the service worker and the manifest make the page installable.
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace("img-src 'self' data:; ", _MORE),
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
}


DRAIN_BYTES: Final = 64 << 20
DRAIN_S: Final = 60.0
"""How much of a body that is too long, and for how long, is thrown away before the answer."""


class _TooLong(Exception):
    """The body goes on beyond the limit."""


class BodyLimit:
    """ASGI middleware: of a body of more than `limit_bytes` nothing is kept; it is answered 413."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app, self._limit = app, limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._limit:
            await _refuse(scope, receive, send)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        read, begun = 0, False

        async def counting() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise _TooLong
            return message

        async def watching(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, counting, watching)
        except _TooLong:
            if not begun:
                await _refuse(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Says so after the rest was let run out: who is still sending hears no answer."""
    drained = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while drained < DRAIN_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    break
    text = "P-413: This is too large. / Ini terlalu besar.\n"
    await PlainTextResponse(text, 413, {"Connection": "close"})(scope, receive, send)
