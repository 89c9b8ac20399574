"""One short story of harm on each store, and two spoilt gateways that must be found out."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT_S = 500.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the agents' sockets have little room for theirs."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def chaos(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and result of `kewang bench chaos` with its files in `folder`, where nothing may be left."""
    command = [sys.executable, "-m", "kewang", "bench", "chaos", "--seconds-per-seed", "9", "--json", *words]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert not list(folder.iterdir()), result["failed"]
    return done.returncode, result


@pytest.mark.slow
@pytest.mark.parametrize(("store", "seed"), [("sqlite", "6"), ("influxd", "56")])
def test_nothing_is_missing_after_a_short_story(folder: Path, store: str, seed: str) -> None:
    code, result = chaos(folder, "--seeds", "2", "--seed", seed, "--store", store)
    assert result["failed"] == []
    assert (code, result["ok"], result["seeds_ok"]) == (0, True, 2)
    assert (result["lost"], result["duplicates"], result["wrong"], result["in_outbox"]) == (0, 0, 0, 0)
    assert result["ledger_balanced"]
    assert all(result["kills"].values())
    assert result["readings_stored"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sabotage", "store", "seed", "figure"),
    [("early-ack", "sqlite", "7", "lost"), ("tag", "influxd", "6", "duplicates")],
)
def test_a_spoilt_gateway_is_found_out(folder: Path, sabotage: str, store: str, seed: str, figure: str) -> None:
    code, result = chaos(folder, "--seeds", "1", "--seed", seed, "--store", store, "--sabotage", sabotage)
    assert result[figure] > 0
    assert (code, result["ok"]) == (1, False)
