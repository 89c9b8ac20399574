"""What every route needs at hand: the inventory, who asks, and pages in the reader's language."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from kewang.ui.pages import in_language
from provisioning.gateway_api import Acceptance, DeviceNow, IncidentNow
from provisioning.inventory import Inventory, Work
from provisioning.refusals import Refused
from provisioning.web.options import WebOptions
from provisioning.web.render import Renderer
from provisioning.web.session import Doorkeeper, Who
from provisioning.web.standing import Standing

T = TypeVar("T")
NO_STORE: Final = {"Cache-Control": "no-store"}
SEE_OTHER: Final = 303
LIMIT_FIELDS: Final = 32
LIMIT_FIELD_BYTES: Final = 4096


class Gateway(Protocol):
    """What the pages ask the gateway; `provisioning.gateway_api.GatewayApi` is one. Raises GatewayAway."""

    async def acceptance(self, device: str, since_ms: int) -> Acceptance:
        """What is stored of `device` since Unix ms `since_ms`."""
        ...

    async def devices(self) -> dict[str, DeviceNow]:
        """How every device is now."""
        ...

    async def incidents(self, numbers: Sequence[int]) -> dict[tuple[int, int], IncidentNow]:
        """Those of these incidents that it remembers, by number and opening (Unix ms)."""
        ...


@dataclass(slots=True)
class Asked:
    """When the gateway asked last for the list of contacts (Unix ms), since this program's start."""

    roster_ms: int | None = None


@dataclass(frozen=True)
class Desk:
    """Shared by all routes. The database is asked in threads."""

    inventory: Inventory
    options: WebOptions
    gateway: Gateway
    door: Doorkeeper
    renderer: Renderer
    standing: Standing = field(default_factory=Standing)
    asked: Asked = field(default_factory=Asked)

    async def read(self, do: Callable[[Session], T]) -> T:
        """`do(rows)` in a thread; everything it reads is of one moment."""

        def reading() -> T:
            with self.inventory.reading() as rows:
                return do(rows)

        return await asyncio.to_thread(reading)

    async def act(self, who: Who, do: Callable[[Work], T]) -> T:
        """`do(work)` in a thread, as one transaction of `who`."""

        def writing() -> T:
            with self.inventory.writing(who.actor) as work:
                return do(work)

        return await asyncio.to_thread(writing)

    async def page(
        self, request: Request, who: Who | None, name: str, known: Mapping[str, Any], status: int = 200
    ) -> Response:
        """The page `name` with what every page needs; keeps session and language."""
        language = self.door.language(request, who)
        shared = {
            "who": who,
            "csrf": self.door.token(request, who),
            "now_ms": self.inventory.clock_ms(),
            "shell": False,
            "in_language": lambda other: in_language(request.query_params.multi_items(), other),
        }
        response = HTMLResponse(self.renderer.html(name, language, {**shared, **known}), status, NO_STORE)
        self.door.remember_language(request, response)
        if who is None:
            self.door.visitor(request, response)
        else:
            await self.door.keep(response, who)
        return response

    async def refusal(self, request: Request, refused: Refused, status: int) -> Response:
        """`refused` for whoever asked: JSON for the phone's queue, a page for a person."""
        who = await self.door.anybody(request)
        language = self.door.language(request, who)
        text, next_step = refused.parts(language, self.options.zone)
        said = {"code": refused.code, "text": text, "next": next_step}
        if wants_json(request):
            return JSONResponse(said, status, NO_STORE)
        return await self.page(request, who, "refused", {"said": said, "kind": refused.kind}, status)

    async def form(self, request: Request, who: Who | None) -> dict[str, str]:
        """The fields of a form whose token is ours. Files are passed over. Raises Refused P-CSRF."""
        async with request.form(max_files=1, max_fields=LIMIT_FIELDS, max_part_size=LIMIT_FIELD_BYTES) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        self.door.check(request, who, request.headers.get("kewang-csrf") or fields.pop("csrf", ""))
        fields.pop("csrf", None)
        return fields

    async def photo(self, request: Request, who: Who) -> tuple[dict[str, str], bytes]:
        """The fields and the file `photo` of a form."""
        async with request.form(max_files=1, max_fields=LIMIT_FIELDS, max_part_size=LIMIT_FIELD_BYTES) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            sent = form.get("photo")
            content = await sent.read() if isinstance(sent, UploadFile) else b""
        self.door.check(request, who, fields.pop("csrf", ""))
        return fields, content


def wants_json(request: Request) -> bool:
    """Whether the phone's queue asks, not a person."""
    return request.method == "PUT" or "application/json" in request.headers.get("accept", "")


def see(path: str) -> Response:
    """Go to `path` of ours."""
    return RedirectResponse(path, SEE_OTHER, NO_STORE)
