"""The broker half of the attacks: all are refused, and a broker that is open is found out.

Those on its files take minutes: `kewang bench attacks` has them, tests/provisioning/guard the writer's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.bench import attacks_certificates, attacks_load, attacks_topics
from kewang.bench.attacks_broker import Context, standing
from kewang.bench.attacks_rows import Attack, Stage
from kewang.bench.provisioned import ProvisionedBroker
from provisioning.guard import conf
from provisioning.guard.client import Refused

# paho leaves connections that were refused, and a pair of sockets of its own, to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <s:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with standing(tmp_path_factory.mktemp("attacks")) as running:
        yield running


def all_fail(attacks: list[Attack]) -> None:
    rows = [attack.run() for attack in attacks]
    assert [row for row in rows if not row.refused or row.control_passed is False] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_topics(context: Context) -> None:
    all_fail(attacks_topics.attacks(context.stage))


@pytest.mark.slow
def test_certificates(context: Context) -> None:
    all_fail(attacks_certificates.attacks(context.stage))


@pytest.mark.slow
def test_load(context: Context) -> None:
    all_fail(attacks_load.attacks(context))


@pytest.mark.slow
def test_a_broker_without_rules_is_found_out(tmp_path: Path) -> None:
    with ProvisionedBroker(tmp_path / "open") as broker:
        (broker.settings.folder / conf.DEVICES_ACL).write_text("pattern write kewang/1/+/%u/s\ntopic half a li")
        broker.signal.reload()
        stage = Stage.set(broker)
        rows = [attack.run() for attack in attacks_topics.attacks(stage)]
    succeeded = {row.name for row in rows if not row.refused}
    assert {"publishes on another box's s", "forges a to another box", "subscribes to #"} <= succeeded


def test_an_attempt_that_breaks_is_no_refusal() -> None:
    def broken() -> bool:
        raise OSError("no such file")

    def refused() -> bool:
        raise Refused("no")

    assert not Attack("T0", "broken", broken, None).run().refused
    row = Attack("T0", "refused", refused, refused).run()
    assert row.refused
    assert row.control_passed is False
