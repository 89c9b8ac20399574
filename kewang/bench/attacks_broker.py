"""The broker half of `kewang bench attacks`: the shipped configuration on loopback, every attempt with its control."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kewang.bench import attacks_certificates, attacks_files, attacks_load, attacks_topics
from kewang.bench.attacks_load import Yard
from kewang.bench.attacks_rows import Attack, Row, Stage
from kewang.bench.guard import Guard as Undertaker
from kewang.bench.line import prepare
from kewang.bench.process import free_port, wait_for
from kewang.bench.provisioned import HOST, Haproxy, ProvisionedBroker, SecuredGateway
from kewang.bench.stored import SqliteDatabase
from provisioning.guard.settings import ProxySettings

__all__ = ["PARTS", "Context", "Row", "attacks", "rows", "standing"]

PARTS = ("mosquitto", "haproxy", "sqlite")
Context = Yard
_READY_S = 60.0


@contextmanager
def standing(folder: Path, undertaker: Undertaker | None = None) -> Iterator[Context]:
    """Broker, guard, HAProxy, gateway and database in `folder`. Raises MissingPart, PartFailed, TimeoutError."""
    broker = ProvisionedBroker(folder / "broker", max_devices=200)
    proxy_settings = ProxySettings(host=HOST, port=free_port())
    proxy = Haproxy(folder / "haproxy", proxy_settings, broker.settings.devices, broker.settings.max_devices)
    database = SqliteDatabase(folder / "kewang.db")
    gateway = SecuredGateway(folder / "gateway", broker.as_service("gateway"), f"sqlite:///{database.file}")
    for part in (broker.part, proxy, gateway):
        part.guard = undertaker
    with ExitStack() as running:
        running.enter_context(broker)
        running.enter_context(proxy)
        prepare(gateway.store_url)
        running.enter_context(gateway)
        wait_for(lambda: gateway.get("/ready") is not None, _READY_S)
        yield Context(Stage.set(broker), proxy, gateway, database)


def attacks(context: Context) -> list[Attack]:
    """All of them, not run yet. Those that spoil the broker's files come last."""
    stage = context.stage
    return [
        *attacks_topics.attacks(stage),
        *attacks_load.attacks(context),
        *attacks_certificates.attacks(stage),
        *attacks_files.attacks(stage),
    ]


def rows(context: Context, say: Callable[[str], None] = lambda text: None) -> list[Row]:
    """What became of every attempt. They run one after the other, for most look at what arrives."""
    done = []
    for attack in attacks(context):
        say(f"{attack.threat} {attack.name}")
        done.append(attack.run())
    return done
