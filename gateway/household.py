"""The gateway's own house: a disk that fills up, an overdue backup, a certificate near its end, a wrong clock."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from gateway.ports import Clock
from gateway.settings import OwnSettings
from kewang.runtime.certificate import ends_s

log = logging.getLogger(__name__)

LOOK_S: Final = 60.0
STEP_S: Final = 5.0
"""A wall clock that is off by more against the time that has passed was set."""
STEP_TOLD_S: Final = 900.0
UNSYNCHRONISED_S: Final = 900.0
"""A clock without a time service for so long is trouble: after a start it takes some minutes to find one."""
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0


class Household:
    """`folders`: on the disks that must not fill up. `certificate`: with which the broker knows us.

    `troubles`: kind -> in words, None while it is well.
    """

    def __init__(self, settings: OwnSettings, folders: Iterable[Path], certificate: Path | None, clock: Clock) -> None:
        self._settings, self._certificate, self._clock = settings, certificate, clock
        self._full = dict.fromkeys(folders, False)
        self._ahead_ms = clock.wall_ms() - clock.mono_ms()
        self._stepped: tuple[float, float] | None = None
        self._synchronised_s = self._now_s()
        self._failed: set[str] = set()
        self.troubles: Mapping[str, str | None] = {}

    async def run(self) -> None:
        """Look around for ever, in a thread: a disk may hang."""
        while True:
            self.troubles = await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_S)

    def look(self) -> dict[str, str | None]:
        """How it is now."""
        looks: dict[str, Callable[[], str | None]] = {
            "disk": self._disk,
            "backup": self._backup,
            "certificate": self._certificate_ends,
            "clock": self._clock_wrong,
        }
        return {kind: self._found(kind, look) for kind, look in looks.items()}

    def _found(self, kind: str, look: Callable[[], str | None]) -> str | None:
        """What a look finds. One that fails is no trouble that it looks for: the log has it, once."""
        try:
            return look()
        except (OSError, ValueError) as error:
            if kind not in self._failed:
                log.error("%s can't be looked at: %s", kind, error)
            self._failed.add(kind)
            return None

    def _disk(self) -> str | None:
        found = None
        for folder, was_full in self._full.items():
            usage = shutil.disk_usage(folder)
            used_pct = 100 * usage.used / (usage.used + usage.free)
            limit_pct = self._settings.disk_clear_pct if was_full else self._settings.disk_pct
            self._full[folder] = used_pct >= limit_pct
            if self._full[folder]:
                found = found or f"{folder}: {used_pct:.0f} % used"
        return found

    def _backup(self) -> str | None:
        stamp = self._settings.backup_stamp
        if stamp is None:
            return None
        try:
            age_h = (self._clock.wall_ms() / 1000 - stamp.stat().st_mtime) / _HOUR_S
        except FileNotFoundError:
            return f"{stamp} is not there: no backup was made"
        return f"the last is {age_h:.0f} h old" if age_h > self._settings.backup_h else None

    def _certificate_ends(self) -> str | None:
        if self._certificate is None:
            return None
        left_days = (ends_s(self._certificate) - self._clock.wall_ms() / 1000) / _DAY_S
        return (
            f"{self._certificate}: {left_days:.0f} days left" if left_days < self._settings.certificate_days else None
        )

    def _clock_wrong(self) -> str | None:
        now_s, ahead_ms = self._now_s(), self._clock.wall_ms() - self._clock.mono_ms()
        by_s, self._ahead_ms = (ahead_ms - self._ahead_ms) / 1000, ahead_ms
        if abs(by_s) > STEP_S:
            self._stepped = now_s, by_s
        if self._clock.synchronised():
            self._synchronised_s = now_s
        if now_s > self._synchronised_s + UNSYNCHRONISED_S:
            return "no time service keeps it"
        if self._stepped and now_s <= self._stepped[0] + STEP_TOLD_S:
            return f"it was set by {self._stepped[1]:+.0f} s"
        return None

    def _now_s(self) -> float:
        return self._clock.mono_ms() / 1000
