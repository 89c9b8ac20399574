"""Opening the inventory, and its two kinds of block: reading, and writing as somebody."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from provisioning.inventory import audit, head
from provisioning.inventory.actor import Actor
from provisioning.inventory.migrations import InventoryError, migrate
from provisioning.inventory.work import Doing, Work
from provisioning.refusals import Refused, no_room

__all__ = ["Inventory", "InventoryError", "open_inventory"]

BUSY_S: Final = 10.0
"""How long a writer waits for another one."""
_WRITER: Final = 7_305_107_104
"""Number of PostgreSQL's advisory lock that lets one writer in at a time, as SQLite does by itself."""
REFUSALS_AN_HOUR: Final = 60
"""Refusals of one actor that leave a row, at most: who knocks without end must not fill the log."""


class Inventory:
    """An open inventory. Safe to use from several threads; `close` it at the end."""

    def __init__(self, engine: Engine, folder: Path, clock_ms: Callable[[], int]) -> None:
        self.engine, self.folder, self.clock_ms = engine, folder, clock_ms
        level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._readers = engine.execution_options(**level)
        self._writers = engine.execution_options(writing=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Rows as they are now, all of one moment. What is changed in them is thrown away."""
        with _told(), Session(self._readers, expire_on_commit=False, autoflush=False) as rows:
            yield rows

    @contextmanager
    def writing(self, actor: Actor) -> Iterator[Work]:
        """One transaction by `actor`: kept whole when the block ends, thrown away whole when it raises.

        Only one writer is inside at a time, in all processes. A `Refused` that is `audited` leaves a row that says so.
        Raises Refused P-507 when the disk is full or another writer does not end.
        """
        doing: Doing = {}
        try:
            with self._transaction(actor, doing) as work:
                yield work
        except Refused as refused:
            if refused.audited:
                with self._transaction(actor, {}) as work:
                    audit.record_refusal(work, refused, doing, REFUSALS_AN_HOUR)
            raise

    @contextmanager
    def _transaction(self, actor: Actor, doing: Doing) -> Iterator[Work]:
        with _told(), Session(self._writers, expire_on_commit=False) as rows:
            _let_in(rows)
            yield Work(rows, actor, self.clock_ms(), self.folder, doing)
            rows.flush()
            kept = audit.recorded(rows)
            if kept:
                head.announce(self.folder, *kept)
            rows.commit()
            if kept:
                head.confirm(self.folder, kept[1])

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_inventory(url: str, folder: Path, clock_ms: Callable[[], int] | None = None) -> Inventory:
    """The inventory at `url` (`sqlite:///FILE`, `postgresql+psycopg://...`), its tables made or brought up to date.

    `folder` is the state folder, made (0700) if missing: `audit.head`, `photos/` and keys are there. Raises
    InventoryError with the next step, also for a database that a newer program has written.
    """
    engine = open_engine(url, folder)
    return Inventory(engine, folder, clock_ms or _wall_ms)


def open_engine(url: str, folder: Path, version: str = "head") -> Engine:
    """The database at `url` with its tables at least at `version`. Raises InventoryError."""
    address = _address(url)
    with ExitStack() as undo:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(address)
            engine = _engine(address)
            undo.callback(engine.dispose)
            migrate(engine, shown(url), version)
        except (OSError, DBAPIError) as error:
            why = error.orig if isinstance(error, DBAPIError) else error
            advice = "is the server running, may we log in, may we write there?"
            raise InventoryError(f"inventory {shown(url)}: {str(why).strip()}: {advice}") from error
        undo.pop_all()
    return engine


def shown(url: str) -> str:
    """The address without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        if address.get_backend_name() in ("sqlite", "postgresql") and address.database:
            return address
    except (ArgumentError, NoSuchModuleError):
        pass
    raise InventoryError("inventory.url: write sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE")


def _make_private(address: URL) -> None:
    """A new SQLite file is for its owner alone: it holds the hashes of passwords."""
    if address.get_backend_name() == "sqlite" and address.database != ":memory:":
        path = Path(str(address.database))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)


def _engine(address: URL) -> Engine:
    if address.get_backend_name() == "sqlite":
        engine = create_engine(address.set(drivername="sqlite"), connect_args={"timeout": BUSY_S})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = {"connect_timeout": int(BUSY_S), "application_name": "kewang"}
    return create_engine(address.set(drivername="postgresql+psycopg"), connect_args=arguments, pool_pre_ping=True)


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event below says when a transaction starts, not the driver
    for line in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "journal_size_limit = 16777216"):
        connection.execute(f"PRAGMA {line}")


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _let_in(rows: Session) -> None:
    """Wait until nobody else writes (SQLite: by BEGIN IMMEDIATE)."""
    if rows.get_bind().dialect.name == "sqlite":
        rows.connection()
    else:
        rows.execute(text(f"SET LOCAL lock_timeout = {int(BUSY_S * 1000)}"))
        rows.execute(text(f"SELECT pg_advisory_xact_lock({_WRITER})"))


@contextmanager
def _told() -> Iterator[None]:
    """Errors of disk and database as a refusal in people's words."""
    try:
        yield
    except OperationalError as error:
        raise no_room(str(error.orig).strip().splitlines()[0]) from error
    except OSError as error:
        raise no_room(error.strerror or str(error)) from error


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
