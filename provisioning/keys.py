"""Secret files in the state folder: made once, for this program's user alone, refused when others can read them."""

import base64
import secrets
from pathlib import Path
from typing import Final

from kewang.runtime.settings import SettingsError, secret
from provisioning.files import write_whole

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
    write_whole(path, content)
    return True


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
