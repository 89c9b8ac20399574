"""Photos that arrive in pieces: what came is on the disk and is taken up again, also after a restart of either side."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final

from provisioning.acts import visits
from provisioning.acts.once import once
from provisioning.inventory import Actor, Inventory, PhotoKind, Request, Visit, Work
from provisioning.pictures import PHOTOS, stored
from provisioning.refusals import Refused, bad_input, no_room, unknown
from provisioning.web.photos import cleaned, too_large
from provisioning.web.steps import settle, told_again

PIECES_BYTES: Final = 1 << 20
"""A photo that comes in pieces was shrunk by the phone; larger ones come whole or not at all."""
INCOMING: Final = 400
"""Photos that are half there, at most."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the photo `request` (the phone's UUID) of `total` bytes, for a visit."""

    request: str
    visit: str
    kind: PhotoKind
    offset: int
    total: int
    data: bytes


class Uploads:
    """Call from threads; the files are below the state folder's `photos/`."""

    def __init__(self, inventory: Inventory, zone: tzinfo) -> None:
        self._inventory, self._zone = inventory, zone
        self._one = threading.Lock()

    def put(self, actor: Actor, piece: Piece) -> dict[str, Any]:
        """Takes a piece: `{"have": bytes}`, or with the last one `{"receipt", "visit"}`. Raises Refused."""
        if not 0 < piece.total <= PIECES_BYTES:
            raise too_large()
        if self._answered(actor, piece.request):
            return self._kept(actor, piece, b"")
        path = self._incoming(actor, piece.request)
        with self._one, disk():
            have = _append(path, piece)
        if have < piece.total:
            return {"have": have}
        try:
            with disk():
                photo = path.read_bytes()
            answer = self._kept(actor, piece, cleaned(photo))
        except Refused as refused:
            if refused.code in ("P-400", "P-413"):
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
        return answer

    def whole(self, actor: Actor, request: str, visit: str, kind: PhotoKind, photo: bytes) -> dict[str, Any]:
        """Takes a photo that came in one form. Raises Refused."""
        return self._kept(actor, Piece(request, visit, kind, 0, 0, b""), cleaned(photo))

    def _kept(self, actor: Actor, piece: Piece, photo: bytes) -> dict[str, Any]:
        """Writes the picture and notes it, once; nothing is written for a visit that is not the actor's."""
        with self._inventory.writing(actor) as work:
            content = {"visit": piece.visit, "photo": piece.kind}
            answer = once(work, piece.request, content, lambda: _noted(work, piece, photo, self._zone))
        return {"receipt": piece.request, "visit": answer["visit"]}

    def _answered(self, actor: Actor, request: str) -> bool:
        with self._inventory.reading() as rows:
            done = rows.get(Request, request)
            return done is not None and done.person == actor.name

    def _incoming(self, actor: Actor, request: str) -> Path:
        folder = self._inventory.folder / PHOTOS / "incoming"
        with disk():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{hashlib.sha256(actor.name.encode()).hexdigest()[:16]}-{request}"
            if not path.exists():
                _make_room(folder)
        return path


def _noted(work: Work, piece: Piece, photo: bytes, zone: tzinfo) -> dict[str, Any]:
    visit = work.rows.get(Visit, piece.visit)
    if visit is None or visit.person != work.actor.name:
        raise unknown(_("visit"), piece.visit)
    if visit.finished_ms is not None:
        return {"visit": told_again(work, visit, piece.kind)}
    with disk():
        name = stored(work.folder, photo)
    picture = visits.Picture(name, piece.kind, work.now_ms)
    visits.add_photo(work, visit.device, picture, visit=visit.id)
    return {"visit": settle(work, visit.id, zone)}


def picture_file(folder: Path, sha256: str) -> Path:
    """Where the picture `sha256` lies. Raises Refused P-404 for anything that is not a hash or not there."""
    path = folder / PHOTOS / sha256
    if _SHA256.fullmatch(sha256) is None or not path.is_file():
        raise unknown(_("picture"), sha256[:12])
    return path


def _append(path: Path, piece: Piece) -> int:
    """The size of the file at `path` after `piece`, which counts only where the file ends."""
    have = path.stat().st_size if path.exists() else 0
    if piece.offset != have or not piece.data:
        return have
    if have + len(piece.data) > piece.total:
        raise bad_input("photo", _("The photo is longer than it said. Take it again."))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
        file.write(piece.data)
        file.flush()
        os.fsync(file.fileno())
    return have + len(piece.data)


def _make_room(folder: Path) -> None:
    """Removes the photos that nobody has sent on for the longest time, beyond `INCOMING`."""
    by_age = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in by_age[: max(0, len(by_age) - INCOMING + 1)]:
        path.unlink(missing_ok=True)


class disk:  # noqa: N801 reads as a block: `with disk():`
    """Turns an error of the disk into a refusal in people's words."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError):
            raise no_room("photo") from error
