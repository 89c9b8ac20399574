"""A change is tried on a broker of its own, on loopback, which is gone a moment later."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from provisioning.guard import conf
from provisioning.guard.conf import Place
from provisioning.guard.settings import ListenerSettings

_POLL_S: Final = 0.005
_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin"
_TRIAL: Final = "trial.conf"
_TOLD_CHARS: Final = 1000


class TrialFailed(Exception):
    """The broker does not start with these files; the text is what it says."""


@contextmanager
def trial_broker(folder: Path, program: str, limit_s: float) -> Iterator[Place]:
    """A broker that runs with the files in `folder`, and where it listens. Raises TrialFailed."""
    place = _free_place(folder)
    config = folder / _TRIAL
    config.write_text(conf.mosquitto_conf(place, max_devices=20))
    with ExitStack() as undo:
        undo.callback(config.unlink, missing_ok=True)
        log = undo.enter_context((folder / "trial.log").open("w+b"))
        undo.callback((folder / "trial.log").unlink, missing_ok=True)
        process = subprocess.Popen(_command(program, config), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        undo.callback(_end, process)
        _wait_until_it_listens(process, place, folder / "trial.log", limit_s)
        yield place


def _command(program: str, config: Path) -> list[str]:
    found = shutil.which(program) or shutil.which(program, path=_SYSTEM_FOLDERS)
    if found is None:
        raise TrialFailed(f"{program} is not on this machine, so no change can be tried: install Mosquitto 2")
    return dying_with_us([found, "-c", str(config)])


def dying_with_us(command: Sequence[str]) -> list[str]:
    """A command that does not outlive us, not even when we are killed."""
    setpriv = shutil.which("setpriv")
    return [*([setpriv, "--pdeathsig", "KILL"] if setpriv else []), *command]


def _free_place(folder: Path) -> Place:
    with ExitStack() as held:
        ports = []
        for _ in range(3):
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
    devices, services = ListenerSettings(port=ports[0]), ListenerSettings(port=ports[1])
    return Place(folder, devices, services, ports[2], user=getpass.getuser())


def _wait_until_it_listens(process: subprocess.Popen[bytes], place: Place, log: Path, limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    while not _listens(place.kick_port):  # the last of the three
        if process.poll() is not None:
            raise TrialFailed(f"the broker does not start with these files: {_told(log)}")
        if time.monotonic() > until_s:
            raise TrialFailed(f"the broker did not start within {limit_s:g} s: {_told(log)}")
        time.sleep(_POLL_S)


def _told(log: Path) -> str:
    return log.read_text(errors="replace")[-_TOLD_CHARS:].strip()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
