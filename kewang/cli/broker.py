"""The broker, as options of a command: the same words everywhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from kewang.cli.common import USAGE, fail

if TYPE_CHECKING:
    from kewang.runtime.broker import BrokerSettings

HERE = "mqtt://127.0.0.1:1883"

BrokerUrl = Annotated[str, typer.Option("--broker", help="mqtt://HOST:PORT, or mqtts:// for TLS.")]
Username = Annotated[str | None, typer.Option(help="User name at the broker.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File with the password, mode 600.")]
CaFile = Annotated[Path | None, typer.Option(help="Certificates to trust, with mqtts://.")]


def broker_settings(
    url: str, username: str | None, password_file: Path | None, ca_file: Path | None
) -> "BrokerSettings":
    """The settings that the options mean; leaves the program if `url` is none."""
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
