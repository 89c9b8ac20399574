"""The console's web app: pages, server-sent events, JSON, health. Reads only; every figure is the store's."""

import asyncio
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from gateway.console.events import Events
from gateway.console.facts import Facts, Options
from gateway.console.headers import SafeHeaders
from gateway.console.live import Live
from gateway.console.render import Renderer
from gateway.metrics import GatewayMetrics
from gateway.ports import Clock, History
from kewang.ui import pages, palette
from kewang.ui.words import Language, as_language

COOKIE = "lang"
YEAR_S = 365 * 86_400


class Console:
    """What the routes share."""

    def __init__(self, history: History, facts: Facts, metrics: GatewayMetrics, clock: Clock, options: Options) -> None:
        self.history, self.facts, self.metrics, self.clock, self.options = history, facts, metrics, clock, options
        self.live = Live(history, facts, clock, options)
        self.renderer = Renderer(facts, self.live.sparks, options)


def create_app(
    history: History,
    facts: Facts,
    metrics: GatewayMetrics,
    clock: Clock,
    options: Options | None = None,
    stopping: asyncio.Event | None = None,
) -> FastAPI:
    """The app. Set `stopping` before the server closes, so that open event streams end."""
    console = Console(history, facts, metrics, clock, options or Options())
    events = Events(console.live, console.renderer, console.options, stopping or asyncio.Event())
    app = FastAPI(title="Kewang", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.add_middleware(SafeHeaders)

    def language(request: Request, lang: str | None = None) -> Language:
        return as_language(lang) or as_language(request.cookies.get(COOKIE)) or console.options.language

    def page(html: str, request: Request) -> HTMLResponse:
        """HTML that is not cached; remembers a language chosen by `?lang=`."""
        response = HTMLResponse(html, headers={"Cache-Control": "no-store"})
        if chosen := as_language(request.query_params.get("lang")):
            response.set_cookie(COOKIE, chosen, max_age=YEAR_S, samesite="lax", httponly=True)
        return response

    @app.get("/", response_class=HTMLResponse)
    async def live(request: Request, language: Annotated[Language, Depends(language)]) -> HTMLResponse:
        shown = await events.page(language)
        return page(console.renderer.fragment("live", language, {"page": shown}), request)

    @app.get("/events")
    async def stream(language: Annotated[Language, Depends(language)]) -> Response:
        return events.response(language)

    @app.get("/ui/palette.css")
    async def colours() -> Response:
        return Response(palette.css(), media_type="text/css")

    app.mount("/ui", StaticFiles(directory=pages.STATIC))
    return app
