"""`kewang placements`: tell the gateways where the devices are."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kewang.cli.broker import HERE, BrokerUrl, CaFile, PasswordFile, Username, broker_settings
from kewang.cli.common import UNREACHABLE, AsJson, fail, print_json, settings_errors
from kewang.runtime.program import run_until_signalled, set_up_logging

if TYPE_CHECKING:
    from kewang.runtime.broker import BrokerSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tell the gateways where the devices are.")

File = Annotated[Path, typer.Argument(help="Placements (TOML or JSON): a table a device, or its history.")]


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Read the file without touching the network, and show where each device is now.

    Exit codes: 0 well; 2 not, with one problem a line.

    Example: kewang placements check placements.toml
    """
    from provisioning.placements import read_placements

    with settings_errors():
        placements = read_placements(file)
    latest = {device: placement.h[-1] for device, placement in placements.items()}
    if as_json:
        print_json({"ok": True, "devices": {name: place.model_dump(by_alias=True) for name, place in latest.items()}})
        return
    typer.echo(f"{file}: well, {len(latest)} devices")
    for device, place in latest.items():
        typer.echo(f"  {device:<20} {place.site}, {place.life}, since {place.from_ms}")


@app.command()
def publish(
    file: File,
    broker: BrokerUrl = HERE,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    keep: Annotated[bool, typer.Option("--keep", help="Stay, and publish what changes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish the placements of a file, retained. A broker without persistence forgets them: then use --keep.

    Exit codes: 0 published; 2 a wrong file; 3 the broker is not there.

    Example: kewang placements publish placements.toml --broker mqtt://127.0.0.1:1883
    """
    from provisioning.placements import read_placements

    with settings_errors():
        count = len(read_placements(file))
        settings = broker_settings(broker, username, password_file, ca_file)
        _publish(file, settings, keep)
    if as_json:
        print_json({"ok": True, "devices": count})
    else:
        typer.echo(f"{count} placements published to {settings.host}:{settings.port}")


def _publish(file: Path, broker: "BrokerSettings", keep: bool) -> None:
    """Once, or until a signal."""
    from provisioning.placements import keep_published, publish_once, read_placements

    if keep:
        set_up_logging()
        run_until_signalled(lambda stopping: keep_published(broker, lambda: read_placements(file), stopping))
        return
    try:
        asyncio.run(publish_once(broker, read_placements(file)))
    except OSError as error:
        fail(str(error), UNREACHABLE)
