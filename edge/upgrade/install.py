"""Putting a new version beside the others: it is checked, built and asked whether it would run, before it is tried.

Run by root, from the command line. The wheel carries the pinned and hashed list of what it needs, so that one checksum
or signature is about all of it.
"""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email.parser import BytesParser
from pathlib import Path
from typing import Final

from edge.files import sync_folder
from edge.outbox_schema import SCHEMA
from edge.upgrade.home import COMPLETE, VERSION_PATTERN, Home

MARGIN_BYTES: Final = 100_000_000
"""Left free on the disk beside a new version: the outbox needs room too."""
_LEAST_BYTES: Final = 150_000_000
_BUILD_LIMIT_S: Final = 3600
_CHECK_LIMIT_S: Final = 120
_BY_LIBRARY: Final = {"av": "camera", "cryptography": "enrol"}
"""What a box has beside `edge`: the library that tells it, and the list of requirements."""
SCHEMAS: Final = "from edge.outbox_schema import READER, SCHEMA; print(READER, SCHEMA)"


class Refused(Exception):
    """The upgrade is not tried; the text says why and what to do."""


def check_digest(wheel: Path, sha256: str) -> None:
    """Raises Refused for a file that is not what somebody meant to send."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256.strip().lower():
        raise Refused(f"{wheel} has the SHA-256 {found}, not the one given: copy it again, or ask who made it")


def check_signature(wheel: Path, key: Path) -> None:
    """`WHEEL.sig` must be the wheel's signature by the owner of public key `key` (PEM). Raises Refused."""
    signature = wheel.with_name(f"{wheel.name}.sig")
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key), "-sigfile", str(signature)]
    try:
        done = _run([*command, "-in", str(wheel)], _CHECK_LIMIT_S)
    except FileNotFoundError:
        raise Refused("openssl is not installed: install it, or give --sha256") from None
    if done.returncode:
        raise Refused(f"{signature} is no signature of {wheel.name} by {key}: {_last(done)}")


def version_of(wheel: Path) -> str:
    """The version in a wheel of ours. Raises Refused."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.testzip() is not None:
                raise Refused(f"{wheel} is damaged: copy it again")
            (name,) = [each for each in archive.namelist() if re.fullmatch(r"kewang-[^/]+\.dist-info/METADATA", each)]
            told = BytesParser().parsebytes(archive.read(name))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise Refused(f"{wheel} is no wheel of Kewang: {error}") from None
    version = str(told["Version"])
    if told["Name"] != "kewang" or not re.match(VERSION_PATTERN, version):
        raise Refused(f"{wheel} is {told['Name']} {version}, not Kewang")
    return version


def check_room(home: Home) -> None:
    """Raises Refused when the disk has no room for one more version."""
    current = home.version(home.current() or "")
    size = sum(each.lstat().st_size for each in current.rglob("*")) if home.current() else 0
    wanted, free = max(2 * size, _LEAST_BYTES) + MARGIN_BYTES, shutil.disk_usage(home.folder).free
    if free < wanted:
        raise Refused(
            f"{home.folder} has {free // 10**6} MB free, {wanted // 10**6} MB are needed: "
            "make room, `kewang edge upgrade --status` shows the versions that are there"
        )


def build(home: Home, wheel: Path, version: str, wheels: Path | None) -> None:
    """A fresh environment for the version. One that was begun and not finished is made anew. Raises Refused, OSError.

    `wheels`: a folder with everything that it needs; without it, it comes from where pip gets packages here.
    """
    folder = home.version(version)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _must([sys.executable, "-m", "venv", str(folder)], "make an environment")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    source = ["--no-index", "--find-links", str(wheels)] if wheels else []
    for file in _requirements(folder, wheel):
        _must([*pip, *source, "--require-hashes", "-r", str(file)], f"install what {file.stem} needs")
    _must([*pip, "--no-index", "--no-deps", str(wheel)], "install the wheel")
    (folder / COMPLETE).touch()
    sync_folder(folder)


def extras() -> list[str]:
    """Lists of requirements that this version's own environment has."""
    more = [name for library, name in _BY_LIBRARY.items() if importlib.util.find_spec(library)]
    return more or ["edge"]


def _requirements(folder: Path, wheel: Path) -> list[Path]:
    """The wheel's own lists, unpacked beside the version."""
    files = []
    with zipfile.ZipFile(wheel) as archive:
        for name in extras():
            files.append(folder / f"{name}.txt")
            try:
                files[-1].write_bytes(archive.read(f"kewang/requirements/{name}.txt"))
            except KeyError:
                raise Refused(f"{wheel.name} has no list of what {name} needs: build it anew") from None
    return files


def check_version(home: Home, version: str, config: Path, needed: int) -> None:
    """Whether the version starts, takes this box's settings, and leaves the way back open. Raises Refused.

    `needed`: schema that a program must know to use this box's outbox.
    """
    told = _run([str(home.program(version)), "--version"], _CHECK_LIMIT_S)
    if told.returncode or told.stdout.strip() != version:
        raise Refused(f"version {version} does not start, or calls itself otherwise: {_last(told)}")
    done = _run([str(home.program(version)), "edge", "run", "--check", "--config", str(config)], _CHECK_LIMIT_S)
    if done.returncode:
        raise Refused(f"version {version} does not take {config}: {_last(done)}")
    reader, newest = schemas_of(home, version)
    if needed > newest:
        raise Refused(f"version {version} can't read this box's outbox (schema {needed}): it is too old")
    if reader > SCHEMA:
        raise Refused(
            f"version {version} writes outboxes that the present one can't read (schema {SCHEMA}, {reader} is needed): "
            "there would be no way back; take a version between the two first"
        )


def schemas_of(home: Home, version: str) -> tuple[int, int]:
    """(oldest schema whose program may use a file of that version, newest it knows). Raises Refused."""
    done = _run([str(home.version(version) / "bin" / "python"), "-c", SCHEMAS], _CHECK_LIMIT_S)
    try:
        reader, newest = map(int, done.stdout.split())
    except ValueError:
        raise Refused(f"version {version} does not tell which outboxes it knows: {_last(done)}") from None
    return reader, newest


def remove_others(home: Home, kept: Sequence[str]) -> list[str]:
    """Delete the versions that nobody goes back to; which."""
    others = [each for each in (home.folder / "versions").glob("*") if each.is_dir() and each.name not in kept]
    for each in others:
        shutil.rmtree(each, ignore_errors=True)
    return [each.name for each in others]


def _must(command: Sequence[str], what: str) -> None:
    done = _run(command, _BUILD_LIMIT_S)
    if done.returncode:
        raise Refused(f"could not {what}: {_last(done)}")


def _run(command: Sequence[str], limit_s: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s, cwd="/")
    except subprocess.TimeoutExpired:
        raise Refused(f"{command[0]} did not end within {limit_s:.0f} s") from None


def _last(done: "subprocess.CompletedProcess[str]") -> str:
    """The last line that a program said."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1][:500] if lines else f"it said nothing, code {done.returncode}"
