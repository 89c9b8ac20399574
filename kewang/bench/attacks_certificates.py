"""Attempts with a wrong certificate, or with none, and with one that was good until a moment ago."""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kewang.bench.attacks_rows import A, Attack, Stage
from kewang.bench.process import wait_for
from kewang.bench.provisioned import HOST, Identity, now_ms
from kewang.wire import topics
from kewang.wire.errors import WireError
from provisioning.authority import making
from provisioning.authority.issuing import read_issuer
from provisioning.authority.making import DAY_MS, Issuer, Lifetimes
from provisioning.guard.client import Client, Door, Refused, context
from provisioning.guard.ports import Revocation, Wanted

_SOON_MS = 4000
_LIMIT_S = 10.0
_VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
# CONNECT of MQTT 5 with clean start, a keepalive of 30 s and no properties; the client id follows.
_CONNECT_HEAD = bytes.fromhex("0004 4d515454 05 02 001e 00")


def attacks(stage: Stage) -> list[Attack]:
    """Threat T8 and certificates of the wrong kind."""
    return [*_wrong_kind(stage), *_wrong_time(stage), *_names(stage), *_revoked(stage), *_expired_tickets(stage)]


def _enters(stage: Stage, identity: Identity, port: int | None = None) -> Callable[[], bool]:
    """Whether `identity` is let in at the boxes' listener, or at `port`."""

    def act() -> bool:
        with stage.broker.at_door(port or stage.broker.settings.devices.port, identity, identity.name, None):
            return True

    return act


def _wrong_kind(stage: Stage) -> list[Attack]:
    broker, good = stage.broker, _enters(stage, stage.a)
    services = broker.settings.services.port
    gateway = broker.authority.service("gateway")
    as_gateway = Identity("gateway", gateway.certificate, gateway.key, "")
    service = _enters(stage, as_gateway, services)
    rogue_root = _rogue(read_issuer(broker.authority.folder, "device-ca"))
    leaf_as_ca = Issuer(_certificate(stage.a), _key(stage.a))
    by_leaf = broker.forged("amb-box-forged", issuer=leaf_as_ca, above=stage.a.certificate.read_bytes())
    listed = [
        ("a CA of others with our names", broker.forged(A, issuer=rogue_root), None, good),
        ("a box's certificate used as a CA", by_leaf, None, good),
        ("a certificate for servers", broker.forged(A, usage=making.SERVER), None, good),
        ("a box called gateway, at the services", broker.forged("gateway"), services, service),
        ("a box, at the services", stage.a, services, service),
        ("a service, at the boxes", as_gateway, None, good),
    ]
    wrong = [
        Attack("T8", f"connects with {what}", _enters(stage, who, port), right) for what, who, port, right in listed
    ]
    return [
        *wrong,
        Attack("T1", "a box called gateway forges an ack", _gateway_from_the_street(stage), None),
        Attack("T8", "connects without a certificate", _bare(stage), good),
        Attack(
            "T8",
            "connects with TLS 1.1",
            _old_tls(stage, ssl.TLSVersion.TLSv1_1),
            _old_tls(stage, ssl.TLSVersion.TLSv1_2),
        ),
    ]


def _gateway_from_the_street(stage: Stage) -> Callable[[], bool]:
    """Whether a box with the name of the gateway may do what the gateway may."""
    forged = stage.broker.forged("gateway")

    def act() -> bool:
        with stage.broker.box(forged) as box:
            return box.publish(topics.build(stage.b.name, topics.ACK), b"forged")

    return act


def _bare(stage: Stage) -> Callable[[], bool]:
    def act() -> bool:
        tls = context(stage.broker.authority.service_root)
        with Client(Door(HOST, stage.broker.settings.devices.port, tls), A):
            return True

    return act


def _old_tls(stage: Stage, version: ssl.TLSVersion) -> Callable[[], bool]:
    def act() -> bool:
        tls = context(stage.broker.authority.service_root, stage.a.certificate, stage.a.key)
        # OpenSSL offers old versions only below its usual level of security.
        tls.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):
            tls.minimum_version = tls.maximum_version = version
        with Client(Door(HOST, stage.broker.settings.devices.port, tls), A):
            return True

    return act


def _wrong_time(stage: Stage) -> list[Attack]:
    broker, good = stage.broker, _enters(stage, stage.a)
    expired = broker.forged(A, at_ms=now_ms() - 40 * DAY_MS, lifetime_ms=30 * DAY_MS)
    future = broker.forged(A, at_ms=now_ms() + 2 * DAY_MS)
    return [
        Attack("T8", "connects with an expired certificate", _enters(stage, expired), good),
        Attack("T8", "connects with a certificate that is not valid yet", _enters(stage, future), good),
    ]


def _names(stage: Stage) -> list[Attack]:
    """Names that mean something to the broker's access list."""
    foreign = topics.build(stage.b.name, topics.STATE)

    def speaks(name: str) -> Callable[[], bool]:
        forged = stage.broker.forged(name)

        def act() -> bool:
            with stage.broker.box(forged) as box:
                return box.publish(foreign, b"said")

        return act

    def own() -> bool:
        with stage.broker.box(stage.b) as box:
            return box.publish(foreign, b"said")

    def issued(name: str) -> Callable[[], bool]:
        def act() -> bool:
            try:
                stage.broker.enrol(name)
            except WireError:
                return False
            return True

        return act

    new = issued("amb-box-new")
    odd = ("+", "#", f"{stage.b.name}#", "%u", "kewang/1")
    reserved = (f"{stage.b.name}/x", "+", "gateway", "provisioning", "canary-good", "gw1", "kick", "kewang-guard")
    return [
        *(Attack("T1", f"speaks for another, called {name!r}", speaks(name), own) for name in odd),
        *(Attack("T1", f"asks for a certificate as {name!r}", issued(name), new) for name in reserved),
    ]


def _revoked(stage: Stage) -> list[Attack]:
    """A box that was good until now: its live session, its next one, and one that resumes with a ticket."""
    zombie = stage.broker.enrol("amb-box-zombie")
    bystander = _enters(stage, stage.b)

    def revoke(identity: Identity) -> None:
        wanted = Wanted({identity.name: "revoked"}, frozenset({Revocation(identity.serial, now_ms())}))
        report = stage.broker.guard.apply(wanted)
        if not report.ok:
            raise OSError(f"not revoked: {report}")

    def lives_on() -> bool:
        with stage.broker.box(zombie) as box:
            revoke(zombie)
            return box.publish(topics.build(zombie.name, topics.STATE), b"still here")

    def resumes(version: ssl.TLSVersion) -> Callable[[], bool]:
        def act() -> bool:
            known = _Ticket(stage, stage.broker.enrol("amb-box-ticket"), version)
            known.connects()
            revoke(known.identity)
            return known.connects()

        return act

    def resumption_works(version: ssl.TLSVersion) -> Callable[[], bool]:
        def act() -> bool:
            known = _Ticket(stage, stage.b, version)
            return known.connects() and known.connects() and known.resumed

        return act

    return [
        Attack("T8", "speaks on in the session it had when it was revoked", lives_on, bystander),
        Attack("T8", "connects again after it was revoked", _enters(stage, zombie), bystander),
        *(
            Attack("T8", f"resumes after it was revoked, {each.name}", resumes(each), resumption_works(each))
            for each in _VERSIONS
        ),
    ]


def _expired_tickets(stage: Stage) -> list[Attack]:
    """Mosquitto lets an expired certificate in while its ticket holds: at most until the next reload, once an hour."""

    def act(version: ssl.TLSVersion) -> Callable[[], bool]:
        def resumes() -> bool:
            known = _Ticket(stage, stage.broker.forged("amb-box-ending", lifetime_ms=_SOON_MS), version)
            if not (known.connects() and known.connects() and known.resumed):
                raise OSError("no ticket was given: nothing was tried")
            ends_s = time.monotonic() + _SOON_MS / 1000 + 1
            wait_for(lambda: time.monotonic() > ends_s, _LIMIT_S)
            stage.broker.guard.reload()
            return known.connects()

        return resumes

    what = "resumes after its certificate ended and the hourly reload came"
    return [Attack("T8", f"{what}, {each.name}", act(each), None) for each in _VERSIONS]


class _Ticket:
    """A box that keeps its TLS ticket from one connection to the next."""

    def __init__(self, stage: Stage, identity: Identity, version: ssl.TLSVersion) -> None:
        self.identity, self._port = identity, stage.broker.settings.devices.port
        self._context = context(stage.broker.authority.service_root, identity.certificate, identity.key)
        self._context.minimum_version = self._context.maximum_version = version
        self._session: ssl.SSLSession | None = None
        self.resumed = False

    def connects(self) -> bool:
        """Whether the broker lets it in. Raises Refused."""
        name = self.identity.name.encode()
        body = _CONNECT_HEAD + len(name).to_bytes(2, "big") + name
        with socket.create_connection((HOST, self._port), _LIMIT_S) as link:
            try:
                with self._context.wrap_socket(link, session=self._session) as tls:
                    tls.sendall(bytes([0x10, len(body)]) + body)
                    answer = tls.recv(5)
                    self.resumed, self._session = bool(tls.session_reused), tls.session
            except (ssl.SSLError, ConnectionError) as error:
                raise Refused(str(error)) from error
        return answer[:1] == b"\x20" and answer[3:4] == b"\x00"


def _rogue(real: Issuer) -> Issuer:
    """A CA with the names of ours and keys of its own."""
    lifetimes, keys = replace(Lifetimes(), root_ms=400 * DAY_MS), (making.new_key(), making.new_key())
    root_name, name = (_common_name(each) for each in (real.certificate.issuer, real.certificate.subject))
    root = making.root(root_name, keys[0], now_ms(), lifetimes)
    return Issuer(making.intermediate(name, keys[1], Issuer(root, keys[0]), now_ms(), lifetimes), keys[1])


def _common_name(name: x509.Name) -> str:
    return str(next(iter(name)).value)


def _certificate(identity: Identity) -> x509.Certificate:
    return x509.load_pem_x509_certificates(identity.certificate.read_bytes())[0]


def _key(identity: Identity) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(identity.key.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("a box's key is on P-256")
    return key
