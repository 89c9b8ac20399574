"""`kewang gateway`: set up the database, run the gateway, try a database."""

import asyncio

import typer

from kewang.cli.common import UNREACHABLE, AsJson, Config, Verbose, fail, print_json, settings_errors
from kewang.runtime.program import run_until_signalled, set_up_logging

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The gateway on the server.")


@app.command()
def run(config: Config = None, check: bool = False, verbose: Verbose = False) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. `--check` only validates the settings."""
    from gateway.service import serve
    from gateway.settings import read_settings

    set_up_logging(verbose)
    with settings_errors():
        settings = read_settings(config)
        if check:
            return
        try:
            code = run_until_signalled(lambda stopping: serve(settings, stopping))
        except OSError as error:
            fail(f"{error.strerror}: page at {settings.console.host}:{settings.console.port}", UNREACHABLE)
    raise typer.Exit(code)


@app.command()
def init(config: Config = None, as_json: AsJson = False) -> None:
    """Create what the database lacks: raw readings with a time to live, and what never expires. Repeatable."""
    from gateway.ports import Misconfigured, RetryLater
    from gateway.service import open_settings_store
    from gateway.settings import read_settings

    with settings_errors():
        settings = read_settings(config)
        store = open_settings_store(settings.store)

    async def prepare() -> None:
        try:
            await store.prepare(settings.store.raw_days)
        finally:
            await store.close()

    try:
        asyncio.run(prepare())
    except (RetryLater, Misconfigured) as error:
        fail(f"{settings.store.url}: {error}", UNREACHABLE)
    if as_json:
        print_json({"ok": True, "store": settings.store.url, "raw_days": settings.store.raw_days})
    else:
        typer.echo(f"{settings.store.url}: ready; raw readings are kept {settings.store.raw_days} days")
