"""What the commands of `kewang provision` share: an open inventory, who is acting, how refusals leave the program."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kewang.cli.common import FOUND, UNREACHABLE, fail, print_json, settings_errors

if TYPE_CHECKING:
    from provisioning.inventory import Actor, Inventory, Work
    from provisioning.refusals import Refused
    from provisioning.settings import ProvisionSettings

Device = Annotated[str, typer.Argument(help="Id of the device.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit log.")]


@dataclass(frozen=True)
class Opened:
    """The settings and the inventory they name."""

    settings: "ProvisionSettings"
    inventory: "Inventory"


@contextmanager
def opened(config: Path | None, as_json: bool = False) -> Iterator[Opened]:
    """The inventory, closed afterwards. What is refused, or not there, leaves the program with its text."""
    from provisioning.inventory import InventoryError, open_inventory
    from provisioning.refusals import Refused
    from provisioning.settings import read_settings
    from provisioning.setup import check_set_up

    with settings_errors():
        settings = read_settings(config)
        check_set_up_told(check_set_up, settings)
        try:
            inventory = open_inventory(settings.inventory_url(), settings.state_folder)
        except InventoryError as error:
            fail(str(error), UNREACHABLE)
        try:
            yield Opened(settings, inventory)
        except Refused as refused:
            tell_refusal(refused, as_json)
        finally:
            inventory.close()


@contextmanager
def working(config: Path | None, as_json: bool = False) -> Iterator["Work"]:
    """One transaction of whoever is logged in on this machine."""
    with opened(config, as_json) as here, here.inventory.writing(who()) as work:
        yield work


def who() -> "Actor":
    """The person at the terminal, by the machine's own name for them."""
    from provisioning.inventory import Actor

    try:
        return Actor.cli(getpass.getuser())
    except (KeyError, OSError):
        return Actor.cli("unknown")


def check_set_up_told(check: Any, settings: "ProvisionSettings") -> None:
    """`check`, with an unreadable folder as its own sentence."""
    try:
        check(settings)
    except OSError as error:
        fail(f"{settings.state_folder}: {error.strerror}: run it as the user that provisioning runs as", UNREACHABLE)


def tell_refusal(refused: "Refused", as_json: bool) -> None:
    """The refusal, and out."""
    if as_json:
        print_json({"ok": False, "code": refused.code, "kind": refused.kind, "text": refused.said("en")})
    fail(str(refused), UNREACHABLE if refused.code == "P-507" else FOUND)


def tell(as_json: bool, text: str, **values: Any) -> None:
    """What was done."""
    if as_json:
        print_json({"ok": True, **values})
    else:
        typer.echo(text)
