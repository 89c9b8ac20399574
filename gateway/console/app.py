"""The console's web app: pages, server-sent events, JSON, health. It reads only; every figure is the store's."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from gateway.console.api import routes
from gateway.console.events import Events
from gateway.console.facts import Facts, Options
from gateway.console.headers import SafeHeaders
from gateway.console.live import Live
from gateway.console.one import Devices
from gateway.console.render import Renderer
from gateway.metrics import GatewayMetrics
from gateway.ports import Clock, History
from kewang.ui import pages, palette
from kewang.ui.words import Language, as_language

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
) -> FastAPI:
    """The app. Set `stopping` before the server closes, so that open event streams end."""
    options = options or Options()
    live = Live(history, facts, clock, options)
    renderer = Renderer(facts, live.sparks, options)
    events = Events(live, renderer, options, stopping or asyncio.Event())
    devices = Devices(history, live, facts, clock)
    app = FastAPI(title="Kewang", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.add_middleware(SafeHeaders)
    app.include_router(routes(live, facts, metrics))

    def language_of(request: Request, lang: str | None = None) -> Language:
        return as_language(lang) or as_language(request.cookies.get(COOKIE)) or options.language

    def html(name: str, request: Request, language: Language, known: dict[str, Any], status: int = 200) -> HTMLResponse:
        """A page; remembers a language chosen by `?lang=`."""
        response = HTMLResponse(renderer.fragment(name, language, known), status, _NO_STORE)
        if "lang" in request.query_params:
            response.set_cookie(COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)
        return response

    @app.get("/", response_class=HTMLResponse)
    async def live_page(request: Request, language: Annotated[Language, Depends(language_of)]) -> HTMLResponse:
        return html("live", request, language, {"page": await events.page(language)})

    @app.get("/device/{name}", response_class=HTMLResponse)
    async def device_page(
        name: str, request: Request, language: Annotated[Language, Depends(language_of)]
    ) -> HTMLResponse:
        page = await devices.page(name)
        if page is None:
            return html("unknown", request, language, {}, 404)
        overview = page.overview
        return html("device", request, language, {"page": page, "overview": overview, "now_ms": overview.now_ms})

    @app.get("/events")
    async def stream(language: Annotated[Language, Depends(language_of)]) -> Response:
        return events.response(language)

    @app.get("/ui/palette.css")
    async def colours() -> Response:
        return Response(palette.css(), media_type="text/css", headers=_A_DAY)

    app.mount("/ui", StaticFiles(directory=pages.STATIC))
    return app
