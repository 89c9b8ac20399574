"""What `kewang notify`'s commands share: which notify.toml is meant, and of which gateway."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kewang.cli.common import USAGE, fail, settings_errors

if TYPE_CHECKING:
    from gateway.notify.routes import NotifySettings
    from gateway.settings import IncidentSettings

NotifyFile = Annotated[
    Path | None, typer.Option("--notify", help="A notify.toml to try, instead of the one that the gateway has.")
]


def incident_settings(config: Path | None) -> "IncidentSettings":
    """The section [incidents] of the gateway's settings."""
    from gateway.settings import read_settings

    with settings_errors():
        settings = read_settings(config)
    if settings.incidents is None:
        fail("the settings have no section [incidents]: name the file of the gateway that watches with --config", USAGE)
    return settings.incidents


def notify_settings(config: Path | None, file: Path | None) -> "NotifySettings":
    """Who is told, from `file`, else from the gateway's. No secret is read."""
    from gateway.notify.routes import read_notify_settings

    path = file or incident_settings(config).notify
    if path is None:
        fail("incidents.notify is not set, so nobody is told of anything: name a file with --notify", USAGE)
    with settings_errors():
        return read_notify_settings(path)
