"""What the tests of the web app share."""

from __future__ import annotations

import asyncio
import uuid

from sqlalchemy import func, select

from provisioning.inventory import Audit, Device
from tests.provisioning.market import (
    MARDIKA,
    Town,
    fingerprint,
    picture,
)


def new() -> str:
    return str(uuid.uuid4())


def first(device: str, **more: str) -> dict[str, str]:
    """Fields of the step with which the server hears of an installation."""
    spot = {"lat": str(MARDIKA[0]), "lon": str(MARDIKA[1]), "accuracy_m": "12"}
    label = {"device": device, "fingerprint": fingerprint(device), "kind": "install"}
    return {"request": new(), "site": "mardika", **label, **spot, **more}


async def install(market: Town, device: str) -> str:
    """A whole installation by plain forms; the visit's id."""
    visit = new()
    await market.post(f"/t/visit/{visit}/site", first(device), 303)
    await market.post(f"/t/visit/{visit}/mounted", {"request": new()}, 303, files={"photo": ("a.jpg", picture("A"))})
    await market.post(f"/t/visit/{visit}/sources", {"request": new()}, 303)
    await asyncio.to_thread(market.boxes.arrive, device)
    await market.post(f"/t/visit/{visit}/readings", {"request": new()}, 303)
    if "cam" in device:
        await market.post(f"/t/visit/{visit}/picture", {"request": new()}, 303)
        await market.post(f"/t/visit/{visit}/notice", {"request": new()}, 303, files={"photo": ("b.jpg", picture("B"))})
    return visit


def state(market: Town, device: str) -> str:
    with market.inventory.reading() as rows:
        return rows.get_one(Device, device).state


def acts(market: Town) -> int:
    """How many rows the audit log has."""
    with market.inventory.reading() as rows:
        return rows.scalar(select(func.count()).select_from(Audit)) or 0


# ---- login
