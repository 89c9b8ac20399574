"""`kewang edge run` on a machine of which nothing but the agent's one folder can be written."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from edge.outbox import SqliteOutbox
from edge.status import NotRunning, ask, socket_path
from kewang.bench.process import find_program, wait_for
from tests.edge.outbox_files import PLENTY_BYTES, REPOSITORY, everything
from tests.lacking import lacking

LIMIT_S: Final = 60.0
WORLD: Final = """
mount --make-rprivate /
mount --bind "$1" "$1"
cut -d ' ' -f 2 /proc/self/mounts | sort -u | while read -r at; do
    case "$at" in "$1" | /proc | /proc/*) ;; *) mount -o remount,bind,ro "$at" ;; esac
done
shift
exec "$@"
"""
"""In mounts of its own: all but the folder is remounted read-only, then the rest of the words is run."""
PROBE: Final = """
import os, sys
for folder in sys.argv[1:]:
    try:
        open(os.path.join(folder, "probe"), "w").close()
        print("yes")
    except OSError as error:
        print(error.strerror)
"""
SETTINGS: Final = """
device = "ambon-m1"
[broker]
port = 1
[outbox]
path = "{state}/outbox.db"
profile = "card"
flush_s = 0.2
[[sources]]
driver = "box"
interval_s = 0.1
[[sources]]
driver = "ds18b20"
name = "cold-1"
device = "28-0316a2795cff"
folder = "{state}"
interval_s = 0.1
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a short name, for a Unix socket lies in it."""
    made = Path(tempfile.mkdtemp(prefix="kewang-ro-"))
    (made / "state").mkdir()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def apart(state: Path, *words: str) -> list[str]:
    """The command line of `words` where only `state` can be written."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [str(find_program("unshare")), *user, "--mount", "sh", "-ec", WORLD, "sh", str(state), *words]


def test_nothing_is_written_outside_of_the_state_folder(folder: Path) -> None:
    state, settings = folder / "state", folder / "edge.toml"
    settings.write_text(SETTINGS.format(state=state))
    elsewhere = [str(folder), "/tmp", "/var/tmp", "/dev/shm", str(Path.home()), "/run", str(REPOSITORY)]
    probe = apart(state, sys.executable, "-c", PROBE, *elsewhere, str(state))
    probed = subprocess.run(probe, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if "not permitted" in probed.stderr:
        lacking(f"this machine gives us no mounts of our own: {probed.stderr}")
    assert probed.stdout.split("\n")[:-1] == ["Read-only file system"] * len(elsewhere) + ["yes"], probed.stderr
    (state / "probe").unlink()
    for _ in range(2):
        said = lives(state, settings)
        assert "Read-only" not in said
        assert "source cold-1" in said, "what it has to say goes to standard error"
    names = {"outbox.db", "outbox.db-wal", "outbox.db-shm", "outbox.db.lock", "outbox.db.reserve", "outbox.sock"}
    assert {each.name for each in state.iterdir()} <= names
    outbox = SqliteOutbox(state / "outbox.db", PLENTY_BYTES, "boot")
    outbox.date(1_785_000_000_000, 2)
    assert sum(entry.rows for entry in everything(outbox)) > 20
    outbox.close()


def lives(state: Path, settings: Path) -> str:
    """The agent starts, commits, and ends when it is told to; its log."""
    command = apart(state, sys.executable, "-m", "kewang", "edge", "run", "--config", str(settings))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY) as agent:
        assert agent.stderr is not None
        try:
            wait_for(lambda: committed(state) > 10, LIMIT_S)
            agent.send_signal(signal.SIGTERM)
            said, code = agent.stderr.read(), agent.wait(LIMIT_S)
        finally:
            agent.kill()
    assert code == 0, said
    return said


def committed(state: Path) -> int:
    """Rows of the box that are on the disk."""
    try:
        box, *_ = ask(socket_path(state / "outbox.db"))["sources"]
    except NotRunning:
        return 0
    return int(box["readings"]) - int(box["pending_rows"])
