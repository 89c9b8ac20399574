"""Server-sent events of the live page: each client is sent what changed since what it was sent before.

Nothing runs while nobody listens, and a slow client holds up nobody: it simply gets the newest when it is ready.
"""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from gateway.console.facts import Options
from gateway.console.live import Live, Overview
from gateway.console.render import LivePage, Renderer
from kewang.runtime.program import wait_or
from kewang.ui.words import Language

RETRY_S = 10


class Events:
    """Event streams of all clients, at most `options.clients`."""

    def __init__(self, live: Live, renderer: Renderer, options: Options, stopping: asyncio.Event) -> None:
        self._live, self._renderer, self._options, self._stopping = live, renderer, options, stopping
        self._rendered: dict[Language, tuple[Overview, LivePage]] = {}
        self.clients = 0

    def response(self, language: Language) -> Response:
        """A stream, or 503 when there are too many clients or the server is stopping."""
        if self.clients >= self._options.clients or self._stopping.is_set():
            return PlainTextResponse("too many open pages, try again\n", 503, {"Retry-After": str(RETRY_S)})
        return StreamingResponse(
            self._stream(language), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def page(self, language: Language) -> LivePage:
        """The live page, rendered once a tick and language."""
        overview = await self._live.overview()
        known = self._rendered.get(language)
        if known is None or known[0] is not overview:
            known = self._rendered[language] = (overview, self._renderer.live(overview, language))
        return known[1]

    async def _stream(self, language: Language) -> AsyncIterator[str]:
        self.clients += 1
        try:
            sent: dict[str, int] = {}
            layout = None
            while not self._stopping.is_set():
                page = await self.page(language)
                news = page.fragments() | page.by_site
                if layout != page.layout:
                    layout = page.layout
                    sent |= {name: hash(html) for name, html in page.by_site.items()}
                    yield event("sites", page.sites)
                for name, html in news.items():
                    if sent.get(name) != hash(html):
                        sent[name] = hash(html)
                        yield event(name, html)
                await wait_or(self._stopping, self._options.tick_s)
        finally:
            self.clients -= 1


def event(name: str, html: str) -> str:
    """One server-sent event."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: {name}\n{lines}\n"
