"""Setting a city up: state folder, keys, inventory, authority, the broker's files, first administrator.

Stopped half way it is begun again.
"""

import stat
from dataclasses import dataclass

from sqlalchemy import func, select

from kewang.runtime.settings import SettingsError
from provisioning import authority
from provisioning.acts import people
from provisioning.guard import Guard, GuardSettings, haproxy
from provisioning.guard.signals import signal_by
from provisioning.guard.wanted import wanted
from provisioning.handing_over import hand_over
from provisioning.inventory import Actor, Inventory, Person, open_inventory
from provisioning.keys import SESSION_KEY, make_keys
from provisioning.settings import ProvisionSettings


@dataclass(frozen=True)
class FirstAdmin:
    """Who may log in now. The password is nowhere else: show it once."""

    login: str
    password: str
    broker: str = ""
    """Why the broker has no files yet, and what to do; empty if it has."""


def set_up(settings: ProvisionSettings, actor: Actor, login: str, name: str) -> FirstAdmin:
    """Make what is missing; the administrator at last. Raises SettingsError when all is there, InventoryError, OSError.

    `offline/` in the state folder belongs on a stick in a safe afterwards.
    """
    folder = settings.state_folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(settings)
    make_keys(folder)
    inventory = open_inventory(settings.inventory_url(), folder)
    try:
        if _people(inventory):
            raise SettingsError(f"{folder} is set up already: 'kewang provision people' makes new passwords")
        if not (folder / "ca").exists():
            _make_authority(settings, inventory.clock_ms())
        hand_over(settings)
        broker = _write_rules(settings.guard, settings, inventory) if settings.guard else ""
        with inventory.writing(actor) as work:
            person, password = people.add(work, people.NewPerson(login, name, "admin"))
    finally:
        inventory.close()
    return FirstAdmin(person.login, password, broker)


def check_private(settings: ProvisionSettings) -> None:
    """Raises SettingsError when others may look into the state folder."""
    folder = settings.state_folder
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"state_folder {folder} can be read by others: run 'chmod 700 {folder}'")


def check_set_up(settings: ProvisionSettings) -> None:
    """Raises SettingsError before `set_up` was done, or when others may look into the state folder."""
    if not (settings.state_folder / SESSION_KEY).exists():
        raise SettingsError(f"state_folder {settings.state_folder} is not set up: run 'kewang provision init' first")
    check_private(settings)


def _write_rules(guard: GuardSettings, settings: ProvisionSettings, inventory: Inventory) -> str:
    """The broker's files, tried; the broker itself is started on them afterwards. Why there are none, if so."""
    folder = settings.state_folder
    if guard.proxy:
        haproxy.install(guard.proxy, guard.devices, guard.max_devices)
    with inventory.reading() as rows:
        rules = wanted(rows, inventory.clock_ms())
    keeper = Guard(guard, authority.open_authority(folder), signal_by(guard.signal), folder / "guard")
    report = keeper.apply(rules, runs=False)
    if report.outcome != "refused":
        return ""
    return f"{'; '.join(report.problems)}. Then start 'kewang provision serve', which writes them, and the broker"


def _people(inventory: Inventory) -> int:
    with inventory.reading() as rows:
        return rows.scalar(select(func.count()).select_from(Person)) or 0


def _make_authority(settings: ProvisionSettings, now_ms: int) -> None:
    names = settings.devices.names
    hosts = tuple(dict.fromkeys((settings.devices.broker_host, *names)))
    try:
        authority.create(settings.state_folder, city=settings.city, broker_hosts=hosts, api_hosts=names, now_ms=now_ms)
    except authority.AuthorityError as error:
        raise SettingsError(str(error)) from None
