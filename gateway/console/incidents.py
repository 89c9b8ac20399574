"""The pages of incidents: what is open, what was, one of them with its timeline, and taking it on."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from gateway.console.facts import Facts
from gateway.console.forms import NAME_CHARACTERS, Forms, clean
from gateway.console.history import listed, looked_for
from gateway.console.shown import Pages
from gateway.found import Query
from gateway.incidents.facts import Step
from gateway.incidents.maintenance import Window
from gateway.incidents.model import Incident
from gateway.notify import phrases
from gateway.ports import Clock
from gateway.works import Works
from kewang.ui.words import words
from kewang.wire.incident_task import Given
from kewang.wire.roster import Technician

ASSIGNERS: Final = ("operator", "admin")
"""Roles that may give an incident to a technician; provisioning looks once more."""
Number = Annotated[int, PathParameter(ge=1, lt=2**63)]


class Tasks(Protocol):
    """Tasks for technicians; `gateway.assigning.Assigning` is one. From the event loop."""

    def technicians(self) -> Sequence[Technician]:
        """Whom an incident can be given to."""

    async def assign(self, number: int, to: str | None, login: str | None, by: str) -> Given:
        """Give it to `to` (None: whoever takes it). Raises TaskRefused, or what says that the office is away."""


class Incidents(Protocol):
    """The watch's incidents and maintenance. `found`, `one` and `windows` read a file: call them in a thread."""

    @property
    def works(self) -> Works:
        """Maintenance that is planned and open. From the event loop."""

    def windows(self, limit: int) -> list[Window]:
        """Of maintenance, the newest, as they were written down."""

    @property
    def tasks(self) -> Tasks | None:
        """Tasks for technicians, where an office is known."""

    def found(self, query: Query, offset: int, limit: int) -> tuple[list[Incident], int]:
        """Those looked for, after `offset` of them, and how many there are; open ones first, then the newest."""

    def one(self, number: int) -> tuple[Incident, list[Step]] | None:
        """One with its timeline, oldest first."""

    def acknowledge(self, number: int, by: str, note: str) -> bool:
        """Somebody takes it on; False if it is not open. From the event loop."""

    def note(self, number: int, by: str, note: str) -> bool:
        """Somebody writes something down; False if that can't be. From the event loop."""

    @property
    def kinds(self) -> phrases.Kinds:
        """What people call those of rules."""


class Taking(BaseModel):
    """Who takes an incident on, and a word for the others."""

    by: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=2000)


class Noting(BaseModel):
    """Who writes something down, and what."""

    by: str = Field(min_length=1, max_length=200)
    note: str = Field(min_length=1, max_length=2000)


class IncidentPages:
    """`/incidents`, `/incidents/{number}` and the same as JSON."""

    def __init__(self, incidents: Incidents, facts: Facts, pages: Pages, clock: Clock, forms: Forms) -> None:
        self._incidents, self._facts, self._pages = incidents, facts, pages
        self._clock, self._forms = clock, forms

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/incidents", self.all, methods=["GET"])
        router.add_api_route("/incidents/{number}", self.one, methods=["GET"])
        router.add_api_route("/incidents/{number}/acknowledge", self.acknowledge, methods=["POST"])
        router.add_api_route("/incidents/{number}/note", self.note, methods=["POST"])
        router.add_api_route("/api/v1/incidents/{number}/note", self.write, methods=["POST"])
        router.add_api_route("/api/v1/incidents", self.json, methods=["GET"])
        router.add_api_route("/api/v1/incidents/{number}/acknowledge", self.take, methods=["POST"])
        return router

    async def all(self, request: Request) -> Response:
        """Open ones, and those that are over, page by page, as they are looked for."""
        known = await looked_for(request, self._incidents, self._pages.language(request))
        count = self._facts.open_incidents()
        known["count"] = len(known["open"]) if count is None else count
        return self._pages.html("incidents", request, self._known(request) | known)

    async def one(self, number: Number, request: Request) -> Response:
        """One of them, or 404."""
        return await self.shown(number, request)

    async def shown(self, number: int, request: Request, said: str = "", status: int = 200) -> Response:
        """The same with something `said` at its top."""
        found = await asyncio.to_thread(self._incidents.one, number)
        if found is None:
            return self._pages.html("no_incident", request, self._known(request) | {"number": number}, 404)
        who = self._forms.who(request)
        known = {"incident": found[0], "timeline": found[1], "who": who, "token": self._forms.token(who)}
        tasks = self._incidents.tasks if who and who.role in ASSIGNERS else None
        known |= {"technicians": tasks.technicians() if tasks else None, "said": said}
        return self._pages.html("incident", request, self._known(request) | known, status)

    async def acknowledge(self, number: Number, request: Request) -> Response:
        """Who is logged in takes it on, with a note. Only from our own form."""
        sent = await self._forms.sent(request)
        if isinstance(sent, JSONResponse):
            return sent
        who, fields = sent
        self._incidents.acknowledge(number, who.name or who.sub, clean(fields.get("note", "")))
        return RedirectResponse(f"/incidents/{number}", 303, {"Cache-Control": "no-store"})

    async def note(self, number: Number, request: Request) -> Response:
        """Who is logged in writes something down. Only from our own form."""
        sent = await self._forms.sent(request)
        if isinstance(sent, JSONResponse):
            return sent
        who, fields = sent
        if note := clean(fields.get("note", "")):
            self._incidents.note(number, who.name or who.sub, note)
        return RedirectResponse(f"/incidents/{number}", 303, {"Cache-Control": "no-store"})

    async def json(self, request: Request) -> Response:
        """The same list for programs: `state`, `kind`, `level`, `site`, `text` and `page` as on the page."""
        return JSONResponse(await listed(request, self._incidents))

    async def take(self, number: Number, request: Request) -> Response:
        """A program with the service token takes it on for somebody."""
        said = await self._forms.said(request, Taking, '{"by": "who", "note": "why"}')
        if isinstance(said, JSONResponse):
            return said
        return JSONResponse(
            {"ok": self._incidents.acknowledge(number, clean(said.by, NAME_CHARACTERS), clean(said.note))}
        )

    async def write(self, number: Number, request: Request) -> Response:
        """A program with the service token writes something down for somebody."""
        said = await self._forms.said(request, Noting, '{"by": "who", "note": "what"}')
        if isinstance(said, JSONResponse):
            return said
        return JSONResponse({"ok": self._incidents.note(number, clean(said.by, NAME_CHARACTERS), clean(said.note))})

    def _known(self, request: Request) -> dict[str, Any]:
        language = self._pages.language(request)
        facts, say = self._facts, words(language).gettext

        return {
            "now_ms": self._clock.wall_ms(),
            "well": facts.doubt() is None,
            "title_of": lambda one: phrases.headline(one, self._incidents.kinds, language),
            "is_outage": lambda one: one.kind in phrases.OUTAGES,
            "is_rule": phrases.is_rule,
            "value_of": lambda one: phrases.value(one, language),
            "step_of": lambda one: phrases.step(one, language),
            "severity_of": lambda one: say(phrases.SEVERITY[one.severity]),
            "cause_of": lambda one: say(phrases.CAUSE[one.cause]) if one.cause else "",
        }
