"""A city whose boxes and server are machines with clocks of ours, and what one box lives through there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from edge.status import NotRunning, ask, socket_path
from firmware_sim.faults import Fault
from kewang.bench.city import SOURCE, City, CityPlan
from kewang.bench.field_books import Books
from kewang.bench.field_machine import Machine, build_library
from kewang.bench.process import PartFailed, wait_for
from kewang.bench.stored import STREAM, outbox_open

READINGS: Final = 8
"""So many are committed, at least, before the story goes on."""
_LIMIT_S: Final = 60.0
_ASK_EVERY_S: Final = 0.05


class FieldCity(City):
    """Gateway and boards run on `server`, each agent on a machine of its own; all believe what the kernel says.

    What `server` says is the truth, whether the kernel there calls it synchronised or not.
    """

    def __init__(self, plan: CityPlan, offset_s: float = 0.0) -> None:
        super().__init__(plan)
        library = build_library(self.folder)
        self.server = Machine(self.folder / "server", library)
        self.server.set(offset_s)
        self.gateway.clock = "kernel"
        self.gateway.machine = self.boards.machine = self.server
        self.machines = {name: Machine(self.folder / "machines" / name, library) for name in self.edges}
        for name, edge in self.edges.items():
            edge.machine = self.machines[name]

    def now_ms(self) -> int:
        return super().now_ms() + int(1000 * self.server.offset_s)


@dataclass
class Box:
    """One box, as its story moves it. `failed`: sentences about what was not so while it lived."""

    city: FieldCity
    name: str
    failed: list[str]

    @property
    def clock(self) -> Machine:
        """The machine that its agent runs on."""
        return self.city.machines[self.name]

    def on(self, offset_s: float = 0.0, *, kept: bool = False, linked: bool = True) -> None:
        """Power on, with the clock its battery kept or did not keep. `kept`: network time is there at once."""
        self.city.cut([self.name], not linked)
        self.clock.boot(offset_s)
        if kept:
            self.clock.serve(offset_s)
        self.city.edges[self.name].start()

    def off(self) -> None:
        """The power goes."""
        self.city.end_edge(self.name, kill=True)

    def stop(self) -> None:
        """Switched off in order."""
        self.city.end_edge(self.name, kill=False)

    def dies(self) -> None:
        """The agent alone is killed, and started again within the boot."""
        self.city.end_edge(self.name, kill=True)
        self.city.edges[self.name].start()

    def link(self) -> None:
        """The connection is there."""
        self.city.cut([self.name], False)

    def hush(self, *, over: bool = False) -> None:
        """The sensor gives nothing out any more, and what it gave is stored and tallied; or that is over."""
        self.city.boards.switch(self.city.with_board.index(self.name), None if over else Fault.EXCEPTION)
        if not over:
            self.waits(lambda: self._board().get("error") is not None, "hushed")
            self.waits(lambda: self._board().get("pending_rows") == 0, "committed")
            self.waits(lambda: outbox_open(self.city.edges[self.name].outbox) == 0, "stored")
            books = Books(self.city.house.url, self.city.now_ms())
            self.waits(lambda: books.balance([(self.name, SOURCE)]), "tallied")

    def reads(self, more: int = READINGS) -> None:
        """Until so many more readings are committed."""
        wanted = self._committed() + more
        self.waits(lambda: self._committed() >= wanted, f"{more} readings more")

    def dated(self) -> bool:
        """Whether this boot has dates."""
        return bool(self._report().get("clock", {}).get("dated"))

    def arrived(self) -> int:
        """How much of it is in the database: readings stored, and whatever is in quarantine."""
        return sum(max(0, self.city.database.count(each, self.name)) for each in (STREAM, "quarantine"))

    def waits(self, until: Callable[[], bool], what: str) -> None:
        """Raises PartFailed if it does not come: the story can't go on."""

        def looked() -> bool:
            time.sleep(_ASK_EVERY_S)
            return until()

        try:
            wait_for(looked, _LIMIT_S)
        except TimeoutError:
            edge = self.city.edges[self.name]
            raise PartFailed(f"{self.name}: {what}: not within {_LIMIT_S:g} s:\n{edge.log_tail()}") from None

    def must(self, holds: bool, what: str) -> None:
        """Say so if it does not."""
        if not holds:
            self.failed.append(f"{self.name}: it is not so that {what}")

    def _committed(self) -> int:
        """Readings of the board in this run that are in the outbox."""
        board = self._board()
        return int(board["readings"] - board["pending_rows"]) if board else 0

    def _board(self) -> dict[str, Any]:
        """What the agent says of it; nothing while it does not answer."""
        return next((each for each in self._report().get("sources", []) if each["name"] == SOURCE), {})

    def _report(self) -> dict[str, Any]:
        try:
            return ask(socket_path(self.city.edges[self.name].outbox))
        except NotRunning:
            return {}
