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
    site: _Id
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    uplink: _Id | None = None
    feeder: _Id | None = None
    link: Literal["wired", "cellular"] = "wired"
    kind: _Id = "sensor"
    sources: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")], ...] = ()
    life: Life = "installed"


class Placement(Message):
    """All places of one device, oldest first; the last one holds now."""

    v: Version = 1
    h: Annotated[tuple[Place, ...], Field(min_length=1, max_length=100)]

    def at(self, date_ms: int) -> Place:
        """The place at Unix ms `date_ms`; the first one for dates before it."""
        held = [place for place in self.h if place.from_ms <= date_ms]
        return held[-1] if held else self.h[0]

    @property
    def now(self) -> Place:
        """The last place."""
        return self.h[-1]
