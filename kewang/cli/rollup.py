"""`kewang rollup`: how far the roll-ups are, and making them again from the readings."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from kewang.cli.common import USAGE, AsJson, Config, fail, print_json, settings_errors
from kewang.cli.store import SecretFile, Url, User, iso, moment_ms, store_settings, with_store

if TYPE_CHECKING:
    from gateway.ports import Store
    from gateway.rollups import Rollups
    from gateway.settings import StoreSettings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Roll-ups of five minutes and of days, which the boards read. "
    "Exit codes: 0 done; 2 wrong words; 3 the database does not answer.",
)
HOUR_MS = 3_600_000
Zone = Annotated[str | None, typer.Option("--zone", help="The city's time zone, with --store: Asia/Jayapura.")]


@app.command()
def rebuild(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    zone: Zone = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="ISO 8601 with a zone, or Unix seconds; default: the oldest readings.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="The same; default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the roll-ups again from the readings, hour by hour; repeatable, also while the gateway runs.

    Needed where they were deleted, or for the time before this version. Readings that have expired are not missed:
    what was made of them stays.

    Example: kewang rollup rebuild --config gateway.toml --from 2026-07-01T00:00+09:00
    """
    settings = store_settings(config, url, user, secret_file)
    now_ms = time.time_ns() // 1_000_000
    to_ms = now_ms if to is None else moment_ms(to, "--to")
    oldest_ms = now_ms - (settings.raw_days or 14) * 24 * HOUR_MS
    from_ms = oldest_ms if from_ is None else moment_ms(from_, "--from")
    if from_ms >= to_ms:
        fail(f"--from {iso(from_ms)} is not before --to {iso(to_ms)}", USAGE)
    name = _zone(config, zone)
    result = with_store(settings, lambda store: _rebuild(store, settings, name, (from_ms, to_ms)))
    if as_json:
        print_json(result)
    else:
        typer.echo(f"{result['points']} roll-ups from {result['from']} to {result['to']}")


@app.command()
def status(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """How far the roll-ups are.

    Example: kewang rollup status --config gateway.toml
    """
    settings = store_settings(config, url, user, secret_file)
    result = with_store(settings, lambda store: _status(store, settings))
    if as_json:
        print_json(result)
    elif result["steps"] is None:
        typer.echo("none were made yet: a gateway that serves all shards makes them while it runs")
    else:
        typer.echo(
            f"five minutes up to {result['steps']}, days up to {result['days']}, late ones up to {result['late']}"
        )


def _rollups(store: "Store", settings: "StoreSettings", zone: str) -> "Rollups":
    from gateway.rollups import Rollups
    from kewang.runtime.clock import SystemClock

    return Rollups(store, SystemClock(), ZoneInfo(zone), settings.raw_days)


def _zone(config: Path | None, zone: str | None) -> str:
    """The city's, by its name. Leaves the program if it is none."""
    from gateway.settings import read_settings

    if zone is None:
        with settings_errors():
            return read_settings(config).console.time_zone
    try:
        return ZoneInfo(zone).key
    except (ValueError, OSError, KeyError):
        fail(f"--zone {zone!r} is no time zone: write Asia/Jayapura (WIT) or Asia/Makassar (WITA)", USAGE)


async def _rebuild(store: "Store", settings: "StoreSettings", zone: str, span: tuple[int, int]) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("hours", total=span[1] - span[0])
        rollups = _rollups(store, settings, zone)
        made = await rollups.rebuild(span, lambda date_ms: shown.update(task, completed=date_ms - span[0]))
    return {"ok": True, "points": made, "from": iso(span[0]), "to": iso(span[1])}


async def _status(store: "Store", settings: "StoreSettings") -> dict[str, Any]:
    progress = await _rollups(store, settings, "UTC").kept()
    if progress is None:
        return {"ok": True, "steps": None, "days": None, "late": None}
    return {
        "ok": True,
        "steps": iso(progress.steps_ms),
        "days": iso(progress.days_ms),
        "late": iso(progress.late_ms),
    }
