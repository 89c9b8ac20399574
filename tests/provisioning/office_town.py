"""The market town with an office in it: an administrator, keys, devices in every state, visits, tasks, contacts."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from provisioning.acts import contacts, devices, maintenance, people, sites, sources, tasks, visits
from provisioning.acts.devices import NewDevice
from provisioning.acts.people import NewPerson
from provisioning.inventory import Actor, Inventory
from provisioning.keys import make_keys
from provisioning.pictures import stored
from tests.provisioning.market import CAMERA_BOX, OFFICE, PASSWORD, Town, fingerprint, new_source, picture, town

RUDI = Actor("rudi", "technician", "sirimau")
IN_THE_LIST, WAITING, ACTIVE, INSTALLED = "amb-new-one", "amb-asking", "amb-active", CAMERA_BOX
APART, REVOKED, SPARE, RESTING = "amb-apart", "amb-revoked", "amb-spare", "amb-resting"
SECRET = "kata-sandi-kamera-9"
LOGINS: Final = {"technician": "rudi", "operator": "ina", "admin": "ada"}


@asynccontextmanager
async def office_town(folder: Path) -> AsyncIterator[Town]:
    """The town being served; nobody is logged in."""
    async with town(folder) as found:
        make_keys(found.inventory.folder)
        settle_office(found)
        yield found


def settle_office(found: Town) -> None:
    """Everything that the office's pages can show."""
    _put_devices(found.inventory)
    for device in (ACTIVE, INSTALLED, APART, REVOKED, RESTING):
        with found.inventory.writing(OFFICE) as work:
            devices.approve(work, device, "mardika")
        found.boxes.certify(device)
    found.boxes.call(WAITING)
    found.boxes.report(INSTALLED)
    _visit(found, INSTALLED)
    with found.inventory.writing(OFFICE) as work:
        devices.accept(work, RESTING, reason="seen by the office")
        maintenance.begin(work, RESTING, why="a new pole")
        devices.quarantine(work, APART, "a flood of readings")
        devices.revoke(work, REVOKED, "stolen from the market")
        tasks.assign(work, "The picture is dark since Sunday", device=INSTALLED, source="cam-1", assignee="rudi")
        always = contacts.NewContact("Command Center", "telegram", "@ambon_cc")
        contacts.add(work, always)
        night = contacts.NewContact("Ketua Jaga Malam", "whatsapp", "+628110000001", district="sirimau")
        contacts.add(work, night, (contacts.NewShift("12345", 1080, 360), contacts.NewShift("67", 0, 1440)))


def _put_devices(inventory: Inventory) -> None:
    with inventory.writing(OFFICE) as work:
        people.add(work, NewPerson("ada", "Ada Matulessy", "admin"), PASSWORD)
        for site, name, uplink, feeder in (
            ("mardika", "Pasar Mardika, Blok B", "isp-1", "feeder-3"),
            ("batu-merah", "Pasar Batu Merah", "isp-1", "feeder-4"),
            ("gong", "Simpang Gong Perdamaian", None, "feeder-3"),
        ):
            sites.put(work, sites.NewSite(site, name, -3.69463, 128.18245, uplink, feeder, "wired", "sirimau"))
        for device in (IN_THE_LIST, WAITING, ACTIVE, APART, REVOKED, SPARE, RESTING):
            devices.add(work, NewDevice(device, "camera", fingerprint(device), model="Kotak 2", serial=f"SN-{device}"))
        told = sources.NewSource(
            "cam-1", "camera", {"url": "rtsp://10.0.0.9/stream", "user": "lihat"}, {"password": SECRET}
        )
        sources.put(work, INSTALLED, told)
        sources.put(work, ACTIVE, new_source("cam-1"))


def _visit(found: Town, device: str) -> None:
    name, now_ms = str(uuid.uuid4()), found.inventory.clock_ms()
    kept = {kind: stored(found.inventory.folder, picture(kind)) for kind in ("mounted", "notice")}
    with found.inventory.writing(RUDI) as work:
        visits.start(work, name, device, "install", site="mardika")
        for kind, sha256 in kept.items():
            visits.add_photo(work, device, visits.Picture(sha256, kind, now_ms), visit=name)  # type: ignore[arg-type]
        visits.finish(work, name, "green")
        devices.accept(work, device, visit=name)
    found.boxes.show(device)


async def logged_in(office: Town, role: str) -> None:
    """Logs in as somebody of `role`."""
    office.client.cookies.clear()
    assert (await office.log_in(LOGINS[role])).status_code == 303
