"""`kewang rewind`: after a restore, let the devices send again what the database has lost."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kewang.cli.common import USAGE, AsJson, Config, fail, print_json
from kewang.cli.store import SecretFile, Url, User, iso, moment_ms, store_settings, with_store

if TYPE_CHECKING:
    from gateway.ports import Store

app = typer.Typer(add_completion=False)
SAFETY_MS = 3_600_000
"""Taken off the backup's time: a backup is not made in one moment, and clocks differ."""


@app.command()
def rewind(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="When the backup was made: ISO 8601 with a zone, or Unix seconds.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that the devices still have.")] = False,
    as_json: AsJson = False,
) -> None:
    """After a restore: let the devices send again what the database has lost.

    Order: stop the gateways, restore the backup, run this, start the gateways. An hour is taken off the time, to be
    safe; what is sent twice is stored once. Devices reach back as far as their ring on disk does.

    Exit codes: 0 written; 2 wrong words; 3 the database does not answer.

    Examples:

        kewang rewind --config gateway.toml --from 2026-07-01T02:00+09:00

        kewang rewind --store sqlite:///kewang.db --all
    """
    if everything == (from_ is not None):
        fail("give --from TIME (when the backup was made) or --all", USAGE)
    since_ms = 0 if from_ is None else max(0, moment_ms(from_, "--from") - SAFETY_MS)
    if since_ms > time.time_ns() // 1_000_000 - SAFETY_MS:
        fail(f"--from {from_} is in the future: give the time of the backup", USAGE)
    settings = store_settings(config, url, user, secret_file)
    result = with_store(settings, lambda store: _write(store, since_ms))
    if as_json:
        print_json(result)
        return
    since = f"was acknowledged from {iso(since_ms)} on" if since_ms else "they still have on disk, acknowledged or not"
    typer.echo(
        f"Rewind {result['rw']} is written: every device that hears of it sends again what {since}, oldest first and "
        "as fast as the gateways let it, while its new readings go on.\n"
        "What is in the database already is written over with itself; watch 'kewang ledger' until nothing is missing."
    )


async def _write(store: "Store", since_ms: int) -> dict[str, Any]:
    from gateway.rewinds import add_rewind

    written = await add_rewind(store, time.time_ns() // 1_000_000, since_ms)
    return {"ok": True, "rw": written.number, "rf": written.since_ms, "since": iso(written.since_ms)}
