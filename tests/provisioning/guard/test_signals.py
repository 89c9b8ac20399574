"""The ways to tell a broker, each on a real Mosquitto."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from kewang.bench.process import wait_for
from kewang.bench.provisioned import ProvisionedBroker
from provisioning.guard import Guard
from provisioning.guard.settings import SignalSettings
from provisioning.guard.signals import Attended, PidFile, signal_by


def test_a_pid_file_reloads_and_stops(broker: ProvisionedBroker, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(str(broker.part.pid))
    signal = signal_by(SignalSettings(way="pid_file", pid_file=file))
    assert isinstance(signal, PidFile)
    signal.reload()
    assert broker.part.is_running
    signal.stop()
    assert not broker.part.is_running
    with pytest.raises(OSError, match="start the broker"):
        signal.reload()
    signal.stop()
    with pytest.raises(OSError, match="by hand"):
        signal.start()


@contextmanager
def attended(command: Sequence[str]) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """An attendant with the broker that `command` starts, and its socket, whose path must be short."""
    words = [sys.executable, "-m", "kewang", "provision", "attend"]
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "guard.sock"
        process = subprocess.Popen([*words, "--socket", str(socket), "--", *command])
        try:
            wait_for(lambda: socket.exists() or process.poll() is not None, 30)
            yield socket, process
        finally:
            process.terminate()
            process.wait(30)


def test_an_attendant_reloads_stops_and_starts_a_broker_that_nobody_else_may_signal(broker: ProvisionedBroker) -> None:
    broker.part.stop()
    with attended(broker.part.command()) as (socket, attendant):
        signal = signal_by(SignalSettings(way="socket", socket=socket))
        wait_for(broker.part.is_ready, 30)
        guard = Guard(broker.guard.settings, broker.authority, signal, broker.folder / "guard")
        assert guard.reload().outcome == "proven"
        signal.stop()
        signal.stop()
        assert not broker.part.is_ready()
        with pytest.raises(OSError, match="the broker does not run: start it"):
            signal.reload()
        signal.start()
        signal.start()
        wait_for(broker.part.is_ready, 30)
        with pytest.raises(OSError, match="not one of reload, stop, start"):
            Attended(socket).say("kill")
        assert attendant.poll() is None
        attendant.terminate()
        assert attendant.wait(30) == 0
        assert not broker.part.is_ready()
    with pytest.raises(OSError, match="does 'kewang provision attend' run beside the broker"):
        signal.reload()


def test_an_attendant_ends_as_its_broker_ends() -> None:
    with attended([sys.executable, "-c", "import sys; sys.exit(7)"]) as (_, attendant):
        assert attendant.wait(30) == 7
    with attended(["no-such-broker"]) as (_, attendant):
        assert attendant.wait(30) == 3


def test_commands_are_run_and_their_failure_told(tmp_path: Path) -> None:
    def touch(name: str) -> tuple[str, ...]:
        return (sys.executable, "-c", f"open({str(tmp_path / name)!r}, 'w')")

    failing = (sys.executable, "-c", "import sys; sys.exit('no broker here')")
    signal = signal_by(SignalSettings(way="command", reload=touch("reload"), stop=touch("stop"), start=failing))
    signal.reload()
    signal.stop()
    assert {each.name for each in tmp_path.iterdir()} == {"reload", "stop"}
    with pytest.raises(OSError, match="no broker here"):
        signal.start()


def test_systemd_is_asked_by_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, log = tmp_path / "systemctl", tmp_path / "log"
    program.write_text(f'#!/bin/sh\necho "$@" >>{log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    signal = signal_by(SignalSettings(way="systemd", unit="broker.service"))
    signal.reload()
    signal.stop()
    signal.start()
    assert log.read_text().split("\n")[:3] == [f"{verb} broker.service" for verb in ("reload", "stop", "start")]


def test_commands_need_all_three() -> None:
    with pytest.raises(ValueError, match="needs reload, stop and start"):
        SignalSettings(way="command", reload=("true",))
