"""Sites: where devices hang, and what they share with other sites."""

import math
from dataclasses import dataclass
from typing import Final, get_args

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from provisioning.acts import fields
from provisioning.acts.places import write_place
from provisioning.acts.rights import must
from provisioning.acts.rows import site_row
from provisioning.inventory import Device, Place, Site, Visit, Work
from provisioning.inventory.audit import record
from provisioning.inventory.tables import Link
from provisioning.refusals import Refused

EARTH_M: Final = 6_371_000.0
"""Mean radius of the earth."""


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class NewSite:
    """A site, whole: what `put` writes."""

    id: str
    name: str
    lat: float | None = None
    lon: float | None = None
    uplink: str | None = None
    feeder: str | None = None
    link: str = "wired"
    district: str | None = None


def put(work: Work, site: NewSite) -> Site:
    """Add the site or write it anew. The devices there get it in their placements from now on."""
    must(work, "site.put", site.id)
    row = write_row(work, site)
    told = {"name": row.name, "lat": row.lat, "lon": row.lon, "uplink": row.uplink, "feeder": row.feeder}
    record(work, "site.put", row.id, told | {"link": row.link, "district": row.district})
    return row


def write_row(work: Work, site: NewSite) -> Site:
    """The site, checked and in the table, without an audit row: part of `put` and of imports."""
    name = fields.slug("site", site.id)
    row = work.rows.get(Site, name) or Site(id=name, created_ms=work.now_ms)
    row.name = fields.text("name", site.name, 64, least=1)
    row.lat, row.lon = fields.position(site.lat, site.lon)
    row.uplink = fields.optional_slug("uplink", site.uplink)
    row.feeder = fields.optional_slug("feeder", site.feeder)
    row.link = fields.one_of("link", site.link, get_args(Link))
    row.district = fields.optional_slug("district", site.district)
    row.changed_ms = work.now_ms
    work.rows.add(row)
    work.rows.flush()
    for device in work.rows.scalars(select(Device).where(Device.site == name)).all():
        write_place(work, device)
    return row


def remove(work: Work, site: str) -> None:
    """Forget a site where no device is or ever was (P-409 else)."""
    must(work, "site.remove", site)
    row = site_row(work.rows, site)
    used = [
        work.rows.scalar(select(func.count()).select_from(table).where(table.site == row.id))
        for table in (Device, Place, Visit)
    ]
    if any(used):
        raise Refused(
            "P-409",
            "site-used",
            _("Devices are, or were, at the site %(site)s."),
            _("Keep it: their history needs it."),
            site=row.id,
        )
    work.rows.delete(row)
    work.rows.flush()
    record(work, "site.remove", row.id, {"name": row.name})


def nearest(
    rows: Session, lat: float, lon: float, limit: int = 5, district: str | None = None
) -> list[tuple[Site, float]]:
    """The sites nearest to a position, with their distance in m (great circle)."""
    known = select(Site).where(Site.lat.is_not(None), Site.lon.is_not(None))
    if district is not None:
        known = known.where(or_(Site.district == district, Site.district.is_(None)))
    found = [(site, distance_m(lat, lon, site.lat or 0.0, site.lon or 0.0)) for site in rows.scalars(known)]
    return sorted(found, key=lambda pair: (pair[1], pair[0].id))[:limit]


def distance_m(lat_1: float, lon_1: float, lat_2: float, lon_2: float) -> float:
    """Great circle between two positions in degrees, by the haversine formula."""
    one, other = math.radians(lat_1), math.radians(lat_2)
    turn = math.radians(lon_2 - lon_1)
    part = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(turn / 2) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(part)))
