"""An event loop whose time passes only while nobody has anything to do: hours take moments, and always the same way."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

WALL_MS: Final = 1_785_000_000_000
"""Unix ms when a loop begins."""


class _Leap(selectors.SelectSelector):
    """Instead of waiting `timeout`, moves the loop's time on by it. There are no sockets to look at."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again: every task waits for another")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Work for threads is done at once, in the loop's own thread."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now_s

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        self.call_soon(_answer, done, func(*args))
        return done


def _answer(done: asyncio.Future[T], result: T) -> None:
    if not done.cancelled():
        done.set_result(result)


class LoopClock:
    """The running loop's time as a Clock; `offset_ms` makes the wall clock wrong, `started_s` is when it was 0."""

    def __init__(self, loop: asyncio.AbstractEventLoop, started_s: float = 0.0, *, synchronised: bool = True) -> None:
        self._loop, self._started_s = loop, started_s
        self.offset_ms, self.trusted = 0, synchronised

    def mono_ms(self) -> int:
        return int((self._loop.time() - self._started_s) * 1000)

    def wall_ms(self) -> int:
        return WALL_MS + int(self._loop.time() * 1000) + self.offset_ms

    def synchronised(self) -> bool:
        return self.trusted
