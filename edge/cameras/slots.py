"""What all cameras of a process share: few sessions at a time, one thread for pictures. A camera that hangs must not
delay another."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

SESSIONS: Final = 4
"""So many cameras are watched at once."""
TROUBLED: Final = 2
"""So many of them may be ones that let us wait last time; the others always have the rest."""
P = ParamSpec("P")
T = TypeVar("T")


class NoSlot(Exception):
    """All sessions were taken for too long; look again soon."""


class Slots:
    """First come, first served. `in_thread` decodes and judges pictures one after the other; `in_fallback` is for
    libavformat, which blocks its thread while it waits for a camera."""

    def __init__(self, sessions: int = SESSIONS, troubled: int = TROUBLED) -> None:
        self._sessions = asyncio.Semaphore(sessions)
        self._troubled = asyncio.Semaphore(troubled)
        self._pictures = ThreadPoolExecutor(1, "pictures")
        self._fallback = ThreadPoolExecutor(1, "libav")

    @asynccontextmanager
    async def session(self, *, troubled: bool, wait_s: float) -> AsyncIterator[None]:
        """Hold one of the sessions. `troubled`: the camera let us wait last time. Raises NoSlot after `wait_s`."""
        taken = [self._troubled, self._sessions] if troubled else [self._sessions]
        held: list[asyncio.Semaphore] = []
        try:
            try:
                async with asyncio.timeout(wait_s):
                    for semaphore in taken:
                        await semaphore.acquire()
                        held.append(semaphore)
            except TimeoutError:
                raise NoSlot(f"all sessions were taken for {wait_s:g} s") from None
            yield
        finally:
            for semaphore in held:
                semaphore.release()

    async def in_thread(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in the one thread for pictures."""
        return await asyncio.get_running_loop().run_in_executor(self._pictures, lambda: do(*args, **kwargs))

    async def in_fallback(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in the one thread for libavformat."""
        return await asyncio.get_running_loop().run_in_executor(self._fallback, lambda: do(*args, **kwargs))


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Slots] = WeakKeyDictionary()


def shared() -> Slots:
    """Those of the running loop: of all cameras of an agent."""
    loop = asyncio.get_running_loop()
    if loop not in _of_loop:
        _of_loop[loop] = Slots()
    return _of_loop[loop]
