"""Fixtures over the real parts of `kewang.bench.parts`: each starts on free ports and is stopped after the test.

A missing program is a failure that names `make parts`, never a skip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kewang.bench.parts import Amqtt, Broker, Influxd, Mosquitto, Nats
from kewang.bench.process import Part

BROKERS: tuple[type[Broker], ...] = (Mosquitto, Amqtt, Nats)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[Part], Part]]:
    """`running(part)` starts a part for the rest of the test, for those with options of their own."""
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    with Nats(tmp_path / "nats") as broker:
        yield broker


@pytest.fixture
def amqtt(tmp_path: Path) -> Iterator[Amqtt]:
    with Amqtt(tmp_path / "amqtt") as broker:
        yield broker


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    with Influxd(tmp_path / "influxd") as database:
        yield database


@pytest.fixture(params=BROKERS, ids=lambda kind: str(kind.name))
def any_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Each broker in turn: what runs on this fixture runs on all of them."""
    kind: type[Broker] = request.param
    with kind(tmp_path / kind.name) as broker:
        yield broker
