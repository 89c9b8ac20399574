"""The city with certificates: each agent asks the office for its own and for its sources, the broker is guarded."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import segno
from rich.text import Text

from firmware_sim.layout import map_file
from kewang.bench.city import CAMERA, SOURCE, City, CityPlan, Device
from kewang.bench.parts import Broker
from kewang.bench.process import Part, free_port
from kewang.bench.programs import HOST, EdgeProgram, GatewayProgram
from kewang.bench.provisioned import SecuredGateway
from kewang.bench.secured import BENCH, SecuredOffice, identity
from provisioning.acts import devices, people, sites, sources

SPARE: Final = "amb-box-spare"
TECHNICIAN: Final = "rudi"
_SITE_KEYS: Final = ("lat", "lon", "uplink", "feeder", "link")


class SpareBox(EdgeProgram):
    """A box that waits for a technician: it answers nobody before."""

    def is_ready(self) -> bool:
        return self.is_running


class SecuredCity(City):
    """A City whose `office` is real; `spare` is one box more, which nobody has approved yet."""

    office: SecuredOffice
    spare_label: str
    """The key's fingerprint on the spare box's label."""
    password: str
    """Of the technician."""

    def __init__(self, plan: CityPlan, folder: Path | None = None) -> None:
        super().__init__(plan, folder)
        self.spare = self._edge(Device(SPARE), SpareBox)
        self.spare.guard = self.guard
        self.office.program.guard = self.guard

    def parts(self) -> list[Part]:
        """Every process of the city."""
        return [*super().parts(), self.office.program]

    def start(self) -> None:
        """As City's; then what enrolled is accepted, for only that alerts, and the spare box is switched on."""
        super().start()
        with self.office.inventory() as inventory, inventory.writing(BENCH) as work:
            for device in self.plan.devices:
                devices.accept(work, device.name, reason="put up by the demo")
        self.spare.start()

    def close(self, *, keep_folder: bool = False) -> None:
        """As City's."""
        self.spare.stop()
        self.office.program.stop()
        super().close(keep_folder=keep_folder)

    def _broker(self) -> Broker:
        self._page_port = self.plan.page_port or free_port()
        self.office = SecuredOffice(self.folder / "office", self._page_port)
        return self.office.broker

    def _gateway(self) -> GatewayProgram:
        plan, office = self.plan, self.office
        return SecuredGateway(
            self.folder / "gateway",
            office.gateway_broker(),
            self.house.url,
            console=office.gateway_access(),
            port=self._page_port,
            faster=plan.faster,
            language=plan.language,
            incidents=self._incidents(),
        )

    def _edge(self, device: Device, kind: type[EdgeProgram] = EdgeProgram) -> EdgeProgram:
        plan, folder = self.plan, self.folder / "edges" / device.name
        return kind(
            folder,
            device.name,
            self.broker.port,
            clock=device.clock,
            faster=plan.faster,
            flush_s=plan.flush_s,
            budget_mb=plan.budget_mb,
            box_interval_s=plan.box_interval_s,
            keepalive_s=plan.keepalive_s,
            enrolment=self.office.enrolment(folder / "identity"),
        )

    def _place(self) -> None:
        """The boxes and their sources into the inventory, as the office does before they are put up."""
        self.office.program.start()
        labels = {name: identity(edge.write_config()) for name, edge in self.edges.items()}
        with self.office.inventory() as inventory, inventory.writing(BENCH) as work:
            for device in self.plan.devices:
                sites.put(work, _site(device.placement))
                kind, site = device.placement["kind"], device.placement["site"]
                label = labels[device.name]["fingerprint"]
                devices.add(work, devices.NewDevice(device.name, kind, label, site=site, preapproved=True))
                for source in self._sources(device):
                    sources.put(work, device.name, source)
            spare = self.spare_label = identity(self.spare.write_config())["fingerprint"]
            devices.add(work, devices.NewDevice(SPARE, "sensor", spare))
            _, self.password = people.add(work, people.NewPerson(TECHNICIAN, "Rudi", "technician"))

    def _sources(self, device: Device) -> list[sources.NewSource]:
        found = []
        if device.board:
            port = self.boards.ports[self.with_board.index(device.name)]
            keys = {"host": HOST, "port": port, "interval_s": self.plan.interval_s, "timeout_s": 30}
            keys["map"] = str(map_file(device.board))
            found.append(sources.NewSource(SOURCE, "modbus-tcp", keys, {}))
        for camera in self._watched(device.name):
            keys = {key: value for key, value in camera.items() if key != "name"}
            found.append(sources.NewSource(CAMERA, "camera", keys, {}))
        return found


def invitation(city: SecuredCity) -> Text:
    """What a person needs to put up the spare box: its label, and a login."""
    page = f"{city.office.web_url}/d/{SPARE}/{city.spare_label}"
    out = io.StringIO()
    segno.make(page, error="m", micro=False).terminal(out, compact=True)
    admin = city.office.admin
    told = Text.from_ansi(out.getvalue().rstrip("\n"))
    told.append(f"\n\nLabel of the spare box {SPARE}:\n{page}\n", "bold")
    told.append(f"\nLog in as {TECHNICIAN}, password {city.password} (technician)\n")
    told.append(f"or as {admin.login}, password {admin.password}: {city.office.web_url}/office")
    return told


def _site(placement: Mapping[str, Any]) -> sites.NewSite:
    site = str(placement["site"])
    more = {key: placement[key] for key in _SITE_KEYS if key in placement}
    return sites.NewSite(site, site.replace("-", " ").title(), **more)
