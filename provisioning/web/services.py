"""What the gateway asks of the office: who gets alerts and when they are on duty, and tasks for technicians.

Only with the token that both have (`gateway.token_file`), as `Authorization: Bearer ...`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from kewang.runtime.settings import SettingsError, secret
from kewang.ui.words import LANGUAGES
from kewang.wire import roster as wire
from kewang.wire.errors import WireError
from kewang.wire.incident_task import PATH as TASKS_PATH
from kewang.wire.incident_task import TASKS_LIMIT, WISH_BYTES, Given, Tasks, Wish
from provisioning.acts.contacts import as_told
from provisioning.acts.rows import person_name
from provisioning.acts.tasks import assign_incident
from provisioning.inventory import Actor, Contact, Person, Role, Shift, Site, Task
from provisioning.refusals import Refused, not_allowed
from provisioning.web.desk import NO_STORE, Desk

log = logging.getLogger(__name__)

_JSON: Final = "application/json"


class Services:
    """Routes for the gateway."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def router(self) -> APIRouter:
        """`/api/v1/roster`, `/api/v1/incident-tasks`."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(wire.PATH, self.roster, methods=["GET"])
        router.add_api_route(TASKS_PATH, self.tasks, methods=["GET"])
        router.add_api_route(TASKS_PATH, self.give, methods=["POST"])
        return router

    async def roster(self, request: Request) -> Response:
        """All contacts; 304 if they are as the gateway has them."""
        if (no := await self._refusal(request)) is not None:
            return no
        self._desk.asked.roster_ms = self._desk.inventory.clock_ms()
        zone = str(self._desk.options.zone)
        body = (await self._desk.read(lambda rows: roster_of(rows, zone))).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {**NO_STORE, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=_JSON)

    async def tasks(self, request: Request) -> Response:
        """What became of the newest tasks of incidents."""
        if (no := await self._refusal(request)) is not None:
            return no
        body = (await self._desk.read(tasks_of)).encode()
        return Response(body, headers=NO_STORE, media_type=_JSON)

    async def give(self, request: Request) -> Response:
        """A task for an incident, as whoever is logged in at the gateway; the same again gives the same task."""
        if (no := await self._refusal(request)) is not None:
            return no
        body = await request.body()
        try:
            if len(body) > WISH_BYTES:
                raise WireError(f"a wish has at most {WISH_BYTES} bytes")
            wish = Wish.decode(body)
        except WireError as error:
            return JSONResponse({"code": "P-400", "detail": str(error)}, 400, NO_STORE)
        try:
            return Response((await self._given(wish)).encode(), headers=NO_STORE, media_type=_JSON)
        except Refused as error:
            zone = self._desk.options.zone
            text = {language: error.said(language, zone) for language in LANGUAGES}
            return JSONResponse({"code": error.code, "text": text}, int(error.code[2:]), NO_STORE)

    async def _given(self, wish: Wish) -> Given:
        inventory = self._desk.inventory
        actor = await self._desk.read(lambda rows: _actor(rows, wish.by))

        def writing() -> Given:
            with inventory.writing(actor) as work:
                return _given(work.rows, assign_incident(work, wish))

        return await asyncio.to_thread(writing)

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
    return wire.Roster.model_validate(
        {
            "time_zone": zone,
            "contacts": tuple(told),
            "districts": dict(districts.all()),
            "technicians": tuple(_technicians(rows)),
        }
    )


def _technicians(rows: Session) -> Iterator[dict[str, Any]]:
    wanted = select(Person).where(Person.role == "technician", Person.disabled.is_(False)).order_by(Person.name)
    for one in rows.scalars(wanted.limit(wire.TECHNICIANS_LIMIT)):
        yield {"login": one.login, "name": one.name, "language": one.language, "district": one.district}


def tasks_of(rows: Session) -> Tasks:
    """The newest tasks that incidents became, and what became of them."""
    wanted = select(Task).where(Task.incident.is_not(None)).order_by(Task.id.desc()).limit(TASKS_LIMIT)
    return Tasks(tasks=tuple(_given(rows, row) for row in rows.scalars(wanted)))


def _given(rows: Session, row: Task) -> Given:
    name = person_name(rows, row.assignee) if row.assignee else ""
    told = {"incident": row.incident, "opened_ms": row.incident_ms, "task": row.id, "state": row.state, "name": name}
    return Given.model_validate({**told, "note": row.note})


def _actor(rows: Session, login: str | None) -> Actor:
    """Who wishes it. P-403 for who may not log in any more."""
    if login is None:
        return Actor.system("gateway")
    person = rows.get(Person, login)
    if person is None or person.disabled:
        raise not_allowed("task.assign")
    return Actor(person.login, cast(Role, person.role), person.district)


def _secret(file: Path | None) -> str | None:
    return None if file is None else secret(file)
