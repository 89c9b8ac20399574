"""Rows in quarantine by device and kind of refusal, with the commands that decide on each group. Pure."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.judge import Verdict, Window
from gateway.ports import Refused
from gateway.replay import judged
from kewang.wire.names import NO_SOURCE
from kewang.wire.timers import Timers

SETTINGS: Final = "/etc/kewang/gateway.toml"
"""Where the installation's page puts them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some rows, `newest` the newest. `good`: how many would be stored today; dates are of the readings, Unix ms, None
    for messages that can't be read."""

    newest: Refused
    sources: tuple[str, ...]
    count: int
    good: int
    first_ms: int | None
    last_ms: int | None

    @property
    def device(self) -> str:
        """Whose they are."""
        return self.newest.series.device

    @property
    def replay(self) -> str:
        """The command that stores what is well today."""
        return self._command("replay")

    @property
    def delete(self) -> str:
        """The command that marks them as done with."""
        return self._command("delete")

    def _command(self, what: str) -> str:
        of = ["--device", self.device, "--reason", _kind(self.newest)]
        return "sudo -u kewang " + shlex.join(["kewang", "quarantine", what, "--config", SETTINGS, *of])


def groups_of(rows: Iterable[Refused], now_ms: int) -> list[Group]:
    """The groups of `rows` (newest first), the largest first."""
    window = Window(newest_ms=now_ms + int(Timers().ahead_s * 1000))
    by_key: dict[tuple[str, str], list[Refused]] = {}
    for row in rows:
        by_key.setdefault((row.series.device, _kind(row)), []).append(row)
    groups = [_group(some, window) for some in by_key.values()]
    return sorted(groups, key=lambda group: (-group.count, group.device))


def _group(rows: list[Refused], window: Window) -> Group:
    good = sum(isinstance(judged(row, window), Verdict) for row in rows)
    dates = [row.date_ms for row in rows if row.series.source != NO_SOURCE]
    sources = tuple(sorted({row.series.source for row in rows} - {NO_SOURCE}))
    return Group(rows[0], sources, len(rows), good, min(dates, default=None), max(dates, default=None))


def _kind(row: Refused) -> str:
    return row.reason.partition(":")[0]
