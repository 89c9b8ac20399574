"""Keys and certificates of ours, made in their files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.authority import files, making
from provisioning.authority.making import Issuer, Lifetimes
from provisioning.files import PUBLIC, write_whole

NO_CA: Final = "run 'kewang provision init', or restore the folder ca/ from a backup"


def make_root(folder: Path, kind: str, city: str, now_ms: int, lifetimes: Lifetimes) -> None:
    """A root with its first CA, in `ca/` and `offline/` below `folder`."""
    key = making.new_key()
    root = Issuer(making.root(f"Kewang {city} {kind} root", key, now_ms, lifetimes), key)
    files.write_key(folder / "offline" / f"{kind}-root.key", key)
    files.write_chain(folder / "ca" / f"{kind}-root.pem", root.certificate)
    make_ca(folder / "ca", kind, f"Kewang {city} {kind} CA 1", root, now_ms, lifetimes)


def make_ca(folder: Path, kind: str, name: str, root: Issuer, now_ms: int, lifetimes: Lifetimes) -> None:
    """A CA and the root's list, which is empty: a CA that must go is taken out of the broker's lists instead."""
    key = making.new_key()
    certificate = making.intermediate(name, key, root, now_ms, lifetimes)
    end_ms = making.unix_ms(root.certificate.not_valid_after_utc)
    signed = making.revocation_list(root, (), now_ms=now_ms, next_ms=end_ms, back_ms=lifetimes.back_ms)
    write_whole(folder / f"{kind}-root.crl", signed.public_bytes(Encoding.PEM), PUBLIC)
    files.write_key(folder / f"{kind}-ca.key", key)
    files.write_chain(folder / f"{kind}-ca.pem", certificate)


def make_signer(folder: Path, now_ms: int, lifetimes: Lifetimes) -> None:
    """The key that signs the time and bundles, certified by the service CA: a box knows it by the pinned root."""
    files.write_key(folder / "time.key", Ed25519PrivateKey.generate())
    make_leaf(folder, "time", read_issuer(folder, "service-ca"), making.SIGNER, (), now_ms, lifetimes)


def make_leaf(
    folder: Path,
    name: str,
    issuer: Issuer,
    usage: x509.ObjectIdentifier,
    hosts: Sequence[str],
    now_ms: int,
    lifetimes: Lifetimes,
) -> x509.Certificate:
    """Write `{name}.key`, unless it is there, and then `{name}.pem`: the two fit together at any moment."""
    key_file = folder / f"{name}.key"
    if not key_file.exists():
        files.write_key(key_file, making.new_key())
    key = files.read_key(key_file, NO_CA)
    certificate = making.leaf(
        name,
        key.public_key(),
        issuer,
        usage,
        now_ms=now_ms,
        lifetime_ms=lifetimes.service_ms,
        back_ms=lifetimes.back_ms,
        hosts=hosts,
    )
    files.write_chain(folder / f"{name}.pem", certificate, issuer.certificate)
    return certificate


def read_issuer(folder: Path, name: str) -> Issuer:
    """The CA `name` of `folder`. Raises AuthorityError, also when key and certificate don't belong together."""
    issuer = Issuer(files.read_chain(folder / f"{name}.pem")[0], files.read_key(folder / f"{name}.key", NO_CA))
    if issuer.certificate.public_key() != issuer.key.public_key():
        raise files.AuthorityError(f"{folder / name}.key is not the key of {name}.pem: restore both from one backup")
    return issuer
