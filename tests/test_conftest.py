"""The guard of conftest.py fails a test that leaves something behind, and lets a clean one pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import sharing

CHECKOUT = Path(__file__).resolve().parents[1]

LEAVES_A_TASK = """
import asyncio
kept = []
async def test_it():
    kept.append(asyncio.create_task(asyncio.Event().wait(), name="forgotten task"))
"""
LEAVES_A_PROCESS = """
import subprocess, sys
kept = []
def test_it():
    kept.append(subprocess.Popen([sys.executable, "-c", "input()", "forgotten process"], stdin=subprocess.PIPE))
"""
LEAVES_A_PROCESS_OF_A_PROCESS = """
import subprocess, sys
forks = "import subprocess, sys; input(); subprocess.Popen(['sleep', '60', '.0']); print(flush=True); input()"
kept = subprocess.Popen([sys.executable, "-c", forks], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def test_it():
    kept.stdin.write(b"\\n")
    kept.stdin.flush()
    kept.stdout.readline()
"""
WARNS = """
import warnings
def test_it():
    warnings.warn("something is deprecated", DeprecationWarning)
"""
CLEAN = """
import asyncio, subprocess, sys
async def test_it():
    await asyncio.create_task(asyncio.sleep(0))
    subprocess.run([sys.executable, "-c", ""], check=True)
"""


def outcome_of(test: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one test file with this checkout's configuration and conftest."""
    path = folder / "test_it.py"
    path.write_text(test)
    options = [
        "-c",
        str(CHECKOUT / "pyproject.toml"),
        "--rootdir",
        str(folder),
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *words, path],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.parametrize(
    ("test", "complaint"),
    [
        (LEAVES_A_TASK, "forgotten task"),
        (LEAVES_A_PROCESS, "forgotten process"),
        (LEAVES_A_PROCESS_OF_A_PROCESS, "sleep 60 .0"),
        (WARNS, "something is deprecated"),
    ],
    ids=["task", "process", "process of a process", "warning"],
)
def test_what_is_left_behind_is_a_failure(tmp_path: Path, test: str, complaint: str) -> None:
    done = outcome_of(test, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert complaint in done.stdout


def test_a_clean_test_passes(tmp_path: Path) -> None:
    done = outcome_of(CLEAN, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("module", sorted(sharing.TOGETHER))
def test_a_module_that_stays_in_one_piece_does_and_others_do_not(module: str) -> None:
    assert (CHECKOUT / module).is_file()
    assert sharing.scope(f"{module}::test_one[a::b]") == sharing.scope(f"{module}::test_other") == module
    assert sharing.scope("tests/edge/test_agent.py::test_one") == "tests/edge/test_agent.py::test_one"


def test_several_workers_run_every_test_once(tmp_path: Path) -> None:
    done = outcome_of(
        "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n):\n    pass\n", tmp_path, "-n2"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].strip("= ").startswith("9 passed in")
