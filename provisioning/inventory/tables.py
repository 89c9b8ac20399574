"""The tables about devices and where they stand. Every time is Unix ms; what people write is text, never trusted."""

from typing import Any, Final, Literal, get_args

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from provisioning.inventory.base import BASE32, HEX, SLUG, Base, at_most, between, letters, one_of

State = Literal["new", "pending", "approved", "active", "installed", "quarantined", "revoked", "retired"]
Link = Literal["wired", "cellular"]
VisitKind = Literal["install", "replace", "move", "retire", "check"]
PhotoKind = Literal["mounted", "notice", "thumbnail"]
LIVES: Final = ("approved", "installed", "maintenance", "quarantined", "revoked", "retired")

RowId = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database gives: SQLite counts only `INTEGER PRIMARY KEY`."""


class Site(Base):
    """A place where devices hang: a market, a junction. `uplink` and `feeder` name what it shares with other sites."""

    __tablename__ = "site"
    __table_args__ = (
        *letters("id", SLUG, 1, 64),
        at_most("name", 64),
        between("lat", -90, 90),
        between("lon", -180, 180),
        *letters("uplink", SLUG, 1, 64),
        *letters("feeder", SLUG, 1, 64),
        one_of("link", get_args(Link)),
        *letters("district", SLUG, 1, 64),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    uplink: Mapped[str | None]
    feeder: Mapped[str | None]
    link: Mapped[str] = mapped_column(default="wired")
    district: Mapped[str | None]
    created_ms: Mapped[int]
    changed_ms: Mapped[int]


class Device(Base):
    """A box. `fingerprint` is of its first key, the one on the label; it never changes while the row lives.

    `state_by` and `state_ms`: who brought it into its state, and when; `placed_by` and `placed_ms`: who put it where it
    is. `site` before approval is where it is planned. `config_ms`: version of its sources.
    """

    __tablename__ = "device"
    __table_args__ = (
        *letters("id", SLUG, 3, 32),
        *letters("kind", SLUG, 1, 64),
        at_most("model", 64),
        at_most("serial", 64),
        *letters("fingerprint", BASE32, 26, 26),
        one_of("state", get_args(State)),
        between("lat", -90, 90),
        between("lon", -180, 180),
        at_most("note", 500),
        at_most("hw", 128),
        at_most("fw", 64),
        Index(None, "state"),
        Index(None, "site"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    model: Mapped[str] = mapped_column(default="")
    serial: Mapped[str] = mapped_column(default="")
    fingerprint: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="new")
    state_by: Mapped[str] = mapped_column(default="")
    state_ms: Mapped[int]
    before_quarantine: Mapped[str | None]
    placed_by: Mapped[str | None]
    placed_ms: Mapped[int | None]
    preapproved: Mapped[bool] = mapped_column(default=False)
    site: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    note: Mapped[str] = mapped_column(default="")
    hw: Mapped[str] = mapped_column(default="")
    fw: Mapped[str] = mapped_column(default="")
    replaces: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    config_ms: Mapped[int] = mapped_column(default=0)
    created_ms: Mapped[int]
    changed_ms: Mapped[int]


class Place(Base):
    """Where a device is since `from_ms`, and its life there: the rows of `kewang.wire.placement.Placement`."""

    __tablename__ = "place"
    __table_args__ = (
        UniqueConstraint("device", "from_ms"),
        one_of("life", LIVES),
        one_of("link", get_args(Link)),
        Index(None, "site"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("device.id"))
    from_ms: Mapped[int]
    site: Mapped[str] = mapped_column(ForeignKey("site.id"))
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    uplink: Mapped[str | None]
    feeder: Mapped[str | None]
    link: Mapped[str] = mapped_column(default="wired")
    kind: Mapped[str]
    sources: Mapped[list[Any]]
    life: Mapped[str]
    by: Mapped[str]


class Source(Base):
    """A source on a device: its keys of `edge.toml`. `secrets` are sealed (`acts.sources`), never plain."""

    __tablename__ = "source"
    __table_args__ = (*letters("name", SLUG, 1, 32), at_most("driver", 64))

    device: Mapped[str] = mapped_column(ForeignKey("device.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    driver: Mapped[str]
    settings: Mapped[dict[str, Any]]
    secrets: Mapped[str | None]
    changed_ms: Mapped[int]


class Certificate(Base):
    """A certificate that was given out. `serial` as lower-case hex; `fingerprint` of its key, as on labels."""

    __tablename__ = "certificate"
    __table_args__ = (
        *letters("serial", HEX, 1, 40),
        *letters("fingerprint", BASE32, 26, 26),
        one_of("role", ("device", "service")),
        Index(None, "subject", "from_ms"),
        Index(None, "fingerprint"),
    )

    serial: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    fingerprint: Mapped[str]
    chain: Mapped[str]
    from_ms: Mapped[int]
    to_ms: Mapped[int]
    issued_ms: Mapped[int]
    revoked_ms: Mapped[int | None]
    role: Mapped[str]


class Maintenance(Base):
    """A span in which a device may be silent without anybody being called. Open while `to_ms` is NULL."""

    __tablename__ = "maintenance"
    __table_args__ = (at_most("why", 200), Index(None, "device", "to_ms"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("device.id"))
    from_ms: Mapped[int]
    to_ms: Mapped[int | None]
    until_ms: Mapped[int]
    by: Mapped[str]
    visit: Mapped[str | None]
    why: Mapped[str] = mapped_column(default="")


class Visit(Base):
    """A technician at a device. `id` is made by the phone; `steps` is `[{"step": ..., "ms": ...}, ...]`.

    `year` and `ordinal` are the number on the last screen, `2026-0143`: given when it ends well.
    """

    __tablename__ = "visit"
    __table_args__ = (
        *letters("id", HEX + "-", 36, 36),
        one_of("kind", get_args(VisitKind)),
        between("lat", -90, 90),
        between("lon", -180, 180),
        one_of("result", ("green", "amber", "red", "left")),
        at_most("reason", 500),
        UniqueConstraint("year", "ordinal"),
        Index(None, "person", "started_ms"),
        Index(None, "device", "started_ms"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("device.id"))
    person: Mapped[str] = mapped_column(ForeignKey("person.login"))
    kind: Mapped[str]
    site: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    steps: Mapped[list[Any]]
    started_ms: Mapped[int]
    finished_ms: Mapped[int | None]
    result: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="")
    year: Mapped[int | None]
    ordinal: Mapped[int | None]

    @property
    def number(self) -> str | None:
        """As people say it: `2026-0143`; None before it ended well."""
        return None if self.ordinal is None else f"{self.year}-{self.ordinal:04d}"


class Photo(Base):
    """A picture in the state folder's `photos/{sha256}`: of a visit, or a source's thumbnail."""

    __tablename__ = "photo"
    __table_args__ = (
        *letters("sha256", HEX, 64, 64),
        one_of("kind", get_args(PhotoKind)),
        UniqueConstraint("sha256", "visit", "kind"),
        Index(None, "device", "kind"),
        Index(None, "expires_ms"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sha256: Mapped[str]
    kind: Mapped[str]
    device: Mapped[str] = mapped_column(ForeignKey("device.id"))
    source: Mapped[str | None]
    visit: Mapped[str | None] = mapped_column(ForeignKey("visit.id"))
    taken_ms: Mapped[int]
    expires_ms: Mapped[int | None]
