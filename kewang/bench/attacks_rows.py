"""One attempt against the broker: it must be refused, and the same act with right credentials must succeed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kewang.bench.provisioned import Identity, ProvisionedBroker
from kewang.wire import topics
from provisioning.guard.client import Client, Refused

A = "amb-box-attack"
B = "amb-box-victim"
FENCE_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """What became of an attempt. `control_passed`: None where the threat knows no right way to do it."""

    threat: str
    name: str
    refused: bool
    control_passed: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attempt: `attempt` is True when it succeeded, which must not be; `control` is True when the right act did."""

    threat: str
    name: str
    attempt: Callable[[], bool]
    control: Callable[[], bool] | None

    def run(self) -> Row:
        """Both. An attempt that ends in Refused is refused; anything else unexpected is told and counts as success."""
        try:
            succeeded, detail = self.attempt(), ""
        except Refused as error:
            succeeded, detail = False, str(error)
        except (OSError, TimeoutError, ValueError) as error:
            succeeded, detail = True, f"attempt: {type(error).__name__}: {error}"
        passed: bool | None = None
        if self.control:
            try:
                passed = self.control()
            except (Refused, OSError, TimeoutError, ValueError) as error:
                passed, detail = False, f"{detail} control: {type(error).__name__}: {error}".strip()
        return Row(self.threat, self.name, not succeeded, passed, detail)


@dataclass(frozen=True, slots=True)
class Stage:
    """The broker, a box that attacks and a box that is attacked, both with good certificates."""

    broker: ProvisionedBroker
    a: Identity
    b: Identity

    @classmethod
    def set(cls, broker: ProvisionedBroker) -> Stage:
        """Enrol both."""
        return cls(broker, broker.enrol(A), broker.enrol(B))

    def own(self, identity: Identity, channel: str = topics.STATE) -> str:
        """A topic of a box."""
        return topics.build(identity.name, channel)

    def hears(self, filters: Sequence[str], act: Callable[[], object]) -> list[tuple[str, bytes]]:
        """What the gateway hears on `filters` while `act` is done: certain, for a later message closes it."""
        with self.broker.service("gateway", "gateway-ear") as ear:
            ear.subscribe(*filters, self.own(self.b, topics.RESULT))
            ear.received.clear()
            with suppress(Refused):
                act()
            with self.broker.box(self.b, client_id=B) as box:
                box.publish(self.own(self.b, topics.RESULT), b"fence")
            fence = (self.own(self.b, topics.RESULT), b"fence")
            ear.wait(lambda: fence in ear.received, FENCE_LIMIT_S)
            return [each for each in ear.received if each != fence]

    def hears_box(self, client: Client, act: Callable[[], object]) -> list[tuple[str, bytes]]:
        """What a box hears while `act` is done; a message on its own `x` closes it."""
        fence = (self.own(self.a, topics.COMMAND), b"fence")
        client.subscribe(fence[0])
        with suppress(Refused):
            act()
        with self.broker.service("provisioning", "provisioning-fence") as provisioning:
            provisioning.publish(*fence)
        client.wait(lambda: fence in client.received, FENCE_LIMIT_S)
        return [each for each in client.received if each != fence]
