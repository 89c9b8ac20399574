"""Databases for the commands, and what starts these quickly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.bench.parts import Influxd
from tests.cli import commands
from tests.cli.warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """One for all modules of this folder that a worker gets."""
    with Warm() as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def quick(warm: Warm) -> Iterator[None]:
    """The tests of this folder start some hundred commands; those of others, in the same worker, start each from
    nothing: `ps` shows them."""
    commands.warm = warm
    yield
    commands.warm = None


@pytest.fixture(params=["sqlite", "influxd"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kewang.db"
        return
    with Influxd(tmp_path / "influxd") as part:
        yield f"influx1+{part.url}/kewang"
