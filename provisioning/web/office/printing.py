"""Label sheets of the devices that were looked for."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from kewang.wire.errors import WireError
from provisioning import labels
from provisioning.acts import fields as checks
from provisioning.acts.rows import device_row
from provisioning.labels import Printed
from provisioning.refusals import Refused, bad_input
from provisioning.web.office import reads
from provisioning.web.office.devices import STATES
from provisioning.web.office.forms import Choice, Field, Form
from provisioning.web.office.house import House, asked, download
from provisioning.web.office.reads import Query
from provisioning.web.phrases import STATE_WORDS

LIMIT: Final = 480
"""Labels of one file: twenty pages."""
A_PAGE: Final = labels.COLUMNS * labels.ROWS


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Printing:
    """`/office/labels`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._one = asyncio.Lock()
        """A page takes 9 MB while it is drawn: sheets are drawn one after the other."""

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/labels", self.ask, methods=["GET"])
        router.add_api_route("/office/labels", self.draw, methods=["POST"])
        return router

    async def ask(self, request: Request) -> Response:
        """Which devices, and the telephone on their labels."""
        who = await self._house.who(request)
        only = asked(request.query_params.get("device", ""), 32)
        return await self._house.form(request, who, await self._form(only))

    async def draw(self, request: Request) -> Response:
        """The sheet as a file."""
        who = await self._house.who(request)
        fields = await self._house.fields(request, who)
        try:
            phone = checks.text("phone", fields.get("phone", ""), labels.NOTE_CHARACTERS)
            chosen = await self._house.desk.read(lambda rows: _chosen(rows, fields, phone))
            async with self._one:
                return await asyncio.to_thread(self._drawn, chosen, fields.get("file", "pdf"))
        except Refused as refused:
            return await self._house.form(request, who, (await self._form("")).filled(fields), refused)

    def _drawn(self, chosen: list[Printed], kind: str) -> Response:
        host = self._house.desk.options.label_host
        try:
            if kind != "png":
                return download(labels.pdf(chosen, host), "kewang-labels.pdf", "application/pdf")
            if len(chosen) > A_PAGE:
                raise _too_many(A_PAGE)
            return download(labels.png(next(labels.sheets(chosen, host))), "kewang-labels.png", "image/png")
        except WireError as error:
            raise bad_input(_("address of the web app"), _("%(field_word)s: %(what)s."), what=str(error)) from None

    async def _form(self, only: str) -> Form:
        sites = await self._house.desk.read(reads.sites)
        states = tuple(Choice(state, STATE_WORDS[state], say=True) for state in STATES if state in STATE_WORDS)
        phone = self._house.desk.options.office_phone
        return Form(
            title=_("Labels to print"),
            lead=_("A4, 24 on a page, with marks to cut along. Print at 100 %, without fitting to the page."),
            action="/office/labels",
            back=f"/office/device/{only}" if only else "/office/",
            button=_("Make the sheet"),
            fields=(
                Field(
                    "devices", _("These devices"), "area", only, most=20_000,
                    hint=_("Ids, one a line. Empty: all that are chosen below."),
                ),
                Field("state", _("State"), "choice", "new", choices=(Choice("", _("all"), say=True), *states)),
                Field(
                    "site", _("Site"), "choice",
                    choices=(Choice("", _("all"), say=True), *(Choice(site.id, site.name) for site in sites)),
                ),
                Field("phone", _("Telephone on the label"), value=f"+{phone}" if phone else "", most=24),
                Field(
                    "file", _("File"), "choice", "pdf",
                    choices=(Choice("pdf", "PDF"), Choice("png", "PNG")), hint=_("PNG: one page."),
                ),
            ),
        )  # fmt: skip


def _chosen(rows: Session, fields: dict[str, str], phone: str) -> list[Printed]:
    """The labels. Raises Refused: an unknown device, none at all, too many."""
    named = fields.get("devices", "").replace(",", " ").replace(";", " ").lower().split()
    if len(named) > LIMIT:
        raise _too_many(LIMIT)
    state = fields.get("state", "")
    query = Query(state=state if state in STATES else "", site=asked(fields.get("site", "")))
    found = [device_row(rows, name) for name in named] if named else reads.matching(rows, query, LIMIT + 1)
    if len(found) > LIMIT:
        raise _too_many(LIMIT)
    if not found:
        raise Refused(
            "P-404", "labels", _("No device fits."), _("Choose another state or site, or name devices."), audited=False
        )
    return [Printed(device.id, device.fingerprint, phone) for device in found]


def _too_many(limit: int) -> Refused:
    return Refused(
        "P-413", "labels", _("More than %(limit)s labels."), _("Choose fewer devices."), audited=False, limit=limit
    )
