"""Power cuts: the disk forgets exactly what was not synced, a lying one is found out, and a few cuts on real programs.

They need root and a loop device: where CI runs they must be there, elsewhere the tests that need them are skipped.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from edge.files import EXT4_JOURNAL_S, journal_s
from edge.outbox import SqliteOutbox
from kewang.bench.powercuts import PowercutsPlan, measure
from kewang.bench.powercuts_box import Moment, lives
from kewang.bench.powercuts_disk import Boots, ForgetfulDisk, loops_of, private_mounts
from kewang.bench.process import PartFailed, wait_for
from kewang.runtime.clock import boot_id
from tests.lacking import lacking

T = TypeVar("T")
LIMIT_S = 60.0
BATCHES = 5
CUTS = 12
COMMITS = f"""
import os, sys
from pathlib import Path
from edge.outbox import SqliteOutbox
from edge.ports import Draft
if sys.argv[2:]:
    from kewang.bench.powercuts_lies import lie
    lie()
outbox = SqliteOutbox(Path(sys.argv[1]), 1_000_000, "boot-1")
outbox.date(1_785_000_000_000, 2)
for number in range({BATCHES}):
    outbox.commit([Draft("env", "env-1", ("temp_c",), ((1000 * number, (29.5,)),))])
os._exit(0)
"""
"""A process that commits, and ends as the power does: without closing anything."""
BUSY = """
import sys
from pathlib import Path
from edge.outbox import SqliteOutbox
from edge.ports import Draft, OutboxFull
from kewang.wire.ack import Ack
for life, _ in enumerate(sys.stdin, 1):
    outbox = SqliteOutbox(Path(sys.argv[1]), 100_000_000, f"boot-{life}")
    try:
        outbox.date(1_785_000_000_000 + 1_000_000 * life, 2)
        for number in range(500):
            rows = tuple((1000 * number + row, (29.5, 78.2, 14.1)) for row in range(400))
            (entry,) = outbox.commit([Draft("env", "env-1", ("temp_c", "rh_pct", "pm25_ugm3"), rows)])
            if number % 3:
                print(entry.order, flush=True)
            else:
                outbox.apply(Ack(ok=((entry.run, entry.number, entry.number),)), {})
    except OutboxFull:
        pass
    outbox.close()
    print(flush=True)
"""
"""For each line a life that commits, and says what it has committed, until its disk is dead; then an empty line.

Every third batch is acknowledged in place of that. The log is full after some hundred commits: cuts fall into its being
written back too.
"""
DIES = """
import sys
from pathlib import Path
from kewang.bench.powercuts_disk import ForgetfulDisk, private_mounts
private_mounts()
disk = ForgetfulDisk(Path(sys.argv[1]), Path(sys.argv[2]))
disk.mount()
print(disk.folder.is_mount(), flush=True)
sys.stdin.read()
"""
CLOCK = "import time; print(time.clock_gettime(time.CLOCK_BOOTTIME))"
AS_NOBODY = """
import os
from kewang.bench.powercuts_disk import private_mounts
if os.geteuid() == 0:
    os.seteuid(65534)
private_mounts()
"""


def alone(do: Callable[[], T]) -> T:
    """In a thread of its own: what it mounts nobody else sees, and its end is the end of that."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(do).result()


@pytest.fixture(scope="module")
def may_cut() -> None:
    try:
        alone(private_mounts)
    except PartFailed as error:
        lacking(str(error))


class Cuttable:
    """A disk in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        private_mounts()
        (folder / "disk").mkdir()
        self.disk = ForgetfulDisk(folder / "disk.img", folder / "disk")
        self.disk.mount()

    def cut(self) -> Path:
        """The power goes, if it has not gone yet, and comes back."""
        self.disk.cut()
        self.disk.unmount()
        self.disk.mount()
        return self.disk.folder


def test_what_was_synced_stays_and_the_rest_is_forgotten(may_cut: None, tmp_path: Path) -> None:
    def story() -> None:
        cuttable = Cuttable(tmp_path)
        (cuttable.disk.folder / "written").write_text("gone")
        with (cuttable.disk.folder / "synced").open("w") as file:
            file.write("here")
            file.flush()
            os.fsync(file.fileno())
            file.write("no longer")
        folder = cuttable.cut()
        assert (folder / "synced").read_text() == "here"
        assert {each.name for each in folder.iterdir()} <= {"synced", "written", "lost+found"}
        assert not (folder / "written").exists() or not (folder / "written").read_text()
        cuttable.disk.unmount()
        assert not loops_of(cuttable.disk.image)

    alone(story)


def test_how_long_ext4_keeps_its_journal_back_is_read_from_the_mount(may_cut: None, tmp_path: Path) -> None:
    def story() -> None:
        cuttable = Cuttable(tmp_path)
        folder = cuttable.disk.folder
        assert journal_s(folder) == 3600  # as docs, a Raspberry Pi, says
        subprocess.run(["mount", "-o", "remount,commit=0", folder], check=True)  # ext4: 0 is its default
        assert journal_s(folder) == EXT4_JOURNAL_S
        assert journal_s(Path("/proc")) is None
        (tmp_path / "m\udce9dia\u2028").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path / "m\udce9dia\u2028"], check=True)
        assert journal_s(folder) == EXT4_JOURNAL_S, "a name that is no text stands in the same list"

    alone(story)


@pytest.mark.parametrize(("words", "kept"), [([], BATCHES), (["lies"], 0)])
def test_committed_batches_outlive_a_cut_and_on_a_lying_disk_they_do_not(
    may_cut: None, tmp_path: Path, words: list[str], kept: int
) -> None:
    """The control of the whole bench: with synchronous = OFF it has something to find."""

    def story() -> int:
        cuttable = Cuttable(tmp_path)
        outbox = cuttable.disk.folder / "outbox.db"
        subprocess.run([sys.executable, "-c", COMMITS, str(outbox), *words], check=True, timeout=LIMIT_S)
        cuttable.cut()
        opened = SqliteOutbox(outbox, 1_000_000, "boot-2")
        found = opened.status().open_batches
        opened.close()
        cuttable.disk.unmount()
        return found

    assert alone(story) == kept


@pytest.mark.slow
def test_a_cut_in_the_middle_of_many_commits_takes_none_that_had_returned(may_cut: None, tmp_path: Path) -> None:
    rng = random.Random(1)

    def story() -> int:
        cuttable, told = Cuttable(tmp_path), list[int]()
        command = [sys.executable, "-c", BUSY, str(cuttable.disk.folder / "outbox.db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as busy:
            assert busy.stdin
            assert busy.stdout
            for _ in range(CUTS):
                busy.stdin.write("live\n")
                lines = [busy.stdout.readline() for _ in range(rng.randint(1, 60))]
                told += [int(order) for line in lines for order in line.split()]
                time.sleep(rng.uniform(0, 0.01))
                cuttable.disk.cut()
                # What it says from now on, a real box has no more power to say.
                assert "\n" in iter(busy.stdout.readline, "")
                cuttable.cut()
                assert kept(cuttable.disk.folder / "outbox.db") >= set(told)
            busy.stdin.close()
        cuttable.disk.unmount()
        return len(told)

    assert alone(story) > CUTS


def kept(outbox: Path) -> set[int]:
    """Orders of the batches that are there and sound. The process that asks leaves the file as it is."""
    opened = SqliteOutbox(outbox, 100_000_000, "boot-0")
    try:
        entries = opened.oldest_open(100_000, ())
        return {entry.order for entry in entries if opened.body(entry.order) is not None}
    finally:
        opened.close()


def test_each_boot_has_an_id_of_its_own_and_nobody_else_sees_it(may_cut: None, tmp_path: Path) -> None:
    before = boot_id()

    def story() -> tuple[list[str], float]:
        private_mounts()
        boots = Boots(tmp_path / "boot_id")
        found = [boot_id()]
        boots.next()
        told = subprocess.run(boots.command([sys.executable, "-c", CLOCK]), check=True, capture_output=True)
        found += [boot_id()]
        boots.close()
        return [*found, boot_id()], float(told.stdout)

    (first, second, after), clock_s = alone(story)
    assert len({before, first, second}) == 3
    assert before == after == boot_id()
    assert 0 <= clock_s < LIMIT_S


def test_mount_and_loop_device_go_with_who_made_them(may_cut: None, tmp_path: Path) -> None:
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", DIES, str(image), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "True\n"
        assert loops_of(image)
        assert not folder.is_mount()
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not loops_of(image), LIMIT_S)


def test_without_rights_it_says_what_is_needed() -> None:
    command = [sys.executable, "-c", AS_NOBODY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 1
    assert "run as root" in done.stderr


def test_a_story_is_fixed_by_its_seed_and_has_every_moment() -> None:
    story = list(lives(1, ["a", "b"], 500))
    assert story == list(lives(1, ["a", "b"], 500)) != list(lives(2, ["a", "b"], 500))
    assert Counter(life.box for life in story) == {"a": 250, "b": 250}
    assert min(Counter(life.moment for life in story).values()) > 50
    assert all(life.linked for life in story if life.moment is Moment.ACK)
    assert 200 < sum(life.linked for life in story) < 300


def test_the_lives_of_a_profile_that_commits_rarely_are_longer() -> None:
    usual, long = (list(lives(1, ["a"], 100, flush_s)) for flush_s in (1.0, 3.0))
    assert [life.moment for life in usual] == [life.moment for life in long]
    assert max(life.wait_s for life in long) > 2.5 > max(life.wait_s for life in usual)


@pytest.mark.slow
def test_with_card_and_a_full_ring_cuts_take_nothing_that_was_committed(may_cut: None) -> None:
    """Deflated, nobody reading along, room made in lots, heartbeats that wait; the disk as a Raspberry Pi mounts it."""
    plan = PowercutsPlan(cuts=2, seed=1, start_limit_ms=60_000, profile="card", full=True)
    result = alone(lambda: measure(plan, print))
    assert result["failed"] == []
    assert (result["lost"], result["duplicates"], result["wrong"]) == (0, 0, 0)
    assert result["readings_stored"] > 0


@pytest.mark.slow
def test_a_few_cuts_lose_nothing_and_store_nothing_twice(may_cut: None) -> None:
    """Within a commit, a start and an ack. How long the starts take is the bench's business."""
    plan = PowercutsPlan(cuts=3, seed=253, start_limit_ms=60_000)
    result = alone(lambda: measure(plan, print))
    assert result["failed"] == []
    assert (result["lost"], result["duplicates"], result["wrong"]) == (0, 0, 0)
    assert result["readings_stored"] > 0
    assert result["starts"] == 4
