"""The ways to tell a broker, each on a real Mosquitto."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kewang.bench.provisioned import ProvisionedBroker
from provisioning.guard.settings import SignalSettings
from provisioning.guard.signals import PidFile, signal_by


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
