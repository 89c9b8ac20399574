"""The console's web app: pages, server-sent events, JSON, health. It reads only; every figure is the store's."""

import asyncio
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from gateway.console.api import Api
from gateway.console.assigning import AssignPages
from gateway.console.events import Events
from gateway.console.facts import Access, Facts, Options
from gateway.console.figures_pages import FiguresPages
from gateway.console.forms import Forms
from gateway.console.incidents import IncidentPages, Incidents
from gateway.console.live import Live
from gateway.console.login import Login
from gateway.console.maintenance import MaintenancePages
from gateway.console.map_page import MapPages
from gateway.console.one import Devices
from gateway.console.render import Renderer
from gateway.console.services import Services
from gateway.metrics import GatewayMetrics
from gateway.ports import Clock, History
from kewang.ui import pages as shared
from kewang.ui import palette
from kewang.ui.pages import in_language
from kewang.ui.words import Language, as_language
from kewang.web.headers import SafeHeaders

COOKIE: Final = "lang"
_YEAR_S: Final = 365 * 86_400
_NO_STORE: Final = {"Cache-Control": "no-store"}
_A_DAY: Final = {"Cache-Control": "max-age=86400"}


def create_app(
    history: History,
    facts: Facts,
    metrics: GatewayMetrics,
    clock: Clock,
    options: Options | None = None,
    stopping: asyncio.Event | None = None,
    access: Access | None = None,
    incidents: Incidents | None = None,
) -> FastAPI:
    """The app. Set `stopping` before the server closes, so that open event streams end. `state.live`: its Live."""
    access = access or Access()
    options = options or Options()
    live = Live(history, facts, clock, options)
    renderer = Renderer(facts, live.sparks, options)
    events = Events(live, renderer, options, stopping or asyncio.Event())
    devices = Devices(history, live, facts, clock, options)
    app = FastAPI(title="Kewang", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.state.live = live
    app.add_middleware(Login, access=access, clock=clock)
    app.add_middleware(SafeHeaders, headers=shared.HEADERS)
    pages = Pages(renderer, events, devices, options)
    for shown in (pages, MapPages(live, pages), FiguresPages(live, pages)):
        app.include_router(shown.router())
    if incidents is not None:
        forms = Forms(clock, access)
        one = IncidentPages(incidents, facts, pages, clock, forms)
        work = MaintenancePages(incidents, pages, clock, options.zone, forms)
        for part in (one, AssignPages(incidents, one, pages, forms), work):
            app.include_router(part.router())
    app.include_router(Api(live, facts, metrics).router())
    app.include_router(Services(history, facts, clock, access.service_token).router())
    app.mount("/ui", StaticFiles(directory=shared.STATIC))
    return app


class Pages:
    """What people open, in their language: `?lang=`, else the one they chose before, else the default."""

    def __init__(self, renderer: Renderer, events: Events, devices: Devices, options: Options) -> None:
        self._renderer, self._events, self._devices, self._options = renderer, events, devices, options

    def router(self) -> APIRouter:
        """`/`, `/device/{name}`, `/events` and the palette."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.live)
        router.add_api_route("/device/{name}", self.device)
        router.add_api_route("/events", self.stream)
        router.add_api_route("/ui/palette.css", colours)
        return router

    async def live(self, request: Request) -> Response:
        """The live page."""
        page = await self._events.page(self.language(request))
        return self.html("live", request, {"page": page})

    async def device(self, name: str, request: Request) -> Response:
        """One device, or 404."""
        page = await self._devices.page(name)
        if page is None:
            return self.html("unknown", request, {}, 404)
        drawn = request.query_params.get("drawn")
        known = {"page": page, "overview": page.overview, "now_ms": page.overview.now_ms}
        return self.html("device", request, known | {"drawn": int(drawn) if drawn and _is_number(drawn) else None})

    async def stream(self, request: Request) -> Response:
        """Server-sent events for an open live page."""
        return self._events.response(self.language(request))

    def language(self, request: Request) -> Language:
        """The reader's."""
        asked, before = request.query_params.get("lang"), request.cookies.get(COOKIE)
        return as_language(asked) or as_language(before) or self._options.language

    def html(self, name: str, request: Request, known: dict[str, Any], status: int = 200) -> HTMLResponse:
        """The template `name` in the reader's language."""
        language = self.language(request)
        shared = {"in_language": lambda other: in_language(request.query_params.multi_items(), other)}
        response = HTMLResponse(self._renderer.fragment(name, language, shared | known), status, _NO_STORE)
        if "lang" in request.query_params:
            response.set_cookie(COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)
        return response


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


async def colours() -> Response:
    """The palette as a style sheet."""
    return Response(palette.css(), media_type="text/css", headers=_A_DAY)
