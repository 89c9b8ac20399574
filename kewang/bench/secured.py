"""A city's office as processes: authority and inventory, guarded broker, web app and device API, on free ports.

with SecuredOffice(folder, gateway_port) as office:
    office.expect(identity(edge.write_config()), "sensor", "mardika", preapproved=True)
    edge = EdgeProgram(..., enrolment=office.enrolment(identity_folder))
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kewang.bench.guard import Guard
from kewang.bench.parts import accepts_tcp
from kewang.bench.process import Part, PartFailed, find_program, free_port
from kewang.bench.programs import HOST, toml_of
from kewang.bench.provisioned import GuardedMosquitto
from kewang.runtime.broker import BrokerSettings, TlsSettings
from provisioning.acts import devices, people, sites
from provisioning.guard.settings import GuardSettings, ListenerSettings, SignalSettings
from provisioning.inventory import Actor, Inventory, Role, open_inventory
from provisioning.keys import GATEWAY_TOKEN, SESSION_KEY
from provisioning.settings import DevicesSettings, GatewayApiSettings, ProvisionSettings, WebSettings
from provisioning.setup import FirstAdmin, set_up

BENCH: Final = Actor.cli("bench")
_IDENTITY_LIMIT_S: Final = 60.0


class ProvisionProgram(Part):
    """`kewang provision serve`."""

    name = "provision"

    def __init__(self, folder: Path, settings: ProvisionSettings) -> None:
        super().__init__(folder)
        self.settings, self.config = settings, folder / "provision.toml"
        self.config.write_text(toml_of(settings.model_dump(mode="json", exclude_none=True)))

    def command(self) -> list[str]:
        return [sys.executable, "-m", "kewang", "provision", "serve", "-c", str(self.config)]

    def is_ready(self) -> bool:
        return accepts_tcp(HOST, self.settings.web.port) and accepts_tcp(HOST, self.settings.devices.port)


class SecuredOffice:
    """Everything of provisioning, founded when made; as context manager broker and program run.

    `guard`: told of the processes, so that they do not outlive us. Raises MissingPart, PartFailed.
    """

    def __init__(
        self,
        folder: Path,
        gateway_port: int,
        *,
        guard: Guard | None = None,
        web_port: int | None = None,
        told_broker_port: int | None = None,
    ) -> None:
        """`told_broker_port`: where boxes are told that the broker is, if there is a link before it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = _settings(folder, gateway_port, web_port or free_port(), told_broker_port)
        assert self.settings.guard is not None
        self.rules = self.settings.guard
        self.admin: FirstAdmin = set_up(self.settings, BENCH, "admin", "Administrator")
        self.broker = GuardedMosquitto(folder / "broker", self.rules.folder, self.rules.devices.port)
        self.program = ProvisionProgram(folder / "provision", self.settings)
        self._inventory: Inventory | None = None
        for part in self.parts:
            part.guard = guard

    @property
    def parts(self) -> list[Part]:
        """The processes, in the order in which they start."""
        return [self.broker, self.program]

    def __enter__(self) -> Self:
        try:
            for part in self.parts:
                part.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the processes."""
        if self._inventory is not None:
            self._inventory.close()
            self._inventory = None
        for part in reversed(self.parts):
            part.stop()

    @property
    def web_url(self) -> str:
        """The web app."""
        return self.settings.web.public_url

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.settings.state_folder

    @contextmanager
    def inventory(self) -> Iterator[Inventory]:
        """The inventory, beside the running program; open until `close`, for opening it looks through all tables."""
        if self._inventory is None:
            self._inventory = open_inventory(self.settings.inventory_url(), self.state)
        yield self._inventory

    def enrolment(self, identity: Path) -> dict[str, object]:
        """Section `[enrolment]` of a box whose identity is kept in the folder `identity`."""
        return {
            "url": self.settings.devices.public_url,
            "ca_file": str(self.state / "ca" / "service-root.pem"),
            "folder": str(identity),
            "label_host": self.web_url.partition("://")[2],
        }

    def gateway_broker(self) -> BrokerSettings:
        """How the gateway connects."""
        ca = self.state / "ca"
        tls = TlsSettings(ca_file=ca / "service-root.pem", cert_file=ca / "gateway.pem", key_file=ca / "gateway.key")
        return BrokerSettings(host=HOST, port=self.rules.services.port, tls=tls)

    def gateway_access(self) -> dict[str, object]:
        """Keys of the gateway's `[console]`: what lets provisioning ask it."""
        return {"service_token_file": str(self.state / GATEWAY_TOKEN)}

    def gateway_login(self) -> dict[str, object]:
        """Keys of the gateway's `[console]` that let in only who is logged in."""
        return {"session_key_file": str(self.state / SESSION_KEY), "login_url": f"{self.web_url}/login"}

    def add_site(self, site: str, name: str, **more: Any) -> None:
        """Put a site into the inventory; `more` as `provisioning.acts.sites.NewSite`."""
        with self.inventory() as inventory, inventory.writing(BENCH) as work:
            sites.put(work, sites.NewSite(site, name, **more))

    def add_person(self, login: str, role: Role, password: str) -> None:
        """Let somebody in."""
        with self.inventory() as inventory, inventory.writing(BENCH) as work:
            people.add(work, people.NewPerson(login, login.title(), role), password)

    def expect(
        self, label: Mapping[str, str], kind: str, site: str | None = None, *, preapproved: bool = False
    ) -> None:
        """Put a box into the inventory by what its label says (`identity`)."""
        with self.inventory() as inventory, inventory.writing(BENCH) as work:
            device = devices.NewDevice(label["device"], kind, label["fingerprint"], site=site, preapproved=preapproved)
            devices.add(work, device)


def identity(config: Path) -> dict[str, str]:
    """What `kewang edge identity` says of the box with these settings: `device`, `fingerprint`, `label`."""
    words = [sys.executable, "-m", "kewang", "edge", "identity", "-c", str(config), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_IDENTITY_LIMIT_S, check=False)
    if done.returncode:
        raise PartFailed(f"kewang edge identity: {done.stderr.strip()}")
    told: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return told


def _settings(folder: Path, gateway_port: int, web_port: int, told_broker_port: int | None) -> ProvisionSettings:
    api_port, pid_file = free_port(), folder / "mosquitto.pid"
    guard = GuardSettings(
        folder=folder / "mosquitto",
        user="root",
        persistence=None,
        pid_file=pid_file,
        program=str(find_program("mosquitto")),
        devices=ListenerSettings(host=HOST, port=free_port()),
        services=ListenerSettings(host=HOST, port=free_port()),
        kick_port=free_port(),
        signal=SignalSettings(way="pid_file", pid_file=pid_file),
    )
    return ProvisionSettings(
        state_folder=folder / "state",
        web=WebSettings(host=HOST, port=web_port, public_url=f"http://localhost:{web_port}"),
        devices=DevicesSettings(
            host=HOST,
            port=api_port,
            public_url=f"https://localhost:{api_port}",
            broker_host="localhost",
            broker_port=told_broker_port or guard.devices.port,
        ),
        guard=guard,
        gateway=GatewayApiSettings(url=f"http://{HOST}:{gateway_port}"),
    )
