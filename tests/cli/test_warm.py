"""What is forked from a warm process is as what is started from nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.warm import Warm


@pytest.mark.parametrize("words", [("--version",), ("edge", "check", "-c", "none.toml"), ("edge", "chek")])
def test_it_says_and_ends_the_same(
    warm: Warm, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    forked = warm.run(words, "", 60)
    program = Path(sys.executable).with_name("kewang")
    own = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert (forked.returncode, forked.stdout, forked.stderr) == (own.returncode, own.stdout, own.stderr)


def test_a_command_that_does_not_end_is_killed_and_the_next_one_is_done(warm: Warm, tmp_path: Path) -> None:
    journal = ("sim", "board", "--journal", str(tmp_path / "journal.db"))
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(journal, "", 0.5)
    assert warm.run(("--version",), "", 60).returncode == 0
