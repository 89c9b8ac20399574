"""Brings the tables of an inventory up to date. Each version is a module in `versions/`, never changed afterwards."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

FOLDER: Final = Path(__file__).parent
_LOCK: Final = 7_305_107_105
"""Number of PostgreSQL's advisory lock that lets one program migrate at a time."""


class InventoryError(Exception):
    """The inventory can't be opened or used; the text names it and the next step."""


def migrate(engine: Engine, shown: str, to: str = "head") -> None:
    """All steps up to version `to`, in one transaction. Raises InventoryError for a database that is not for us."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    with engine.execution_options(writing=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        _check(connection, ScriptDirectory.from_config(config), shown, to)
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _check(connection: Connection, scripts: ScriptDirectory, shown: str, to: str) -> None:
    """Raises InventoryError for tables of another program, or of a newer one of ours."""
    known = {script.revision for script in scripts.walk_revisions()}
    if to != "head" and to not in known:
        raise InventoryError(f"inventory {shown}: version {to} is newer than this program: upgrade kewang")
    versions = set(MigrationContext.configure(connection).get_current_heads())
    if not versions and inspect(connection).get_table_names():
        raise InventoryError(f"inventory {shown}: another program's tables are in it: give it a database of its own")
    if newer := versions - known:
        raise InventoryError(
            f"inventory {shown}: its version {', '.join(sorted(newer))} is newer than this program: upgrade kewang"
        )
