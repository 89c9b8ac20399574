"""A broker with certificates, as a city has it: the authority, the real guard, Mosquitto and HAProxy as parts."""

from __future__ import annotations

import itertools
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import CertificateSigningRequestBuilder, Name, ObjectIdentifier

from kewang.bench.parts import Broker, accepts_tcp
from kewang.bench.process import Part, PartFailed, find_program, free_port
from kewang.bench.programs import GatewayProgram
from kewang.bench.speakers import Papers
from kewang.runtime.broker import BrokerSettings, TlsSettings
from provisioning.authority import Authority, Lifetimes, create, making
from provisioning.authority.issuing import read_issuer
from provisioning.authority.making import Issuer
from provisioning.guard import Guard, GuardSettings, Wanted
from provisioning.guard.client import Client, Door, Will, context
from provisioning.guard.haproxy import haproxy_cfg
from provisioning.guard.settings import ListenerSettings, ProxySettings
from provisioning.guard.signals import Calls

HOST = "127.0.0.1"
_numbers = itertools.count(1)


class GuardedMosquitto(Broker):
    """Mosquitto on the files of a guard; it starts only after the guard has written them."""

    name = "mosquitto"

    def __init__(self, folder: Path, files: Path, port: int) -> None:
        super().__init__(folder, port)
        self.files = files

    def command(self) -> Sequence[str]:
        return [str(find_program("mosquitto")), "-c", str(self.files / "mosquitto.conf")]

    def is_ready(self) -> bool:
        return accepts_tcp(HOST, self.port)

    def hang_up(self) -> None:
        """SIGHUP: read the files again."""
        self._signal(signal.SIGHUP)


class Haproxy(Part):
    """HAProxy with the guard's file in front of a broker."""

    name = "haproxy"

    def __init__(self, folder: Path, proxy: ProxySettings, broker: ListenerSettings, max_devices: int) -> None:
        super().__init__(folder)
        self.port = proxy.port
        self.config = folder / "haproxy.cfg"
        self.config.write_text(haproxy_cfg(proxy, broker, max_devices))

    def command(self) -> Sequence[str]:
        return [str(find_program("haproxy")), "-db", "-f", str(self.config)]

    def is_ready(self) -> bool:
        return accepts_tcp(HOST, self.port)


class SecuredGateway(GatewayProgram):
    """The gateway with the certificate that the authority made for it; `console`: more keys of that section."""

    def __init__(
        self,
        folder: Path,
        broker: BrokerSettings,
        store_url: str,
        *,
        console: Mapping[str, object] | None = None,
        port: int | None = None,
        faster: float = 1.0,
        language: str = "id",
        incidents: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            folder, broker.port, store_url, port=port, faster=faster, language=language, incidents=incidents
        )
        self.broker, self.console = broker, dict(console or {})

    def values(self) -> dict[str, Any]:
        """What the settings file says."""
        values = super().values()
        values["broker"] = self.broker.model_dump(mode="json", exclude_none=True)
        values["console"] |= self.console
        return values


class SpeakersProgram(Part):
    """Boxes that publish, in a process of their own; ready when all of them are connected."""

    name = "speakers"

    def __init__(self, folder: Path, boxes: Sequence[Papers], ear: Papers, interval_s: float) -> None:
        super().__init__(folder)
        self._plan = {"boxes": [asdict(each) for each in boxes], "ear": asdict(ear), "interval_s": interval_s}
        self._report = folder / "report.json"

    def command(self) -> Sequence[str]:
        plan = self.folder / "plan.json"
        plan.write_text(json.dumps(self._plan))
        return [sys.executable, "-m", "kewang.bench.speakers", str(plan), str(self._report)]

    def is_ready(self) -> bool:
        return self._report.exists()

    def report(self) -> dict[str, int]:
        """What it says at its end. Raises PartFailed."""
        told: dict[str, int] = json.loads(self._report.read_text()) if self._report.exists() else {}
        if self.is_running or not told.get("sent"):
            raise PartFailed(f"the boxes did not end well:\n{self.log_tail()}")
        return told


class ProvisionedBroker:
    """Authority, guard and broker in one folder, on free ports. As context manager the broker runs, its rules proven.

    Raises MissingPart, PartFailed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lifetimes: Lifetimes | None = None,
        max_devices: int = 2000,
        guard: type[Guard] = Guard,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = GuardSettings(
            folder=folder / "broker",
            user="root",
            persistence=None,
            program=str(find_program("mosquitto")),
            devices=ListenerSettings(port=free_port()),
            services=ListenerSettings(port=free_port()),
            kick_port=free_port(),
            max_devices=max_devices,
        )
        self.authority: Authority = create(
            folder / "state", city="ambon", broker_hosts=[HOST], api_hosts=[HOST], now_ms=now_ms(), lifetimes=lifetimes
        )
        self.part = GuardedMosquitto(folder / "mosquitto", self.settings.folder, self.settings.kick_port)
        self.signal = Calls(self.part.hang_up, self.part.stop, self.part.start)
        self._meddle: Callable[[str], object] | None = None
        self.guard = guard(self.settings, self.authority, self.signal, folder / "guard", at=self._at)

    def __enter__(self) -> ProvisionedBroker:
        written = self.guard.apply(Wanted(), runs=False)
        if written.outcome != "written":
            raise RuntimeError(f"the guard's first files were not written: {written}")
        self.part.start()
        try:
            proven = self.guard.apply(Wanted())
            if not proven.ok:
                raise RuntimeError(f"the broker's rules are not proven: {proven}")
        except BaseException:
            self.part.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.part.stop()

    @contextmanager
    def meddling(self, meddle: Callable[[str], object]) -> Iterator[None]:
        """`meddle` is told each step of the guard before it begins."""
        self._meddle = meddle
        try:
            yield
        finally:
            self._meddle = None

    def _at(self, step: str) -> None:
        if self._meddle:
            self._meddle(step)

    def canary(self, name: str) -> Identity:
        """The certificate of one of the guard's canaries."""
        own = self.authority.service(name)
        return Identity(name, own.certificate, own.key, "")

    def enrol(self, device: str, *, at_ms: int | None = None) -> Identity:
        """A box with a key and a certificate, issued at `at_ms` (now)."""
        key = ec.generate_private_key(ec.SECP256R1())
        request = CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, hashes.SHA256())
        leaf = self.authority.issue_device(
            device, request.public_bytes(Encoding.PEM), now_ms() if at_ms is None else at_ms
        )
        return Identity.written(self.folder / "boxes", device, leaf.chain, key, leaf.serial)

    def box(self, identity: Identity, *, client_id: str | None = None, will: Will | None = None) -> Client:
        """A client of a box, at the boxes' listener."""
        return self.at_door(self.settings.devices.port, identity, client_id or identity.name, will)

    def service(self, name: str, client_id: str | None = None) -> Client:
        """A client of one of our programs, at the services' listener."""
        own = self.authority.service(name)
        identity = Identity(name, own.certificate, own.key, "")
        return self.at_door(self.settings.services.port, identity, client_id or name, None)

    def forged(
        self,
        name: str,
        *,
        issuer: Issuer | None = None,
        above: bytes = b"",
        usage: ObjectIdentifier = making.CLIENT,
        at_ms: int | None = None,
        lifetime_ms: int = making.DAY_MS,
    ) -> Identity:
        """A certificate that the authority would never make, signed by the device CA itself or by `issuer`.

        `above`: PEM of the issuer's own issuers, shown to the broker.
        """
        issuer = issuer or read_issuer(self.authority.folder, "device-ca")
        key = making.new_key()
        now = now_ms() if at_ms is None else at_ms
        made = making.leaf(
            name, key.public_key(), issuer, usage, now_ms=now, lifetime_ms=lifetime_ms, back_ms=3_600_000
        )
        chain = made.public_bytes(Encoding.PEM) + issuer.certificate.public_bytes(Encoding.PEM) + above
        return Identity.written(self.folder / "boxes", name, chain, key, making.serial_of(made))

    def at_door(self, port: int, identity: Identity, client_id: str, will: Will | None) -> Client:
        """A client with `identity` at any port."""
        tls = context(self.authority.service_root, identity.certificate, identity.key)
        return Client(Door(HOST, port, tls), client_id, will=will)

    def papers(self, identity: Identity) -> Papers:
        """For a speaker at the boxes' listener."""
        return self._papers(identity, self.settings.devices.port)

    def gateway_papers(self) -> Papers:
        """For an ear at the services' listener, with a client id of its own."""
        own = self.authority.service("gateway")
        return self._papers(Identity("gateway-ear", own.certificate, own.key, ""), self.settings.services.port)

    def _papers(self, identity: Identity, port: int) -> Papers:
        root = self.as_service("gateway").tls
        return Papers(identity.name, str(identity.certificate), str(identity.key), str(root and root.ca_file), port)

    def as_service(self, name: str) -> BrokerSettings:
        """Settings with which our programs connect."""
        own = self.authority.service(name)
        root = self.folder / "service-root.pem"
        if not root.exists():
            root.write_bytes(self.authority.service_root)
        tls = TlsSettings(ca_file=root, cert_file=own.certificate, key_file=own.key)
        return BrokerSettings(host=HOST, port=self.settings.services.port, tls=tls)


class Identity:
    """A certificate and its key in files."""

    def __init__(self, name: str, certificate: Path, key: Path, serial: str) -> None:
        self.name, self.certificate, self.key, self.serial = name, certificate, key, serial

    @classmethod
    def written(
        cls, folder: Path, name: str, chain: bytes, key: ec.EllipticCurvePrivateKey, serial: str = ""
    ) -> Identity:
        """Write both below `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"box-{next(_numbers)}"
        certificate, file = folder / f"{stem}.pem", folder / f"{stem}.key"
        certificate.write_bytes(chain)
        file.touch(0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return cls(name, certificate, file, serial)


def now_ms() -> int:
    """Unix ms."""
    return time.time_ns() // 1_000_000
