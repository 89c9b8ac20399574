"""A gateway's watch for tests: the real one with its files, whose clock only the test turns."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from gateway.incidents.watch import WatchRules
from gateway.notify.routes import NotifySettings
from gateway.watched import Watched, open_watched
from kewang.wire.placement import Placement
from tests.fake_outbox import ManualClock

START_MS = 1_785_000_000_000
BOXES = [f"amb-box-{n}" for n in range(4)]
SITES = {box: "mardika" if box < BOXES[3] else "gong" for box in BOXES}
"""Three boxes at one site, one alone at another."""


NOTIFY = NotifySettings.model_validate(
    {
        "channels": {"chat": {"kind": "webhook", "url": "https://chat.example/"}},
        "recipients": {"shift": {"language": "en", "addresses": {"chat": "1"}}},
        "routes": [{"to": ["shift"], "by": ["chat"]}],
    }
)
"""One recipient; nobody delivers."""


class House:
    """A gateway's watch, whose clock only the test turns."""

    def __init__(
        self, folder: Path, wall_ms: int = START_MS, notify: NotifySettings = NOTIFY, sites: Mapping[str, str] = SITES
    ) -> None:
        self.clock = ManualClock(wall_ms=wall_ms, synchronised=True)
        self.folder, self.notify, self.sites = folder, notify, sites
        self.silent: set[str] = set()
        self.connected = True
        self.trouble: str | None = None
        self.troubles: dict[str, str | None] = {}
        self.open()

    def open(self) -> None:
        self.watched: Watched = open_watched(self.folder, WatchRules(), self.notify, self.clock)
        self.settle()

    def settle(self) -> None:
        """Each box at its site."""
        for box, site in self.sites.items():
            place = {"from": START_MS, "site": site, "link": "wired"}
            self.watched.watching.placed(box, Placement.model_validate({"h": [place]}, strict=False))

    def restart(self) -> None:
        """The files are closed, and found again as they are."""
        self.watched.close()
        self.open()

    def kill(self) -> None:
        """As after a kill -9: the next process finds the files as they lie now, nothing closed, nothing said."""
        killed, lying = self.watched, self.folder
        self.folder = lying.with_name(f"{lying.name}-again")
        shutil.copytree(lying, self.folder)
        killed.close()
        self.open()

    async def live(self, seconds: int) -> None:
        """Each second a turn, each 10 s a message of each box that is heard, and our own."""
        for _ in range(seconds):
            self.clock.pass_s(1)
            if self.clock.mono_ms() // 1000 % 10 == 0:
                self.watched.watching.looped()
                for box in self.sites:
                    if box not in self.silent:
                        self.watched.watching.heard(box)
            self.watched.watching.look(self.connected, {"database": self.trouble, **self.troubles})
            await self.watched.watching.turn(self.watched.watching.now_s())

    def told(self) -> list[str]:
        """Subjects, oldest first."""
        db = sqlite3.connect(self.folder / "gateway.db")
        try:
            rows = db.execute("SELECT json_extract(content, '$.subject') FROM message ORDER BY id")
            return [subject for (subject,) in rows]
        finally:
            db.close()
