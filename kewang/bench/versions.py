"""Versions of the agent for `bench upgrade`: this very tree, as it is, newer, or broken on purpose."""

import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from edge.outbox_schema import PACKED_READER, SCHEMA
from edge.upgrade.home import COMPLETE, Home

CHECKOUT: Final = Path(__file__).resolve().parents[2]
OLD: Final = "1.0.0"
NEW: Final = "1.1.0"
_Patch = Callable[[str], str]

_NEWER: Final = f'''
def _touch(db: sqlite3.Connection) -> None:
    """What the next version adds stands in a table of its own (decision 35)."""
    db.executescript(
        """BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS next (ord INTEGER PRIMARY KEY, more TEXT NOT NULL);
        INSERT OR REPLACE INTO meta VALUES ('schema', {SCHEMA + 1}), ('reader', {PACKED_READER});
        PRAGMA user_version = {SCHEMA + 1}; COMMIT;"""
    )
    _touch_as_before(db)


def _touch_as_before('''


def _replaced(old: str, new: str) -> _Patch:
    """Raises ValueError when the tree has changed and the patch would do nothing."""

    def patch(text: str) -> str:
        if text.count(old) != 1:
            raise ValueError(f"the tree has {text.count(old)} times {old!r}: mend kewang.bench.versions")
        return text.replace(old, new)

    return patch


_NEXT: Final[Mapping[str, _Patch]] = {
    "edge/outbox_schema.py": _replaced(f"\nSCHEMA: Final = {SCHEMA}\n", f"\nSCHEMA: Final = {SCHEMA + 1}\n"),
    "edge/outbox_file.py": _replaced("\ndef _touch(", _NEWER),
}
_BEGIN: Final = '    notify("READY=1")\n'
FAULTS: Final = ("dead", "mute", "frail")
"""Does not start; starts, says that it lives, and delivers no reading; delivers, and is gone after a while."""


def _fault(name: str, frail_s: float) -> Mapping[str, _Patch]:
    match name:
        case "dead":
            return {"edge/service.py": _replaced(_BEGIN, f'    raise RuntimeError("broken on purpose")\n{_BEGIN}')}
        case "mute":
            publish = '        """QoS 1; returns at the broker\'s PUBACK, which proves nothing. Raises LinkDown."""\n'
            return {
                "edge/uplink.py": _replaced(
                    publish, f'{publish}        if channel.startswith("d/"):\n            return\n'
                )
            }
        case _:
            end = f"    asyncio.get_running_loop().call_later({frail_s}, os._exit, 70)\n"
            return {"edge/service.py": _replaced(_BEGIN, f"{_BEGIN}{end}")}


def make_home(folder: Path, frail_s: float) -> Home:
    """A home with the old version as the current one, the new one, and the three that fail, built upon the new one."""
    home = Home(folder)
    _make(home, OLD, {})
    _make(home, NEW, _NEXT)
    for name in FAULTS:
        _make(home, failing(name), {**_NEXT, **_fault(name, frail_s)})
    home.switch(OLD)
    return home


def failing(fault: str) -> str:
    """The number of the version with this fault."""
    return f"2.0.{FAULTS.index(fault)}"


def _make(home: Home, version: str, patches: Mapping[str, _Patch]) -> None:
    """`versions/VERSION` with packages in `lib` and programs in `bin`, which are Python with that path."""
    folder = home.version(version)
    for package in ("kewang", "edge"):
        shutil.copytree(CHECKOUT / package, folder / "lib" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, patch in patches.items():
        file = folder / "lib" / name
        file.write_text(patch(file.read_text()))
    info = folder / "lib" / f"kewang-{version}.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: kewang\nVersion: {version}\n")
    points = distribution("kewang").read_text("entry_points.txt") or ""
    info.joinpath("entry_points.txt").write_text(points)
    _write_program(folder, "python", '"$@"')
    _write_program(folder, "kewang", '-m kewang "$@"')
    folder.joinpath(COMPLETE).touch()


def _write_program(folder: Path, name: str, words: str) -> None:
    """-P: the folder that it is called from has our packages too, of no version."""
    file = folder / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}/lib" exec {sys.executable} -P {words}\n')
    file.chmod(0o755)
