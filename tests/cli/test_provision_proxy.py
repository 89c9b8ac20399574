"""`kewang provision proxy`, as a process beside the real HAProxy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kewang.bench.process import find_program
from tests.cli.commands import kewang, told


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """HAProxy, wherever `make parts` put it."""
    monkeypatch.setenv("PATH", f"{find_program('haproxy').parent}{os.pathsep}{os.environ['PATH']}")


def settings(folder: Path, proxy: str) -> str:
    config = folder / "provision.toml"
    config.write_text(f'[guard.devices]\nhost = "127.0.0.1"\nport = 18883\n{proxy}')
    return str(config)


def test_the_file_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    config = settings(tmp_path, f'[guard.proxy]\nfile = "{file}"\nport = 18993\n')
    for changed in (True, False):
        done = kewang("provision", "proxy", "--config", config, "--json")
        assert (done.returncode, told(done)["changed"]) == (0, changed)
    assert "bind *:18993" in file.read_text()


def test_what_can_not_be_written_says_why(tmp_path: Path) -> None:
    bad = settings(tmp_path, f'[guard.proxy]\nfile = "{tmp_path}/haproxy.cfg"\nhost = "no such host"\n')
    done = kewang("provision", "proxy", "--config", bad)
    assert (done.returncode, "HAProxy refuses its file" in done.stderr) == (3, True)
    assert not (tmp_path / "haproxy.cfg").exists()
    without = kewang("provision", "proxy", "--config", settings(tmp_path, ""))
    assert (without.returncode, "[guard.proxy]" in without.stderr) == (2, True)
