"""A backup: the inventory's rows and the state folder in one file, and back again, checked.

A tar file: `rows.jsonl`, then `state/...`, then `manifest.json`. The keys of both roots (`offline/`) are left out:
they belong on a stick. The file holds keys and hashes of passwords: keep it as well as the server.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, TypeAlias

from sqlalchemy.orm import Session

from provisioning.acts.rights import must
from provisioning.files import sync_folder
from provisioning.inventory import Actor, Inventory, InventoryError, dump
from provisioning.inventory.audit import record
from provisioning.inventory.database import open_engine, shown
from provisioning.inventory.head import HEAD, mark, read_head
from provisioning.inventory.verify import verify_rows
from provisioning.pictures import PHOTOS

Whole: TypeAlias = io.BytesIO | io.BufferedReader | io.BufferedRandom
"""A file that is read from its beginning to its end."""
_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_ROWS: Final = "rows.jsonl"
_STATE: Final = "state/"
_LEFT_OUT: Final = frozenset({"offline"})
_LEFT_OUT_ENDS: Final = (".db", ".db-wal", ".db-shm", ".lock", ".new")


def backup(inventory: Inventory, actor: Actor, into: Path) -> dict[str, Any]:
    """An act of `actor`: write the file `into` (0600), whole or not at all; its manifest.

    Raises OSError, also if the file exists already.
    """
    if into.exists():
        raise FileExistsError(17, "exists already: name a new file", str(into))
    new = into.with_name(into.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            manifest = _write(inventory, actor, file)
        except BaseException:
            new.unlink()
            raise
        file.flush()
        os.fsync(file.fileno())
    new.replace(into)
    sync_folder(into.parent)
    return manifest


def restore(source: Path, url: str, folder: Path) -> dict[str, Any]:
    """Bring a backup back into an empty database and a state folder that is not there; its manifest, checked.

    Nothing is left of it when it fails. Raises InventoryError that says what is wrong and what to do.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InventoryError(f"{folder} is not empty: move it away first")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        manifest = _unpacked(source, staged)
        if folder.exists():
            folder.rmdir()
        (staged / "state").replace(folder)
        try:
            _fill(url, folder, manifest, staged / _ROWS)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return manifest


def _write(inventory: Inventory, actor: Actor, file: IO[bytes]) -> dict[str, Any]:
    """Rows and files of one moment: acts wait for the writer's lock meanwhile. The act's own row is in it.

    Photos are copied after that: none ever changes, and one whose time ends meanwhile is in nobody's way.
    """
    digests: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        with inventory.writing(actor) as work:
            must(work, "backup.make", "inventory")
            end = mark(record(work, "backup.make", "inventory"))
            connection = work.rows.connection()
            made_ms, tables, folder = work.now_ms, dump.version(connection), work.folder
            with tempfile.TemporaryFile(dir=folder) as rows:
                rows.writelines(f"{line}\n".encode() for line in dump.dumped(connection))
                digests[_ROWS] = _add(archive, _ROWS, rows)
            photos, others = _state(folder)
            for path in others:
                _copy(archive, folder, path, digests)
            head = json.dumps({"head": end, "next": end}).encode()
            digests[_STATE + HEAD] = _add(archive, _STATE + HEAD, io.BytesIO(head))
        for path in photos:
            with suppress(FileNotFoundError):
                _copy(archive, folder, path, digests)
        manifest = {"format": _FORMAT, "made_ms": made_ms, "tables": tables, "files": digests}
        _add(archive, _MANIFEST, io.BytesIO(json.dumps(manifest).encode()))
    return manifest


def _state(folder: Path) -> tuple[list[Path], list[Path]]:
    """Photos that are whole, and the other files that belong into a backup."""
    kept = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = {path: path.relative_to(folder) for path in kept}
    wanted = [path for path, name in names.items() if not _is_left_out(name) and name.as_posix() != HEAD]
    photos = [path for path in wanted if path.parent == folder / PHOTOS]
    return photos, [path for path in wanted if names[path].parts[0] != PHOTOS]


def _is_left_out(name: Path) -> bool:
    return name.parts[0] in _LEFT_OUT or name.name.endswith(_LEFT_OUT_ENDS)


def _copy(archive: tarfile.TarFile, folder: Path, path: Path, digests: dict[str, str]) -> None:
    name = _STATE + path.relative_to(folder).as_posix()
    with path.open("rb") as file:
        digests[name] = _add(archive, name, file)


def _add(archive: tarfile.TarFile, name: str, file: Whole) -> str:
    """Add the whole of `file`, piece by piece; its SHA-256."""
    entry = tarfile.TarInfo(name)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry.size, entry.mode = file.seek(0, io.SEEK_END), 0o600
    file.seek(0)
    archive.addfile(entry, file)
    return digest


def _unpacked(source: Path, into: Path) -> dict[str, Any]:
    """The files of a backup, each checked against the manifest. Raises InventoryError."""
    (into / "state").mkdir(mode=0o700)
    try:
        with tarfile.open(source, "r:") as archive:
            manifest = _manifest(archive)
            for name, digest in manifest["files"].items():
                _extract(archive, name, digest, into)
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InventoryError(f"{source} is no whole backup of ours: take another one ({error})") from None
    return manifest


def _manifest(archive: tarfile.TarFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_content(archive, _MANIFEST))
    if found["format"] != _FORMAT or _ROWS not in found["files"]:
        raise ValueError("another format")
    return found


def _extract(archive: tarfile.TarFile, name: str, digest: str, into: Path) -> None:
    where = PurePosixPath(name)
    if where.is_absolute() or ".." in where.parts or not (name == _ROWS or name.startswith(_STATE)):
        raise ValueError(f"a file that leads out of the folder: {name!a}")
    data = _content(archive, name)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{name} is damaged")
    path = into / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(archive.getmember(name))
    if file is None:
        raise ValueError(f"{name} is no file")
    return file.read()


def _fill(url: str, folder: Path, manifest: dict[str, Any], rows: Path) -> None:
    """Tables as they were then, their rows, and the steps up to today's tables. Nothing is kept unless all is whole."""
    engine = open_engine(url, folder, str(manifest["tables"]))
    try:
        with engine.execution_options(writing=True).begin() as connection:
            if not dump.is_empty(connection):
                raise InventoryError(f"{shown(url)} holds an inventory already: name an empty database")
            with rows.open() as lines:
                dump.filled(connection, lines)
            verdict = verify_rows(Session(connection), folder, read_head(folder))
            if not verdict.ok:
                raise InventoryError(f"the backup's audit log is not whole: {verdict.problem}")
    finally:
        engine.dispose()
    open_engine(url, folder).dispose()
