"""The guard's loops in `kewang provision serve`."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kewang.runtime.broker import BrokerSettings
from kewang.wire.placement import Placement
from provisioning.guard.guard import Guard
from provisioning.guard.ports import Wanted


@dataclass(frozen=True, slots=True)
class Keeping:
    """What `keep_guarded` works with. `wanted` and `placements` are asked in a thread, once a second at least."""

    wanted: Callable[[], Wanted]
    placements: Callable[[], Mapping[str, Placement]]
    broker: BrokerSettings
    """As the service `provisioning`: to publish placements of refused boxes, and to clear what they left."""
    poll_s: float = 1.0
    look_s: float = 0.5
    reload_s: float = 3600.0
    sign_s: float = 86400.0


async def keep_guarded(guard: Guard, keeping: Keeping, changed: asyncio.Event, stopping: asyncio.Event) -> None:
    """Keep the broker as the inventory wants it until `stopping`.

    Set `changed` after an act that refuses a box (from another thread: `loop.call_soon_threadsafe(changed.set)`): it is
    done at once. Without it, it is noticed within `poll_s`.
    """
    raise NotImplementedError
