"""The edge that somebody wrote from the page alone: its readings are stored and acknowledged, also across its death."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kewang.bench.line import Line
from kewang.bench.process import wait_for
from kewang.bench.record import Recorder
from kewang.bench.stored import SqliteDatabase
from kewang.wire.contract.judge import findings
from kewang.wire.topics import everything_of
from tests.docs_examples.pages import EXAMPLES

PROGRAM = EXAMPLES / "own-edge" / "own_edge.py"
DEVICE = "own-edge-1"
LIMIT_S = 60.0


@contextmanager
def stranger(port: int, file: Path) -> Iterator[None]:
    """It runs isolated: what it imports is installed, and nothing of ours is on its path."""
    command = [sys.executable, "-I", str(PROGRAM), "127.0.0.1", str(port), DEVICE, str(file)]
    process = subprocess.Popen(command, cwd=file.parent, stderr=subprocess.PIPE)
    try:
        yield
        assert process.poll() is None, process.communicate()[1].decode()
    finally:
        process.kill()
        process.communicate()


def rows(file: Path, open_: int) -> list[str]:
    """Bodies of its batches, open or acknowledged."""
    if not file.exists():
        return []
    disk = sqlite3.connect(file, timeout=10)
    try:
        return [body for (body,) in disk.execute("SELECT body FROM batch WHERE open = ?", (open_,))]
    except sqlite3.OperationalError:
        return []
    finally:
        disk.close()


def test_its_readings_are_stored_and_acknowledged_also_when_gateway_and_edge_die(tmp_path: Path) -> None:
    file, recorder = tmp_path / "own.db", Recorder({"conversation": DEVICE})
    with Line("sqlite") as line, recorder.listening(line.broker_settings, everything_of(DEVICE)):
        with stranger(line.broker.port, file):
            wait_for(lambda: len(rows(file, 0)) >= 2, LIMIT_S)
            line.gateway.kill9()
            wait_for(lambda: len(rows(file, 1)) >= 2, LIMIT_S)
        waiting = set(rows(file, 1))
        line.gateway.start()
        with stranger(line.broker.port, file):
            wait_for(lambda: waiting <= set(rows(file, 0)), LIMIT_S)
        named = [body for body in rows(file, 0) if '"env-1"' in body.partition('"tl"')[0]]
        stored = SqliteDatabase(line.sqlite_file).count("env", DEVICE)
        assert len(named) <= stored <= len(named) + sum('"env-1"' in body for body in rows(file, 1))
    assert findings(recorder.conversation().text()) == []


def test_it_is_short_and_needs_nothing_but_paho() -> None:
    assert len(PROGRAM.read_text().splitlines()) <= 120
    imported = [line.split()[1] for line in PROGRAM.read_text().splitlines() if line.startswith(("import ", "from "))]
    assert {each.partition(".")[0] for each in imported} <= sys.stdlib_module_names | {"paho"}


def test_without_its_words_it_says_how_it_is_called() -> None:
    told = subprocess.run([sys.executable, "-I", str(PROGRAM)], capture_output=True, text=True, check=False, timeout=30)
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert told.stderr.strip().endswith("own_edge.py HOST PORT DEVICE FILE")
