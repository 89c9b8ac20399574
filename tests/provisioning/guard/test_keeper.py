"""The guard's loops: revocations are found by looking, files of others put right, what a box left is cleared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from kewang.bench.provisioned import ProvisionedBroker, now_ms
from kewang.bench.revoke_inventory import Inventory
from kewang.wire import topics
from kewang.wire.placement import Placement
from provisioning.authority import AuthorityError
from provisioning.guard import Keeping, Wanted, conf, keep_guarded
from provisioning.guard.client import Client, Refused

BOX = "amb-box-one"
LIMIT_S = 30.0


async def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


@asynccontextmanager
async def kept(broker: ProvisionedBroker, inventory: Inventory, **times: float) -> AsyncIterator[None]:
    """The loops run; the first proof is there."""
    first = broker.guard.memory.notes().nonce
    stopping = asyncio.Event()
    keeping = Keeping(inventory.wanted, inventory.placements, broker.as_service("provisioning"), **times)
    loops = asyncio.create_task(keep_guarded(broker.guard, keeping, stopping))
    try:
        await until(lambda: broker.guard.memory.notes().nonce != first)
        yield
    finally:
        stopping.set()
        await loops


def is_in(broker: ProvisionedBroker, box: Client) -> bool:
    try:
        return box.publish(topics.build(BOX, topics.STATE), b"on", retain=True)
    except Refused:
        return False


async def test_a_revocation_reaches_broker_gateway_and_what_was_left(broker: ProvisionedBroker) -> None:
    box, inventory = broker.enrol(BOX), Inventory({BOX: "installed"})
    state, placement = topics.build(BOX, topics.STATE), topics.build(BOX, topics.PLACEMENT)
    with broker.service("gateway") as ear, broker.box(box) as client:
        ear.subscribe(state, placement)
        async with kept(broker, inventory):
            assert await asyncio.to_thread(is_in, broker, client)
            inventory.revoke([box])
            await until(lambda: not is_in(broker, client))
            await asyncio.to_thread(ear.wait, lambda: (state, b"") in ear.received, LIMIT_S)
        lives = [Placement.decode(payload).now.life for topic, payload in ear.received if topic == placement]
        order = [topic for topic, payload in ear.received if payload in (b"",) or topic == placement]
    assert lives == ["revoked"]
    assert order == [placement, state], "the gateway is told before anything is cleared"
    assert not broker.guard.alarms()


async def test_files_of_others_are_put_right_within_ten_seconds(broker: ProvisionedBroker) -> None:
    file = broker.settings.folder / conf.DEVICES_ACL
    async with kept(broker, Inventory(), look_s=0.1):
        whole = file.read_bytes()
        file.write_bytes(b"")
        await until(lambda: file.read_bytes() == whole, 10)
        await until(lambda: {each.code for each in broker.guard.alarms()} == {"altered"}, 10)


async def test_every_hour_all_is_signed_and_read_anew(broker: ProvisionedBroker) -> None:
    async with kept(broker, Inventory(), poll_s=0.05, reload_s=0.1):
        seen = broker.guard.memory.notes().nonce
        await until(lambda: broker.guard.memory.notes().nonce != seen)
        assert not broker.guard.alarms()


async def test_a_signer_that_is_gone_is_told_and_comes_back(broker: ProvisionedBroker) -> None:
    inventory = Inventory({BOX: "installed"})
    box, key = broker.enrol(BOX), broker.authority.folder / "device-ca.key"
    async with kept(broker, inventory, poll_s=0.05):
        key.rename(key.with_suffix(".away"))
        inventory.revoke([box])
        await until(lambda: "signer" in {each.code for each in broker.guard.alarms()}, 10)
        key.with_suffix(".away").rename(key)
        await until(lambda: not broker.guard.alarms())
    with pytest.raises(Refused), broker.box(box):
        pass


async def test_a_broker_that_comes_late_is_kept_from_then_on(broker: ProvisionedBroker) -> None:
    inventory = Inventory({BOX: "installed"})
    box = broker.enrol(BOX)
    async with kept(broker, inventory, poll_s=0.05):
        broker.part.stop()
        inventory.revoke([box])
        await until(lambda: "silent" in {each.code for each in broker.guard.alarms()})
        broker.part.start()
        await until(lambda: not broker.guard.alarms())
    assert broker.guard.memory.notes().kicked == (BOX,)


def test_an_authority_that_is_gone_stops_nothing(broker: ProvisionedBroker) -> None:
    (broker.authority.folder / "broker.pem").rename(broker.authority.folder / "broker.away")
    with pytest.raises((AuthorityError, OSError)):
        broker.guard.apply(Wanted({BOX: "revoked"}))
    assert now_ms() - broker.guard.alarms()[0].since_ms < 10_000
