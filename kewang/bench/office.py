"""The office of a city as processes: authority and inventory, guarded broker, web app and device API, on free ports.

    with Office(folder) as office:
        edge = EdgeProgram(..., enrolment=office.enrolment(folder_of_identity))
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from kewang.bench.parts import accepts_tcp
from kewang.bench.process import Part, find_program, free_port
from kewang.bench.provisioned import GuardedMosquitto
from kewang.bench.programs import HOST, GatewayProgram, toml
from provisioning.acts import devices, sites, sources
from provisioning.founding import Founded, found
from provisioning.guard.settings import GuardSettings, ListenerSettings, SignalSettings
from provisioning.inventory import Actor, Inventory, open_inventory
from provisioning.settings import DevicesSettings, GatewayApiSettings, ProvisionSettings, WebSettings

BENCH: Final = Actor.cli("bench")


class ProvisionProgram(Part):
    """`kewang provision serve`."""

    name = "provision"

    def __init__(self, folder: Path, settings: ProvisionSettings) -> None:
        super().__init__(folder)
        self.settings = settings
        self.config = folder / "provision.toml"
        self.write_config()

    def write_config(self) -> Path:
        """The settings file, written anew."""
        values = self.settings.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        self.config.write_text(toml(values))
        return self.config

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "kewang", "provision", "serve", "-c", str(self.config)]

    def is_ready(self) -> bool:
        return accepts_tcp(HOST, self.settings.web.port) and accepts_tcp(HOST, self.settings.devices.port)
