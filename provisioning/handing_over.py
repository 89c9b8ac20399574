"""Copies of what the gateway reads, in a folder of their own: for a gateway that must not see the CA's keys."""

from contextlib import suppress
from typing import Final

from provisioning.files import make_folder, write_whole
from provisioning.keys import GATEWAY_TOKEN, SESSION_KEY
from provisioning.settings import ProvisionSettings

FILES: Final = ("ca/service-root.pem", "ca/gateway.pem", "ca/gateway.key", GATEWAY_TOKEN, SESSION_KEY)
"""In the state folder; the copies lie side by side."""


def hand_over(settings: ProvisionSettings) -> None:
    """Copy what is new, whole or not at all, for this program's user alone. Raises OSError."""
    folder = settings.gateway.copies_folder
    if folder is None:
        return
    make_folder(folder)
    for name in FILES:
        file = settings.state_folder / name
        content, copy = file.read_bytes(), folder / file.name
        with suppress(FileNotFoundError):
            if copy.read_bytes() == content:
                continue
        write_whole(copy, content)
