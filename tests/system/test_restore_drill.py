"""The server's disk dies: what the pages say brings everything back, and the field fills the rest. Row by row.

Real parts: boards, agents, Mosquitto, influxd, gateway, restic, OpenSSH; and the commands of backup.md and of the unit.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from firmware_sim.faults import Fault
from kewang.bench.city import City, CityPlan, Device
from kewang.bench.houses import InfluxHouse
from kewang.bench.process import wait_for
from kewang.bench.programs import toml_of
from kewang.bench.stored import outbox_open
from kewang.bench.truth import Truth, summed
from tests.docs_examples.pages import DOCS, EXAMPLES
from tests.system.backup_machine import BackupMachine
from tests.system.operator import Operator

PAGE: Final = DOCS / "en" / "backup.md"
UNIT: Final = EXAMPLES / "kewang-backup.service"
COPIES: Final = (
    ("/var/lib/kewang/restored", "/var/backups/kewang/server"),
    ("/var/lib/kewang/server/also", "/etc/kewang"),
    ("/var/lib/kewang/server/also", "/etc/mosquitto"),
)
FASTER: Final = 24.0
READINGS: Final = 20
LIMIT_S: Final = 120.0
BURNT: Final = "pasar-1"
"""A box that burns after the backup: its readings are nowhere else."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


class Town:
    """A city with everything a server holds, and the machine that keeps its backups."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "server"
        self.stamp = self.root / "var/backups/kewang/done"
        devices = (Device(BURNT, "market-env", {"site": "pasar"}), Device("kali-1", "river", {"site": "kali"}))
        own = {"disk_pct": 100.0, "backup_stamp": str(self.stamp)}
        plan = CityPlan(
            devices,
            store="influxd",
            broker="mosquitto",
            faster=FASTER,
            interval_s=0.2,
            flush_s=0.5,
            box_interval_s=2.0,
            watch={"own": own},
        )
        self.city = City(plan, folder / "city")
        self.machine = BackupMachine(folder / "machine")
        assert isinstance(self.city.house, InfluxHouse)
        assert self.city.house.part
        self.influxd = self.city.house.part
        self.operator = Operator(self._places(), self._programs(), self._units(), watched="kewang ledger ")

    @property
    def backup(self) -> Path:
        """The copy that stays on the server."""
        return self.root / "var/backups/kewang/server"

    def _places(self) -> dict[str, Path]:
        kept = (
            "/etc/kewang",
            "/etc/mosquitto",
            "/etc",
            "/var/lib/kewang",
            "/var/backups/kewang",
            "/var/cache/kewang-backup",
        )
        return {
            **{place: self.root / place[1:] for place in kept},
            # A copy has the whole path of what it is a copy of.
            **{f"{copy}{place}": self.root / copy[1:] / str(self.root)[1:] / place[1:] for copy, place in COPIES},
            "/var/lib/kewang/gateway": self.city.folder / "incidents",
            "/var/lib/influxdb/data": self.influxd.data_folder / "data",
        }

    def _programs(self) -> dict[str, str]:
        rpc = f"{self.influxd.host}:{self.influxd.backup_port}"
        return {
            "restic": self.machine.restic(),
            "influxd restore": f"influxd restore -host {rpc}",
            "kewang backup make": f"kewang backup make --influxd {rpc}",
        }

    def _units(self) -> dict[str, Any]:
        return {
            "stop kewang-gateway": self.city.gateway.stop,
            "start kewang-gateway": self.city.gateway.start,
            "stop kewang-provision": lambda: None,
            "start kewang-provision": lambda: None,
            "restart influxdb": self.influxd.restart,
            "start kewang-backup": lambda: self.operator.run_unit(UNIT),
        }

    def furnish(self) -> None:
        """Settings, an office, and the first lines of the page on the server."""
        kewang, broker = self.root / "etc/kewang", self.root / "etc/mosquitto"
        for folder in (kewang, broker, self.root / "var/lib/kewang", self.root / "var/cache/kewang-backup"):
            folder.mkdir(parents=True)
        (kewang / "gateway.toml").write_text(toml_of(self.city.gateway.values()))
        (kewang / "provision.toml").write_text(
            toml_of({"state_folder": str(self.root / "var/lib/kewang/provisioning")})
        )
        (kewang / "restic.password").write_text("on paper, in two places\n")
        (kewang / "restic.password").chmod(0o600)
        (broker / "kewang.passwd").write_text("gw1:hashed\n")
        sites = self.root / "sites.csv"
        sites.write_text("id,name\npasar,Pasar Mardika\n")
        config = "--config /etc/kewang/provision.toml"
        self.operator.run([f"kewang provision init {config}", f"kewang provision import sites {sites} {config}"])
        self.operator.run(
            [
                "sudo install -d -o kewang -g kewang -m 700 /var/backups/kewang",
                "restic -r sftp:kewang-backup:kewang --password-file /etc/kewang/restic.password init",
            ]
        )

    def wipe(self) -> None:
        """A new server: of the old one nothing is left but its name and address."""
        self.city.gateway.kill9()
        self.influxd.kill9()
        self.city.broker.kill9()
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.city.folder / "incidents")
        for part in (self.city.gateway, self.influxd, self.city.broker):
            part.wipe()
        for folder in ("etc/kewang", "var/lib/kewang", "var/cache/kewang-backup", "var/backups/kewang"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/kewang/restic.password").write_text("on paper, in two places\n")
        self.influxd.start()
        self.city.broker.start()

    def overdue(self) -> str:
        """How the incident about the backup is: open, over, or none."""
        told = json.loads(self.city.gateway.get("/api/v1/incidents") or b'{"incidents": []}')
        found = [each for each in told["incidents"] if each["scope"] == {"level": "gateway", "name": "backup"}]
        return ("over" if found[0]["ended_s"] is not None else "open") if found else "none"

    def burn(self, name: str) -> None:
        """Its board falls silent, and a new box stands there once all it had given out is stored."""
        self.city.boards.switch(self.city.with_board.index(name), Fault.EXCEPTION)
        edge = self.city.edges[name]
        self.city.end_edge(name, kill=False)
        edge.start()
        wait_for(lambda: outbox_open(edge.outbox) == 0, LIMIT_S)
        self.city.end_edge(name, kill=True)
        self.city.destroy_outbox(name)
        edge.start()

    def drained(self) -> Truth:
        """Wait until no box waits for anything, then compare every reading given out with the database."""
        assert self.city.drain(LIMIT_S)
        self.city.stop_edges()
        return summed(self.city.truth(frozenset(self.city.edges)).values())


@pytest.fixture
def town() -> Iterator[Town]:
    """In a folder of a short name: a Unix socket's path has 107 characters, and several workers make it longer."""
    with ExitStack() as stack:
        town = Town(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        town.machine.guard = town.city.guard
        stack.enter_context(town.city)
        yield town


def test_a_backup_brings_back_what_the_field_no_longer_has(town: Town) -> None:
    with town.machine:
        _drill(town)


def _drill(town: Town) -> None:
    city, operator = town.city, town.operator
    town.furnish()
    wait_for(lambda: town.overdue() == "open" and city.database.count("env", BURNT) >= READINGS, LIMIT_S)
    town.burn(BURNT)
    operator.run_unit(UNIT)
    kept = city.database.count()
    wait_for(lambda: city.database.count() >= kept + READINGS, LIMIT_S)
    town.wipe()
    assert (city.database.devices(), town.overdue(), town.stamp.exists()) == (set(), "none", False)

    operator.follow(PAGE, "Restore on a new machine", "influx1")
    assert "is whole" in "".join(operator.said)
    assert town.overdue() == "open"
    city.gateway.restart()
    wait_for(lambda: town.overdue() == "over", LIMIT_S)
    total = town.drained()
    assert (total.lost, total.duplicates, total.wrong, total.in_outbox, total.excused) == (0, 0, 0, 0, 0), total
    assert total.stored >= kept + READINGS


def test_without_a_backup_the_field_fills_an_empty_database(town: Town) -> None:
    city = town.city
    wait_for(lambda: city.database.count() >= READINGS, LIMIT_S)
    town.wipe()
    assert city.database.devices() == set()
    city.gateway.start()
    total = town.drained()
    assert (total.lost, total.duplicates, total.wrong, total.in_outbox, total.excused) == (0, 0, 0, 0, 0), total
    assert total.stored >= READINGS
