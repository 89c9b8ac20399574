"""How our certificates and revocation lists look. Pure: keys and dates in, signed objects out."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from provisioning.authority.files import PrivateKey

DAY_MS: Final = 86_400_000
SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT: Final = ExtendedKeyUsageOID.CLIENT_AUTH
SIGNER: Final = ExtendedKeyUsageOID.TIME_STAMPING
"""Of the key that signs the time and bundles: no server and no client can pass for it."""
MIN_RSA_BITS: Final = 3072
MAX_CSR_BYTES: Final = 8_192
_LATEST_S: Final = 253_402_300_799
"""9999-12-31, the last second that a certificate can name."""

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class BadRequest(ValueError):
    """A certificate request that is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what we issue is good, in ms. `back_ms`: valid already so long before it is issued."""

    root_ms: int = 7305 * DAY_MS
    ca_ms: int = 731 * DAY_MS
    service_ms: int = 90 * DAY_MS
    device_ms: int = 30 * DAY_MS
    crl_ms: int = 7 * DAY_MS
    back_ms: int = 3_600_000

    def divided(self, by: float) -> "Lifetimes":
        """All of them shorter, for a bench that lives through a month in minutes."""
        return Lifetimes(*(max(1000, int(getattr(self, field.name) / by)) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that signs others, and its key."""

    certificate: x509.Certificate
    key: PrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key on P-256, which every TLS library knows."""
    return ec.generate_private_key(ec.SECP256R1())


def root(name: str, key: PrivateKey, now_ms: int, lifetimes: Lifetimes) -> x509.Certificate:
    """A root, signed by itself."""
    subject = _name(name)
    built = _builder(subject, subject, key.public_key(), now_ms, now_ms + lifetimes.root_ms, lifetimes.back_ms)
    return _signed(_for_authority(built, key.public_key(), key.public_key(), path_length=1), key)


def intermediate(name: str, key: PrivateKey, issuer: Issuer, now_ms: int, lifetimes: Lifetimes) -> x509.Certificate:
    """A CA below a root that issues leaves alone."""
    public = key.public_key()
    end_ms = _capped(now_ms + lifetimes.ca_ms, issuer)
    built = _builder(_name(name), issuer.certificate.subject, public, now_ms, end_ms, lifetimes.back_ms)
    return _signed(_for_authority(built, public, issuer.key.public_key(), path_length=0), issuer.key)


def leaf(
    name: str,
    public: PublicKey,
    issuer: Issuer,
    usage: ObjectIdentifier,
    *,
    now_ms: int,
    lifetime_ms: int,
    back_ms: int,
    hosts: Sequence[str] = (),
) -> x509.Certificate:
    """A certificate for one purpose. It never outlives its issuer. Raises ValueError for a bad host."""
    end_ms = _capped(now_ms + lifetime_ms, issuer)
    built = (
        _builder(_name(name), issuer.certificate.subject, public, now_ms, end_ms, back_ms)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=usage == SIGNER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_authority_id(issuer.key.public_key()), critical=False)
    )
    if hosts:
        built = built.add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False)
    return _signed(built, issuer.key)


def revocation_list(
    issuer: Issuer, revoked: Iterable[tuple[str, int]], *, now_ms: int, next_ms: int, back_ms: int
) -> x509.CertificateRevocationList:
    """The list of `issuer`. `revoked`: (serial in hex, Unix ms of the revocation)."""
    built = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(_date(now_ms - back_ms))
        .next_update(_date(next_ms))
        .add_extension(x509.CRLNumber(now_ms), critical=False)
        .add_extension(_authority_id(issuer.key.public_key()), critical=False)
    )
    for serial, since_ms in sorted(set(revoked)):
        entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(_date(since_ms)).build()
        built = built.add_revoked_certificate(entry)
    return built.sign(issuer.key, _digest(issuer.key))


def requested_key(csr_pem: bytes) -> PublicKey:
    """The public key of a certificate request whose signature holds; nothing else of it counts. Raises BadRequest."""
    if len(csr_pem) > MAX_CSR_BYTES:
        raise BadRequest(f"a certificate request of more than {MAX_CSR_BYTES} bytes")
    try:
        csr = x509.load_pem_x509_csr(csr_pem)
        key, holds = csr.public_key(), csr.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise BadRequest(f"not a certificate request (PEM): {error}") from None
    if not holds:
        raise BadRequest("the signature of the certificate request does not hold: its key is somebody else's")
    return acceptable(key)


def acceptable(key: object) -> PublicKey:
    """`key` if it is strong enough. Raises BadRequest."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and MIN_RSA_BITS <= key.key_size <= 8192:
        return key
    raise BadRequest(f"keys are P-256, P-384, Ed25519 or RSA with at least {MIN_RSA_BITS} bits")


def spki(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo of a key, DER: what its fingerprint is made of."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def serial_of(certificate: x509.Certificate) -> str:
    """The serial number in hex, as inventory and messages keep it."""
    return f"{certificate.serial_number:x}"


def unix_ms(date: datetime) -> int:
    """A date of a certificate as Unix ms."""
    return int(date.timestamp() * 1000)


def usages(certificate: x509.Certificate) -> list[ObjectIdentifier]:
    """What a leaf is for."""
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """The hosts that a certificate names."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(each.value) for each in names]


def _capped(end_ms: int, issuer: Issuer) -> int:
    return min(end_ms, unix_ms(issuer.certificate.not_valid_after_utc))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: PublicKey, now_ms: int, end_ms: int, back_ms: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_date(now_ms - back_ms))
        .not_valid_after(_date(end_ms))
    )


def _for_authority(
    built: x509.CertificateBuilder, public: PublicKey, issuer: PublicKey, path_length: int
) -> x509.CertificateBuilder:
    return (
        built.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_authority_id(issuer), critical=False)
    )


def _signed(built: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    return built.sign(key, _digest(key))


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _authority_id(public: PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _date(date_ms: int) -> datetime:
    return datetime.fromtimestamp(min(max(date_ms // 1000, 0), _LATEST_S), UTC)
