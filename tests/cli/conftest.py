"""Databases for the commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.bench.parts import Influxd


@pytest.fixture(params=["sqlite", "influxd"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kewang.db"
        return
    with Influxd(tmp_path / "influxd") as part:
        yield f"influx1+{part.url}/kewang"
