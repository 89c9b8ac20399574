"""Tests in virtual time: see kewang.bench.virtual_time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from kewang.bench.virtual_time import WALL_MS, LoopClock, VirtualLoop

__all__ = ["WALL_MS", "LoopClock", "VirtualLoop", "ends", "in_virtual_time", "until"]

P = ParamSpec("P")
T = TypeVar("T")


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in a VirtualLoop; a task that outlives it is a failure."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def whole() -> None:
            await test(*args, **kwargs)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left running: {left}"

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(whole())

    return run


async def until(true: Callable[[], object], limit_s: float = 60.0) -> None:
    """Wait for a condition; AssertionError when it does not come true within `limit_s` of the loop's time."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + limit_s
    while not true():
        assert loop.time() < ends_s, f"not within {limit_s:g} s"
        await asyncio.sleep(0.01)


async def ends(task: Awaitable[T], limit_s: float = 60.0) -> T:
    """The result of `task`, which must end within `limit_s` of the loop's time."""
    async with asyncio.timeout(limit_s):
        return await task
