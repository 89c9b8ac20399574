"""`audit.head`: how the audit log ends, kept outside of the database so that rows cut off its end are missed.

One JSON object: `head` is the last row that is known to be there, `next` the one that is being written. After a power
cut the log may end with either. When it ends with neither, the file's content goes as a line into `audit.gaps`, and
`verify` tells of it until somebody has looked and removed that file.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from provisioning.inventory.people_tables import Audit

HEAD: Final = "audit.head"
GAPS: Final = "audit.gaps"

Mark = dict[str, Any]
"""`{"number": 17, "hash": "..."}`; number 0 for a log without rows."""


def mark(row: Audit | None) -> Mark:
    """The mark of `row`."""
    return {"number": row.number, "hash": row.hash} if row else {"number": 0, "hash": ""}


def announce(folder: Path, before: Audit | None, coming: Audit) -> None:
    """Say that after `before` the row `coming` is about to be kept. Raises OSError."""
    with _locked(folder):
        known = read_head(folder)
        if mark(before) not in (known["head"], known["next"]):
            _append(folder / GAPS, {"expected": known, "found": mark(before), "before": mark(coming)})
        _write(folder / HEAD, {"head": mark(before), "next": mark(coming)})


def confirm(folder: Path, kept: Audit) -> None:
    """Say that `kept` is there now, unless a later row was announced meanwhile. Raises OSError."""
    with _locked(folder):
        if read_head(folder)["next"] == mark(kept):
            _write(folder / HEAD, {"head": mark(kept), "next": mark(kept)})


def read_head(folder: Path) -> dict[str, Mark]:
    """`{"head": ..., "next": ...}`; that of an empty log if there is no file or it can't be read."""
    nothing = {"head": mark(None), "next": mark(None)}
    try:
        found = json.loads((folder / HEAD).read_text())
        return {"head": dict(found["head"]), "next": dict(found["next"])}
    except FileNotFoundError:
        return nothing
    except (ValueError, KeyError, TypeError):
        return {"head": {"number": -1, "hash": "unreadable"}, "next": {"number": -1, "hash": "unreadable"}}


def read_gaps(folder: Path) -> list[str]:
    """The lines of `audit.gaps`."""
    try:
        return (folder / GAPS).read_text().splitlines()
    except FileNotFoundError:
        return []


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "audit.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, value: Any) -> None:
    """Whole or not at all, also through a power cut."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _append(path: Path, value: Any) -> None:
    with path.open("a") as file:
        file.write(json.dumps(value) + "\n")
        file.flush()
        os.fsync(file.fileno())
