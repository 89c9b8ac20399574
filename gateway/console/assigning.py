"""Giving an incident to a technician: from its page, by a program, and what provisioning asks of it afterwards."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from gateway.console.forms import NAME_CHARACTERS, Forms, clean
from gateway.console.incidents import ASSIGNERS, Incidents, Number
from gateway.console.shown import Pages
from gateway.notify.office import TaskRefused
from gateway.ports import Misconfigured, Poison, RetryLater
from kewang.ui.words import words
from kewang.wire.errors import WireError

STATES: Final = 50
"""So many incidents are asked for at one time."""
_NO_ANSWER: Final = (RetryLater, Misconfigured, Poison, WireError)


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is shown."""
    return text


_AWAY: Final = _("The office does not answer: nothing was given. Try again in a minute.")


class ShowsIncident(Protocol):
    """The page of one incident."""

    async def shown(self, number: int, request: Request, said: str = "", status: int = 200) -> Response:
        """With something said at its top."""


class Giving(BaseModel):
    """To whom an incident is given, and by whom."""

    to: str = Field("", max_length=32)
    by: str = Field(min_length=1, max_length=200)


class AssignPages:
    """`/incidents/{number}/assign`, the same for programs, and `/api/v1/incident-states`."""

    def __init__(self, incidents: Incidents, page: ShowsIncident, pages: Pages, forms: Forms) -> None:
        self._incidents, self._page, self._pages, self._forms = incidents, page, pages, forms

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/incidents/{number}/assign", self.assign, methods=["POST"])
        router.add_api_route("/api/v1/incidents/{number}/assign", self.give, methods=["POST"])
        router.add_api_route("/api/v1/incident-states", self.states, methods=["GET"])
        return router

    async def assign(self, number: Number, request: Request) -> Response:
        """Who is logged in gives it to a technician. Only from our own form."""
        sent = await self._forms.sent(request)
        if isinstance(sent, JSONResponse):
            return sent
        who, fields = sent
        if who.role not in ASSIGNERS or self._incidents.tasks is None:
            return JSONResponse({"detail": "operators and administrators may do this"}, 403)
        language = self._pages.language(request)
        try:
            await self._incidents.tasks.assign(number, fields.get("to") or None, who.sub, who.name or who.sub)
        except TaskRefused as error:
            return await self._page.shown(number, request, error.texts[language], 409)
        except _NO_ANSWER:
            return await self._page.shown(number, request, words(language).gettext(_AWAY), 503)
        return RedirectResponse(f"/incidents/{number}", 303, {"Cache-Control": "no-store"})

    async def give(self, number: Number, request: Request) -> Response:
        """A program with the service token gives it. `away`: the office did not answer."""
        said = await self._forms.said(request, Giving, '{"to": "login, or empty", "by": "who"}')
        if isinstance(said, JSONResponse):
            return said
        if self._incidents.tasks is None:
            return JSONResponse({"ok": False, "detail": "no office: see [office] in notify.toml"})
        try:
            given = await self._incidents.tasks.assign(number, said.to or None, None, clean(said.by, NAME_CHARACTERS))
        except TaskRefused as error:
            return JSONResponse({"ok": False, "detail": error.texts["en"]})
        except _NO_ANSWER as error:
            return JSONResponse({"ok": False, "away": True, "detail": str(error)})
        return JSONResponse({"ok": True, "task": given.task, "to": given.name, "state": given.state})

    async def states(self, number: Annotated[list[int], Query(max_length=STATES)]) -> Response:
        """Whether these incidents are over, for the phone page of their tasks. Times are Unix ms."""
        return JSONResponse({"incidents": await asyncio.to_thread(self._states, number)})

    def _states(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        found = [self._incidents.one(number) for number in numbers if 0 < number < 2**63]
        return [
            {
                "number": incident.number,
                "opened_ms": round(incident.opened_s * 1000),
                "ended_ms": None if incident.ended_s is None else round(incident.ended_s * 1000),
            }
            for incident, _timeline in filter(None, found)
        ]
