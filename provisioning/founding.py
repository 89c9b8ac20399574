"""What `kewang provision init` does, once in the life of a city; done again it makes only what is missing."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from provisioning import keys
from provisioning.acts import people
from provisioning.authority import Authority, create, open_authority
from provisioning.authority.files import make_folder
from provisioning.guard import Guard
from provisioning.guard.signals import signal_by
from provisioning.inventory import Actor, Inventory, Person, open_inventory
from provisioning.refused import wanted
from provisioning.settings import ProvisionSettings


@dataclass(frozen=True)
class Founded:
    """What was made. `password`: of the first administrator, None if there was somebody already; it is shown once."""

    folder: Path
    made: tuple[str, ...]
    login: str
    password: str | None


def found(settings: ProvisionSettings, actor: Actor, login: str = "admin") -> Founded:
    """State folder, keys, authority, inventory, first administrator, the broker's files.

    Raises SettingsError, InventoryError, AuthorityError, Refused, OSError, each with the next step; what was made
    before stays and is not made again.
    """
    make_folder(settings.state_folder)
    made = keys.make_keys(settings.state_folder)
    with closing(open_inventory(settings.inventory_url(), settings.state_folder)) as inventory:
        if not (settings.state_folder / "ca").exists():
            _create(settings, inventory.clock_ms())
            made.append("ca")
        if settings.guard:
            authority = open_authority(settings.state_folder)
            report = _guard(settings, authority).apply(wanted(inventory))
            made.append(f"broker's files: {report.outcome}")
        return Founded(settings.state_folder, tuple(made), login, _first_admin(inventory, actor, login))


def _create(settings: ProvisionSettings, now_ms: int) -> Authority:
    names = settings.devices.names
    hosts = tuple(dict.fromkeys((settings.devices.broker_host, *names)))
    return create(settings.state_folder, city=settings.city, broker_hosts=hosts, api_hosts=names, now_ms=now_ms)


def _guard(settings: ProvisionSettings, authority: Authority) -> Guard:
    assert settings.guard is not None
    return Guard(settings.guard, authority, signal_by(settings.guard.signal), settings.state_folder / "guard")


def _first_admin(inventory: Inventory, actor: Actor, login: str) -> str | None:
    with inventory.writing(actor) as work:
        if work.rows.scalars(select(Person.login).limit(1)).first() is not None:
            return None
        _, password = people.add(work, people.NewPerson(login, login, "admin"))
        return password
