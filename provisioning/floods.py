"""Quarantines a device that floods: the gateway sees it and drops it, the guard then keeps it out of the broker."""

import asyncio
import logging
from typing import Final

from kewang.runtime.backoff import Backoff
from kewang.runtime.program import wait_or
from provisioning.acts import devices
from provisioning.gateway_api import Flood, GatewayApi, GatewayAway
from provisioning.inventory import Actor, Inventory
from provisioning.refusals import Refused

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
_ACTOR: Final = Actor.system("floods")


async def keep_quarantining(
    inventory: Inventory,
    gateway: GatewayApi,
    stopping: asyncio.Event,
    *,
    poll_s: float = POLL_S,
) -> None:
    """Ask the gateway who floods, every `poll_s`, and quarantine who does, until `stopping`."""
    backoff = Backoff("asking the gateway who floods", log, longest_s=30)
    while not await wait_or(stopping, poll_s):
        try:
            floods = await gateway.floods()
        except GatewayAway as error:
            await backoff.failed(error)
            continue
        backoff.succeeded()
        for flood in floods:
            await asyncio.to_thread(_quarantine, inventory, flood)


def _quarantine(inventory: Inventory, flood: Flood) -> None:
    """Unless it is refused already, or not ours."""
    try:
        with inventory.writing(_ACTOR) as work:
            devices.quarantine(work, flood.device, f"flood: {flood.dropped} messages dropped by the gateway")
    except Refused as refused:
        log.info("flood of %s: %s", flood.device, refused)
    else:
        log.warning("%s floods and is in quarantine: look at the box, then release it", flood.device)
