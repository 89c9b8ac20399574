"""Files that are replaced whole: after a power cut there is the old one or the new one."""

import json
import os
from pathlib import Path
from typing import Any


def replace_json(path: Path, value: Any) -> None:
    """Write `value` as JSON in place of what is there. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


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
