"""The outbox on a disk that is full when it is opened, and one that another program holds."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_file import Reserve
from edge.ports import OutboxFull
from tests.edge.outbox_files import PLENTY_BYTES, REPOSITORY, dated
from tests.lacking import lacking

ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from edge.outbox import SqliteOutbox
from edge.ports import Draft

def opened(sparing):
    return SqliteOutbox(path, 1_000_000, "boot-1", packs=sparing, alone=sparing)

def fill(outbox, first):
    rows = tuple((first * 10**6 + index * 1000, (29.1 + index / 7, 78.2)) for index in range(30))
    return outbox.commit([Draft("env", "env-1", ("temp_c", "rh_pct"), rows)])

folder, before, after = Path(sys.argv[1]), *(word == "sparing" for word in sys.argv[2:4])
path = folder / "outbox.db"
if sys.argv[4] == "closed" or not os.fork():
    outbox = opened(before)
    outbox.date(1_785_000_000_000, 2)
    for number in range(50):
        fill(outbox, number)
    if sys.argv[4] == "killed":
        os._exit(0)
    outbox.close()
else:
    os.wait()
held = 50 * 30
room = os.statvfs(folder)
with (folder / "others").open("wb") as file:
    os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_bsize)
outbox = opened(after)
assert outbox.status().held_rows == held
fill(outbox, 100)
assert outbox.status().held_rows + outbox.status().dropped_rows == held + 30
assert not (folder / "outbox.db.reserve").exists()
(folder / "others").unlink()
fill(outbox, 101)
assert (folder / "outbox.db.reserve").exists()
outbox.close()
"""


def on_a_small_disk(*words: str) -> subprocess.CompletedProcess[str]:
    """The script in a folder of 24 MB that is a file system of its own."""
    mounted = 'mount -t tmpfs -o size=24m none "$0" && exec "$@"'
    script = [sys.executable, "-c", ON_A_FULL_DISK, *words]
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, words[0], *script]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def may_mount() -> None:
    words = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    if tried.returncode:
        lacking(f"no file system of its own: {tried.stderr}")


@pytest.mark.parametrize(
    ("before", "after", "end"),
    [
        ("plain", "plain", "closed"),
        ("plain", "sparing", "closed"),
        ("sparing", "plain", "closed"),
        ("sparing", "sparing", "closed"),
        ("plain", "sparing", "killed"),
    ],
)
def test_it_opens_on_a_full_disk_by_its_reserve(
    may_mount: None, tmp_path: Path, before: str, after: str, end: str
) -> None:
    """A file that was closed in order has no log: opening it takes room. With room again there is a reserve again."""
    done = on_a_small_disk(str(tmp_path), before, after, end)
    assert done.returncode == 0, done.stderr


def test_a_reserve_that_can_not_grow_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the system's answer is put in: a disk that is full to the byte is not to be had in a test."""
    path = tmp_path / "outbox.db.reserve"
    path.write_bytes(b"0" * 1000)

    def full(descriptor: int, offset: int, length: int) -> None:
        os.ftruncate(descriptor, 1500)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    reserve = Reserve(tmp_path / "outbox.db")
    reserve.keep()
    assert path.stat().st_size == 1000
    assert reserve.give()
    reserve.keep()
    assert not path.exists()
    assert not reserve.give()


def test_who_holds_the_file_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    dated(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("SELECT count(*) FROM batch")
        with pytest.raises(OutboxFull, match="end the other program"):
            SqliteOutbox(path, PLENTY_BYTES, "boot-1", alone=True)
    dated(path).close()
