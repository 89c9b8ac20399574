"""Databases for the commands, and what starts these quickly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.bench.parts import Influxd
from tests.cli import commands
from tests.cli.warm import Warm


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[Warm]:
    """The tests of this folder start some hundred commands; those of others start each from nothing."""
    with Warm() as commands.warm:
        yield commands.warm
    commands.warm = None


@pytest.fixture(params=["sqlite", "influxd"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kewang.db"
        return
    with Influxd(tmp_path / "influxd") as part:
        yield f"influx1+{part.url}/kewang"
