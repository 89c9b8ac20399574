"""What the gateway asks of the office: who gets alerts, and when they are on duty.

Only with the token that both have (`gateway.token_file`), as `Authorization: Bearer ...`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from kewang.runtime.settings import SettingsError, secret
from kewang.wire import roster as wire
from provisioning.acts.contacts import as_told
from provisioning.inventory import Contact, Shift, Site
from provisioning.web.desk import NO_STORE, Desk

log = logging.getLogger(__name__)

_JSON: Final = "application/json"


class Services:
    """Routes for the gateway."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def router(self) -> APIRouter:
        """`/api/v1/roster`."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(wire.PATH, self.roster, methods=["GET"])
        return router

    async def roster(self, request: Request) -> Response:
        """All contacts; 304 if they are as the gateway has them."""
        if (no := await self._refusal(request)) is not None:
            return no
        zone = str(self._desk.options.zone)
        body = (await self._desk.read(lambda rows: roster_of(rows, zone))).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {**NO_STORE, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=_JSON)

    async def _refusal(self, request: Request) -> Response | None:
        """The answer for who does not show our token. It is read each time: a new one works without a restart."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            wanted = await asyncio.to_thread(_secret, self._desk.options.gateway_token_file)
        except SettingsError as error:
            log.error("the gateway can't be let in: %s", error)
            wanted = None
        if wanted is not None and hmac.compare_digest(given.encode(), wanted.encode()):
            return None
        said = {"code": "P-401", "detail": "the gateway's token is needed: gateway.token_file"}
        return JSONResponse(said, 401, {**NO_STORE, "WWW-Authenticate": "Bearer"})


def roster_of(rows: Session, zone: str) -> wire.Roster:
    """What the inventory says of contacts, their shifts and the sites' districts. `zone`: the city's time zone."""
    shifts: dict[int, list[wire.Shift]] = {}
    for shift in rows.scalars(select(Shift).order_by(Shift.id)):
        shifts.setdefault(shift.contact, []).append(as_told(shift))
    contacts = rows.scalars(select(Contact).order_by(Contact.id).limit(wire.CONTACTS_LIMIT))
    districts = rows.execute(select(Site.id, Site.district).where(Site.district.is_not(None)).order_by(Site.id))
    told = [
        {
            "name": one.name,
            "channel": one.channel,
            "address": one.address,
            "language": one.language,
            "district": one.district,
            "shifts": tuple(shifts.get(one.id, ())),
        }
        for one in contacts
    ]
    return wire.Roster.model_validate({"time_zone": zone, "contacts": tuple(told), "districts": dict(districts.all())})


def _secret(file: Path | None) -> str | None:
    return None if file is None else secret(file)
