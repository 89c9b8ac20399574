"""What needs somebody: alarms of the broker's guard, and what runs out."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.authority import AuthorityError
from provisioning.inventory import Certificate, Device
from provisioning.web.office.house import House
from provisioning.web.standing import Standing

DAY_MS: Final = 86_400_000
LATE_DAYS: Final = 7
"""A box renews ten days before the end: with less left it has not called for days."""
SHOWN: Final = 200


class Watch:
    """`/office/watch`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/watch", self.show, methods=["GET"])
        return router

    async def show(self, request: Request) -> Response:
        """Alarms, what of ours runs out, and boxes that have not renewed."""
        who = await self._house.who(request)
        now_ms, standing = self._house.desk.inventory.clock_ms(), self._house.desk.standing
        known: dict[str, Any] = {
            "guarded": standing.alarms is not None,
            "alarms": await asyncio.to_thread(standing.alarms) if standing.alarms else [],
            **await asyncio.to_thread(_expiring, standing, now_ms),
            "boxes": await self._house.desk.read(lambda rows: _late(rows, now_ms)),
        }
        return await self._house.page(request, who, "watch", known)


def _expiring(standing: Standing, now_ms: int) -> dict[str, Any]:
    """Certificates of ours; `unread` says why they can't be read."""
    try:
        return {"expiring": standing.expiring(now_ms) if standing.expiring else [], "unread": ""}
    except (AuthorityError, OSError) as error:
        return {"expiring": [], "unread": str(error)}


def _late(rows: Session, now_ms: int) -> list[tuple[str, str, int]]:
    """Boxes in use whose newest certificate ends within `LATE_DAYS` or has ended: id, state, Unix ms."""
    ends = func.max(Certificate.to_ms)
    wanted = (
        select(Device.id, Device.state, ends)
        .join(Certificate, Certificate.subject == Device.id)
        .where(Device.state.in_(("active", "installed", "quarantined")), Certificate.revoked_ms.is_(None))
        .group_by(Device.id, Device.state)
        .having(ends < now_ms + LATE_DAYS * DAY_MS)
        .order_by(ends)
    )
    return list(rows.execute(wanted.limit(SHOWN)).all())
