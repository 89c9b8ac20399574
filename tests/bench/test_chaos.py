"""A story is fixed by its seed, kills every part and never asks the impossible; links and disks fail as they should."""

import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kewang.bench.acts import REBUILDS, TRAITS, Act, Cast, Kind, schedule
from kewang.bench.chaos import PARTS, ChaosOptions, story
from kewang.bench.disk import SmallDisk
from kewang.bench.havoc import backup_times
from kewang.bench.link import Line, Links

LIMIT_S = 60.0
SEEDS = st.integers(0, 10_000)


def acts_of(seed: int) -> tuple[list[Act], Cast]:
    options = ChaosOptions()
    cast = story(seed, options)[1]
    return schedule(seed, options.seconds_per_seed, cast), cast


@given(SEEDS)
def test_a_seed_is_one_story(seed: int) -> None:
    assert acts_of(seed) == acts_of(seed)


@given(SEEDS)
def test_every_part_is_killed_in_every_story(seed: int) -> None:
    acts, _ = acts_of(seed)
    assert {TRAITS[act.kind].kills for act in acts} >= set(PARTS)


@given(SEEDS)
def test_nobody_suffers_two_things_at_once(seed: int) -> None:
    busy: list[tuple[str, float, float]] = []
    for act in acts_of(seed)[0]:
        for who in ("store", "gateway") if act.kind is Kind.STORE_RESTORE else (act.target,):
            assert all(who != other or act.at_s >= end_s for other, _, end_s in busy)
            busy.append((who, act.at_s, act.at_s + act.length_s))


@given(SEEDS)
def test_a_disk_that_fills_up_and_a_lost_database_never_meet(seed: int) -> None:
    acts, cast = acts_of(seed)
    kinds = {act.kind for act in acts}
    assert (Kind.DISK_FULL in kinds) == (cast.small_disk is not None)
    assert bool(kinds & REBUILDS) == cast.rebuilds
    assert cast.rebuilds != (cast.small_disk is not None)


@given(SEEDS)
def test_a_backup_is_made_before_it_is_restored_and_while_the_database_is_well(seed: int) -> None:
    acts, _ = acts_of(seed)
    store = [act for act in acts if act.target == "store"]
    restores = [act.at_s for act in store if act.kind is Kind.STORE_RESTORE]
    for at_s in backup_times(acts):
        assert at_s < restores[0]
        assert not [act for act in store if act.at_s <= at_s < act.at_s + act.length_s]
    assert bool(backup_times(acts)) == bool(restores)


def test_with_several_processes_one_is_killed_and_else_the_story_is_as_it_was() -> None:
    several = story(3, ChaosOptions(processes=2))[1]
    assert several.processes == 2
    assert Kind.INGEST_KILL in {act.kind for act in schedule(3, 20.0, several)}
    assert Kind.INGEST_KILL not in {act.kind for act in acts_of(3)[0]}


def test_twenty_stories_have_everything() -> None:
    kinds = Counter(act.kind for seed in range(1, 21) for act in acts_of(seed)[0])
    assert set(kinds) == set(Kind) - {Kind.INGEST_KILL}
    assert any(act.exact for seed in range(1, 21) for act in acts_of(seed)[0] if act.kind is Kind.STORE_RESTORE)
    clocks = {device.clock for seed in range(1, 21) for device in story(seed, ChaosOptions())[0].devices}
    assert clocks == {"trusted", "untrusted"}


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything back."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=_serve, args=(listening,))
        serving.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        serving.join()


def _serve(listening: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_say_back, args=(connection,), daemon=True).start()


def _say_back(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(4096):
            connection.sendall(data)


class TestLink:
    @pytest.fixture
    def links(self, echo: int) -> Iterator[Links]:
        links = Links(["pasar-1"], echo)
        yield links
        links.close()

    def test_up_it_carries_both_ways(self, links: Links) -> None:
        with socket.create_connection(("127.0.0.1", links.port("pasar-1")), LIMIT_S) as line:
            line.sendall(b"hello")
            assert line.recv(100) == b"hello"

    def test_half_open_nothing_passes_and_nobody_is_told(self, links: Links) -> None:
        with socket.create_connection(("127.0.0.1", links.port("pasar-1")), LIMIT_S) as line:
            line.sendall(b"one")
            assert line.recv(100) == b"one"
            links.switch("pasar-1", Line.HALF_OPEN)
            line.sendall(b"two")
            line.settimeout(0.2)
            with pytest.raises(TimeoutError):
                line.recv(100)
            line.settimeout(LIMIT_S)
            links.switch("pasar-1", Line.UP)
            assert line.recv(100) == b"two"

    @pytest.mark.parametrize("before", [Line.UP, Line.HALF_OPEN])
    def test_cut_it_ends_what_it_carried_and_takes_nothing_new(self, links: Links, before: Line) -> None:
        with socket.create_connection(("127.0.0.1", links.port("pasar-1")), LIMIT_S) as line:
            line.sendall(b"one")
            assert line.recv(100) == b"one"
            links.switch("pasar-1", before)
            links.switch("pasar-1", Line.CUT)
            assert ended(line)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", links.port("pasar-1")), LIMIT_S)
        links.switch("pasar-1", Line.UP)
        with socket.create_connection(("127.0.0.1", links.port("pasar-1")), LIMIT_S) as again:
            again.sendall(b"two")
            assert again.recv(100) == b"two"


def ended(line: socket.socket) -> bool:
    try:
        return line.recv(100) == b""
    except ConnectionResetError:
        return True


WRITER = """
import sys
for number, line in enumerate(sys.stdin):
    try:
        with open(sys.argv[1] + str(number), "wb", buffering=0) as file:
            print(file.write(bytes(100_000)) == 100_000, flush=True)
    except OSError:
        print(False, flush=True)
"""


@pytest.mark.parametrize("mount", [True, False])
def test_a_full_disk_takes_nothing_and_a_freed_one_does(tmp_path: Path, mount: bool) -> None:
    disk = SmallDisk(tmp_path, mount=mount)
    command = [sys.executable, "-c", WRITER, str(tmp_path / "reading")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as writer:
        assert writer.stdin
        assert writer.stdout
        for change, takes in ((None, "True\n"), (disk.fill, "False\n"), (disk.free, "True\n")):
            if change:
                change(writer.pid)
            writer.stdin.write("try\n")
            assert writer.stdout.readline() == takes
        writer.stdin.close()
    disk.close()
    assert not tmp_path.is_mount()
