"""The pages of incidents: what is open, what was, one of them with its timeline, and taking it on."""

import asyncio
import hashlib
import hmac
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field, ValidationError

from gateway.console.facts import Access, Facts
from gateway.console.login import bearer
from gateway.incidents.facts import Step, facts_of
from gateway.incidents.model import Incident
from gateway.notify import phrases
from gateway.notify.budget import SEVERITIES
from gateway.ports import Clock
from kewang.ui.words import Language, words
from kewang.wire import session
from kewang.wire.errors import printable

NOTE_CHARACTERS: Final = 300
SHOWN: Final = 200
_FORM_BYTES: Final = 8192
Number = Annotated[int, PathParameter(ge=1, lt=2**63)]


class Incidents(Protocol):
    """The watch's incidents. `listed` and `one` read a file: call them in a thread."""

    def listed(self, limit: int) -> list[Incident]:
        """The newest, those that are open first."""

    def one(self, number: int) -> tuple[Incident, list[Step]] | None:
        """One with its timeline, oldest first."""

    def acknowledge(self, number: int, by: str, note: str) -> bool:
        """Somebody takes it on; False if it is not open. From the event loop."""

    def kind(self, incident: Incident, language: Language) -> str:
        """What people call its kind, if it is a rule's."""


class Taking(BaseModel):
    """Who takes an incident on, and a word for the others."""

    by: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=2000)


class Pages(Protocol):
    """The console's templates and languages."""

    def html(self, name: str, request: Request, known: dict[str, Any], status: int = 200) -> Response:
        """The template `name` in the reader's language."""

    def language(self, request: Request) -> Language:
        """The reader's."""


class IncidentPages:
    """`/incidents`, `/incidents/{number}` and the same as JSON."""

    def __init__(self, incidents: Incidents, facts: Facts, pages: Pages, clock: Clock, access: Access) -> None:
        self._incidents, self._facts, self._pages = incidents, facts, pages
        self._clock, self._key, self._token_of_services = clock, access.session_key, access.service_token

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/incidents", self.all, methods=["GET"])
        router.add_api_route("/incidents/{number}", self.one, methods=["GET"])
        router.add_api_route("/incidents/{number}/acknowledge", self.acknowledge, methods=["POST"])
        router.add_api_route("/api/v1/incidents", self.json, methods=["GET"])
        router.add_api_route("/api/v1/incidents/{number}/acknowledge", self.take, methods=["POST"])
        return router

    async def all(self, request: Request) -> Response:
        """Open ones, and the newest that are over."""
        found = await asyncio.to_thread(self._incidents.listed, SHOWN)
        open_ = [one for one in found if one.ended_s is None]
        open_.sort(key=lambda one: (SEVERITIES.index(one.severity), one.number), reverse=True)
        over = [one for one in found if one.ended_s is not None]
        return self._pages.html("incidents", request, self._known(request) | {"open": open_, "over": over})

    async def one(self, number: Number, request: Request) -> Response:
        """One of them, or 404."""
        found = await asyncio.to_thread(self._incidents.one, number)
        if found is None:
            return self._pages.html("no_incident", request, self._known(request) | {"number": number}, 404)
        who = self._who(request)
        known = {"incident": found[0], "timeline": found[1], "who": who, "token": self._token(who.sid) if who else ""}
        return self._pages.html("incident", request, self._known(request) | known)

    async def acknowledge(self, number: Number, request: Request) -> Response:
        """Who is logged in takes it on, with a note. Only from our own form."""
        who, fields = self._who(request), await _fields(request)
        if who is None or not hmac.compare_digest(self._token(who.sid).encode(), fields.get("token", "").encode()):
            return JSONResponse({"detail": "open the incident's page, logged in, and do it there"}, 403)
        note = "".join(letter for letter in fields.get("note", "") if letter.isprintable()).strip()[:NOTE_CHARACTERS]
        self._incidents.acknowledge(number, who.name or who.sub, note)
        return RedirectResponse(f"/incidents/{number}", 303, {"Cache-Control": "no-store"})

    async def json(self) -> Response:
        """The same list for programs."""
        found = await asyncio.to_thread(self._incidents.listed, SHOWN)
        return JSONResponse({"incidents": [facts_of(one) for one in found]})

    async def take(self, number: Number, request: Request) -> Response:
        """A program with the service token takes it on for somebody. Nothing is read of who has none."""
        if not bearer(request.headers, self._token_of_services):
            return JSONResponse({"detail": "the service token is wanted"}, 401)
        if not _is_small(request):
            return JSONResponse({"detail": f"at most {_FORM_BYTES} bytes, with their number"}, 413)
        try:
            said = Taking.model_validate_json(await request.body())
        except ValidationError:
            return JSONResponse({"detail": 'write {"by": "who", "note": "why"}'}, 422)
        by, note = printable(said.by, 64), printable(said.note, NOTE_CHARACTERS)
        return JSONResponse({"ok": self._incidents.acknowledge(number, by, note)})

    def _known(self, request: Request) -> dict[str, Any]:
        language = self._pages.language(request)
        facts, say = self._facts, words(language).gettext

        def title(one: Incident) -> str:
            named = one.scope.level in ("site", "uplink", "feeder")
            name = phrases.place(one.scope.name) if named else phrases.name(one, language)
            return phrases.title(one, name, self._incidents.kind(one, language), language)

        return {
            "now_ms": self._clock.wall_ms(),
            "well": facts.doubt() is None,
            "title_of": title,
            "is_rule": lambda one: self._incidents.kind(one, language) != one.kind,
            "step_of": lambda one: phrases.step(one, language),
            "severity_of": lambda one: say(phrases.SEVERITY[one.severity]),
            "cause_of": lambda one: say(phrases.CAUSE[one.cause]) if one.cause else "",
        }

    def _who(self, request: Request) -> session.SessionPayload | None:
        cookie = request.cookies.get(session.COOKIE, "")
        return session.verify(cookie, self._key, self._clock.wall_ms() / 1000) if self._key else None

    def _token(self, sid: str) -> str:
        """What our form carries: nobody who can't read the page knows it."""
        key = hashlib.sha256(b"kewang-console-1." + (self._key or b"")).digest()
        return hmac.new(key, sid.encode(), hashlib.sha256).hexdigest()


def _is_small(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and len(length) < 9 and int(length) <= _FORM_BYTES


async def _fields(request: Request) -> dict[str, str]:
    """Of a small form; {} for anything else."""
    if not _is_small(request):
        return {}
    form = await request.form(max_files=0, max_fields=8)
    return {name: value for name, value in form.items() if isinstance(value, str)}
