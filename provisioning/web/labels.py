"""From a label to the right screen: what a scanned or typed label may be used for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response

from kewang.wire.errors import WireError
from kewang.wire.identity import parse_typed
from kewang.wire.names import is_device
from provisioning.inventory import VisitKind
from provisioning.refusals import Refused, blocked, label_mismatch, unknown_device
from provisioning.web import flow, reads, steps
from provisioning.web.desk import Desk, see
from provisioning.web.phrases import STATE_WORDS
from provisioning.web.progress import Arrived
from provisioning.web.reads import Card
from provisioning.web.session import Who
from provisioning.web.steps import KINDS, label_fits

REPLACING: Final = "kewang_replacing"
"""Cookie: the device whose replacement is scanned next."""
_REPLACING_S: Final = 3600
_NEW: Final = frozenset({"new", "pending", "approved", "active"})
_OVER: Final = frozenset({"quarantined", "revoked", "retired"})


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Label:
    """What a label or a person says: a device and its fingerprint, or the part of it that is typed."""

    device: str
    fingerprint: str

    @property
    def path(self) -> str:
        """Its address with us."""
        return f"/d/{self.device}/{self.fingerprint}"


def read_typed(device: str, code: str) -> Label:
    """What a person typed, in any case and with blanks anywhere. Raises Refused P-400."""
    try:
        return Label(*parse_typed(f"{''.join(device.split())} {''.join(code.split())}"))
    except WireError:
        raise Refused(
            "P-400",
            "typed",
            _("This is not what stands on a label."),
            _("Type the name, then the 8 characters below it."),
            audited=False,
        ) from None


class Labels:
    """`/d/{device}/{fingerprint}`, `/t/code`, `/t/replace`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        for letter in "dD":
            router.add_api_route(f"/{letter}/{{device}}/{{fingerprint}}", self.scanned, methods=["GET"])
        router.add_api_route("/t/code", self.show_code, methods=["GET"])
        router.add_api_route("/t/code", self.typed, methods=["POST"])
        router.add_api_route("/t/replace", self.replace, methods=["POST"])
        return router

    async def scanned(self, device: str, fingerprint: str, request: Request) -> Response:
        """The first screen of a visit, what can be done with an installed device, or why nothing can."""
        who = await self._desk.door.who(request)
        label = Label(device.lower(), fingerprint.upper())
        card = await self._card(label)
        query = request.query_params
        if "kind" not in query and (running := await self._running(who, label.device)):
            return see(f"/t/visit/{running}")
        kind = query.get("kind", "install")
        if card.device.state == "installed" and kind in ("install", "replace"):
            return await self._desk.page(request, who, "device", {"card": card, "label": label})
        old = request.cookies.get(REPLACING, "") if card.device.state in _NEW and kind == "install" else ""
        if kind not in KINDS or (card.device.state in _NEW and kind == "check"):
            kind = "install"
        if old and is_device(old) and old != label.device:
            kind = "replace"
        known = await self._first_screen(who, card, label, cast(VisitKind, kind), old, query)
        return await self._desk.page(request, who, "visit", known)

    async def _first_screen(
        self, who: Who, card: Card, label: Label, kind: VisitKind, old: str, query: Mapping[str, str]
    ) -> dict[str, Any]:
        district = who.actor.district
        begun = query.get("at") == "site" and flow.first_on_server(kind) == "site"
        return {
            "card": card,
            "visit": steps.checked_id(query["visit"]) if "visit" in query else steps.new_id(),
            "kind": kind,
            "old": old if kind == "replace" else "",
            "label": label.fingerprint,
            "done": ["start"] if begun else [],
            "at": "site" if begun else "start",
            "sites": await self._desk.read(lambda rows: reads.sites(rows, district)),
            "planned": None if kind == "move" else card.device.site,
            "request": steps.new_id(),
            "devices": {},
            "arrival": Arrived((), False),
            "thumbnails": [],
            "states": {},
        }

    async def _card(self, label: Label) -> Card:
        """The device, if the label is its own and it may be worked on. Raises Refused."""
        if not is_device(label.device):
            raise unknown_device(label.device[:32])
        card = await self._desk.read(lambda rows: reads.card(rows, label.device))
        if card is None:
            raise unknown_device(label.device)
        if not label_fits(card.device.fingerprint, label.fingerprint):
            raise label_mismatch(label.device)
        if card.device.state in _OVER:
            raise blocked(label.device, STATE_WORDS[card.device.state])
        return card

    async def _running(self, who: Who, device: str) -> str | None:
        found = await self._desk.read(lambda rows: reads.open_visits(rows, who.login, device))
        return found[0].id if found else None

    async def show_code(self, request: Request) -> Response:
        """Where the code of a damaged label is typed."""
        who = await self._desk.door.who(request)
        return await self._desk.page(request, who, "code", {"typed": "", "said": None})

    async def typed(self, request: Request) -> Response:
        """`AMB-CAM-7K3F93 ABCD2345`, in any case, with any spaces."""
        who = await self._desk.door.who(request)
        fields = await self._desk.form(request, who)
        written = fields.get("device", "")[:80], fields.get("code", "")[:40]
        try:
            label = read_typed(*written)
            await self._card(label)
        except Refused as refused:
            language = self._desk.door.language(request, who)
            said = refused.parts(language, self._desk.options.zone)
            known = {"typed": written, "said": said, "code": refused.code}
            return await self._desk.page(request, who, "code", known, int(refused.code[2:]))
        return see(label.path)

    async def replace(self, request: Request) -> Response:
        """Remembers which device is replaced; the next label that is scanned is the new one's. Empty: forgets it."""
        who = await self._desk.door.who(request)
        fields = await self._desk.form(request, who)
        old = fields.get("old", "").lower()
        if not old:
            response = see(target) if (target := fields.get("then", "")).startswith("/d/") else see("/t/")
            response.delete_cookie(REPLACING)
            return response
        card = await self._card(Label(old, fields.get("fingerprint", "").upper()))
        response = await self._desk.page(request, who, "replace", {"card": card})
        https = self._desk.options.https
        response.set_cookie(REPLACING, old, max_age=_REPLACING_S, httponly=True, samesite="lax", secure=https)
        return response
