"""The one writer of the broker's files: a change holds, proven on the real broker, or it is undone."""

from pathlib import Path

from provisioning.guard.ports import Issuer, Signal, Wanted
from provisioning.guard.report import Alarm, Report
from provisioning.guard.settings import GuardSettings


class Guard:
    """Keeps the broker's files in `settings.folder` and its own notes in `state` (0700).

    Blocking; from asyncio use `asyncio.to_thread`. One change at a time: a lock in `state` keeps out other processes,
    and other threads wait. `kill -9` at any step is made good by the next `apply`.
    """

    def __init__(self, settings: GuardSettings, issuer: Issuer, signal: Signal, state: Path) -> None:
        raise NotImplementedError

    def apply(self, wanted: Wanted, *, now_ms: int | None = None) -> Report:
        """Bring `wanted` into force, with fresh revocation lists. Never raises for what the broker or its files do.

        Raises AuthorityError when there is nobody to sign (nothing is touched), OSError when `state` can't be used.
        """
        raise NotImplementedError

    def look(self) -> Report | None:
        """Whether somebody else changed the files: heals them by what was proven last. None: all is as it was left."""
        raise NotImplementedError

    def alarms(self) -> list[Alarm]:
        """What stands, the oldest first. Reads a file; for other processes as well."""
        raise NotImplementedError
