"""Lets in who is logged in at provisioning: its signed cookie is verified here, nobody is asked.

Open to all stay `/health` and `/ready` (a yes or no for whoever watches the server) and the style sheets. What
provisioning alone asks needs its token (`services.py`); the rest for programs takes the token or a login.
"""

import hmac
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.console.facts import Access
from gateway.ports import Clock
from kewang.wire import session

_OPEN: Final = ("/health", "/ready", "/ui/", "/api/v1/acceptance/", "/api/v1/heard", "/api/v1/floods")
_FOR_PROGRAMS: Final = ("/metrics", "/api/v1/")


class Login:
    """ASGI middleware. Without a session key it lets everybody through."""

    def __init__(self, app: ASGIApp, access: Access, clock: Clock) -> None:
        self._app, self._access, self._clock = app, access, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._let_in(HTTPConnection(scope)):
            await self._app(scope, receive, send)
        else:
            await self._refusal(HTTPConnection(scope))(scope, receive, send)

    def _let_in(self, asked: HTTPConnection) -> bool:
        key = self._access.session_key
        if key is None or asked.url.path.startswith(_OPEN):
            return True
        if asked.url.path.startswith(_FOR_PROGRAMS) and bearer(asked.headers, self._access.service_token):
            return True
        cookie = asked.cookies.get(session.COOKIE, "")
        return session.verify(cookie, key, self._clock.wall_ms() / 1000) is not None

    def _refusal(self, asked: HTTPConnection) -> Response:
        """To the login and back again, for a page; the plain fact for everything else."""
        login = self._access.login_url
        if login and "text/html" in asked.headers.get("accept", ""):
            return RedirectResponse(
                f"{login}?next={quote(str(asked.url), safe='')}", 303, {"Cache-Control": "no-store"}
            )
        return JSONResponse({"detail": f"log in first: {login or 'at the address of provisioning'}"}, 401)


def bearer(headers: Headers, token: str | None) -> bool:
    """Whether the request carries the service `token`."""
    given = headers.get("authorization", "").removeprefix("Bearer ")
    return token is not None and hmac.compare_digest(given.encode(), token.encode())
