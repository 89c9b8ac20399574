"""A small town for the tests of provisioning: sites, people, boxes, and a clock that only the test turns."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import cache

from provisioning.acts import devices, people, sites
from provisioning.acts.devices import Issued, NewDevice
from provisioning.inventory import Actor, Device, Inventory

START_MS = 1_795_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

RUDI = Actor("rudi", "technician", "sirimau")
SITI = Actor("siti", "technician", "sirimau")
TONO = Actor("tono", "technician", "baguala")
OPI = Actor("opi", "operator")
ADA = Actor("ada", "admin")
GUARD = Actor.system("guard")


class Clock:
    """Unix ms that stand still until `tick`."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def tick(self, ms: int = 1000) -> int:
        """Go on by `ms`; the new time."""
        self.now_ms += ms
        return self.now_ms


@cache
def fingerprint(device: str) -> str:
    """A fingerprint as a key's would look, of its own for every device."""
    digest = hashlib.sha256(device.encode()).digest()
    return "".join(_BASE32[byte % 32] for byte in digest[:26])


def box(device: str, **more: object) -> NewDevice:
    """A box for the list."""
    values = {"kind": "camera", "fingerprint": fingerprint(device)} | more
    return NewDevice(id=device, **values)  # type: ignore[arg-type]


def issued(device: str, number: int = 1, from_ms: int = START_MS) -> Issued:
    """A certificate as the authority would hand it over."""
    serial = hashlib.sha256(f"{device} {number}".encode()).hexdigest()[:38]
    return Issued(serial, fingerprint(device), f"PEM of {serial}", from_ms - HOUR_MS, from_ms + 30 * DAY_MS)


def new_uuid() -> str:
    return str(uuid.uuid4())


@dataclass
class Town:
    """The inventory, its clock, and shorter ways to get a device somewhere."""

    inventory: Inventory
    clock: Clock

    def pending(self, device: str) -> None:
        """A box of the list has asked."""
        with self.inventory.writing(Actor.device(device)) as work:
            devices.request_seen(work, device, fingerprint(device))

    def approved(self, device: str, site: str = "mardika", by: Actor = RUDI) -> None:
        with self.inventory.writing(by) as work:
            devices.approve(work, device, site)

    def active(self, device: str, site: str = "mardika", by: Actor = RUDI) -> None:
        """Approved, with a certificate."""
        self.approved(device, site, by)
        with self.inventory.writing(Actor.device(device)) as work:
            devices.certificate_given(work, device, issued(device))

    def installed(self, device: str, site: str = "mardika", by: Actor = RUDI) -> None:
        """Accepted by the office."""
        self.active(device, site, by)
        self.clock.tick()
        with self.inventory.writing(OPI) as work:
            devices.accept(work, device, reason="seen by the office")
        self.clock.tick()

    def state(self, device: str) -> str:
        with self.inventory.reading() as rows:
            found = rows.get(Device, device)
            assert found
            return found.state


BOXES = ("amb-cam-one", "amb-cam-two", "amb-cam-three", "amb-cam-four")


def build_town(inventory: Inventory, clock: Clock) -> Town:
    """Sites `mardika` and `batumerah` in the district sirimau, `passo` in baguala; five people; four cameras."""
    with inventory.writing(ADA) as work:
        for site, name, district, lat, lon in (
            ("mardika", "Pasar Mardika", "sirimau", -3.694, 128.183),
            ("batumerah", "Pasar Batu Merah", "sirimau", -3.691, 128.191),
            ("passo", "Passo", "baguala", -3.633, 128.256),
        ):
            sites.put(work, sites.NewSite(site, name, lat, lon, "isp-1", "feeder-1", "wired", district))
        for actor in (RUDI, SITI, TONO, OPI, ADA):
            role = actor.role
            assert role in ("technician", "operator", "admin")
            person = people.NewPerson(actor.name, actor.name.title(), role, district=actor.district)
            people.add(work, person, "Kota-Ambon-Manise")
        for device in BOXES:
            devices.add(work, box(device))
    clock.tick()
    return Town(inventory, clock)
