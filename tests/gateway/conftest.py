"""What several tests of the pages need."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.influx1_sink import Influx1Store
from gateway.ports import Lives, Store
from gateway.sqlite_sink import SqliteStore
from tests.fakes import MemoryStore


@pytest.fixture(params=["memory", "sqlite", "influxd"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store that the gateway writes into and the pages are made from: the test is run with each."""
    made: Store
    if request.param == "influxd":
        made = Influx1Store(request.getfixturevalue("influxd").url, "kota")
    else:
        made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "kewang.db")
    await made.prepare(Lives(14))
    yield made
    await made.close()
