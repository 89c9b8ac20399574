"""`kewang placements`: tell the gateways where the devices are."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from kewang.cli.common import UNREACHABLE, USAGE, AsJson, fail, print_json, settings_errors
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
    broker: Annotated[str, typer.Option(help="mqtt://HOST:PORT, or mqtts:// for TLS.")] = "mqtt://127.0.0.1:1883",
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password, mode 600.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Certificates to trust, with mqtts://.")] = None,
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
        settings = _broker(broker, username, password_file, ca_file)
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


def _broker(url: str, username: str | None, password_file: Path | None, ca_file: Path | None) -> "BrokerSettings":
    from kewang.runtime.broker import BrokerSettings, TlsSettings

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        fail(f"--broker {url}: {error}", USAGE)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        fail(f"--broker {url}: write mqtt://HOST:PORT or mqtts://HOST:PORT", USAGE)
    tls = TlsSettings(ca_file=ca_file) if parts.scheme == "mqtts" else None
    usual = 8883 if tls else 1883
    return BrokerSettings(
        host=parts.hostname, port=port or usual, username=username, password_file=password_file, tls=tls
    )
