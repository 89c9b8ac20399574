"""Whether a request was signed by the box it names: decision 0019."""

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from sqlalchemy import select
from sqlalchemy.orm import Session

from kewang.wire.enrolment import (
    DATE_HEADER,
    DATE_WITHIN_MS,
    DEVICE_HEADER,
    SIGNATURE_HEADER,
    Code,
    request_text,
)
from kewang.wire.names import is_device
from provisioning.devices.limits import UsedDates
from provisioning.devices.no import No
from provisioning.inventory import Certificate, Device

BLOCKED: Final = frozenset({"revoked", "retired", "quarantined"})
NEWEST: Final = 3
"""So many certificates of a box count: it may not have its new one yet, and may never have got the one before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Signatures:
    """Judges requests. `began_ms`: dates before it were judged by a process that is gone, with all it remembered."""

    def __init__(self, clock_ms: Callable[[], int], began_ms: int) -> None:
        self._clock_ms, self._began_ms = clock_ms, began_ms
        self._used = UsedDates(DATE_WITHIN_MS)
        self._lock = threading.Lock()

    def device(self, rows: Session, asked: Asked, grace_ms: int) -> Device:
        """The box that signed, if its certificate ended at most `grace_ms` ago. Raises No."""
        name, date_ms, signature = _headers(asked.headers)
        device = rows.get(Device, name)
        if device is None:
            raise No(Code.UNKNOWN)
        if device.state in BLOCKED:
            raise No(Code.BLOCKED, device.state)
        now_ms = self._clock_ms()
        held = _newest(rows, name)
        if not any(
            _holds(each, signature, request_text(asked.method, asked.path, date_ms, asked.body)) for each in held
        ):
            raise No(Code.SIGNATURE)
        if abs(date_ms - now_ms) > DATE_WITHIN_MS or date_ms < self._began_ms:
            raise No(Code.DATE, f"{date_ms - now_ms} ms away")
        if held[0].to_ms + grace_ms <= now_ms:
            raise No(Code.GRACE)
        with self._lock:
            if not self._used.use(name, date_ms, now_ms):
                raise No(Code.REPLAY)
        return device

    def forget_old(self) -> None:
        """For a loop."""
        with self._lock:
            self._used.forget_old(self._clock_ms())


def named(headers: Mapping[str, str]) -> str | None:
    """The device a request claims to come from, for its bucket."""
    name = headers.get(DEVICE_HEADER.lower(), "")
    return name if is_device(name) else None


def _headers(headers: Mapping[str, str]) -> tuple[str, int, bytes]:
    name = named(headers)
    date, signature = headers.get(DATE_HEADER.lower(), ""), headers.get(SIGNATURE_HEADER.lower(), "")
    if name is None or not (date.isascii() and date.isdigit() and len(date) <= 15) or not signature:
        raise No(Code.SIGNATURE, "no signature")
    try:
        return name, int(date), base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise No(Code.SIGNATURE, "not base64") from None


def _newest(rows: Session, device: str) -> list[Certificate]:
    found = select(Certificate).where(
        Certificate.subject == device, Certificate.role == "device", Certificate.revoked_ms.is_(None)
    )
    return list(rows.scalars(found.order_by(Certificate.issued_ms.desc(), Certificate.from_ms.desc()).limit(NEWEST)))


def _holds(certificate: Certificate, signature: bytes, text: bytes) -> bool:
    key = x509.load_pem_x509_certificate(certificate.chain.encode()).public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, text)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True
