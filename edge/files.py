"""Files that are replaced whole: after a power cut there is the old one or the new one."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

EXT4_JOURNAL_S: Final = 5.0
"""What ext4 does without the option."""


def replace_bytes(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write `content` in place of what is there; `mode` as `open` takes it. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def replace_json(path: Path, value: Any) -> None:
    """Write `value` as JSON in place of what is there. Raises OSError."""
    replace_bytes(path, json.dumps(value, separators=(",", ":")).encode())


def replace_link(link: Path, target: Path) -> None:
    """Let `link` point to `target`, from one moment to the next. Raises OSError."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    sync_folder(link.parent)


def sync_folder(folder: Path) -> None:
    """What was renamed in `folder` stays so over a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def journal_s(folder: Path) -> float | None:
    """How long ext4 keeps its own journal back before it writes it to the card (mount option `commit`); None: the
    folder is not on ext4, or nothing says so. Source: proc_pid_mountinfo(5), ext4(5)."""
    with suppress(OSError, ValueError):
        device = folder.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        # Names of folders may be of any bytes but blanks and newlines.
        for line in Path("/proc/thread-self/mountinfo").read_bytes().decode(errors="replace").split("\n"):
            mount, _, system = line.partition(" - ")
            kind, _, options = (*system.split(" ", 2), "", "")[:3]
            if kind == "ext4" and mount.split(" ")[2:3] == [number]:
                given = dict(each.partition("=")[::2] for each in options.split(","))
                return float(given.get("commit", EXT4_JOURNAL_S))
    return None
