"""A backup that is cut off, on the server or on its way, is never taken for a good one, and the next run goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from kewang.bench.line import prepare
from kewang.bench.parts import Influxd
from kewang.bench.process import wait_for
from tests.cli.commands import kewang
from tests.docs_examples.pages import EXAMPLES
from tests.system.backup_machine import BackupMachine
from tests.system.operator import Operator

LIMIT_S: Final = 120.0
TRAFFIC: Final = 24 * 2**20
"""Bytes on the way when it is cut: some have arrived, others have not."""
SLOWLY: Final = " --limit-upload 6000 --pack-size 4"
RESTIC: Final = "restic -r sftp:kewang-backup:kewang --password-file /etc/kewang/restic.password "


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[BackupMachine]:
    with BackupMachine(tmp_path / "machine") as started:
        yield started


@pytest.fixture
def operator(tmp_path: Path, machine: BackupMachine, influxd: Influxd) -> Operator:
    """On a server with an InfluxDB and settings, without provisioning."""
    server = tmp_path / "server"
    kept = ("/etc/kewang", "/var/lib/kewang", "/var/backups/kewang", "/var/cache/kewang-backup")
    places = {place: server / place[1:] for place in kept}
    for folder in places.values():
        folder.mkdir(parents=True)
    url = f"influx1+{influxd.url}/kewang"
    prepare(url)
    (places["/etc/kewang"] / "gateway.toml").write_text(f'[store]\nurl = "{url}"\n')
    (places["/etc/kewang"] / "restic.password").write_text("on paper\n")
    make = f"kewang backup make --influxd {influxd.host}:{influxd.backup_port}"
    made = Operator(places, {"restic": machine.restic(), "kewang backup make": make}, {})
    made.run([RESTIC + "init"])
    return made


def unit(folder: Path) -> Path:
    """The example, with provisioning and the broker's settings taken out."""
    text = EXAMPLES.joinpath("kewang-backup.service").read_text()
    edited = folder / "kewang-backup.service"
    edited.write_text(
        text.replace(" --provisioning /etc/kewang/provision.toml", "").replace(" --also /etc/mosquitto", "")
    )
    return edited


def line(folder: Path, program: str) -> str:
    """A line of that unit."""
    (found,) = re.findall(rf"^ExecStart=(\S*{program}.*)$", unit(folder).read_text(), re.MULTILINE)
    return str(found)


def snapshots(operator: Operator) -> int:
    operator.run([RESTIC + "snapshots --json"])
    return len(json.loads(operator.said[-1]))


def end(process: subprocess.Popen[str]) -> None:
    """As a power cut does: it and all that it has started, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_backup_cut_off_is_no_backup(
    tmp_path: Path, operator: Operator, machine: BackupMachine, influxd: Influxd
) -> None:
    backups = operator.places["/var/backups/kewang"]
    influxd.freeze()
    copying = operator.begin(line(tmp_path, "kewang backup make"))
    wait_for((backups / "server.new" / "database").exists, LIMIT_S)
    end(copying)
    influxd.thaw()
    assert not (backups / "server").exists()
    assert kewang("backup", "check", str(backups / "server.new")).returncode == 1

    operator.places["/etc/kewang"].joinpath("large").write_bytes(os.urandom(TRAFFIC))
    operator.run([line(tmp_path, "kewang backup make")])
    given = operator.environment = {
        "RESTIC_REPOSITORY": "sftp:kewang-backup:kewang",
        "RESTIC_PASSWORD_FILE": str(operator.places["/etc/kewang"] / "restic.password"),
        "RESTIC_CACHE_DIR": str(operator.places["/var/cache/kewang-backup"]),
    }
    assert given
    sending = operator.begin(line(tmp_path, "restic backup") + SLOWLY)
    wait_for(lambda: any(path.is_file() for path in (machine.repository / "data").rglob("*")), LIMIT_S)
    end(sending)
    assert snapshots(operator) == 0
    assert any((machine.repository / "locks").iterdir())
    assert not (backups / "done").exists()

    operator.run_unit(unit(tmp_path))
    assert snapshots(operator) == 1
    assert not any((machine.repository / "locks").iterdir())
    assert (backups / "done").exists()
