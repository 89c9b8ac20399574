"""Where all devices are, as the gateways are told."""

from collections.abc import Mapping
from itertools import groupby
from typing import Final

from sqlalchemy import select

from kewang.wire.placement import Place as WirePlace
from kewang.wire.placement import Placement
from provisioning.inventory.database import Inventory
from provisioning.inventory.tables import Place

LONGEST: Final = 100
"""Entries of one placement, as the protocol allows; the oldest ones are left out."""


def placements(inventory: Inventory) -> Mapping[str, Placement]:
    """The placement of every device that was ever approved, by its id; for `provisioning.placements.keep_published`."""
    with inventory.reading() as rows:
        found = rows.scalars(select(Place).order_by(Place.device, Place.from_ms)).all()
    return {
        device: Placement(h=tuple(_wire(row) for row in list(history)[-LONGEST:]))
        for device, history in groupby(found, key=lambda row: row.device)
    }


def _wire(row: Place) -> WirePlace:
    return WirePlace.model_validate(
        {
            "from": row.from_ms,
            "site": row.site,
            "lat": row.lat,
            "lon": row.lon,
            "uplink": row.uplink,
            "feeder": row.feeder,
            "link": row.link,
            "kind": row.kind,
            "sources": tuple(row.sources),
            "life": row.life,
        }
    )
