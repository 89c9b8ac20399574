"""Who is there: the cookie, its session in the inventory, and the token that every change must carry."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response

from kewang.ui.words import Language, as_language
from kewang.wire.session import COOKIE, SessionPayload, encode, verify
from provisioning.acts import sessions
from provisioning.acts.sessions import Login
from provisioning.inventory import Actor, Inventory, Person
from provisioning.refusals import Refused
from provisioning.web.options import WebOptions

LANGUAGE_COOKIE: Final = "lang"
VISITOR_COOKIE: Final = "kewang_visitor"
"""Random, of a browser that has not logged in: binds the login form to it."""
YEAR_S: Final = 365 * 86_400
_RENEW_S: Final = 300
"""A cookie that is older is given out anew, so that the session goes on while it is used."""


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Who:
    """The person of a request."""

    login: str
    name: str
    role: str
    language: Language
    sid: str
    actor: Actor
    expires_s: int

    @property
    def office(self) -> bool:
        """Whether the office's pages are for this person."""
        return self.role in ("operator", "admin")


class LoginNeeded(Exception):
    """Nobody is logged in, or somebody else than the request says (`other`)."""

    def __init__(self, other: str = "") -> None:
        super().__init__(other)
        self.other = other


class Doorkeeper:
    """Reads and writes the cookies."""

    def __init__(self, inventory: Inventory, options: WebOptions) -> None:
        self._inventory, self._options = inventory, options

    async def who(self, request: Request) -> Who:
        """The person. Raises LoginNeeded."""
        payload = self._payload(request)
        if payload is None:
            raise LoginNeeded
        person = await asyncio.to_thread(self._person, payload.sid)
        if person is None:
            raise LoginNeeded
        said = request.headers.get("kewang-person")
        if said is not None and said != person.login:
            raise LoginNeeded(person.login)
        language = as_language(person.language) or self._options.language
        return Who(person.login, person.name, person.role, language, payload.sid, sessions.actor(person), payload.exp)

    def begun(self, login: Login) -> Who:
        """The person of a session that has just begun: `give` them the cookie."""
        person = login.person
        language = as_language(person.language) or self._options.language
        return Who(person.login, person.name, person.role, language, login.sid, sessions.actor(person), 0)

    async def anybody(self, request: Request) -> Who | None:
        """The person, or None."""
        try:
            return await self.who(request)
        except LoginNeeded:
            return None

    def _payload(self, request: Request) -> SessionPayload | None:
        cookie = request.cookies.get(COOKIE)
        return verify(cookie, self._options.session_key, self._now_s()) if cookie else None

    def _person(self, sid: str) -> Person | None:
        with self._inventory.reading() as rows:
            return sessions.find(rows, sid, self._inventory.clock_ms())

    async def keep(self, response: Response, who: Who) -> None:
        """Gives the cookie out anew when it is some minutes old, and notes that the session is used."""
        if who.expires_s - self._now_s() > sessions.IDLE_MS / 1000 - _RENEW_S:
            return
        await asyncio.to_thread(self._touch, who)
        self.give(response, who)

    def _touch(self, who: Who) -> None:
        with self._inventory.writing(who.actor) as work:
            sessions.touch(work, who.sid)

    def give(self, response: Response, who: Who) -> None:
        """Sets the cookie for another 12 h."""
        idle_s = sessions.IDLE_MS // 1000
        payload = SessionPayload.model_validate(
            {
                "sid": who.sid,
                "sub": who.login,
                "name": who.name,
                "role": who.role,
                "lang": who.language,
                "exp": int(self._now_s()) + idle_s,
            }
        )
        self._set(response, COOKIE, encode(payload, self._options.session_key), idle_s)

    def take(self, response: Response) -> None:
        """Removes the cookie."""
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self._options.https)

    def visitor(self, request: Request, response: Response) -> None:
        """Gives a browser that has not logged in its random cookie, if it has none."""
        if VISITOR_COOKIE not in request.cookies:
            self._set(response, VISITOR_COOKIE, request.state.visitor, YEAR_S)

    def _set(self, response: Response, name: str, value: str, max_age_s: int) -> None:
        response.set_cookie(
            name, value, max_age=max_age_s, path="/", httponly=True, samesite="lax", secure=self._options.https
        )

    def language(self, request: Request, who: Who | None) -> Language:
        """`?lang=`, else what was chosen by the switch, else the person's, else the city's."""
        asked = as_language(request.query_params.get("lang")) or as_language(request.cookies.get(LANGUAGE_COOKIE))
        return asked or (who.language if who else self._options.language)

    def remember_language(self, request: Request, response: Response) -> None:
        """Keeps what the switch chose."""
        if asked := as_language(request.query_params.get("lang")):
            self._set(response, LANGUAGE_COOKIE, asked, YEAR_S)

    def token(self, request: Request, who: Who | None) -> str:
        """What a form must send back: nobody who can't read our pages knows it."""
        if who is None:
            request.state.visitor = request.cookies.get(VISITOR_COOKIE) or secrets.token_urlsafe(24)
        bound = who.sid if who else request.state.visitor
        key = hashlib.sha256(b"kewang-csrf-1." + self._options.session_key).digest()
        return hmac.new(key, bound.encode(), hashlib.sha256).hexdigest()

    def check(self, request: Request, who: Who | None, token: str) -> None:
        """Raises Refused P-CSRF unless `token` is ours and the request comes from our own pages."""
        if who is None and VISITOR_COOKIE not in request.cookies:
            raise stale()
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise stale()
        if not hmac.compare_digest(self.token(request, who).encode(), token.encode()):
            raise stale()

    def _now_s(self) -> float:
        return self._inventory.clock_ms() / 1000


def stale() -> Refused:
    """P-CSRF: a form that is not of this login."""
    return Refused(
        "P-CSRF",
        "csrf",
        _("This page is too old, or was opened from elsewhere. Nothing was changed."),
        _("Open it again and repeat the step."),
        audited=False,
    )
