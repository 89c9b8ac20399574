"""Files of keys and certificates: written whole or not at all, keys for their owner alone."""

import contextlib
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from provisioning.files import PUBLIC, make_folder, sync_folder, write_whole

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey

_NEXT: Final = "next"


class AuthorityError(Exception):
    """Keys or certificates that can't be used; the text names the file and the next step."""


@contextlib.contextmanager
def all_or_nothing(folder: Path) -> Iterator[Path]:
    """A draft folder; all files written into it come to be in `folder` together, or none does. Raises OSError."""
    finish(folder)
    draft = folder / ".next.new"
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft)
    yield draft
    sync_folder(draft)
    draft.rename(folder / _NEXT)
    sync_folder(folder)
    finish(folder)


def finish(folder: Path) -> None:
    """Do the rest of an `all_or_nothing` that was cut short after everything had been written. Raises OSError."""
    if (folder / _NEXT).is_dir():
        for file in sorted((folder / _NEXT).iterdir()):
            file.rename(folder / file.name)
        (folder / _NEXT).rmdir()
        sync_folder(folder)


def read_key(file: Path, missing: str) -> PrivateKey:
    """The private key in `file`. Raises AuthorityError: `missing` is the next step when it is not there."""
    try:
        mode, content = file.stat().st_mode, file.read_bytes()
    except FileNotFoundError:
        raise AuthorityError(f"{file} is not there: {missing}") from None
    except OSError as error:
        raise AuthorityError(f"{file}: {error.strerror}: run the program as the user that owns it") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AuthorityError(
            f"{file} can be read by others: run 'chmod 600 {file}'; if somebody may have read it, make a new key"
        )
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError):
        raise AuthorityError(
            f"{file} holds no private key (PEM, without a password): restore it from a backup"
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise AuthorityError(f"{file} is a key of another kind than ours: restore it from a backup")
    return key


def read_chain(file: Path) -> list[x509.Certificate]:
    """The certificates in `file`, the leaf first. Raises AuthorityError."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise AuthorityError(f"{file}: {error.strerror}: restore it from a backup") from None
    except ValueError:
        raise AuthorityError(f"{file} holds no certificate (PEM): restore it from a backup") from None


def write_key(file: Path, key: PrivateKey) -> None:
    """Write a private key for its owner alone. Raises OSError."""
    write_whole(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def write_chain(file: Path, *certificates: x509.Certificate) -> None:
    """Write certificates, the leaf first. Raises OSError."""
    write_whole(file, pem(*certificates), PUBLIC)


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates as PEM, in this order."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
