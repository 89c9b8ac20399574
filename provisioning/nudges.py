"""Tells a box to ask the office now when something is wanted of it: other sources, or a visit that began or ended.

A box asks once an hour by itself. A technician who checks an installed camera waits for its picture, not for the hour.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select

from kewang.runtime.backoff import Backoff
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.program import wait_or
from provisioning.commands import new_command, send
from provisioning.inventory import Device, Inventory, Maintenance
from provisioning.refusals import Refused

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
ASK: Final = "ask_office"
PART: Final = "enrolment"
"""The command's name, and the part of the box that takes it (edge/upkeep.py)."""
WAIT_S: Final = 30.0
AT_ONCE: Final = 8
"""So many boxes are told at one time; after an import of a whole city the others wait their turn."""

Wish = tuple[int, int | None]
"""Version of the configuration, and the span of maintenance that is open."""


async def keep_nudging(
    inventory: Inventory, broker: BrokerSettings, stopping: asyncio.Event, *, poll_s: float = POLL_S
) -> None:
    """Look every `poll_s` and tell the boxes of which something new is wanted, until `stopping`.

    What changed while this did not run is told by nobody: the box asks within the hour.
    """
    backoff = Backoff("looking who has to ask the office", log, longest_s=30)
    known: Mapping[str, Wish] | None = None
    places = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as telling:
        tasks = set[asyncio.Task[None]]()
        while not await wait_or(stopping, poll_s):
            try:
                now = await asyncio.to_thread(wishes, inventory)
            except Refused as error:
                await backoff.failed(error)
                continue
            backoff.succeeded()
            for device in changed(known, now):
                task = telling.create_task(_tell(broker, device, places), name=f"nudge {device}")
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            known = now
        for task in tasks:
            task.cancel()


def wishes(inventory: Inventory) -> dict[str, Wish]:
    """What is wanted of each box that has a certificate. Raises Refused."""
    with inventory.reading() as rows:
        spans = select(Maintenance.device, Maintenance.id).where(Maintenance.to_ms.is_(None))
        open_spans = {span.device: span.id for span in rows.execute(spans)}
        boxes = select(Device.id, Device.config_ms).where(Device.state.in_(("active", "installed")))
        return {device: (version, open_spans.get(device)) for device, version in rows.execute(boxes)}


def changed(known: Mapping[str, Wish] | None, now: Mapping[str, Wish]) -> list[str]:
    """Boxes of which something else is wanted than before; one that is new here has just asked by itself."""
    return [] if known is None else [each for each, wish in now.items() if known.get(each, wish) != wish]


async def _tell(broker: BrokerSettings, device: str, places: asyncio.Semaphore) -> None:
    async with places:
        try:
            answer = await send(broker, device, new_command(ASK, {"source": PART}, WAIT_S), wait_s=WAIT_S)
        except OSError as error:
            log.info("%s was not told to ask: %s", device, error)
        else:
            log.info("%s, told to ask the office: %s", device, answer.text if answer else "no answer, it asks later")
