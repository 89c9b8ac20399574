"""A box from nothing to its readings in the database, over a broker that wants certificates; and its renewal there."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edge.enrol.box import Box
from edge.enrolled import Disk, Identity
from kewang.bench.office import OPERATOR, OfficeHouse
from kewang.bench.process import wait_for
from kewang.bench.secure_line import SOURCE, EnrolledEdge, SecureLine
from kewang.bench.truth import summed
from provisioning.acts import sources
from provisioning.authority import Lifetimes

LIMIT_S = 90.0
DEVICE = "amb-cam-00000k"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[OfficeHouse]:
    """Certificates of boxes live for two minutes here."""
    lifetimes = Lifetimes(device_ms=120_000)
    with OfficeHouse(tmp_path / "office", broker_port=0, lifetimes=lifetimes) as made:
        yield made


def prepared(house: OfficeHouse, line: SecureLine, *, preapproved: bool = True) -> None:
    """The broker's place is known only now; each box is on the list."""
    house.stop()
    house.terms = type(house.terms)("localhost", line.broker.tls_port)
    house.start()
    for device, edge in line.edges.items():
        box = Box(edge.identity)
        box.begin(device, "amb", "cam")
        house.register(device, box.key.fingerprint, preapproved=preapproved)


def state(edge: EnrolledEdge):  # type: ignore[no-untyped-def]
    return Identity(edge.identity, Disk()).state


@pytest.mark.timeout(400)
def test_enrolled_approved_connected_renewed_and_nothing_lost(house: OfficeHouse, tmp_path: Path) -> None:
    with SecureLine(tmp_path / "line", house, [DEVICE]) as line:
        prepared(house, line, preapproved=False)
        edge = line.edges[DEVICE]
        edge.write_config()
        # The agent does not answer before it has a certificate: so it is approved while it waits.
        approve_when_pending(house, edge)
        wait_for(lambda: line.database.count() > 20, LIMIT_S)
        first = state(edge).serial
        wait_for(lambda: state(edge).serial != first, LIMIT_S + 60)
        agent = psutil.Process(edge.pid)
        assert agent.is_running(), "the agent that was there before"
        # Every new connection uses the new files: the broker takes nothing else.
        line.broker.restart()
        stored = line.database.count()
        wait_for(lambda: line.database.count() > stored + 20, LIMIT_S)
        assert not any("_rust" in each.path or "cryptography" in each.path for each in agent.memory_maps()), (
            "no cryptography in the agent"
        )
        assert line.drain()
        line.stop_edges()
        truth = summed(line.truth().values())
        assert (truth.lost, truth.duplicates, truth.wrong) == (0, 0, 0)
        assert truth.stored > 40
        assert secrets_told(line, edge) == []


def approve_when_pending(house: OfficeHouse, edge: EnrolledEdge) -> None:
    """Start it; as soon as it asked, a technician approves; then it runs."""

    def approve() -> None:
        wait_for(lambda: state(edge).state == "pending", LIMIT_S)
        house.approve(DEVICE)

    helper = threading.Thread(target=approve)
    helper.start()
    edge.start()
    helper.join()


def secrets_told(line: SecureLine, edge: EnrolledEdge) -> list[str]:
    """Where a secret stands that must not: logs, and what other users see of processes."""
    key = (edge.identity / "key.pem").read_text().splitlines()[1]
    logs = [part.log_path for part in (*line.parts(), edge)]
    return [
        str(log)
        for log in logs
        if key in log.read_text(errors="replace") or "s3cret-word" in log.read_text(errors="replace")
    ]


@pytest.mark.timeout(300)
def test_other_sources_begin_anew_in_the_same_process_and_say_why(house: OfficeHouse, tmp_path: Path) -> None:
    with SecureLine(tmp_path / "line", house, [DEVICE], spare_boards=1) as line:
        prepared(house, line)
        edge = line.edges[DEVICE]
        edge.start()
        pid = edge.pid
        wait_for(lambda: line.database.count() > 5, LIMIT_S)
        board = line.boards.ports[1]
        with house.inventory.writing(OPERATOR) as act:
            keys = {"host": "127.0.0.1", "port": board, "map": str(edge.attached[0].map_file), "interval_s": 0.5}
            sources.put(act, DEVICE, sources.NewSource("env-2", "modbus-tcp", keys, {}))
            sources.put(act, DEVICE, sources.NewSource("env-3", "no-such-driver", {}, {"password": "s3cret-word"}))
        wait_for(lambda: "env-2" in {point.source for point in line.database.points()}, LIMIT_S)
        assert edge.pid == pid
        assert edge.is_running
        log = edge.log_path.read_text()
        assert "source env-3 of the office is left out" in log, "a wrong one silences nobody"
        assert line.drain()
        line.stop_edges()
        truth = line.truth()[DEVICE, SOURCE]
        assert (truth.lost, truth.wrong) == (0, 0)
        assert secrets_told(line, edge) == []


def test_the_running_agent_carries_no_cryptography() -> None:
    heavy = ("cryptography", "segno", "httpx", "PIL", "av")
    code = (
        "import sys, edge.service, edge.sources.modbus; print([name for name in sys.modules "
        f"if name.split('.')[0] in {heavy} or name.startswith('edge.enrol.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_process_list_tells_no_secret(house: OfficeHouse, tmp_path: Path) -> None:
    with SecureLine(tmp_path / "line", house, [DEVICE]) as line:
        prepared(house, line)
        edge = line.edges[DEVICE]
        edge.start()
        seen: set[str] = set()

        def child_seen() -> bool:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in psutil.Process(edge.pid).children():
                    with contextlib.suppress(psutil.NoSuchProcess):
                        seen.add(json.dumps([each.cmdline(), each.environ()]))
            return any("--once" in text for text in seen)

        wait_for(child_seen, LIMIT_S)
        key = (edge.identity / "key.pem").read_text().splitlines()[1]
        assert all(key not in text for text in seen)
