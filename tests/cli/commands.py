"""Runs the real `kewang` command as a process, on real databases."""

import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from gateway.ports import Lives, Store
from gateway.stores import open_store
from tests.cli.warm import Warm

T = TypeVar("T")
HOUR_MS = 3_600_000
LIMIT_S = 120
warm: Warm | None = None
"""Where there is one, it is forked for each command."""


def kewang(*words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """The command, ended; `answer` is what a person types."""
    if warm:
        return warm.run(words, answer, LIMIT_S)
    return subprocess.run(
        [sys.executable, "-c", "from kewang.cli import main; main()", *words],
        input=answer,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON object on the last line of its output."""
    return json.loads(done.stdout.splitlines()[-1])


def this_hour_ms() -> int:
    """Start of the present UTC hour, or of the last one if this has just begun."""
    now_ms = time.time_ns() // 1_000_000
    return (now_ms - 60_000) // HOUR_MS * HOUR_MS


async def using(url: str, *works: Callable[[Store], Awaitable[T]]) -> Sequence[T]:
    """The results of `works` on the prepared store at `url`."""
    store = open_store(url)
    try:
        await store.prepare(Lives(14))
        return [await work(store) for work in works]
    finally:
        await store.close()
