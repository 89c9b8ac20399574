"""The guard's loops in `kewang provision serve`."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kewang.runtime.backoff import Backoff
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.program import wait_or
from kewang.runtime.settings import SettingsError
from kewang.wire.placement import Placement
from provisioning.authority import AuthorityError
from provisioning.guard import leftovers
from provisioning.guard.guard import Guard
from provisioning.guard.ports import Wanted
from provisioning.placements import publish_once

log = logging.getLogger(__name__)

_FOR_GOOD: Final = ("revoked", "retired")
_CLIENT: Final = "provisioning-guard"
_DIGESTS_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """What `keep_guarded` works with. `wanted` and `placements` are asked in a thread."""

    wanted: Callable[[], Wanted]
    placements: Callable[[], Mapping[str, Placement]]
    broker: BrokerSettings
    """As the service `provisioning`: to publish placements of refused boxes, and to clear what they left."""
    poll_s: float = 0.25
    """How often the inventory is asked whom it refuses: a revocation, by whichever process, waits for no longer."""
    look_s: float = 0.5
    reload_s: float = 3600.0
    """Each time certificates are renewed, the lists signed anew and everything proven: old TLS tickets end there."""
    longest_wait_s: float = 60.0
    """Longest wait after something failed."""


async def keep_guarded(guard: Guard, keeping: Keeping, stopping: asyncio.Event) -> None:
    """Keep the broker as the inventory wants it until `stopping`."""
    keeper = _Keeper(guard, keeping)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keeper.rules(stopping), name="guard-rules")
        tasks.create_task(keeper.files(stopping), name="guard-files")
        tasks.create_task(keeper.told(stopping), name="guard-told")


class _Keeper:
    def __init__(self, guard: Guard, keeping: Keeping) -> None:
        self._guard, self._keeping = guard, keeping
        self._altered = asyncio.Event()
        """Files in use are not those that were proven: all is to be done anew."""
        self._applied: Wanted | None = None
        self._due_s = 0.0
        self._wanted = Wanted()
        self._told: dict[str, str] = {}
        """Refused boxes of which the gateway has been told, and why they are refused."""
        self._cleared: set[str] = set()
        """Refused boxes that have nothing left in the broker."""
        self._tell = asyncio.Event()
        self._backoff = Backoff("guarding the broker", log, first_s=1.0, longest_s=keeping.longest_wait_s)

    async def rules(self, stopping: asyncio.Event) -> None:
        """Bring every change of what is wanted into force, and all of it anew each hour."""
        while not stopping.is_set():
            self._altered.clear()
            try:
                await self._apply_what_changed()
            except (AuthorityError, OSError, SettingsError) as error:
                await self._failed(error, stopping)
            await _either(self._altered, stopping, self._keeping.poll_s)

    async def files(self, stopping: asyncio.Event) -> None:
        """Look after the files that are in use, and how long the lists hold."""
        backoff = Backoff("looking after the broker's files", log, first_s=1.0, longest_s=10.0)
        digests_s = time.monotonic() + _DIGESTS_S
        while not await wait_or(stopping, self._keeping.look_s):
            whole = time.monotonic() > digests_s
            digests_s = time.monotonic() + _DIGESTS_S if whole else digests_s
            try:
                report = await asyncio.to_thread(self._guard.heal if whole else self._guard.look)
                await asyncio.to_thread(self._guard.watch_dates, _now_ms())
                backoff.succeeded()
            except OSError as error:
                await backoff.failed(error)
                continue
            if report and report.outcome != "healed":
                self._applied = None
                self._altered.set()

    async def told(self, stopping: asyncio.Event) -> None:
        """Tell the gateway of refused boxes by their placement, and clear what they left."""
        backoff = Backoff("telling of refused boxes", log, first_s=0.5, longest_s=self._keeping.longest_wait_s)
        while not stopping.is_set():
            await _either(self._tell, stopping, self._keeping.poll_s)
            self._tell.clear()
            try:
                await self._tell_of_refused()
                backoff.succeeded()
            except (OSError, SettingsError) as error:
                self._guard.memory.alarm("leftovers", str(error))
                await _first(backoff.failed(error), stopping.wait())

    async def _apply_what_changed(self) -> None:
        self._wanted = await asyncio.to_thread(self._keeping.wanted)
        due = time.monotonic() >= self._due_s
        if self._wanted == self._applied and not due:
            return
        self._tell.set()
        await asyncio.sleep(0)
        if due:
            await asyncio.to_thread(self._guard.renew, _now_ms())
        report = await asyncio.to_thread(self._guard.apply, self._wanted)
        if not report.ok:
            raise OSError(f"{report.outcome}: {'; '.join(report.problems)}")
        self._backoff.succeeded()
        self._applied = self._wanted
        self._tell.set()
        self._due_s = time.monotonic() + self._keeping.reload_s if due else self._due_s

    async def _failed(self, error: Exception, stopping: asyncio.Event) -> None:
        """Wait; tickets end even while nobody can sign."""
        if isinstance(error, AuthorityError) and time.monotonic() >= self._due_s:
            await asyncio.to_thread(self._guard.reload)
            self._due_s = time.monotonic() + self._keeping.reload_s
        await _first(self._backoff.failed(error), stopping.wait())

    async def _tell_of_refused(self) -> None:
        """First the placements, at once; what was left is cleared when the box can't leave anything more."""
        denied, refused = dict(self._wanted.denied), dict(self._applied.denied if self._applied else {})
        self._told = {device: why for device, why in self._told.items() if device in denied}
        self._cleared &= {device for device, why in denied.items() if why in _FOR_GOOD}
        if new := {device: why for device, why in denied.items() if self._told.get(device) != why}:
            placements = await asyncio.to_thread(self._keeping.placements)
            known = {device: placements[device] for device in new if device in placements}
            await publish_once(self._keeping.broker, known, client_id=_CLIENT)
            self._told |= new
        if left := [device for device, why in refused.items() if why in _FOR_GOOD and device not in self._cleared]:
            await leftovers.clear(self._keeping.broker, left)
            self._cleared.update(left)
        self._guard.memory.clear("leftovers")


async def _either(event: asyncio.Event, stopping: asyncio.Event, limit_s: float | None = None) -> None:
    """Until one of both is set, at most `limit_s`."""
    await _first(event.wait(), stopping.wait(), limit_s)


async def _first(
    one: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object], limit_s: float | None = None
) -> None:
    """Until one of both ends, at most `limit_s`; the other is given up."""
    waits = [asyncio.create_task(each, name="guard-wait") for each in (one, other)]
    await asyncio.wait(waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
