"""`kewang provision bundle`, `new-ca`, `new-key`: identities and keys by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, Config, fail
from kewang.cli.provision_common import Device, Opened, opened, tell, who

if TYPE_CHECKING:
    from provisioning.authority import Authority

REQUEST_BYTES = 16_384
RESTART = "Restart kewang-provision, then make a backup."


class Kind(StrEnum):
    """CAs of a city."""

    DEVICE = "device"
    SERVICE = "service"


class Service(StrEnum):
    """Programs of ours with a certificate."""

    BROKER = "broker"
    API = "api"
    GATEWAY = "gateway"
    PROVISIONING = "provisioning"


def add_to(app: typer.Typer) -> None:
    """Put the commands into the program."""
    app.command()(bundle)
    app.command("new-ca")(new_ca)
    app.command("new-key")(new_key)


def bundle(
    device: Device,
    request: Annotated[Path, typer.Option("--request", help="What 'kewang edge identity --request' wrote on the box.")],
    into: Annotated[Path, typer.Option("--into", help="New file for the stick (mode 600).")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make the file that brings an approved box its certificate and sources: for one with no way to the device API.

    It holds no private key, but the passwords of the box's cameras. It is good for this box alone, for 14 days.

    Exit codes: 0 written; 1 refused, or not approved yet; 2 wrong words; 3 no inventory, or no room for the file.

    Example: kewang provision bundle amb-cam-7k3f93 --request request.csr --into bundle.json --config provision.toml
    """
    from provisioning.keys import write_secret

    if into.exists():
        fail(f"{into} exists already: name a new file", USAGE)
    content = _bundle(config, as_json, device, request)
    if not content:
        fail(f"{device} is not approved yet: kewang provision approve {device} --site SITE", FOUND)
    try:
        write_secret(into, content)
    except OSError as error:
        fail(f"{into}: {error.strerror}", UNREACHABLE)
    tell(as_json, f"{into} is for {device} alone, for 14 days", device=device, file=str(into))


def _bundle(config: Path | None, as_json: bool, device: str, request: Path) -> bytes:
    """The file's content; empty while the box is not approved."""
    from kewang.wire.enrolment import Code
    from kewang.wire.errors import WireError
    from provisioning.by_hand import bundle as make
    from provisioning.devices.no import No
    from provisioning.devices.opening import open_office

    try:
        with request.open("rb") as file:
            csr = file.read(REQUEST_BYTES).decode("ascii", "replace")
    except OSError as error:
        fail(f"{request}: {error.strerror}", USAGE)
    with opened(config, as_json) as here, _authority(here) as authority:
        office = open_office(here.settings, here.inventory, authority)
        try:
            return make(here.inventory, who(), office, authority, device, csr)
        except (WireError, ValueError, No) as error:
            if isinstance(error, No) and error.code is not Code.CSR:
                fail(f"{device}: {error.said('en')}", FOUND)
            fail(f"{request} is no request of a box: make it with 'kewang edge identity --request FILE'", USAGE)


def new_ca(
    kind: Annotated[Kind, typer.Argument(help="Whose: that of boxes, or that of our own programs.")],
    offline: Annotated[Path, typer.Option("--offline", help="Folder with the roots' keys, from the stick.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make a new CA below its root, while 'kewang provision serve' is stopped. Boxes need nothing.

    Exit codes: 0 made; 2 wrong words; 3 a key is not there, or can be read by others.

    Example: kewang provision new-ca device --offline /media/stick/offline --config provision.toml
    """
    from provisioning.by_hand import renew_ca

    with (
        opened(config, as_json) as here,
        _authority(here, offline) as authority,
        here.inventory.writing(who()) as work,
    ):
        renew_ca(work, authority, kind.value)
    tell(as_json, f"there is a new {kind} CA. {RESTART}", kind=kind)


def new_key(
    service: Annotated[Service, typer.Argument(help="Which program.")],
    host: Annotated[list[str] | None, typer.Argument(help="Names and addresses it has (broker, api).")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key and certificate for one of our programs, while 'kewang provision serve' is stopped.

    Exit codes: 0 made; 2 wrong words; 3 a key is not there, or can be read by others.

    Example: kewang provision new-key broker kewang.ambon.go.id localhost 127.0.0.1 --config provision.toml
    """
    from provisioning.by_hand import replace_key

    with opened(config, as_json) as here, _authority(here) as authority:
        try:
            with here.inventory.writing(who()) as work:
                replace_key(work, authority, service.value, host or [])
        except ValueError as error:
            fail(str(error), USAGE)
    tell(as_json, f"{service} has a new key and certificate. {RESTART}", service=service, hosts=host or [])


@contextmanager
def _authority(here: Opened, offline: Path | None = None) -> Iterator["Authority"]:
    """The city's authority. What it lacks ends the program with its text."""
    from provisioning.authority import AuthorityError, open_authority

    try:
        yield open_authority(here.settings.state_folder, offline=offline)
    except (AuthorityError, OSError) as error:
        fail(str(error), UNREACHABLE)
