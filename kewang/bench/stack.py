"""The real stack of a city behind one technician: office, guarded broker, gateway, database; boxes as whole agents.

with SecuredStack(folder) as stack:
    box = stack.box("amb-env-1", [board])      # in the list, with its sources; not approved
    with box: ...                               # it asks to be let in
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge.enrol.box import Box
from kewang.bench.guard import Guard
from kewang.bench.line import prepare
from kewang.bench.process import Part, free_port, wait_for
from kewang.bench.programs import EdgeProgram, toml_of
from kewang.bench.provisioned import SecuredGateway
from kewang.bench.secured import BENCH, SecuredOffice
from kewang.bench.stored import SqliteDatabase
from provisioning.acts import devices, people, sites, sources
from provisioning.inventory import Device

SITE: Final = "mardika"
MARDIKA: Final = (-3.69463, 128.18245)
DISTRICT: Final = "sirimau"
READY_S: Final = 90.0


class WaitingBox(EdgeProgram):
    """A box that waits for a technician: it answers nobody before."""

    def is_ready(self) -> bool:
        return self.is_running


@dataclass(frozen=True, slots=True)
class Way:
    """How boxes reach the office and the broker; the ports of links, or None for the straight way."""

    api_port: int | None = None
    broker_port: int | None = None


class SecuredStack:
    """As a context manager it runs for the length of the block. Raises MissingPart, PartFailed, TimeoutError.

    `told_broker_port`: where the office tells boxes that the broker is, if not where it is. `watching`: the gateway
    watches for outages, and asks the office each second who gets alerts.
    """

    def __init__(
        self,
        folder: Path,
        *,
        guard: Guard | None = None,
        told_broker_port: int | None = None,
        watching: bool = False,
    ) -> None:
        self.folder, self._guard = folder, guard
        gateway_port = free_port()
        self.office = SecuredOffice(folder / "office", gateway_port, guard=guard, told_broker_port=told_broker_port)
        self.database = SqliteDatabase(folder / "kewang.db")
        self.gateway = SecuredGateway(
            folder / "gateway",
            self.office.gateway_broker(),
            f"sqlite:///{self.database.file}",
            console=self.office.gateway_access(),
            port=gateway_port,
            incidents=self._watching() if watching else None,
        )
        self.gateway.guard = guard
        self._running = ExitStack()

    def _watching(self) -> dict[str, str]:
        notify = self.folder / "notify.toml"
        token = self.office.gateway_access()["service_token_file"]
        notify.write_text(toml_of({"office": {"url": self.office.web_url, "token_file": token, "every_s": 1.0}}))
        return {"folder": str(self.folder / "incidents"), "notify": str(notify)}

    @property
    def parts(self) -> list[Part]:
        """The processes, without boxes."""
        return [*self.office.parts, self.gateway]

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            prepare(self.gateway.store_url)
            starting.enter_context(self.office)
            starting.enter_context(self.gateway)
            wait_for(lambda: self.gateway.get("/ready") is not None, READY_S)
            self._running = starting.pop_all()
        self.office.add_site(SITE, "Pasar Mardika, Blok B", lat=MARDIKA[0], lon=MARDIKA[1], district=DISTRICT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def technician(self, login: str) -> str:
        """Let a technician in; the password."""
        with self.office.inventory() as inventory, inventory.writing(BENCH) as work:
            person = people.NewPerson(login, login.title(), "technician", district=DISTRICT)
            return people.add(work, person)[1]

    def site(self, site: str, district: str) -> None:
        """One site more, in another district maybe."""
        with self.office.inventory() as inventory, inventory.writing(BENCH) as work:
            sites.put(work, sites.NewSite(site, site.title(), -3.7, 128.2, district=district))

    def box(
        self, device: str, listed: Sequence[sources.NewSource], kind: str = "sensor", way: Way | None = None
    ) -> WaitingBox:
        """A box fresh from its carton, and in the list with its sources; nobody has approved it."""
        way, folder = way or Way(), self.folder / "boxes" / device
        enrolment = self.office.enrolment(folder / "identity")
        if way.api_port:
            enrolment["url"] = f"https://localhost:{way.api_port}"
        box = WaitingBox(folder, device, 0, enrolment=enrolment)
        box.guard = self._guard
        label = fresh_label(folder / "identity", device, kind)
        with self.office.inventory() as inventory, inventory.writing(BENCH) as work:
            devices.add(work, devices.NewDevice(device, kind, label["fingerprint"]))
            for each in listed:
                sources.put(work, device, each)
        return box

    def state(self, device: str) -> str:
        """Where the device is on its way."""
        with self.office.inventory() as inventory, inventory.reading() as rows:
            return rows.get_one(Device, device).state

    def fingerprint(self, device: str) -> str:
        """As on its label."""
        with self.office.inventory() as inventory, inventory.reading() as rows:
            return rows.get_one(Device, device).fingerprint

    def label_path(self, device: str) -> str:
        """Where its QR code leads, as it is printed: in capitals."""
        return f"/D/{device}/{self.fingerprint(device)}".upper()

    def await_state(self, device: str, *states: str, limit_s: float = READY_S) -> None:
        """Wait until the device is in one of `states`. Raises TimeoutError."""
        wait_for(lambda: self.state(device) in states, limit_s)


def fresh_label(identity: Path, device: str, kind: str) -> Mapping[str, str]:
    """Makes the box's key, as its first start does; what its label says."""
    box = Box(identity)
    box.begin(device, "amb", kind)
    return {"device": device, "fingerprint": box.key.fingerprint}


def board_source(name: str, port: int, map_file: Path, interval_s: float = 10.0) -> sources.NewSource:
    """A simulated board, as the office writes it down."""
    keys = {"host": "127.0.0.1", "port": port, "map": str(map_file), "interval_s": interval_s}
    return sources.NewSource(name, "modbus-tcp", keys, {})
