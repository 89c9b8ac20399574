"""What holds for every test: no asyncio task and no child process outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import glob
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psutil
import pytest
from hypothesis import settings

from tests import sharing

_LEAVING_S = 5.0

pytest_plugins = ["tests.parts"]

# httpx would look for it through all folders at every request; it tells asyncio from another library that we don't use.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

# A busy machine makes a slow test, not a wrong one.
settings.register_profile("kewang", deadline=None)
settings.load_profile("kewang")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How several workers share the tests."""
    return sharing.scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several workers begin with the slow tests, so that none of these is left to run alone at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What was collected lives until the end: the search for garbage need not go through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a child process, or an asyncio task, running. Set up first, so it looks last."""
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("no_task_left_behind")
    before = _descendants(os.getpid())
    yield
    left = _that_stay(_descendants(os.getpid()) - before)
    if left:
        described = [_describe(child) for child in left]
        psutil.wait_procs([child for child in left if _killed(child)], timeout=5)
        pytest.fail("left running: " + "; ".join(described))


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        pytest.fail("left running: " + "; ".join(sorted(repr(task) for task in left)))


def _descendants(pid: int) -> set[psutil.Process]:
    """Its children and theirs, from the kernel's lists of who a thread has started.

    `psutil` reads a file of every process there is instead, and this is asked twice a test.
    """
    found: set[psutil.Process] = set()
    for child in _children(pid):
        found |= _descendants(child)
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(child))
    return found


def _children(pid: int) -> set[int]:
    """Read twice: in such a list somebody who is reaped meanwhile may hide the next one."""
    found: set[int] = set()
    for listed in 2 * glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(listed) as file:
            found.update(map(int, file.read().split()))
    return found


def _that_stay(children: set[psutil.Process]) -> list[psutil.Process]:
    """Those of ours at once; a server's own children, one for each connection that was closed, may take a moment."""
    ours: list[psutil.Process] = []
    others: list[psutil.Process] = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            (ours if child.ppid() == os.getpid() else others).append(child)
    return ours + psutil.wait_procs(others, timeout=_LEAVING_S)[1]


def _describe(child: psutil.Process) -> str:
    try:
        return f"{child.pid} ({child.status()}) {' '.join(child.cmdline())}"
    except psutil.NoSuchProcess:
        return f"{child.pid} (just ended, but was not waited for)"


def _killed(child: psutil.Process) -> bool:
    try:
        child.kill()
    except psutil.NoSuchProcess:
        return False
    return True
