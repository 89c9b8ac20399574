"""A folder with copies of all that a server must not lose, made while everything runs, and whether one is whole.

    database/           kewang.db (SQLite), or what `influxd backup -portable` writes (InfluxDB 1)
    gateway/            gateway.db, incidents.db
    provisioning.tar    inventory and keys, by whoever has them
    also/...            folders of settings, by their whole paths
    began               when it began, ISO 8601: what `kewang rewind --from` asks for
    manifest.json       the digest of every file above; written last

It is made beside its name and gets it when it is whole. Whether it is still whole is asked of the manifest alone, so it
may travel by any means and be cut off anywhere. It holds keys and passwords: encrypt it on the way out.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from gateway.settings import GatewaySettings

MANIFEST: Final = "manifest.json"
BEGAN: Final = "began"
DATABASE: Final = "database"
GATEWAY: Final = "gateway"
OFFICE: Final = "provisioning.tar"
ALSO: Final = "also"
RPC_PORT: Final = 8088
"""Where an InfluxDB 1 gives backups if nothing else is set: `bind-address` at the top of influxdb.conf."""
_FORMAT: Final = 1


class BackupFailed(Exception):
    """Nothing new was kept, or what was kept is not whole; the text says why and what to do."""


@contextmanager
def made(into: Path) -> Iterator[Path]:
    """The folder to fill; when the block ends well it takes the place of `into`, until then that one stays.

    Raises BackupFailed.
    """
    began = datetime.now(UTC).isoformat(timespec="seconds")
    new, old = into.with_name(f"{into.name}.new"), into.with_name(f"{into.name}.old")
    if into.exists() and not (into / MANIFEST).exists():
        raise BackupFailed(f"{into} is there and is no backup of ours: name another folder")
    try:
        if not into.exists() and (old / MANIFEST).exists():
            old.rename(into)  # we ended between the two renames below
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        new.mkdir(0o700, parents=True)
        (new / BEGAN).write_text(f"{began}\n")
        yield new
        manifest = {"format": _FORMAT, "began": began, "files": _digests(new)}
        _write_synced(new / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))
        if into.exists():
            into.rename(old)
        new.rename(into)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, shutil.Error) as error:
        raise BackupFailed(f"{into}: {error}") from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a finished backup says of itself. Raises BackupFailed."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        known = manifest["format"] == _FORMAT and isinstance(manifest["files"], dict)
    except FileNotFoundError:
        raise BackupFailed(f"{folder} has no {MANIFEST}: it is no backup, or one that was not finished") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupFailed(f"{folder / MANIFEST} can't be read ({error!r}): take another backup") from None
    if not known:
        raise BackupFailed(f"{folder} was made by another version: check it with that one")
    return manifest


def check(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose every file is as it was made. Raises BackupFailed."""
    manifest, found = read_manifest(folder), _digests(folder)
    damaged = sorted(name for name, digest in manifest["files"].items() if found.get(name) != digest)
    if damaged:
        raise BackupFailed(f"{folder} is not whole: {damaged[0]} and {len(damaged) - 1} more; take another backup")
    return manifest


def save_database(settings: GatewaySettings, folder: Path, rpc: str | None = None) -> None:
    """A copy of the database. `rpc`: where InfluxDB 1 gives backups, HOST:PORT. Raises BackupFailed, OSError."""
    parts = urlsplit(settings.store.url)
    (folder / DATABASE).mkdir()
    if parts.scheme == "sqlite":
        _save_sqlite(Path(unquote(parts.path)[1:]), folder / DATABASE)
    elif parts.scheme.startswith("influx1+"):
        name = unquote(parts.path[1:])
        where = rpc or f"{parts.hostname}:{RPC_PORT}"
        _run(["influxd", "backup", "-portable", "-host", where, "-database", name, str(folder / DATABASE)])
    else:
        raise BackupFailed(
            "InfluxDB 2 is saved by its own command: 'influx backup'. Do that first, say --without-database here, and "
            "keep both together"
        )


def save_incidents(settings: GatewaySettings, folder: Path) -> None:
    """Copies of incidents and notices, if this gateway watches. Raises BackupFailed, OSError."""
    from gateway.watched import CHRONICLE_FILE, OUTBOX_FILE

    if settings.incidents is not None:
        (folder / GATEWAY).mkdir()
        for name in (OUTBOX_FILE, CHRONICLE_FILE):
            _save_sqlite(settings.incidents.folder / name, folder / GATEWAY)


def save_folder(source: Path, folder: Path) -> None:
    """A copy of a folder with all that is in it, rights kept. Raises BackupFailed, OSError, shutil.Error."""
    if not source.is_dir():
        raise BackupFailed(f"{source} is no folder: correct the path")
    whole = Path(os.path.abspath(source))  # without "..", which would lead out of the backup
    if folder.absolute().is_relative_to(whole):
        raise BackupFailed(f"{source} holds the backup itself: name folders below it")
    target = folder / ALSO / whole.relative_to("/")
    shutil.copytree(source, target, symlinks=True)


def _save_sqlite(file: Path, into: Path) -> None:
    """The file as it is at one moment; whoever writes it goes on."""
    try:
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as source,
            closing(sqlite3.connect(into / file.name)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise BackupFailed(f"{file}: {error}: has the gateway run with these settings, as this user?") from None


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupFailed(f"{command[0]} is not on PATH: install its package on this machine") from None
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise BackupFailed(f"{' '.join(command[:3])} failed: {''.join(told)}")


def _digests(folder: Path) -> dict[str, str]:
    """Name below `folder` -> SHA-256 of its content, of every file but the manifest; of a link: where it leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _write_synced(file: Path, text: str) -> None:
    with file.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
