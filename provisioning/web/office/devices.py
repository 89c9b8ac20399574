"""The inventory: the list with its search, one device with everything about it, a new one."""

from __future__ import annotations

from typing import Final, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from provisioning.acts import devices
from provisioning.acts.devices import NewDevice
from provisioning.gateway_api import DeviceNow, GatewayAway
from provisioning.inventory import Device, State, Work
from provisioning.web.office import reads
from provisioning.web.office.deeds import DEEDS
from provisioning.web.office.forms import Choice, Field, Form
from provisioning.web.office.house import House, asked, whole
from provisioning.web.office.reads import MAINTENANCE, Query

STATES: Final = (*get_args(State), MAINTENANCE)
KINDS: Final = ("camera", "sensor", "bin", "river", "market")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Devices:
    """`/office/`, `/office/device/{device}`, `/office/add`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/", self.list, methods=["GET"])
        router.add_api_route("/office/device/{device}", self.show, methods=["GET"])
        router.add_api_route("/office/add", self.new, methods=["GET"])
        router.add_api_route("/office/add", self.add, methods=["POST"])
        return router

    async def list(self, request: Request) -> Response:
        """The devices that fit what is asked for."""
        who = await self._house.who(request)
        query = query_of(request)
        found = await self._house.desk.read(lambda rows: reads.search(rows, query))
        known = {
            "query": query,
            "found": found,
            "counts": await self._house.desk.read(reads.counts),
            "states": STATES,
            "sites": await self._house.desk.read(reads.sites),
            "now": await self._now(),
            "link": lambda page: "/office/?" + query_string(query, page),
        }
        return await self._house.page(request, who, "devices", known)

    async def show(self, device: str, request: Request) -> Response:
        """One device: its history, places, certificates, visits, sources."""
        who = await self._house.who(request)
        now_ms = self._house.desk.inventory.clock_ms()
        found = await self._house.desk.read(lambda rows: reads.detail(rows, device, now_ms))
        now = await self._now()
        known = {
            "found": found,
            "device": found.device,
            "deeds": [(name, deed) for name, deed in DEEDS.items() if deed.fits(found)],
            "now": now.get(found.device.id) if now is not None else None,
            "away": now is None,
        }
        return await self._house.page(request, who, "device", known)

    async def new(self, request: Request) -> Response:
        """The form for one more device."""
        who = await self._house.who(request, "device.add")
        sites = await self._house.desk.read(reads.sites)
        return await self._house.form(request, who, _form([Choice(site.id, site.name) for site in sites]))

    async def add(self, request: Request) -> Response:
        """Puts a device on the list."""
        who = await self._house.who(request, "device.add")
        sites = await self._house.desk.read(reads.sites)
        choices = [Choice(site.id, site.name) for site in sites]
        return await self._house.act(
            request, who, lambda: _form(choices), _add, lambda row: f"/office/device/{row.id}?done=added"
        )

    async def _now(self) -> dict[str, DeviceNow] | None:
        """How all devices are; None if the gateway gives no answer."""
        try:
            return await self._house.desk.gateway.devices()
        except GatewayAway:
            return None


def query_of(request: Request) -> Query:
    """What is looked for, as the address says it."""
    said = request.query_params
    state = said.get("state", "")
    return Query(
        asked(said.get("q", "")),
        state if state in STATES else "",
        asked(said.get("site", "")),
        whole(said.get("page", ""), 1, 100_000, 1),
    )


def query_string(query: Query, page: int = 1) -> str:
    """The inverse of `query_of`."""
    said = {"q": query.text, "state": query.state, "site": query.site, "page": str(page) if page > 1 else ""}
    return urlencode({name: value for name, value in said.items() if value})


def _add(work: Work, fields: dict[str, str]) -> Device:
    new = NewDevice(
        id=fields.get("device", "").strip().lower(),
        kind=fields.get("kind", "").strip(),
        fingerprint="".join(fields.get("fingerprint", "").split()),
        model=fields.get("model", ""),
        serial=fields.get("serial", ""),
        site=fields.get("site") or None,
        preapproved=fields.get("preapproved") == "yes",
        note=fields.get("note", ""),
    )
    return devices.add(work, new)


def _form(sites: list[Choice]) -> Form:
    planned = (Choice("", _("not planned yet"), say=True), *sites)
    return Form(
        title=_("Put a device on the list"),
        lead=_("Id and fingerprint stand on its label. For many devices import a file."),
        action="/office/add",
        back="/office/",
        button=_("Put it on the list"),
        fields=(
            Field("device", _("Device id"), "code", most=32, required=True, hint=_("as amb-cam-7k3f9q")),
            Field("fingerprint", _("Fingerprint"), "code", most=40, required=True, hint=_("26 characters")),
            Field("kind", _("Kind"), value="camera", required=True, suggest=KINDS),
            Field("site", _("Planned site"), "choice", choices=planned),
            Field(
                "preapproved",
                _("Let it in by itself when it calls"),
                "choice",
                value="no",
                choices=(Choice("no", _("no"), say=True), Choice("yes", _("yes"), say=True)),
                hint=_("Needs a planned site."),
            ),
            Field("model", _("Model")),
            Field("serial", _("Serial number")),
            Field("note", _("Note"), "area", most=500),
        ),
    )
