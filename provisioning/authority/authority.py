"""The authority in its folder: made once, then opened by whoever issues.

    ca/       device-root.pem  service-root.pem  device-root.crl  service-root.crl      public
              device-ca.{pem,key}  service-ca.{pem,key}                                 issue leaves
              time.{pem,key}                                                            signs the time and bundles
              broker.* api.* gateway.* provisioning.*                                   from the service CA
              canary-*.*                                                                from the device CA
    offline/  device-root.key  service-root.key                                         only to make or renew a CA

Blocking (files, and about 1 ms a signature); may be used by several threads, for nothing in it changes but by
renewal, which reads the files anew.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from kewang.wire.identity import check_issuable, fingerprint
from kewang.wire.names import is_device
from provisioning.authority import expiry, files, issuing, making
from provisioning.authority.expiry import Expiring
from provisioning.authority.files import AuthorityError
from provisioning.authority.making import Issuer, Lifetimes

Kind = Literal["device", "service"]
Use = Literal["server", "client"]
Revoked = Iterable[tuple[str, int]]
"""Serial in hex, Unix ms of the revocation."""

KINDS: Final[tuple[Kind, Kind]] = ("device", "service")
_USAGES: Final = {"server": making.SERVER, "client": making.CLIENT}
_NOT_SERVICES: Final = ("device-ca", "service-ca", "device-root", "service-root")
_NO_ROOT: Final = "put the stick with the roots' keys in and give its folder, or copy the key back for this one act"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate for a box. `chain`: PEM of leaf and device CA; dates in Unix ms; `serial` in hex."""

    device: str
    chain: bytes
    serial: str
    fingerprint: str
    not_before_ms: int
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class ServiceLeaf:
    """A certificate of ours in its files: `certificate` (leaf and its CA, PEM) and `key`."""

    name: str
    certificate: Path
    key: Path
    not_after_ms: int


class Authority:
    """What `create` made. Raises AuthorityError when a file is missing, spoilt, or can be read by others."""

    def __init__(self, folder: Path, lifetimes: Lifetimes, offline: Path | None = None) -> None:
        self.folder = folder / "ca"
        files.finish(self.folder)
        self.offline = offline or folder / "offline"
        self.lifetimes = lifetimes
        self._issuers = {kind: self._issuer(f"{kind}-ca") for kind in KINDS}
        self._roots = {kind: self._certificate(f"{kind}-root") for kind in KINDS}
        self._signer, self._signer_chain = self._read_signer()

    @property
    def device_root(self) -> bytes:
        """PEM: what the broker trusts of boxes."""
        return files.pem(self._roots["device"])

    @property
    def service_root(self) -> bytes:
        """PEM: what boxes and our programs pin."""
        return files.pem(self._roots["service"])

    @property
    def signer_chain(self) -> str:
        """PEM of the key that signs the time and bundles, with its CA."""
        return self._signer_chain

    def sign(self, text: bytes) -> str:
        """Ed25519 signature (base64) with the time key. `text` comes from kewang.wire.enrolment."""
        return base64.b64encode(self._signer.sign(text)).decode()

    def issue_device(self, device: str, csr_pem: bytes, now_ms: int) -> Leaf:
        """A certificate for `device`; of the request only the public key counts.

        Raises BadRequest (the request) or WireError (an id that is none, or that no box may have).
        """
        return self._device_leaf(check_issuable(device), making.requested_key(csr_pem), now_ms)

    def issue_service(self, name: str, hosts: Sequence[str], now_ms: int, use: Use = "server") -> ServiceLeaf:
        """A certificate from the service CA as `ca/{name}.pem` and `.key`. An old key is kept. Raises OSError."""
        _check_service(name)
        return self._own_leaf(name, "service", _USAGES[use], hosts, now_ms)

    def replace_service(self, name: str, hosts: Sequence[str], now_ms: int, use: Use = "server") -> ServiceLeaf:
        """The same with a new key: a power cut leaves the old pair or the new one. Raises OSError."""
        _check_service(name)
        with files.all_or_nothing(self.folder) as draft:
            issuing.make_leaf(draft, name, self._issuers["service"], _USAGES[use], hosts, now_ms, self.lifetimes)
        return self.service(name)

    def issue_canary(self, name: str, now_ms: int) -> ServiceLeaf:
        """A box that is none, to try the broker with: from the *device* CA, `name` begins with `canary-`."""
        if not is_device(name) or not name.startswith("canary-"):
            raise AuthorityError(f"a canary is called canary-..., not {name!r}")
        return self._own_leaf(name, "device", making.CLIENT, (), now_ms)

    def service(self, name: str) -> ServiceLeaf:
        """The files of a certificate of ours. Raises AuthorityError if there is none."""
        return self._service_leaf(name, self._certificate(name))

    def serial(self, name: str) -> str:
        """Serial in hex of a certificate of ours, e.g. to revoke a canary."""
        return making.serial_of(self._certificate(name))

    def device_crl(self, revoked: Revoked, now_ms: int) -> bytes:
        """PEM for the broker's `crlfile` of boxes: the lists of every device CA, and of their root."""
        return self._lists("device", revoked, now_ms)

    def service_crl(self, revoked: Revoked, now_ms: int) -> bytes:
        """As `device_crl`, for our own programs."""
        return self._lists("service", revoked, now_ms)

    def renew_services(self, now_ms: int) -> list[str]:
        """Renew those certificates of ours of which two thirds are over; their names. Keys stay. Raises OSError."""
        due = [each.name for each in self.expiring(now_ms) if each.sort == "leaf" and each.due_ms <= now_ms]
        for name in due:
            self._renew(name, now_ms)
        if "time" in due:
            self._signer, self._signer_chain = self._read_signer()
        return due

    def renew_ca(self, kind: Kind, now_ms: int) -> None:
        """A new CA below the root, whose key must be in the offline folder. The old one signs its lists to its end.

        A power cut leaves the old CA or the new one. Raises AuthorityError, OSError.
        """
        old = self._issuers[kind]
        root = Issuer(self._roots[kind], files.read_key(self.offline / f"{kind}-root.key", _NO_ROOT))
        replaced = f"{kind}-ca-{making.serial_of(old.certificate)[:8]}"
        with files.all_or_nothing(self.folder) as draft:
            files.write_key(draft / f"{replaced}.key", old.key)
            files.write_chain(draft / f"{replaced}.pem", old.certificate)
            issuing.make_ca(draft, kind, _next_name(old.certificate), root, now_ms, self.lifetimes)
        self._issuers[kind] = self._issuer(f"{kind}-ca")

    def expiring(self, now_ms: int, lists: Mapping[str, bytes] | None = None) -> list[Expiring]:
        """All that runs out, the soonest first. `lists`: revocation lists in use (PEM), by name."""
        back_ms = self.lifetimes.back_ms
        found = [expiry.of_certificate(name, self._certificate(name), back_ms) for name in self._names()]
        found += [expiry.of_lists(name, content, back_ms) for name, content in (lists or {}).items()]
        current = [each for each in found if each.due_ms < each.not_after_ms or each.not_after_ms > now_ms]
        return sorted(current, key=lambda each: each.not_after_ms)

    def _names(self) -> list[str]:
        return sorted(file.stem for file in self.folder.glob("*.pem"))

    def _renew(self, name: str, now_ms: int) -> None:
        old = self._certificate(name)
        kind: Kind = "device" if name.startswith("canary-") else "service"
        self._own_leaf(name, kind, making.usages(old)[0], making.hosts_of(old), now_ms)

    def _device_leaf(self, device: str, public: making.PublicKey, now_ms: int) -> Leaf:
        issuer, lifetimes = self._issuers["device"], self.lifetimes
        certificate = making.leaf(
            device,
            public,
            issuer,
            making.CLIENT,
            now_ms=now_ms,
            lifetime_ms=lifetimes.device_ms,
            back_ms=lifetimes.back_ms,
        )
        return Leaf(
            device,
            files.pem(certificate, issuer.certificate),
            making.serial_of(certificate),
            fingerprint(making.spki(public)),
            making.unix_ms(certificate.not_valid_before_utc),
            making.unix_ms(certificate.not_valid_after_utc),
        )

    def _own_leaf(
        self, name: str, kind: Kind, usage: x509.ObjectIdentifier, hosts: Sequence[str], now_ms: int
    ) -> ServiceLeaf:
        certificate = issuing.make_leaf(self.folder, name, self._issuers[kind], usage, hosts, now_ms, self.lifetimes)
        return self._service_leaf(name, certificate)

    def _service_leaf(self, name: str, certificate: x509.Certificate) -> ServiceLeaf:
        file = self.folder / name
        end_ms = making.unix_ms(certificate.not_valid_after_utc)
        return ServiceLeaf(name, file.with_name(f"{name}.pem"), file.with_name(f"{name}.key"), end_ms)

    def _lists(self, kind: Kind, revoked: Revoked, now_ms: int) -> bytes:
        lifetimes, entries = self.lifetimes, list(revoked)
        found = b""
        for name in self._names():
            if name.startswith(f"{kind}-ca"):
                signed = making.revocation_list(
                    self._issuer(name),
                    entries,
                    now_ms=now_ms,
                    next_ms=now_ms + lifetimes.crl_ms,
                    back_ms=lifetimes.back_ms,
                )
                found += signed.public_bytes(Encoding.PEM)
        return found + self._read(self.folder / f"{kind}-root.crl")

    def _issuer(self, name: str) -> Issuer:
        return issuing.read_issuer(self.folder, name)

    def _certificate(self, name: str) -> x509.Certificate:
        return files.read_chain(self.folder / f"{name}.pem")[0]

    def _read_signer(self) -> tuple[Ed25519PrivateKey, str]:
        key = files.read_key(self.folder / "time.key", issuing.NO_CA)
        if not isinstance(key, Ed25519PrivateKey):
            raise AuthorityError(f"{self.folder / 'time.key'} is no Ed25519 key: restore it from a backup")
        if self._certificate("time").public_key() != key.public_key():
            raise AuthorityError(f"{self.folder / 'time.key'} is not the key of time.pem: restore both from one backup")
        return key, self._read(self.folder / "time.pem").decode()

    @staticmethod
    def _read(file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise AuthorityError(f"{file}: {error.strerror}: restore it from a backup") from None


def _check_service(name: str) -> None:
    if not is_device(name) or name.startswith((*_NOT_SERVICES, "canary-")) or name == "time":
        raise AuthorityError(f"{name!r} can't be the name of a service")


def _next_name(old: x509.Certificate) -> str:
    """`... CA 1` -> `... CA 2`: two CAs of one name would be taken for each other."""
    name = str(old.subject.rfc4514_string()).removeprefix("CN=")
    start, _, number = name.rpartition(" ")
    return f"{start} {int(number) + 1}"
