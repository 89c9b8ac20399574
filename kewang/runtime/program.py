"""How every long-running program of Kewang starts and stops."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator


def set_up_logging(verbose: bool = False, who: str = "") -> None:
    """Log to standard error, one line an event, as systemd wants it. `who`: which of several processes speaks."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format=f"%(asctime)s %(levelname)-7s {who and f'{who} '}%(name)s: %(message)s",
    )


@contextlib.contextmanager
def logged_from(level: int, name: str = "") -> Iterator[None]:
    """While it lasts, the logger `name` (all that have no level of their own, if empty) says only what is at least of
    this level."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(level)
    try:
        yield
    finally:
        log.setLevel(before)


def collect_rarely() -> None:
    """For a program through which many short-lived rows go: what is loaded is never looked at again by the garbage
    collector, and what is new only by the ten thousand. That was a quarter of the gateway's work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run_until_signalled(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run `main(stopping)` until it ends; the exit code.

    SIGTERM or SIGINT sets `stopping`: dry up the source, drain, return. A second signal leaves at once (130).
    """
    return asyncio.run(_run(main))


async def _run(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopping.is_set():
            os._exit(130)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        await main(stopping)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return 0


async def wait_or(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until `event` is set, at most `timeout_s`; whether it is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
    return event.is_set()
