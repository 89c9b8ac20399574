"""Placement: what provisioning says of a device, as a history, oldest first."""

from typing import Annotated, Literal

from pydantic import Field

from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.models import Message, Version

Life = Literal["approved", "installed", "maintenance", "quarantined", "revoked", "retired"]
REFUSED_LIVES = frozenset({"revoked", "retired"})
"""What a device with one of these lives sends is dropped."""

_Id = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]


class Place(Message):
    """Where a device is since `from_ms`."""

    from_ms: Annotated[int, Field(ge=0, le=MAX_DATE_MS, alias="from")]
    """Unix ms since when it holds."""
    site: _Id
    """Where the device is."""
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Degrees north."""
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    """Degrees east."""
    uplink: _Id | None = None
    """Network line that sites share."""
    feeder: _Id | None = None
    """Power line that sites share."""
    link: Literal["wired", "cellular"] = "wired"
    """How the device is connected."""
    kind: _Id = "sensor"
    """Kind of device, for people."""
    sources: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")], ...] = ()
    """Sources that it should have."""
    life: Life = "installed"
    """What a revoked or retired device sends is dropped."""


class Placement(Message):
    """All places of one device, oldest first; the last one holds now."""

    v: Version = 1
    """Version of the protocol."""
    h: Annotated[tuple[Place, ...], Field(min_length=1, max_length=100)]
    """Places, oldest first; the last one holds now."""

    def at(self, date_ms: int) -> Place:
        """The place at Unix ms `date_ms`; the first one for dates before it."""
        held = [place for place in self.h if place.from_ms <= date_ms]
        return held[-1] if held else self.h[0]

    @property
    def now(self) -> Place:
        """The last place."""
        return self.h[-1]
