"""The office that answers boxes, as the settings describe it."""

from provisioning import keys
from provisioning.authority import Authority
from provisioning.devices.office import Office, Terms
from provisioning.inventory import Inventory
from provisioning.settings import ProvisionSettings


def open_office(settings: ProvisionSettings, inventory: Inventory, authority: Authority) -> Office:
    """Raises SettingsError when the seal's key is not there."""
    return Office(
        inventory,
        authority,
        Terms(settings.devices.broker_host, settings.devices.broker_port),
        seal_key=keys.seal_key(settings.state_folder),
        clock_ms=inventory.clock_ms,
    )
