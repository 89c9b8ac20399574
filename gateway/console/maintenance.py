"""The page of maintenance: what is planned, open and over, a new window, ending one; and the same for programs."""

import asyncio
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from gateway.console.forms import NAME_CHARACTERS, Forms, clean
from gateway.console.incidents import Incidents
from gateway.console.shown import Pages
from gateway.incidents.maintenance import LEVELS, NoWindow, Window, names
from gateway.incidents.model import Level, Scope
from gateway.notify import phrases
from gateway.ports import Clock
from kewang.ui.words import words
from kewang.wire.session import SessionPayload

HOURS: Final = (1, 2, 4, 8, 12, 24, 48, 72, 168, 336, 720)
_SHOWN: Final = 50
_SUGGESTED: Final = 2000
_EXAMPLE: Final = '{"level": "site", "name": "mardika", "for_s": 7200, "by": "who", "note": "why"}'
Number = Annotated[int, PathParameter(ge=1, lt=2**63)]


class Wish(BaseModel):
    """A window that a program plans, in Unix s; `from_s` None: from now; one of `until_s` and `for_s`."""

    level: Literal["device", "site", "uplink", "feeder"]
    name: str = Field(max_length=200)
    from_s: float | None = Field(None, ge=0, le=1e11)
    until_s: float | None = Field(None, ge=0, le=1e11)
    for_s: float | None = Field(None, gt=0, le=1e8)
    by: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=2000)


class Ending(BaseModel):
    """That a program ends one."""


class MaintenancePages:
    """`/maintenance`, and `/api/v1/maintenance`."""

    def __init__(self, planned: Incidents, pages: Pages, clock: Clock, zone: tzinfo, forms: Forms) -> None:
        self._planned, self._pages, self._clock, self._zone, self._forms = planned, pages, clock, zone, forms

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/maintenance", self.all, methods=["GET"])
        router.add_api_route("/maintenance", self.add, methods=["POST"])
        router.add_api_route("/maintenance/{number}/end", self.end, methods=["POST"])
        router.add_api_route("/api/v1/maintenance", self.json, methods=["GET"])
        router.add_api_route("/api/v1/maintenance", self.plan, methods=["POST"])
        router.add_api_route("/api/v1/maintenance/{number}/end", self.finish, methods=["POST"])
        return router

    async def all(self, request: Request) -> Response:
        """What is planned and open, and the newest that are over."""
        return await self._page(request, {})

    async def add(self, request: Request) -> Response:
        """Who is logged in plans one. Only from our own form."""
        sent = await self._forms.sent(request)
        if isinstance(sent, JSONResponse) or not _may(sent[0]):
            return sent if isinstance(sent, JSONResponse) else _NOT_YOURS
        who, fields = sent
        scope = Scope("site", "")
        try:
            scope, from_s, until_s = self._wished(fields)
            self._planned.works.plan(scope, from_s, until_s, who.name or who.sub, clean(fields.get("note", "")))
        except NoWindow as refused:
            why = self._why(refused, scope, request)
            return await self._page(request, {"fields": fields, "refused": why}, 422)
        return RedirectResponse("/maintenance", 303, {"Cache-Control": "no-store"})

    async def end(self, number: Number, request: Request) -> Response:
        """Who is logged in ends one. Only from our own form."""
        sent = await self._forms.sent(request)
        if isinstance(sent, JSONResponse) or not _may(sent[0]):
            return sent if isinstance(sent, JSONResponse) else _NOT_YOURS
        self._planned.works.end(number)
        return RedirectResponse("/maintenance", 303, {"Cache-Control": "no-store"})

    async def json(self) -> Response:
        """The same list for programs."""
        return JSONResponse({"windows": [_facts(one) for one in await self._listed()]})

    async def plan(self, request: Request) -> Response:
        """A program with the service token plans one for somebody."""
        wish = await self._forms.said(request, Wish, _EXAMPLE)
        if isinstance(wish, JSONResponse):
            return wish
        if (wish.until_s is None) is (wish.for_s is None):
            return JSONResponse({"detail": f"give until_s or for_s: {_EXAMPLE}"}, 422)
        now_s = self._clock.wall_ms() / 1000
        until_s = wish.until_s if wish.for_s is None else max(now_s, wish.from_s or now_s) + wish.for_s
        scope, by = Scope(wish.level, wish.name.strip().lower()), clean(wish.by, NAME_CHARACTERS)
        try:
            window = self._planned.works.plan(scope, wish.from_s, until_s or 0.0, by, clean(wish.note))
        except NoWindow as refused:
            return JSONResponse({"detail": str(refused), "code": refused.code, "near": refused.near}, 409)
        return JSONResponse({"ok": True, "window": _facts(window)})

    async def finish(self, number: Number, request: Request) -> Response:
        """A program with the service token ends one."""
        said = await self._forms.said(request, Ending, "{}")
        if isinstance(said, JSONResponse):
            return said
        return JSONResponse({"ok": self._planned.works.end(number)})

    async def _listed(self) -> list[Window]:
        """Planned and open ones as they are, then those that are over; the newest first."""
        live = {one.number: one for one in self._planned.works.windows}
        over = [one for one in await asyncio.to_thread(self._planned.windows, _SHOWN) if one.number not in live]
        return [*sorted(live.values(), key=lambda one: (not one.begun, -one.number)), *over]

    async def _page(self, request: Request, known: dict[str, Any], status: int = 200) -> Response:
        listed, who = await self._listed(), self._forms.who(request)
        places = self._planned.works.places
        language = self._pages.language(request)

        def title(one: Window) -> str:
            name = one.scope.name if one.scope.level == "device" else phrases.place(one.scope.name)
            return phrases.title(one.report(), name, "", language)

        known = {"refused": ""} | known
        known["fields"] = dict.fromkeys(("level", "name", "from", "hours", "note"), "") | known.get("fields", {})
        known |= {"now_ms": self._clock.wall_ms(), "title_of": title, "levels": LEVELS, "hours": HOURS}
        say = words(language).gettext
        known |= {"level_of": lambda level: say(_LEVELS[level])}
        known |= {"live": [one for one in listed if one.ended_s is None]}
        known |= {"over": [one for one in listed if one.ended_s is not None]}
        known |= {
            "suggested": [(name, level) for level in LEVELS for name in sorted(names(level, places))][:_SUGGESTED]
        }
        known |= {"who": who, "may": who is not None and _may(who), "token": self._forms.token(who)}
        return self._pages.html("maintenance", request, known, status)

    def _wished(self, fields: dict[str, str]) -> tuple[Scope, float | None, float]:
        """Scope, from and until of the form. Raises NoWindow for what can't be read."""
        level: Level = next((level for level in LEVELS if level == fields.get("level")), "site")
        scope, begin = Scope(level, fields.get("name", "").strip().lower()), fields.get("from", "").strip()
        try:
            from_s = datetime.fromisoformat(begin).replace(tzinfo=self._zone).timestamp() if begin else None
            until_s = max(self._clock.wall_ms() / 1000, from_s or 0.0) + 3600 * int(fields.get("hours", ""))
        except (ValueError, OverflowError):
            raise NoWindow("past", "the times can't be read") from None
        return scope, from_s, until_s

    def _why(self, refused: NoWindow, scope: Scope, request: Request) -> str:
        """Why it can't be, in the reader's language."""
        say = words(self._pages.language(request)).gettext
        told = say(_REFUSALS[refused.code]) % {"name": scope.name or "–"}
        near = say(_NEAR) % {"names": ", ".join(refused.near)} if refused.near else ""
        return f"{told} {near}".strip()


def _may(who: SessionPayload) -> bool:
    """The office plans; technicians have their own maintenance of the device that they visit."""
    return who.role in ("operator", "admin")


def _facts(window: Window) -> dict[str, Any]:
    return asdict(window) | {"missing": window.missing}


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


_LEVELS: Final = {"site": _("site"), "device": _("device"), "uplink": _("uplink"), "feeder": _("feeder")}
_NOT_YOURS: Final = JSONResponse({"detail": "only operators of the office plan maintenance"}, 403)
_NEAR: Final = _("Did you mean %(names)s?")
_REFUSALS: Final = {
    "unknown": _("Nothing of this kind is called %(name)s."),
    "past": _("It would be over before it begins: give another time."),
    "long": _("30 days at most: plan another one after it."),
    "ahead": _("It would begin more than a year from now."),
    "many": _("Too many are planned: end some first."),
}
