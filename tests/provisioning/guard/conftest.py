"""The real guard before a real Mosquitto, with an authority of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.bench.provisioned import ProvisionedBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ProvisionedBroker]:
    with ProvisionedBroker(tmp_path / "city") as running:
        yield running
