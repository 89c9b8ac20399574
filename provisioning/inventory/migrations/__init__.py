"""Brings the tables of an inventory up to date. Each version is a module in `versions/`, never changed afterwards.

Alembic is imported only where there is something to do: it takes longer to load than the rest of a command to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, inspect, text

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

FOLDER: Final = Path(__file__).parent
_TABLE: Final = "alembic_version"
_LOCK: Final = 7_305_107_105
"""Number of PostgreSQL's advisory lock that lets one program migrate at a time."""


class InventoryError(Exception):
    """The inventory can't be opened or used; the text names it and the next step."""


def migrate(engine: Engine, shown: str, to: str = "head") -> None:
    """All steps up to version `to`, in one transaction. Raises InventoryError for a database that is not for us."""
    with engine.execution_options(writing=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if to not in ("head", newest()) or _versions(connection) != {newest()}:
            _upgrade(connection, shown, to)


def newest() -> str:
    """The newest version that this program knows, by the names of the modules."""
    return max(file.name[1:5] for file in (FOLDER / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py"))


def _versions(connection: Connection) -> set[str]:
    """What the database says of itself; empty for one that has not been an inventory yet."""
    if not inspect(connection).has_table(_TABLE):
        return set()
    return set(connection.scalars(text(f"SELECT version_num FROM {_TABLE}")))


def _upgrade(connection: Connection, shown: str, to: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    _check(connection, ScriptDirectory.from_config(config), shown, to)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _check(connection: Connection, scripts: ScriptDirectory, shown: str, to: str) -> None:
    """Raises InventoryError for tables of another program, or of a newer one of ours."""
    known = {script.revision for script in scripts.walk_revisions()}
    if to != "head" and to not in known:
        raise InventoryError(f"inventory {shown}: version {to} is newer than this program: upgrade kewang")
    versions = _versions(connection)
    if not versions and inspect(connection).get_table_names():
        raise InventoryError(f"inventory {shown}: another program's tables are in it: give it a database of its own")
    if newer := versions - known:
        raise InventoryError(
            f"inventory {shown}: its version {', '.join(sorted(newer))} is newer than this program: upgrade kewang"
        )
