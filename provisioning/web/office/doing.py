"""Acts on a device: each is a page that says what will happen and asks why, and the act itself."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from provisioning.refusals import unknown
from provisioning.web.office import reads
from provisioning.web.office.deeds import DEEDS, Deed, site_choices
from provisioning.web.office.forms import Form
from provisioning.web.office.house import House, asked
from provisioning.web.office.reads import Detail


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Doing:
    """`/office/device/{device}/do/{deed}`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/device/{device}/do/{deed}", self.ask, methods=["GET"])
        router.add_api_route("/office/device/{device}/do/{deed}", self.do, methods=["POST"])
        return router

    async def ask(self, device: str, deed: str, request: Request) -> Response:
        """What will happen, and the questions before it."""
        what = _deed(deed)
        who = await self._house.who(request, what.act)
        return await self._house.form(request, who, await self._form(device, deed))

    async def do(self, device: str, deed: str, request: Request) -> Response:
        """Does it."""
        what = _deed(deed)
        who = await self._house.who(request, what.act)
        form = await self._form(device, deed)
        return await self._house.act(
            request,
            who,
            lambda: form,
            lambda work, fields: what.do(work, device, fields),
            lambda result: (
                f"/office/device/{getattr(result, 'id', device) if deed == 'replace' else device}?done={what.done}"
            ),
        )

    async def _form(self, device: str, deed: str) -> Form:
        what, now_ms = _deed(deed), self._house.desk.inventory.clock_ms()
        found: Detail = await self._house.desk.read(lambda rows: reads.detail(rows, device, now_ms))
        sites = await self._house.desk.read(reads.sites)
        return Form(
            title=what.button,
            about=found.device.id.upper(),
            lead=what.lead,
            action=f"/office/device/{found.device.id}/do/{deed}",
            back=f"/office/device/{found.device.id}",
            button=what.button,
            fields=what.asks(found, site_choices(list(sites))),
            danger=what.danger,
        )


def _deed(name: str) -> Deed:
    """Raises Refused P-404."""
    if name not in DEEDS:
        raise unknown(_("act"), asked(name, 20))
    return DEEDS[name]
