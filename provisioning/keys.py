"""Secret files in the state folder: made once, for this program's user alone, refused when others can read them."""

import base64
import os
import secrets
from pathlib import Path
from typing import Final

from kewang.runtime.settings import SettingsError, secret

SESSION_KEY: Final = "session.key"
SEAL_KEY: Final = "seal.key"
GATEWAY_TOKEN: Final = "gateway.token"
KEY_BYTES: Final = 32


def make_keys(folder: Path) -> list[str]:
    """Make those of the three files that are missing; their names. Raises OSError."""
    made = {
        SESSION_KEY: base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)),
        SEAL_KEY: base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)),
        GATEWAY_TOKEN: secrets.token_urlsafe(KEY_BYTES).encode(),
    }
    return [name for name, content in made.items() if write_secret(folder / name, content + b"\n")]


def write_secret(path: Path, content: bytes) -> bool:
    """Write the file (0600), whole or not at all, unless it is there already; whether it was written."""
    if path.exists():
        return False
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def session_key(folder: Path) -> bytes:
    """The key that signs login cookies. Raises SettingsError."""
    return _key(folder / SESSION_KEY)


def seal_key(folder: Path) -> bytes:
    """The Fernet key that seals cameras' passwords. Raises SettingsError."""
    return base64.urlsafe_b64encode(_key(folder / SEAL_KEY))


def _key(path: Path) -> bytes:
    try:
        key = base64.urlsafe_b64decode(secret(path))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{path} is damaged: bring it back from a backup ('kewang provision restore')")
    return key
