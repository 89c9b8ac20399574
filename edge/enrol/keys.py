"""The box's key: made, signed with, compared with a certificate; and whether somebody may speak for the office."""

import base64
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.enrol.errors import Unusable
from kewang.wire import identity

_WHY: Final = (
    "the answer is not from the office that is pinned in enrolment.ca_file: compare the file with the office's"
)


class BoxKey:
    """A private key of this box."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> "BoxKey":
        """On P-256."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, pem: bytes) -> "BoxKey":
        """Raises Unusable."""
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Unusable("key.pem is no key of a box: restore it, or empty the folder and register the box anew")
        return cls(key)

    def pem(self) -> bytes:
        """For its file, and for nowhere else."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def fingerprint(self) -> str:
        """As on the label."""
        spki = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return identity.fingerprint(spki)

    def request(self, device: str) -> str:
        """A certificate request, PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(self._key, hashes.SHA256())
        return csr.public_bytes(Encoding.PEM).decode()

    def sign(self, text: bytes) -> str:
        """ECDSA with SHA-256, base64."""
        return base64.b64encode(self._key.sign(text, ec.ECDSA(hashes.SHA256()))).decode()

    def check_chain(self, device: str, chain: str) -> None:
        """Whether `chain` (PEM) certifies this very key for `device`. Raises Unusable."""
        try:
            leaf, issuer = x509.load_pem_x509_certificates(chain.encode())[:2]
            leaf.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise Unusable("the certificate can't be read: ask again, and call the office if it stays so") from None
        if leaf.public_key() != self._key.public_key() or _name(leaf) != device:
            raise Unusable("the certificate is somebody else's: call the office")


class Office:
    """Who speaks for the office: known by the pinned roots (PEM)."""

    def __init__(self, roots: bytes) -> None:
        """Raises Unusable."""
        try:
            self._roots = x509.load_pem_x509_certificates(roots)
        except ValueError:
            raise Unusable(
                "enrolment.ca_file holds no certificate (PEM): copy service-root.pem of the office"
            ) from None

    def check(self, chain: str, text: bytes, signature: str, now_ms: int) -> None:
        """Whether `signature` over `text` is by a key that the root lets sign the time. Raises Unusable."""
        try:
            leaf, issuer = x509.load_pem_x509_certificates(chain.encode())[:2]
            leaf.verify_directly_issued_by(issuer)
            self._check_issuer(issuer)
            usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            key = leaf.public_key()
            if ExtendedKeyUsageOID.TIME_STAMPING not in usage or not isinstance(key, Ed25519PublicKey):
                raise Unusable(_WHY)
            key.verify(base64.b64decode(signature), text)
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            raise Unusable(_WHY) from None
        if not valid_at(leaf, now_ms) or not valid_at(issuer, now_ms):
            raise Unusable("the office's certificate for signing has ended: its administrator has to renew it")

    def _check_issuer(self, issuer: x509.Certificate) -> None:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            raise Unusable(_WHY)
        for root in self._roots:
            if root.subject == issuer.issuer and _issued(root, issuer):
                return
        raise Unusable(_WHY)


def valid_at(certificate: x509.Certificate, now_ms: int) -> bool:
    """Whether `now_ms` lies within the certificate's dates."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def valid_der_at(der: bytes, now_ms: int) -> bool:
    """The same for a certificate as TLS has it."""
    return valid_at(x509.load_der_x509_certificate(der), now_ms)


def _issued(root: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        issuer.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
