"""T23: somebody who has the inventory's file changes what the audit log says. On a copy; it must be found out."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import Post
from provisioning.inventory import open_inventory
from provisioning.inventory.head import HEAD
from provisioning.inventory.verify import verify

_COLUMNS = "time_ms, actor, act, subject, detail, previous, hash"
_SPOILT = {
    "writes another name into a row": ("UPDATE audit SET actor = 'nobody' WHERE number = {middle}",),
    "changes what was done": ("UPDATE audit SET act = 'device.retire' WHERE number = {middle}",),
    "changes when it was": ("UPDATE audit SET time_ms = time_ms - 3600000 WHERE number = {middle}",),
    "deletes a row": ("DELETE FROM audit WHERE number = {middle}",),
    "deletes a row and counts anew": (
        "DELETE FROM audit WHERE number = {middle}",
        "UPDATE audit SET number = number - 1 WHERE number > {middle}",
    ),
    "deletes the last row": ("DELETE FROM audit WHERE number = {last}",),
    "deletes the whole log": ("DELETE FROM audit",),
    "puts a row in": (
        f"INSERT INTO audit (number, {_COLUMNS}) SELECT {{last}} + 1, {_COLUMNS} FROM audit WHERE number = {{middle}}",
    ),
    "exchanges two rows": (
        "UPDATE audit SET number = 0 WHERE number = {middle}",
        "UPDATE audit SET number = {middle} WHERE number = {middle} + 1",
        "UPDATE audit SET number = {middle} + 1 WHERE number = 0",
    ),
}


def attacks(post: Post) -> list[Attack]:
    """Not run yet."""
    return [Attack("T23", what, _unseen(post, lines), _unseen(post, ())) for what, lines in _SPOILT.items()]


def _unseen(post: Post, lines: tuple[str, ...]) -> Callable[[], bool]:
    """Whether the log is called whole after these lines of SQL."""

    def act() -> bool:
        folder = post.stack.folder / post.name("audit")
        _copy(post.stack.office.state, folder)
        with closing(sqlite3.connect(folder / "inventory.db")) as db, db:
            last = db.execute("SELECT max(number) FROM audit").fetchone()[0]
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f'DROP TRIGGER "{name}"')
            changed = sum(db.execute(line.format(last=last, middle=last // 2)).rowcount for line in lines)
        if lines and not changed:
            raise OSError("nothing was changed: nothing was tried")
        with closing(open_inventory(f"sqlite:///{folder}/inventory.db", folder)) as inventory:
            return verify(inventory).ok

    return act


def _copy(state: Path, folder: Path) -> None:
    """The inventory as it is now, and where its log says that it ends."""
    folder.mkdir(mode=0o700)
    with (
        closing(sqlite3.connect(state / "inventory.db")) as from_db,
        closing(sqlite3.connect(folder / "inventory.db")) as into,
    ):
        from_db.backup(into)
    shutil.copy(state / HEAD, folder / HEAD)
