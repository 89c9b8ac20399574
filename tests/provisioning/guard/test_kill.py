"""`kill -9` at every step of a change: the next one makes it good, and the broker was never open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kewang.bench.provisioned import ProvisionedBroker, now_ms
from kewang.wire import topics
from provisioning.authority import open_authority
from provisioning.guard import Guard, GuardSettings, Revocation, Wanted
from provisioning.guard.client import Refused
from provisioning.guard.signals import PidFile

STEPS = ("stage", "read back", "try", "put in place", "signal", "cut off", "prove", "keep")
BOX = "amb-box-one"


def killed_at(step: str, settings: Path, state: Path, pid_file: Path, serial: str) -> None:
    """In a process of its own: a revocation that ends in the middle."""

    def die(now: str) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    read = GuardSettings.model_validate_json(settings.read_text())
    guard = Guard(read, open_authority(state), PidFile(pid_file), state.parent / "guard", at=die)
    guard.apply(Wanted({BOX: "revoked"}, frozenset({Revocation(serial, now_ms())})))


@pytest.mark.parametrize("step", STEPS)
def test_a_change_that_was_killed_is_made_good(step: str, broker: ProvisionedBroker, tmp_path: Path) -> None:
    box, other = broker.enrol(BOX), broker.enrol("amb-box-two")
    settings, pid_file = tmp_path / "settings.json", tmp_path / "pid"
    settings.write_text(broker.settings.model_dump_json())
    pid_file.write_text(str(broker.part.pid))
    words = [step, str(settings), str(broker.folder / "state"), str(pid_file), box.serial]
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path; import test_kill"
    )
    call = "a = sys.argv[1:]; test_kill.killed_at(a[0], *map(Path, a[1:4]), a[4])"
    with broker.box(box) as revoked:
        ended = subprocess.run([sys.executable, "-c", f"{script}; {call}", *words], capture_output=True, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        assert spoofs(broker, other.name) is False
        wanted = Wanted({BOX: "revoked"}, frozenset({Revocation(box.serial, now_ms())}))
        report = broker.guard.apply(wanted)
        assert report.ok, report
        with pytest.raises(Refused):
            revoked.publish(topics.build(BOX, topics.STATE), b"still here")
    with pytest.raises(Refused), broker.box(box):
        pass
    assert not broker.guard.alarms()
    assert not (broker.settings.folder / "staged").exists()
    assert len(list((broker.folder / "guard").glob("good-*"))) == 1
    assert trials(broker) == []


def spoofs(broker: ProvisionedBroker, victim: str) -> bool:
    """Whether a box may speak for another."""
    with broker.box(broker.enrol("amb-box-three")) as box:
        return box.publish(topics.build(victim, topics.STATE), b"said")


def trials(broker: ProvisionedBroker) -> list[int]:
    """Brokers of a trial that outlived who started them."""
    mark = str(broker.settings.folder / "staged")
    return [each.pid for each in psutil.process_iter() if mark in " ".join(cmdline(each))]


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
