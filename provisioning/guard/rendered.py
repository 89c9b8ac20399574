"""The broker's files for what is wanted, and whether what came to the disk is what was meant."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.authority import AuthorityError
from provisioning.files import write_whole
from provisioning.guard import acl, conf, lists, names
from provisioning.guard.files import FileSet, sha256
from provisioning.guard.ports import Issuer, Own, Revocation, Wanted
from provisioning.guard.settings import GuardSettings

_ITERATIONS: Final = 101
_SALT_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its `nonce`, what it should bring about, and its files."""

    nonce: str
    wanted: Wanted
    files: FileSet
    serials: frozenset[str]
    service_serials: frozenset[str]
    device_chain: bytes
    service_chain: bytes
    now_ms: int


def rendered(settings: GuardSettings, issuer: Issuer, wanted: Wanted, kick_password: str, now_ms: int) -> Change:
    """The change that brings `wanted` about, newly signed. Raises AuthorityError or OSError: nobody can sign."""
    own = _identities(issuer, now_ms)
    nonce = secrets.token_hex(6)
    certificates = {*wanted.certificates, Revocation(issuer.serial(names.REVOKED), now_ms)}
    services = {*wanted.services, Revocation(issuer.serial(names.CANCELLED), now_ms)}
    broker = issuer.service(names.BROKER)
    files = {
        conf.CONF: conf.mosquitto_conf(conf.real_place(settings), settings.max_devices).encode(),
        conf.DEVICES_ACL: acl.devices(wanted.denied, nonce).encode(),
        conf.SERVICES_ACL: acl.services(nonce).encode(),
        conf.KICK_ACL: acl.kick().encode(),
        conf.KICK_PASSWORDS: f"{names.KICK}:{_password_hash(kick_password)}\n".encode(),
        conf.DEVICES_CRL: issuer.device_crl([(each.serial, each.at_ms) for each in certificates], now_ms),
        conf.SERVICES_CRL: issuer.service_crl([(each.serial, each.at_ms) for each in services], now_ms),
        conf.DEVICE_ROOT: issuer.device_root,
        conf.SERVICE_ROOT: issuer.service_root,
        conf.CERTIFICATE: broker.certificate.read_bytes(),
        conf.KEY: broker.key.read_bytes(),
    }
    return Change(
        nonce,
        wanted,
        files,
        frozenset(each.serial for each in certificates),
        frozenset(each.serial for each in services),
        own[names.GOOD].certificate.read_bytes(),
        own[names.WATCH].certificate.read_bytes(),
        now_ms,
    )


def lint(change: Change, read: Callable[[str], bytes]) -> list[str]:
    """What is wrong with the files of `change` as `read` finds them; one sentence each, with the file's name."""
    checks: dict[str, Callable[[bytes], list[str]]] = {
        conf.DEVICES_ACL: lambda it: acl.lint_devices(it.decode(), list(change.wanted.denied), change.nonce),
        conf.SERVICES_ACL: lambda it: acl.lint_services(it.decode(), change.nonce),
        conf.KICK_ACL: lambda it: acl.lint_kick(it.decode()),
        conf.DEVICES_CRL: lambda it: lists.lint(it, change.device_chain, change.serials, change.now_ms),
        conf.SERVICES_CRL: lambda it: lists.lint(it, change.service_chain, change.service_serials, change.now_ms),
    }
    problems: list[str] = []
    for name in change.files:
        try:
            told = checks[name](read(name)) if name in checks else []
        except (OSError, ValueError) as error:
            told = [str(error)]
        problems += [f"{name}: {each}" for each in told]
    return problems


def kick_password(file: Path) -> str:
    """The password of the loopback listener: made once, known to nobody else. Raises OSError."""
    if not file.exists():
        write_whole(file, secrets.token_urlsafe(24).encode())
    return file.read_text()


def _identities(issuer: Issuer, now_ms: int) -> dict[str, Own]:
    """Certificates of the canaries and the guard's own, made where there are none yet."""
    boxes = {name: _had_or_made(issuer, name, lambda name: issuer.issue_canary(name, now_ms)) for name in names.BOXES}
    services = {
        name: _had_or_made(issuer, name, lambda name: issuer.issue_service(name, (), now_ms, "client"))
        for name in names.SERVICES
    }
    return boxes | services


def _had_or_made(issuer: Issuer, name: str, make: Callable[[str], Own]) -> Own:
    try:
        return issuer.service(name)
    except AuthorityError:
        return make(name)


def _password_hash(password: str) -> str:
    """As Mosquitto keeps it: PBKDF2 with SHA-512. The salt comes from the password, which is random and ours alone."""
    salt = bytes.fromhex(sha256(password.encode()))[:_SALT_BYTES]
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"
