"""What is printed of a box: its label as a QR code, and its line for the inventory."""

import csv
import fcntl
import io
import os
from pathlib import Path
from typing import Final

import segno

from kewang.wire.identity import build_label, build_typed

COLUMNS: Final = ("id", "kind", "fingerprint")
"""As the inventory's import wants them."""
_SCALE: Final = 8


def qr_terminal(host: str, device: str, fingerprint: str) -> str:
    """The label for a terminal: QR code, id and the 8 characters to type."""
    out = io.StringIO()
    _code(host, device, fingerprint).terminal(out, compact=True)
    return f"{out.getvalue()}\n{build_typed(device, fingerprint)}\n"


def save_png(file: Path, host: str, device: str, fingerprint: str) -> None:
    """The QR code as a picture. Raises OSError."""
    _code(host, device, fingerprint).save(str(file), kind="png", scale=_SCALE)


def append_csv(file: Path, device: str, kind: str, fingerprint: str) -> bool:
    """Add the box to a list of boxes, once; whether it was new. Several may write at a time. Raises OSError."""
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o644), "r+", newline="") as table:
        fcntl.flock(table, fcntl.LOCK_EX)
        known = {row[0] for row in csv.reader(table) if row}
        if device in known:
            return False
        writer = csv.writer(table, lineterminator="\n")
        if not known:
            writer.writerow(COLUMNS)
        writer.writerow((device, kind, fingerprint))
        table.flush()
        os.fsync(table.fileno())
        return True


def _code(host: str, device: str, fingerprint: str) -> segno.QRCode:
    return segno.make(build_label(host, device, fingerprint), error="q", micro=False)
