"""Boxes and an office for tests: the real enrolment client against the real device API over TLS."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge.enrol import work
from edge.enrol.asking import Conversation
from edge.enrol.box import Box
from edge.enrolled import Disk
from edge.enrolment_settings import EnrolmentSettings
from kewang.bench.office import OfficeHouse
from provisioning.devices.app import Rates
from provisioning.devices.limits import Rate

DEVICE = "amb-cam-00000k"
QUICK = Rates(Rate(1000, 1000), Rate(1000, 1000))
"""A test asks faster than any box; what a box may is tested apart."""


@dataclass
class ShiftedClock:
    """Unix ms that a test sets."""

    now_ms: int = 1_795_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Field:
    """A box in its folder, and its way to the office."""

    house: OfficeHouse
    folder: Path
    device: str = DEVICE
    disk: Disk = field(default_factory=Disk)

    @property
    def settings(self) -> EnrolmentSettings:
        return EnrolmentSettings(url=self.house.url, ca_file=self.house.ca_file, folder=self.folder)

    def box(self, disk: Disk | None = None) -> Box:
        """The box as it is after a start."""
        found = Box(self.folder, disk or self.disk, random.Random(1))
        found.begin(self.device, "amb", "cam")
        return found

    def talk(self, box: Box) -> Callable[[], Conversation]:
        return lambda: work.talk(self.settings, box)

    def registered(self, *, preapproved: bool = True) -> Box:
        """On the list, and approved if its label says so."""
        box = self.box()
        self.house.register(self.device, box.key.fingerprint, preapproved=preapproved)
        return box

    def enrolled(self) -> Box:
        """With its first certificate."""
        box = self.registered()
        assert work.once(box, self.talk(box)).state == "active"
        return box
