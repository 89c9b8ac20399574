"""What the commands that open the database share: which one it is, and how its troubles leave the program."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from kewang.cli.common import UNREACHABLE, USAGE, fail, settings_errors
from kewang.wire.batch import MAX_DATE_MS

if TYPE_CHECKING:
    from gateway.ports import Store
    from gateway.settings import StoreSettings

T = TypeVar("T")

Url = Annotated[
    str | None,
    typer.Option(
        "--store", help="Address of the database, instead of the settings': sqlite:///FILE, influx1+http://..."
    ),
]
User = Annotated[str | None, typer.Option("--user", help="User name, with --store (InfluxDB 1).")]
SecretFile = Annotated[
    Path | None, typer.Option("--secret-file", help="File with the password or token, with --store; mode 600.")
]


def store_settings(config: Path | None, url: str | None, user: str | None, secret_file: Path | None) -> "StoreSettings":
    """Which database is meant: `--store`, else the settings. Leaves the program if that is no address."""
    from gateway.settings import StoreSettings, read_settings

    if config and url:
        fail("--config and --store both name a database: give one of them", USAGE)
    with settings_errors():
        if url is None:
            if user or secret_file:
                fail("--user and --secret-file go with --store; the settings have their own", USAGE)
            return read_settings(config).store
        return StoreSettings(url=url, username=user, secret_file=secret_file)


def with_store(settings: "StoreSettings", work: Callable[["Store"], Awaitable[T]], *, new: bool = False) -> T:
    """The result of `work` on the store, which is closed after it. Troubles leave the program with their text.

    A SQLite file that is not there is an error unless it may be `new`: an empty one would only mislead.
    """
    from gateway.ports import Misconfigured, RetryLater
    from gateway.stores import open_settings_store

    path = Path(settings.url.removeprefix("sqlite:///"))
    if not new and settings.url.startswith("sqlite:///") and not path.exists():
        fail(f"no database at {path}: give --config or --store, or start the gateway first", UNREACHABLE)
    with settings_errors():
        store = open_settings_store(settings)

    async def run() -> T:
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except (RetryLater, Misconfigured) as error:
        fail(f"{settings.url}: {error}", UNREACHABLE)


def moment_ms(text: str, option: str) -> int:
    """Unix ms of a time given as ISO 8601 with a zone, or as Unix seconds. Leaves the program else."""
    date_ms = _moment_ms(text, option)
    if not 0 <= date_ms <= MAX_DATE_MS:
        fail(f"{option} {text!r} is outside the years 1970 to 2200", USAGE)
    return date_ms


def _moment_ms(text: str, option: str) -> int:
    try:
        return int(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text!r} is no time: write 2026-07-01T06:00+09:00 or Unix seconds", USAGE)
    if moment.tzinfo is None:
        whole = text if len(text) > len("2026-07-01") else f"{text}T00:00"
        fail(f"{option} {text!r} has no time zone: write {whole}+09:00 (WIT) or {whole}Z", USAGE)
    return int(moment.timestamp() * 1000)


def iso(date_ms: int) -> str:
    """Unix ms as ISO 8601 in UTC."""
    return datetime.fromtimestamp(date_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show(rows: list[dict[str, Any]], **how: Any) -> None:
    """Rows as a table for a person."""
    from rich.console import Console
    from rich.table import Table

    table = Table(**how)
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(f"{value}" for value in row.values()))
    Console(highlight=False).print(table)
