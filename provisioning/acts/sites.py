"""Sites: where devices hang, and what they share with other sites."""

from dataclasses import dataclass
from typing import Any

from provisioning.inventory import Site, Work


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
    raise NotImplementedError


def remove(work: Work, site: str) -> None:
    """Forget a site where no device is or ever was (P-409 else)."""
    raise NotImplementedError


def nearest(rows: Any, lat: float, lon: float, limit: int = 5, district: str | None = None) -> list[tuple[Site, float]]:
    """The sites nearest to a position, with their distance in m."""
    raise NotImplementedError
