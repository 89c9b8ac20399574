"""The visit's routes: its page, its steps, its photos, and what arrives meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from kewang.ui.words import Language
from provisioning.acts import visits
from provisioning.gateway_api import Acceptance, GatewayAway
from provisioning.inventory import Photo, PhotoKind
from provisioning.refusals import Refused, unknown
from provisioning.web import reads, steps
from provisioning.web.desk import NO_STORE, Desk, see, wants_json
from provisioning.web.flow import PHOTOS
from provisioning.web.photos import no_picture
from provisioning.web.progress import Arrived, Waited, arrived
from provisioning.web.reads import OpenVisit
from provisioning.web.session import Who
from provisioning.web.uploads import Piece, Uploads, picture_file

STEP_NAMES: Final = ("start", "site", "sources", "readings", "picture", "leave")
_AMONG_THUMBNAILS: Final = 8


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Visits:
    """`/t/visit/...` and `/t/picture/...`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._uploads = Uploads(desk.inventory, desk.options.zone)

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/t/visit/{visit}", self.show, methods=["GET"])
        router.add_api_route("/t/visit/{visit}/end", self.end, methods=["GET"])
        router.add_api_route("/t/visit/{visit}/progress", self.progress, methods=["GET"])
        router.add_api_route("/t/visit/{visit}/sources", self.sources, methods=["GET"])
        router.add_api_route("/t/visit/{visit}/pictures", self.pictures, methods=["GET"])
        router.add_api_route("/t/visit/{visit}/photo/{number}", self.put_photo, methods=["PUT"])
        router.add_api_route("/t/visit/{visit}/anew", self.anew, methods=["POST"])
        router.add_api_route("/t/visit/{visit}/{step}", self.step, methods=["POST"])
        router.add_api_route("/t/picture/{sha256}", self.picture, methods=["GET"])
        return router

    async def show(self, visit: str, request: Request) -> Response:
        """The visit at its next question."""
        who = await self._desk.door.who(request)
        found = await self._own(who, visit)
        if found.visit.finished_ms is not None:
            return see(f"/t/visit/{found.visit.id}/end")
        return await self._desk.page(request, who, "visit", await self.known(request, who, found))

    async def known(self, request: Request, who: Who, found: OpenVisit) -> dict[str, Any]:
        """What the visit's page shows."""
        district = who.actor.district
        progress = found.progress
        return {
            "card": found.card,
            "visit": found.visit.id,
            "kind": found.visit.kind,
            "old": "",
            "label": found.card.device.fingerprint,
            "done": sorted(progress.done),
            "at": progress.next or "readings",
            "sites": await self._desk.read(lambda rows: reads.sites(rows, district)),
            "planned": found.card.device.site,
            "request": steps.new_id(),
            "devices": {},
            **await self.arriving(found, self._desk.door.language(request, who)),
        }

    async def arriving(self, found: OpenVisit, language: Language) -> dict[str, Any]:
        """The waiting screen's and the picture screen's parts."""
        arrival = await self._arrived(found, language)
        thumbnails = await self._thumbnails(found)
        return {
            "arrival": arrival,
            "thumbnails": thumbnails[:_AMONG_THUMBNAILS],
            "states": self._states(found, arrival),
        }

    async def _thumbnails(self, found: OpenVisit) -> list[Photo]:
        """Of this visit: an older picture shows where the camera looked then."""
        device, since_ms, now_ms = found.visit.device, found.visit.started_ms, self._desk.inventory.clock_ms()
        return await self._desk.read(lambda rows: reads.newest_thumbnails(rows, device, now_ms, since_ms))

    async def end(self, visit: str, request: Request) -> Response:
        """How the visit ended: green with its number, or not."""
        who = await self._desk.door.who(request)
        found = await self._own(who, visit)
        if found.visit.finished_ms is None:
            return see(f"/t/visit/{found.visit.id}")
        return await self._desk.page(request, who, "end", {"found": found, "visit": found.visit})

    async def progress(self, visit: str, request: Request) -> Response:
        """The waiting screen's lines, asked again every two seconds."""
        return await self._fragment(visit, request, "progress")

    async def sources(self, visit: str, request: Request) -> Response:
        """What belongs to the device, and how much of it has shown itself."""
        return await self._fragment(visit, request, "sources")

    async def pictures(self, visit: str, request: Request) -> Response:
        """The newest pictures of the cameras."""
        return await self._fragment(visit, request, "pictures")

    async def _fragment(self, visit: str, request: Request, name: str) -> Response:
        who = await self._desk.door.who(request)
        found = await self._own(who, visit)
        language = self._desk.door.language(request, who)
        known = await self.arriving(found, language)
        return await self._desk.page(request, who, name, {"visit": found.visit.id, "card": found.card, **known})

    async def step(self, visit: str, step: str, request: Request) -> Response:
        """One answer: from the phone's queue (JSON) or from a plain form."""
        who = await self._desk.door.who(request)
        number = steps.checked_id(visit)
        if step in PHOTOS:
            return await self._whole_photo(request, who, number, cast(PhotoKind, step))
        if step not in STEP_NAMES:
            raise unknown(_("step"), step[:20])
        fields = await self._desk.form(request, who)
        made = steps.Step(
            number, step, steps.checked_id(fields.pop("request", "")), _whole(fields.pop("at_ms", "")), fields
        )
        if step in ("readings", "picture"):
            made = replace(made, amber=await self._amber(who, made))
        answer = await asyncio.to_thread(steps.do, self._desk.inventory, who.actor, made, self._desk.options.zone)
        return JSONResponse(answer, headers=NO_STORE) if wants_json(request) else see(f"/t/visit/{number}")

    async def _amber(self, who: Who, step: steps.Step) -> str:
        """Going on needs what is *stored*, or a reason where it was waited for long enough. Raises P-409."""
        found = await self._own(who, step.visit)
        if step.name in found.progress.done or found.visit.finished_ms is not None:
            return ""
        reason = step.fields.get("reason", "")
        if step.name == "picture":
            if not reason and not await self._thumbnails(found):
                raise no_picture_yet()
            return "no-picture" if reason else ""
        arrival = await self._arrived(found, "en")
        if arrival.complete:
            return arrival.reason
        if reason in arrival.reasons:
            return reason
        raise not_yet()

    async def _whole_photo(self, request: Request, who: Who, visit: str, kind: PhotoKind) -> Response:
        fields, photo = await self._desk.photo(request, who)
        if not photo:
            raise no_picture()
        number = steps.checked_id(fields.get("request", ""))
        await asyncio.to_thread(self._uploads.whole, who.actor, number, visit, kind, photo)
        return see(f"/t/visit/{visit}")

    async def anew(self, visit: str, request: Request) -> Response:
        """Other pictures than those that this visit has: the camera was moved."""
        who = await self._desk.door.who(request)
        found = await self._own(who, visit)
        await self._desk.form(request, who)
        await self._desk.act(who, lambda work: visits.ask_pictures(work, found.visit.id))
        return see(f"/t/visit/{found.visit.id}")

    async def put_photo(
        self, visit: str, number: str, kind: str, offset: int, total: int, request: Request
    ) -> Response:
        """A piece of a photo from the phone's queue."""
        who = await self._desk.door.who(request)
        self._desk.door.check(request, who, request.headers.get("kewang-csrf", ""))
        if kind not in PHOTOS:
            raise unknown(_("step"), kind[:20])
        piece = Piece(
            steps.checked_id(number),
            steps.checked_id(visit),
            cast(PhotoKind, kind),
            offset,
            total,
            await request.body(),
        )
        answer = await asyncio.to_thread(self._uploads.put, who.actor, piece)
        return JSONResponse(answer, headers=NO_STORE)

    async def picture(self, sha256: str, request: Request) -> Response:
        """A picture, for who is logged in, while it may be kept."""
        await self._desk.door.who(request)
        now_ms = self._desk.inventory.clock_ms()
        found = await self._desk.read(lambda rows: reads.picture(rows, sha256, now_ms))
        if found is None:
            raise unknown(_("picture"), sha256[:12])
        path = picture_file(self._desk.inventory.folder, sha256)
        return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})

    async def _own(self, who: Who, visit: str) -> OpenVisit:
        number = steps.checked_id(visit)
        found = await self._desk.read(lambda rows: reads.visit(rows, number))
        if found is None or (found.visit.person != who.login and not who.office):
            raise unknown(_("visit"), visit[:8])
        return found

    async def _arrived(self, found: OpenVisit, language: Language) -> Arrived:
        visit, options = found.visit, self._desk.options
        waited_s = (self._desk.inventory.clock_ms() - visit.started_ms) / 1000
        waited = Waited(waited_s, options.late_s, options.late_source_s)
        return arrived(found.card, await self._acceptance(visit.device, visit.started_ms), waited, language)

    async def _acceptance(self, device: str, since_ms: int) -> Acceptance | None:
        try:
            return await self._desk.gateway.acceptance(device, since_ms)
        except GatewayAway:
            return None

    def _states(self, found: OpenVisit, arrival: Arrived) -> dict[str, Any]:
        """Line by source, for the captions of pictures."""
        return {line.text.partition(":")[0]: line for line in arrival.lines if ":" in line.text}


def not_yet() -> Refused:
    """P-409: the readings are not stored yet."""
    return Refused(
        "P-409",
        "not-stored",
        _("The readings of this device are not stored yet."),
        _("Wait on this page until everything is green."),
        audited=False,
    )


def no_picture_yet() -> Refused:
    """P-409: nobody can have seen a picture."""
    return Refused(
        "P-409",
        "no-picture-yet",
        _("No picture of this device has come yet."),
        _("Wait on this page until you see it, or go on without a picture."),
        audited=False,
    )


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 16 else 0
