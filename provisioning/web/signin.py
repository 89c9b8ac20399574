"""Login and logout, and the token that the phone's queue asks for."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from provisioning.acts import sessions
from provisioning.refusals import Refused
from provisioning.web.desk import NO_STORE, Desk, see
from provisioning.web.limits import Tries
from provisioning.web.session import LoginNeeded, Who

BURST: Final = 5
AGAIN_S: Final = 60.0
ADDRESS_BURST: Final = 30
"""Several technicians may sit behind one address of their carrier."""
ADDRESS_AGAIN_S: Final = 10.0
_OURS: Final = re.compile(r"/(d|D|t|office)(/[A-Za-z0-9._~-]+)*/?(\?[A-Za-z0-9._~=&-]*)?")
HOME: Final = "/t/"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class LoginTries:
    """How often passwords may be tried, by login name and by address, wherever one is asked for."""

    def __init__(self, proxies: frozenset[str]) -> None:
        self._proxies = proxies
        self._by_login = Tries(BURST, AGAIN_S, _mono_ms)
        self._by_address = Tries(ADDRESS_BURST, ADDRESS_AGAIN_S, _mono_ms)

    def count(self, request: Request, login: str) -> None:
        """Counts a try of `login`, before the password is looked at: many at once don't slip through. Raises P-429."""
        address = client_address(request, self._proxies)
        wait_s = max(self._by_login.wait_s(login), self._by_address.wait_s(address))
        if wait_s:
            raise too_many(wait_s)
        self._by_login.tried(login)
        self._by_address.tried(address)

    def forgive(self, login: str) -> None:
        """The password was right."""
        self._by_login.forgive(login)


class SignIn:
    """`/login`, `/logout`, `/t/token`."""

    def __init__(self, desk: Desk, tries: LoginTries) -> None:
        self._desk, self._tries = desk, tries

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/login", self.show, methods=["GET"])
        router.add_api_route("/login", self.log_in, methods=["POST"])
        router.add_api_route("/logout", self.log_out, methods=["POST"])
        router.add_api_route("/t/token", self.token, methods=["GET"])
        return router

    async def show(self, request: Request) -> Response:
        """The login form; whoever is logged in goes on."""
        if await self._desk.door.anybody(request):
            return see(ours(request.query_params.get("next", "")))
        return await self._form(request, request.query_params.get("next", ""))

    async def log_in(self, request: Request) -> Response:
        """Begins a session, or shows the form again with why not."""
        fields = await self._desk.form(request, None)
        login, target = fields.get("login", "").strip().lower()[:64], fields.get("next", "")
        try:
            who = await self._checked(request, login, fields.get("password", ""))
        except Refused as refused:
            status = 429 if refused.code == "P-429" else 401
            return await self._form(request, target, refused, login, status)
        response = see(ours(target))
        self._desk.door.give(response, who)
        return response

    async def _checked(self, request: Request, login: str, password: str) -> Who:
        self._tries.count(request, login)
        begun = await asyncio.to_thread(sessions.log_in, self._desk.inventory, login, password)
        self._tries.forgive(login)
        return self._desk.door.begun(begun)

    async def _form(
        self, request: Request, target: str, refused: Refused | None = None, login: str = "", status: int = 200
    ) -> Response:
        language = self._desk.door.language(request, None)
        said = refused.parts(language, self._desk.options.zone) if refused else None
        known = {"next": target[:512], "said": said, "code": refused.code if refused else "", "login": login}
        return await self._desk.page(request, None, "login", known, status)

    async def log_out(self, request: Request) -> Response:
        """Ends the session."""
        who = await self._desk.door.who(request)
        await self._desk.form(request, who)
        await self._desk.act(who, lambda work: sessions.log_out(work, who.sid))
        response = see("/login")
        self._desk.door.take(response)
        return response

    async def token(self, request: Request) -> Response:
        """Who is logged in on this phone, and the token for what it sends; nobody: empty."""
        try:
            who = await self._desk.door.who(request)
        except LoginNeeded:
            return JSONResponse({"person": "", "csrf": ""}, headers=NO_STORE)
        response = JSONResponse({"person": who.login, "csrf": self._desk.door.token(request, who)}, headers=NO_STORE)
        await self._desk.door.keep(response, who)
        return response


def ours(target: str) -> str:
    """`target` if it is a page of ours, else the technician's first page: nobody is sent elsewhere after a login."""
    return target if len(target) <= 512 and _OURS.fullmatch(target) else HOME


def login_at(request: Request) -> str:
    """The address of the login form that leads back to where `request` was going."""
    where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/login?next={quote(where, safe='')}" if request.method == "GET" else "/login"


def client_address(request: Request, proxies: frozenset[str]) -> str:
    """Where a request comes from; behind our own proxy the last entry of what it says: that one it saw itself."""
    peer = request.client.host if request.client else ""
    said = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return said[:64] if said and peer in proxies else peer


def too_many(wait_s: int) -> Refused:
    """P-429: too many tries."""
    return Refused(
        "P-429",
        "too-many-logins",
        _("Too many tries to log in."),
        _("Wait %(wait_s)s seconds, then try again. Password forgotten: ask the administrator."),
        audited=False,
        wait_s=wait_s,
    )


def _mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000
