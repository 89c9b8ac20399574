"""What the office can do to a device: when, what is asked first, and the act behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from provisioning.acts import devices, maintenance
from provisioning.acts import fields as checks
from provisioning.acts.devices import Spot
from provisioning.acts.moves import PLACED
from provisioning.inventory import Site, Work
from provisioning.refusals import Refused
from provisioning.web.office.forms import Choice, Field
from provisioning.web.office.house import degrees, reason
from provisioning.web.office.reads import Detail

HOUR_MS: Final = 3_600_000
_HOURS: Final = ("1", "2", "4", "8", "12")
_OVER: Final = ("revoked", "retired")
Fields = Mapping[str, str]


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Deed:
    """`do(work, device, fields)`; `done`: the word of DONE_WORDS. `asks(detail, sites)` gives the fields.

    `act`: the right it needs. `fits(detail)`: whether it is offered on the device's page.
    """

    act: str
    button: str
    lead: str
    done: str
    fits: Callable[[Detail], bool]
    do: Callable[[Work, str, Fields], object]
    asks: Callable[[Detail, list[Choice]], tuple[Field, ...]]
    danger: bool = False


def site_choices(sites: list[Site]) -> list[Choice]:
    """Sites as a list to choose from."""
    return [Choice(site.id, f"{site.name} ({site.id})" if site.name != site.id else site.id) for site in sites]


def spot(fields: Fields) -> Spot | None:
    """A position that was typed. Raises Refused P-400."""
    lat, lon = degrees("lat", fields.get("lat", ""), 90), degrees("lon", fields.get("lon", ""), 180)
    checks.position(lat, lon)
    return None if lat is None or lon is None else Spot(lat, lon)


def _in(*states: str) -> Callable[[Detail], bool]:
    return lambda found: found.device.state in states


def _why(_found: Detail, _sites: list[Choice]) -> tuple[Field, ...]:
    return (Field("reason", _("Why"), "area", most=500, required=True, hint=_("It stands in the audit log.")),)


def _where(found: Detail, sites: list[Choice]) -> tuple[Field, ...]:
    hint = _("Empty: the position of the site.")
    return (
        Field("site", _("Site"), "choice", value=found.device.site or "", choices=tuple(sites), required=True),
        Field("lat", _("Latitude"), "number", most=24, hint=hint),
        Field("lon", _("Longitude"), "number", most=24),
    )


def _by_what(found: Detail, sites: list[Choice]) -> tuple[Field, ...]:
    new = Field("new", _("New device"), "code", most=32, required=True, hint=_("of the same kind, not yet installed"))
    return (new, *_why(found, sites))


def _how_long(_found: Detail, _sites: list[Choice]) -> tuple[Field, ...]:
    hours = tuple(Choice(each, each) for each in _HOURS)
    return (
        Field("hours", _("Hours"), "choice", value="4", choices=hours),
        Field("reason", _("Why"), most=200, required=True),
    )


def _words(found: Detail, _sites: list[Choice]) -> tuple[Field, ...]:
    return (
        Field("model", _("Model"), value=found.device.model),
        Field("note", _("Note"), "area", value=found.device.note, most=500),
    )


def _begin(work: Work, device: str, fields: Fields) -> object:
    hours = fields.get("hours", "")
    if hours not in _HOURS:
        raise Refused("P-400", "hours", _("Choose how many hours."), audited=False)
    return maintenance.begin(work, device, why=reason(fields), limit_ms=int(hours) * HOUR_MS)


def _replace(work: Work, device: str, fields: Fields) -> object:
    return devices.replace(work, device, fields.get("new", "").strip().lower(), reason=reason(fields))


DEEDS: Final[dict[str, Deed]] = {
    "approve": Deed(
        "device.approve",
        _("Approve"),
        _("The device gets a certificate when it calls, and belongs to this site from then on."),
        "approved",
        _in("new", "pending"),
        lambda work, device, fields: devices.approve(work, device, fields.get("site", ""), spot(fields)),
        _where,
    ),
    "accept": Deed(
        "device.accept",
        _("Accept"),
        _("Without a technician's green visit: say how you know that it is installed and sends."),
        "accepted",
        _in("active"),
        lambda work, device, fields: devices.accept(work, device, reason=reason(fields)),
        _why,
    ),
    "maintenance": Deed(
        "maintenance.begin",
        _("Begin maintenance"),
        _("While it lasts the device may be silent and nobody is called. It ends by itself."),
        "maintenance",
        lambda found: found.device.state not in _OVER and found.open_span is None,
        _begin,
        _how_long,
    ),
    "end-maintenance": Deed(
        "maintenance.end",
        _("End maintenance"),
        _("From now on its silence is an alarm again."),
        "maintained",
        lambda found: found.open_span is not None,
        lambda work, device, fields: maintenance.end(work, device),
        lambda found, sites: (),
    ),
    "move": Deed(
        "device.move",
        _("Move elsewhere"),
        _("What it sends belongs to the new site from now on; its history stays."),
        "moved",
        _in(*PLACED),
        lambda work, device, fields: devices.move(work, device, fields.get("site", ""), spot(fields)),
        _where,
    ),
    "replace": Deed(
        "device.replace",
        _("Replace"),
        _("Another device takes over its site, sources and history; this one is revoked."),
        "replaced",
        lambda found: found.device.site is not None and found.device.state not in ("new", "pending", "retired"),
        _replace,
        _by_what,
        danger=True,
    ),
    "describe": Deed(
        "device.describe",
        _("Change note and model"),
        "",
        "saved",
        lambda found: True,
        lambda work, device, fields: devices.describe(
            work, device, note=fields.get("note", ""), model=fields.get("model", "")
        ),
        _words,
    ),
    "quarantine": Deed(
        "device.quarantine",
        _("Set apart"),
        _("It stays connected, but what it sends is not taken. You can undo this."),
        "quarantined",
        _in("active", "installed"),
        lambda work, device, fields: devices.quarantine(work, device, reason(fields)),
        _why,
        danger=True,
    ),
    "release": Deed(
        "device.release",
        _("Release"),
        _("It becomes what it was before it was set apart."),
        "released",
        _in("quarantined"),
        lambda work, device, fields: devices.release(work, device, reason(fields)),
        _why,
    ),
    "retire": Deed(
        "device.retire",
        _("Retire"),
        _("It was taken down for good: its certificates are revoked. This can't be undone."),
        "retired",
        lambda found: found.device.state != "retired",
        lambda work, device, fields: devices.retire(work, device, reason(fields)),
        _why,
        danger=True,
    ),
    "revoke": Deed(
        "device.revoke",
        _("Revoke"),
        _("For a stolen or foreign device: it is cut off at once and never let in again. This can't be undone."),
        "revoked",
        lambda found: found.device.state not in _OVER,
        lambda work, device, fields: devices.revoke(work, device, reason(fields)),
        _why,
        danger=True,
    ),
}
"""By their name in the address."""
