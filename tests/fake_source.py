"""A source in memory that behaves, and can be told to fail, to hang, or what to say."""

import asyncio
from collections.abc import Sequence

from edge.ports import Arguments, CommandRefused, SourceError, Values


class FakeSource:
    """ports.Source. Each reading says its number (from 1) first, then `rest`, which a test may change.

    `fail(times)`: the next readings raise SourceError; `hang()`: readings wait until `go_on()`. `reading` tells
    whether a reading is under way; a second one at the same time, or one after `close`, is a mistake of the caller.
    """

    def __init__(
        self,
        name: str = "env-1",
        metrics: Sequence[str] = ("sim_n", "temp_c"),
        *,
        stream: str = "env",
        interval_s: float = 10.0,
        timeout_s: float = 5.0,
        rest: Values = (28.5,),
    ) -> None:
        self.name, self.stream, self.metrics = name, stream, tuple(metrics)
        self.interval_s, self.timeout_s = interval_s, timeout_s
        self.rest = rest
        self.number = 0
        self.reading = False
        self.closed = False
        self._failures = 0
        self._may_answer = asyncio.Event()
        self._may_answer.set()

    def fail(self, times: int = 1) -> None:
        """The next `times` readings fail."""
        self._failures += times

    def hang(self) -> None:
        """Readings do not end."""
        self._may_answer.clear()

    def go_on(self) -> None:
        """Readings end again."""
        self._may_answer.set()

    async def read(self) -> Values:
        if self.closed or self.reading:
            raise AssertionError(f"{self.name} read {'after close' if self.closed else 'twice at a time'}")
        self.reading = True
        try:
            await self._may_answer.wait()
        finally:
            self.reading = False
        if self._failures:
            self._failures -= 1
            raise SourceError(f"{self.name} was told to fail: let it")
        self.number += 1
        return (self.number, *self.rest)

    async def close(self) -> None:
        if self.closed:
            raise AssertionError(f"{self.name} closed twice")
        self.closed = True


class FakeCamera(FakeSource):
    """ports.Source that takes one command, `accept_view`; `accepted` lists what it was told.

    `refuse` = a text: it is refused so; `break_down()`: the next command meets a fault; `hang()` makes it wait, too.
    """

    def __init__(self, name: str = "cam-1", *, interval_s: float = 10.0) -> None:
        super().__init__(name, ("fps", "camera_state"), stream="cam", interval_s=interval_s, rest=(1.0,))
        self.accepted: list[Arguments] = []
        self.refuse = ""
        self._faulty = self._commanded = False

    def break_down(self) -> None:
        """The next command ends with an error that no command should."""
        self._faulty = True

    async def command(self, name: str, args: Arguments) -> str:
        if self.closed or self._commanded:
            raise AssertionError(f"{self.name} commanded {'after close' if self.closed else 'twice at a time'}")
        self._commanded = True
        try:
            await self._may_answer.wait()
        finally:
            self._commanded = False
        if self._faulty:
            self._faulty = False
            raise KeyError("no such lens")
        if self.refuse or name != "accept_view":
            raise CommandRefused(self.refuse or f"{name!r} is unknown here: send accept_view")
        self.accepted.append(args)
        return f"view {len(self.accepted)} accepted"
