"""Revocation lists, read back before the broker reads them: a spoilt one lets everybody in, an old one nobody."""

from collections.abc import Collection, Iterable
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

LEAST_MS: Final = 3 * 86_400_000
"""A list must hold this long when it is put in place; with less left an alarm stands."""
_BEGIN: Final = b"-----BEGIN X509 CRL-----"
_END: Final = b"-----END X509 CRL-----"


def parsed(bundle: bytes) -> list[x509.CertificateRevocationList]:
    """The lists in a PEM bundle. Raises ValueError for one that can't be read, or for anything between them."""
    lists = []
    rest = bundle
    while rest.strip():
        begin, end = rest.find(_BEGIN), rest.find(_END)
        if begin < 0 or end < begin or rest[:begin].strip():
            raise ValueError("not a bundle of revocation lists: the file is not whole")
        end += len(_END)
        lists.append(x509.load_pem_x509_crl(rest[begin:end]))
        rest = rest[end:]
    if not lists:
        raise ValueError("no revocation list in it")
    return lists


def ends_ms(bundle: bytes) -> int:
    """When the first list of the bundle runs out, Unix ms. Raises ValueError."""
    return min(int(each.next_update_utc.timestamp() * 1000) for each in parsed(bundle) if each.next_update_utc)


def lint(bundle: bytes, chain: bytes, serials: Collection[str], now_ms: int) -> list[str]:
    """What is wrong with a bundle; one sentence each.

    `chain`: PEM of a certificate of ours and of the CA that signed it: the list of that CA must be there.
    """
    try:
        found = parsed(bundle)
        issuers = x509.load_pem_x509_certificates(chain)[1:]
    except ValueError as error:
        return [str(error)]
    problems = [problem for issuer in issuers[:1] for problem in _of_issuer(found, issuer)]
    problems += [problem for each in found for problem in _dates(each, now_ms)]
    listed = {entry.serial_number for each in found for entry in each}
    problems += [
        f"certificate {serial} is revoked but not listed" for serial in serials if int(serial, 16) not in listed
    ]
    return problems


def _of_issuer(found: Iterable[x509.CertificateRevocationList], issuer: x509.Certificate) -> list[str]:
    own = [each for each in found if each.issuer == issuer.subject]
    if not own:
        return [f"no list of {issuer.subject.rfc4514_string()}: every certificate of it would be refused"]
    if not any(_signed_by(each, issuer) for each in own):
        return [f"the list of {issuer.subject.rfc4514_string()} is not signed by it"]
    return []


def _signed_by(each: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey):
        return False
    try:
        return each.is_signature_valid(key)
    except (InvalidSignature, TypeError):
        return False


def _dates(each: x509.CertificateRevocationList, now_ms: int) -> list[str]:
    who, ends = each.issuer.rfc4514_string(), each.next_update_utc
    if ends is None:
        return [f"the list of {who} does not say how long it holds"]
    if int(each.last_update_utc.timestamp() * 1000) > now_ms:
        return [f"the list of {who} begins in the future: is the clock right?"]
    if int(ends.timestamp() * 1000) < now_ms + LEAST_MS:
        return [f"the list of {who} ends on {ends:%Y-%m-%d %H:%M} UTC, in less than 3 days"]
    return []
