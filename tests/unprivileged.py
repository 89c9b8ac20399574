"""A device file that we may not open, whoever runs the tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def unprivileged(file: Path, group: int = 0) -> Iterator[None]:
    """Be a user who may not open `file`; root becomes nobody for so long, who may still reach it. `group`: the mode's
    bits of its group."""
    modes = {path: path.stat().st_mode for path in (file.resolve(), *file.absolute().parents)}
    user = os.geteuid()
    file.resolve().chmod((0o600 if user == 0 else 0) | group)
    if user == 0:
        for folder in file.absolute().parents:
            folder.chmod(modes[folder] | 0o011)
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            if user == 0 or path == file.resolve():
                path.chmod(mode)
