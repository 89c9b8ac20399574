"""What runs out by itself: spans of maintenance nobody ended, pictures after their days, answers kept for phones."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from kewang.runtime.backoff import Backoff
from kewang.runtime.program import wait_or
from provisioning.acts import maintenance, once, sessions, visits
from provisioning.authority import Authority, AuthorityError
from provisioning.inventory import Actor, Inventory
from provisioning.inventory.verify import export_head
from provisioning.refusals import Refused

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0
ANSWERS_DAYS: Final = 30
"""A phone that was without a way for longer than this asks anew."""
_DAY_MS: Final = 86_400_000
_ACTOR: Final = Actor.system("upkeep")


async def keep_tidy(
    inventory: Inventory,
    authority: Authority,
    stopping: asyncio.Event,
    *,
    renews: bool,
    then: Callable[[], None] = lambda: None,
    every_s: float = EVERY_S,
) -> None:
    """Tidy every `every_s` until `stopping`. `renews`: our own certificates too, where no guard does. `then`: what
    follows from renewed ones; may raise OSError."""
    backoff = Backoff("tidying the inventory", log, longest_s=300)
    told: dict[str, int] = {}
    while not await wait_or(stopping, every_s):
        try:
            await asyncio.to_thread(tidy, inventory)
            if renews:
                await asyncio.to_thread(authority.renew_services, inventory.clock_ms())
            await asyncio.to_thread(then)
            await asyncio.to_thread(tell_expiring, authority, inventory.clock_ms(), told)
        except (AuthorityError, Refused, OSError) as error:
            await backoff.failed(error)
        else:
            backoff.succeeded()


def tidy(inventory: Inventory) -> None:
    """End what is over and forget what is old. Raises Refused, OSError."""
    with inventory.writing(_ACTOR) as work:
        for device in maintenance.end_overdue(work):
            log.info("maintenance of %s ended by itself", device)
        once.forget_old(work, work.now_ms - ANSWERS_DAYS * _DAY_MS)
        sessions.forget_old(work)
        visits.drop_expired_photos(work)
    export_head(inventory, inventory.folder / "audit")


def tell_expiring(authority: Authority, now_ms: int, told: dict[str, int]) -> list[str]:
    """Log, once a day each, what is due and what nobody but a person renews, or what should have renewed itself a day
    ago. `told`: name -> Unix ms it was told last. The names told now."""
    now = []
    for each in authority.expiring(now_ms):
        late_ms = each.due_ms + (_DAY_MS if each.by_itself else 0)
        if now_ms >= late_ms and now_ms - told.get(each.name, -_DAY_MS) >= _DAY_MS:
            told[each.name] = now_ms
            now.append(each.name)
            days = (each.not_after_ms - now_ms) / _DAY_MS
            log.warning("%s (%s) ends in %.1f days: renew it, see the administrator's page", each.name, each.sort, days)
    return now
