"""`kewang gateway`: set up the database, run the gateway, try a database."""

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from kewang.cli.common import (
    FOUND,
    UNREACHABLE,
    AsJson,
    Check,
    Config,
    Verbose,
    check_language,
    fail,
    print_json,
    settings_errors,
)
from kewang.cli.store import SecretFile, Url, User, show, store_settings, with_store
from kewang.runtime.program import collect_rarely, run_until_signalled, set_up_logging

if TYPE_CHECKING:
    from gateway.ports import Store
    from gateway.settings import GatewaySettings
    from gateway.store_check import Finding

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The gateway on the server.")


@app.command()
def run(config: Config = None, check: Check = False, verbose: Verbose = False) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. `--check` only validates the settings."""
    from gateway.service import serve
    from gateway.settings import read_settings

    set_up_logging(verbose)
    with settings_errors():
        settings = read_settings(config)
        if check:
            _can_be_used(settings)
            where = f"broker {settings.broker.host}:{settings.broker.port}, store {settings.store.url}"
            page = f"page at {settings.console.host}:{settings.console.port}, {settings.console.time_zone}"
            typer.echo(f"{config or 'settings'}: well. Gateway {settings.id}, {where}, {page}")
            return
        collect_rarely()
        try:
            code = run_until_signalled(lambda stopping: serve(settings, stopping))
        except OSError as error:
            page = f"{settings.console.host}:{settings.console.port}"
            fail(f"{error.strerror}: page at {page}: choose another console.port", UNREACHABLE)
    raise typer.Exit(code)


def _can_be_used(settings: "GatewaySettings") -> None:
    """What only the start would find: the store's address, secrets, TLS files. Raises SettingsError."""
    from gateway.ping import Ping
    from gateway.stores import open_settings_store
    from gateway.watched import files_of

    open_settings_store(settings.store)
    settings.broker.password()
    settings.broker.tls_context()
    if settings.incidents:
        files_of(settings.incidents)
        if settings.incidents.ping:
            Ping(settings.incidents.ping, time.monotonic)


@app.command()
def init(config: Config = None, as_json: AsJson = False) -> None:
    """Create what the database lacks: readings and roll-ups with their times to live, and what stays. Repeatable."""
    from dataclasses import asdict

    from gateway.ports import Misconfigured, RetryLater
    from gateway.settings import read_settings
    from gateway.stores import open_settings_store

    with settings_errors():
        settings = read_settings(config)
        store = open_settings_store(settings.store)

    async def prepare() -> None:
        try:
            await store.prepare(settings.store.lives())
        finally:
            await store.close()

    try:
        asyncio.run(prepare())
    except (RetryLater, Misconfigured) as error:
        fail(f"{settings.store.url}: {error}", UNREACHABLE)
    if as_json:
        print_json({"ok": True, "store": settings.store.url, "days": asdict(settings.store.lives())})
    else:
        lives = {name: f"{days} days" if days else "for ever" for name, days in asdict(settings.store.lives()).items()}
        typer.echo(
            f"{settings.store.url}: ready; readings are kept {lives['raw']}, roll-ups of five minutes "
            f"{lives['months']}, those of days and incidents {lives['years']}, quarantine for ever"
        )


@app.command()
def check(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    language: Annotated[str, typer.Option("--lang", help="Language of the findings: id or en.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Try a database: can it be written and read as the gateway needs it? It must be set up (`kewang gateway init`).

    Only scratch series of the device `kewang-check` are written. Exit codes: 0 everything works; 1 something will not
    (it says what); 2 wrong words; 3 the database does not answer.

    Examples:

        kewang gateway check --store sqlite:///kewang.db

        kewang gateway check --store influx1+http://127.0.0.1:8086/kewang --json
    """
    check_language(language)
    settings = store_settings(config, url, user, secret_file)
    findings = with_store(settings, _findings, new=True)
    rows = [
        {"check": each.check, "ok": each.ok, "text": each.text(language), "detail": each.detail} for each in findings
    ]
    ok = all(each.ok for each in findings)
    if as_json:
        print_json({"ok": ok, "store": settings.url, "findings": rows})
    else:
        show([{**row, "ok": "yes" if row["ok"] else "NO"} for row in rows])
        typer.echo(f"{settings.url}: {'everything works' if ok else 'something will not work'}")
    raise typer.Exit(0 if ok else FOUND)


async def _findings(store: "Store") -> "list[Finding]":
    """What was tried. Raises RetryLater if there is nobody to try it on."""
    from gateway.ports import Misconfigured
    from gateway.store_check import check as check_store

    with suppress(Misconfigured):
        await store.rewinds()
    return await check_store(store)
