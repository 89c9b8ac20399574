"""The device API: where boxes get the time, their certificate and their sources, and show an installation's picture."""

from provisioning.devices.app import create_app
from provisioning.devices.office import Office, Terms
from provisioning.devices.serving import DeviceApi

__all__ = ["DeviceApi", "Office", "Terms", "create_app"]
