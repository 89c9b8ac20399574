"""Fixtures of the contract suites."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outbox_places import InMemory, OnDisk, Place


@pytest.fixture(params=[InMemory, OnDisk])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place: Place = request.param(tmp_path)
    yield place
    place.close()
