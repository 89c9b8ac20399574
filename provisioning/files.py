"""Files that outlast a power cut: whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
FOLDER: Final = 0o700


def make_folder(folder: Path) -> None:
    """A folder for its owner alone, with those above it."""
    folder.mkdir(FOLDER, parents=True, exist_ok=True)
    folder.chmod(FOLDER)


def write_whole(file: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Replace `file`: whoever reads it, also after a power cut, finds the old or the new content. Raises OSError."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
