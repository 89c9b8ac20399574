"""What the phone keeps for places without a signal: the service worker, the shell of a visit, the manifest."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from kewang.ui import pages, palette
from provisioning.web import reads, steps
from provisioning.web.desk import Desk
from provisioning.web.progress import Arrived

STATIC: Final = Path(__file__).parent / "static"
_OURS: Final = ("field.css", "field.js", "icon-192.png", "icon-512.png", "queue.js", "visit.js")
_SHARED: Final = (
    "kewang.css",
    "kewang.js",
    "kewang.svg",
    "vendor/htmx-2.0.11.min.js",
    "vendor/htmx-ext-sse-2.2.4.min.js",
)
_A_DAY: Final = {"Cache-Control": "max-age=86400"}


class Offline:
    """`/t/sw.js`, `/t/shell`, `/t/manifest.webmanifest`, and the files themselves."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/t/sw.js", worker, methods=["GET"])
        router.add_api_route("/t/manifest.webmanifest", self.manifest, methods=["GET"])
        router.add_api_route("/t/shell", self.shell, methods=["GET"])
        router.add_api_route("/ui/palette.css", colours, methods=["GET"])
        router.mount("/t/static", StaticFiles(directory=STATIC))
        router.mount("/ui", StaticFiles(directory=pages.STATIC))
        return router

    async def shell(self, request: Request) -> Response:
        """A visit without a visit, with the sites and devices of the person's district: the phone fills it in."""
        who = await self._desk.door.who(request)
        district = who.actor.district
        known = {
            "card": None,
            "visit": "",
            "kind": "install",
            "old": "",
            "label": "",
            "done": None,
            "at": "",
            "sites": await self._desk.read(lambda rows: reads.sites(rows, district)),
            "devices": await self._desk.read(lambda rows: reads.known_devices(rows, district)),
            "planned": None,
            "request": steps.new_id(),
            "arrival": Arrived((), False),
            "thumbnails": [],
            "states": {},
            "shell": True,
        }
        return await self._desk.page(request, who, "visit", known)

    async def manifest(self, request: Request) -> Response:
        """What makes the page an app on the phone's first screen."""
        sizes = ("192", "512")
        icons = [{"src": f"/t/static/icon-{n}.png", "sizes": f"{n}x{n}", "type": "image/png"} for n in sizes]
        said = {
            "id": "/t/",
            "name": "Kewang",
            "short_name": "Kewang",
            "start_url": "/t/",
            "scope": "/",
            "display": "standalone",
            "background_color": palette.LIGHT.ground,
            "theme_color": palette.LIGHT.card,
            "lang": self._desk.door.language(request, None),
            "icons": icons,
        }
        return JSONResponse(said, media_type="application/manifest+json", headers=_A_DAY)


async def worker() -> Response:
    """The service worker, with the names of the files it keeps and their version."""
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/"}
    return Response(_worker(), media_type="text/javascript", headers=headers)


@cache
def _worker() -> str:
    kept = [f"/t/static/{name}" for name in _OURS] + [f"/ui/{name}" for name in _SHARED] + ["/ui/palette.css"]
    contents = [(STATIC / name).read_bytes() for name in _OURS] + [
        (pages.STATIC / name).read_bytes() for name in _SHARED
    ]
    script = (STATIC / "sw.js").read_text()
    version = hashlib.sha256(b"\0".join([*contents, palette.css().encode(), script.encode()])).hexdigest()[:12]
    return f"const KEWANG = {json.dumps({'version': version, 'files': kept})};\n{script}"


async def colours() -> Response:
    """The palette as a style sheet."""
    return Response(palette.css(), media_type="text/css", headers=_A_DAY)
